"""One event in, one record out: names, types, times, traits."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.model.event import Event
from app.model.reasons import BadInput
from app.web.collector.links import OwnHosts
from app.web.collector.normalise import Accepted, Envelope, deeper_than, normalise
from app.web.collector.refusal import Refused
from tests.app.web.conftest import NOW, decodes, track

BROWSER = Envelope(NOW, "browser")
SERVER = Envelope(NOW, "server")
RECEIVED = datetime.fromtimestamp(NOW, UTC)


def event_of(raw: Any, envelope: Envelope = SERVER, kind: str = "") -> Event:
    return decodes(normalise(raw, kind, envelope).value)


def properties_of(**properties: Any) -> Any:
    return event_of(track(properties=properties)).properties


def refusal_of(raw: Any, envelope: Envelope = SERVER, kind: str = "") -> tuple[BadInput, str]:
    with pytest.raises(Refused) as refused:
        normalise(raw, kind, envelope)
    return refused.value.reason, refused.value.detail


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("Viewed Product", "Product Viewed"),
        ("viewed product", "Product Viewed"),
        ("PRODUCT VIEWED", "Product Viewed"),
        ("product_added", "Product Added"),
        ("  product-added ", "Product Added"),
        ("Removed Product", "Product Removed"),
        ("Completed Order", "Order Completed"),
        ("Viewed Product Category", "Product List Viewed"),
        ("Searched Products", "Products Searched"),
        ("Order Canceled", "Order Cancelled"),
        ("Quiz Finished", "Quiz Finished"),
    ],
)
def test_names_of_the_specification_become_canonical(theirs: str, ours: str) -> None:
    assert event_of(track(theirs)).event == ours


def test_numbers_and_ids_are_coerced() -> None:
    properties = properties_of(product_id=507, price="12.50", quantity="2", order_id=12.0, results="7")
    assert (properties.product_id, properties.price, properties.quantity) == ("507", 12.5, 2.0)
    assert (properties.order_id, properties.results) == ("12", 7)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12,50", 12.5),
        ("1 299,00", 1299.0),
        ("1\u00a0299 ₽", 1299.0),
        ("$1,299.00", 1299.0),
        ("1.299,90 €", 1299.9),
        ("1e3", 1000.0),
    ],
)
def test_prices_are_read_as_people_write_them(text: str, number: float) -> None:
    assert properties_of(product_id="1", price=text).price == number


@pytest.mark.parametrize("name", ["id", "sku", "productId"])
def test_other_names_of_a_product_id_are_understood(name: str) -> None:
    assert properties_of(**{name: 507}).product_id == "507"


def test_value_and_revenue_stand_for_a_missing_total() -> None:
    order = {"order_id": "1", "products": [{"id": 5, "price": "3"}]}
    assert event_of(track("Order Completed", properties={**order, "revenue": 3})).properties.total == 3.0
    assert event_of(track("Order Completed", properties={**order, "value": "4"})).properties.total == 4.0
    assert event_of(track("Order Completed", properties={**order, "value": 4, "total": 5})).properties.total == 5.0


@pytest.mark.parametrize(
    ("told", "discount", "coupon"),
    [
        ({"discount": "5.50", "coupon": "SPRING"}, 5.5, "SPRING"),
        ({"discount": None, "coupon": None}, 0.0, ""),
        ({"discount": "a tenth", "coupon": ["A", "B"]}, 0.0, ""),
        ({"discount": -5}, 0.0, ""),
    ],
)
def test_a_discount_that_is_none_is_never_worth_the_order(told: Any, discount: float, coupon: str) -> None:
    properties = event_of(track("Order Completed", properties={"order_id": "1", **told})).properties
    assert (properties.discount, properties.coupon) == (discount, coupon)


def test_lines_are_typed_and_keep_what_else_they_say() -> None:
    accepted = normalise(
        track("Cart Viewed", properties={"products": [{"sku": 7, "price": "2,5", "colour": "red"}]}), "", SERVER
    )
    line = decodes(accepted.value).properties.products[0]
    assert (line.product_id, line.price, line.quantity) == ("7", 2.5, 1.0)
    assert b'"colour":"red"' in accepted.value


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("boots", "boots"),
        ({"query": "boots", "size": 5}, "boots"),
        ({"text": "boots"}, "boots"),
        (["red", "boots"], "red boots"),
        ({"size": 5}, '{"size":5}'),
        (42, "42"),
    ],
)
def test_a_query_becomes_text(query: Any, text: str) -> None:
    assert event_of(track("Products Searched", properties={"query": query})).properties.query == text


def test_control_characters_leave_texts_and_long_texts_are_cut() -> None:
    properties = properties_of(product_id="1", name="Boot\r\nBcc: x@y.z\x00", brand="b" * 9999)
    assert properties.name == "Boot Bcc: x@y.z"
    assert len(properties.brand) == 512


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "ftp://a/b", "vbscript:x"]
)
def test_an_address_that_is_no_web_address_never_reaches_a_mail(url: str) -> None:
    accepted = normalise(track(properties={"product_id": "1", "url": url, "image_url": url}), "", SERVER)
    assert decodes(accepted.value).properties.url == decodes(accepted.value).properties.image_url == ""


def test_a_viewed_product_without_address_takes_that_of_its_page() -> None:
    page = {"page": {"url": "https://shop.example/p/1"}}
    assert event_of(track("Product Viewed", context=page)).properties.url == "https://shop.example/p/1"


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"price": -1}, BadInput.NEGATIVE_PRICE),
        ({"price": "-0.01"}, BadInput.NEGATIVE_PRICE),
        ({"price": math.nan}, BadInput.NOT_FINITE),
        ({"price": "NaN"}, BadInput.NOT_FINITE),
        ({"price": "inf"}, BadInput.NOT_FINITE),
        ({"price": "free"}, BadInput.WRONG_TYPE),
        ({"price": True}, BadInput.WRONG_TYPE),
        ({"price": {}}, BadInput.WRONG_TYPE),
        ({"quantity": -1}, BadInput.WRONG_TYPE),
        ({"product_id": True}, BadInput.WRONG_TYPE),
        ({"product_id": ["a"]}, BadInput.WRONG_TYPE),
        ({"product_id": "a\nb"}, BadInput.WRONG_TYPE),
        ({"name": {"en": "Boot"}}, BadInput.WRONG_TYPE),
        ({"products": "none"}, BadInput.WRONG_TYPE),
        ({"products": [None]}, BadInput.WRONG_TYPE),
        ({"products": [{"price": -5}]}, BadInput.NEGATIVE_PRICE),
        ({"products": [{}] * 501}, BadInput.TOO_MANY_LINES),
        ({"products": [{}] * 10_000}, BadInput.TOO_MANY_LINES),
    ],
)
def test_a_spec_event_with_a_bad_property_is_refused_with_its_reason(properties: Any, reason: BadInput) -> None:
    assert refusal_of(track(properties=properties))[0] is reason


def test_a_shops_own_event_is_kept_whole_whatever_its_properties() -> None:
    accepted = normalise(
        track("Quiz Finished", properties={"price": "free", "name": {"en": "x"}, "score": 7}), "", SERVER
    )
    assert decodes(accepted.value).properties.price == 0.0
    assert b'"untyped":{"price":"free","name":{"en":"x"}}' in accepted.value
    assert b'"score":7' in accepted.value


@pytest.mark.parametrize(
    ("raw", "reason", "detail"),
    [
        (None, BadInput.WRONG_TYPE, "event"),
        ([], BadInput.WRONG_TYPE, "event"),
        ("text", BadInput.WRONG_TYPE, "event"),
        ({"type": "track", "event": "x"}, BadInput.MISSING_ID, "anonymousId"),
        ({"type": "track", "event": "x", "userId": "", "anonymousId": None}, BadInput.MISSING_ID, "anonymousId"),
        ({"type": "track", "userId": "u"}, BadInput.MISSING_EVENT, "event"),
        ({"type": "track", "userId": "u", "event": " "}, BadInput.MISSING_EVENT, "event"),
        ({"type": "track", "userId": "u", "event": ["x"]}, BadInput.WRONG_TYPE, "event"),
        ({"type": "clock", "userId": "u"}, BadInput.UNKNOWN_TYPE, "type"),
        ({"type": ["track"], "userId": "u"}, BadInput.UNKNOWN_TYPE, "type"),
        ({"userId": "u"}, BadInput.UNKNOWN_TYPE, "type"),
        ({"type": "page", "userId": True}, BadInput.BAD_ID, "userId"),
        ({"type": "page", "userId": {"id": 1}}, BadInput.BAD_ID, "userId"),
        ({"type": "page", "userId": "u\r\nx"}, BadInput.BAD_ID, "userId"),
        ({"type": "page", "userId": "u" * 257}, BadInput.BAD_ID, "userId"),
        ({"type": "page", "userId": "u", "properties": []}, BadInput.WRONG_TYPE, "properties"),
        ({"type": "page", "userId": "u", "context": "x"}, BadInput.WRONG_TYPE, "context"),
        ({"type": "identify", "userId": "u", "traits": 1}, BadInput.WRONG_TYPE, "traits"),
        ({"type": "alias", "userId": "u"}, BadInput.MISSING_ID, "previousId"),
        ({"type": "group", "userId": "u"}, BadInput.MISSING_ID, "groupId"),
        ({"type": "page", "userId": "u", "timestamp": "yesterday"}, BadInput.BAD_TIMESTAMP, "timestamp"),
        ({"type": "page", "userId": "u", "timestamp": {}}, BadInput.BAD_TIMESTAMP, "timestamp"),
        ({"type": "page", "userId": "u", "timestamp": 1e300}, BadInput.BAD_TIMESTAMP, "timestamp"),
    ],
)
def test_an_unusable_event_is_refused_with_reason_and_field(raw: Any, reason: BadInput, detail: str) -> None:
    assert refusal_of(raw) == (reason, detail)


@pytest.mark.parametrize("prefix", ["anon:", "email:", "phone:", "dialog:"])
def test_a_user_cannot_take_the_name_of_another_kind_of_customer(prefix: str) -> None:
    assert refusal_of({"type": "page", "userId": f"{prefix}1"}) == (BadInput.BAD_ID, "userId")
    raw = {"type": "alias", "userId": "u", "previousId": f"{prefix}1"}
    assert refusal_of(raw) == (BadInput.BAD_ID, "previousId")


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def test_nesting_is_bounded_by_twenty_levels() -> None:
    assert not deeper_than({"a": nested(19)}, 20)
    assert deeper_than({"a": nested(20)}, 20)
    assert event_of(track("x", properties={"a": nested(18)})).event == "x"
    for levels in (19, 21, 300, 900):
        assert refusal_of(track("x", properties={"a": nested(levels)}))[0] is BadInput.TOO_DEEP


def test_many_flat_lists_are_not_deep() -> None:
    assert event_of(track("x", properties={str(i): [i] for i in range(100)})).event == "x"


SINCE_2000 = 946_684_800.0 - NOW


@pytest.mark.parametrize(
    ("fields", "shift", "historical"),
    [
        ({}, 0, False),
        ({"timestamp": "2026-11-22T07:19:00Z"}, -60, False),
        ({"timestamp": "2026-11-22T10:19:00+03:00"}, -60, False),
        ({"timestamp": "2026-11-22T07:19:00"}, -60, False),
        ({"timestamp": 1_795_331_940}, -60, False),
        ({"timestamp": 1_795_331_940_000}, -60, False),
        ({"timestamp": "2031-01-01T00:00:00Z", "sentAt": "2031-01-01T00:00:09Z"}, -9, False),
        ({"timestamp": "1999-01-01T00:00:00Z", "sentAt": "1999-01-01T00:00:09Z"}, -9, False),
        ({"originalTimestamp": "2026-11-22T07:19:00Z", "timestamp": "2026-11-22T07:10:00Z"}, -60, False),
        ({"timestamp": "2026-11-22T07:19:00Z", "sentAt": "nonsense"}, -60, False),
        ({"timestamp": "2026-11-22T07:19:09Z", "sentAt": "2026-11-22T07:19:00Z"}, 0, False),
        ({"timestamp": "2099-01-01T00:00:00Z"}, 0, False),
        ({"timestamp": "1970-01-01T00:00:00Z"}, SINCE_2000, True),
        ({"timestamp": 0}, SINCE_2000, True),
        ({"timestamp": "0001-01-01T00:00:00+14:00"}, SINCE_2000, True),
        ({"timestamp": "2026-11-21T07:20:00Z"}, -86_400, False),
        ({"timestamp": "2026-11-21T07:19:59Z"}, -86_401, True),
        ({"timestamp": "2026-10-23T07:20:00Z"}, -30 * 86_400, True),
        ({"timestamp": "2026-10-23T07:20:00Z", "sentAt": "2026-11-22T07:19:00Z"}, -30 * 86_400 + 60, True),
    ],
)
def test_event_time_is_corrected_and_what_is_older_than_a_day_keeps_its_date(
    fields: dict[str, Any], shift: float, historical: bool
) -> None:
    event = event_of(track(**fields))
    assert event.timestamp == RECEIVED + timedelta(seconds=shift)
    assert event.historical is historical


def test_an_import_is_historical_and_a_replay_keeps_its_time() -> None:
    assert event_of(track(), Envelope(NOW, "server", historical=True)).historical
    event = event_of(track(timestamp="2019-10-01T00:00:00Z"), Envelope(NOW, "server", clamp=False))
    assert (event.timestamp.year, event.historical) == (2019, False)


def test_in_stream_time_a_date_ahead_of_the_clock_is_refused() -> None:
    envelope = Envelope(NOW, "server", clamp=False)
    assert refusal_of(track(timestamp="2099-01-01T00:00:00Z"), envelope) == (BadInput.BAD_TIMESTAMP, "timestamp")


def test_a_browser_key_never_sets_an_address_or_a_consent() -> None:
    traits = {"email": "a@shop.example", "phone": "+79001234567", "consent": {"email": True}, "city": "Omsk"}
    for raw in ({"traits": traits}, {"context": {"traits": traits}}, {"traits": traits, "context": {"traits": traits}}):
        accepted = normalise({"type": "identify", "userId": "u", **raw}, "", BROWSER)
        told = decodes(accepted.value).traits
        assert (told.email, told.phone, told.consent, told.city, accepted.stripped) == (None, None, None, "Omsk", 3)
        assert b"shop.example" not in accepted.value


@pytest.mark.parametrize("kind", ["track", "page", "group", "alias", "screen"])
def test_a_browser_key_leaves_no_address_in_any_kind_of_event(kind: str) -> None:
    traits = {"email": "a@shop.example"}
    raw = {"type": kind, "userId": "u", "event": "x", "groupId": "g", "previousId": "p", "context": {"traits": traits}}
    accepted = normalise({**raw, "traits": traits}, "", BROWSER)
    assert accepted.stripped
    assert b"shop.example" not in accepted.value
    assert decodes(accepted.value).traits is None


def test_a_server_key_sets_addresses_and_consent_with_its_proof() -> None:
    consent = {"email": {"granted": True, "source": "checkout", "wording": "v2"}, "sms": False}
    event = event_of(
        {
            "type": "identify",
            "userId": "u",
            "traits": {"email": " Ann@Shop.Example ", "phone": "8 (900) 123-45-67", "consent": consent},
        }
    )
    assert (event.traits.email, event.traits.phone) == ("Ann@shop.example", "89001234567")
    assert (event.traits.consent["email"].granted, event.traits.consent["email"].wording) == (True, "v2")
    assert event.traits.consent["email"].at == NOW
    assert event.traits.consent["sms"].granted is False


@pytest.mark.parametrize(
    "bad", ["\r\nBcc: x@y.z", "\n", "\r", "\0", "\x85", "\u2028", "\u2029", "\t", ",b@c.d", ";", "<", ">", '"', " x"]
)
@pytest.mark.parametrize("place", ["a{}@b.c", "a@b.c{}", "a@b{}.c", "{}a@b.c"])
def test_an_address_that_could_inject_a_header_is_refused(bad: str, place: str) -> None:
    address = place.format(bad)
    raw = {"type": "identify", "userId": "u", "traits": {"email": address}}
    if address.strip(" ") == "xa@b.c":
        assert event_of(raw).traits.email == "xa@b.c"
    else:
        assert refusal_of(raw) == (BadInput.BAD_ID, "traits.email")


@pytest.mark.parametrize(
    ("traits", "reason"),
    [
        ({"email": "no address"}, BadInput.BAD_ID),
        ({"email": "a@b@c"}, BadInput.BAD_ID),
        ({"email": "a" * 250 + "@b.cd"}, BadInput.BAD_ID),
        ({"email": ["a@b.c"]}, BadInput.WRONG_TYPE),
        ({"phone": "call me"}, BadInput.BAD_ID),
        ({"phone": "123"}, BadInput.BAD_ID),
        ({"phone": "٣٣٣٣٣٣٣٣٣"}, BadInput.BAD_ID),
        ({"phone": {}}, BadInput.WRONG_TYPE),
        ({"consent": True}, BadInput.WRONG_TYPE),
        ({"consent": {"email": "yes"}}, BadInput.WRONG_TYPE),
        ({"consent": {"email": {"granted": 1}}}, BadInput.WRONG_TYPE),
        ({"consent": {"E Mail": True}}, BadInput.WRONG_TYPE),
        ({"name": {"first": "Ann"}}, BadInput.WRONG_TYPE),
    ],
)
def test_unusable_traits_are_refused(traits: Any, reason: BadInput) -> None:
    assert refusal_of({"type": "identify", "userId": "u", "traits": traits})[0] is reason


def test_an_identify_takes_traits_from_its_context_as_well() -> None:
    context = {
        "traits": {"firstName": "Ann", "name": "old"},
        "locale": "ru-RU",
        "timezone": "Asia/Omsk",
        "ip": "1.2.3.4",
    }
    accepted = normalise({"type": "identify", "userId": "u", "traits": {"name": "new"}, "context": context}, "", SERVER)
    traits = decodes(accepted.value).traits
    assert (traits.first_name, traits.name, traits.locale) == ("Ann", "new", "ru-RU")
    assert (traits.timezone, traits.device_timezone) == (None, "Asia/Omsk")
    assert b"1.2.3.4" not in accepted.value


def test_a_groups_traits_are_not_the_customers() -> None:
    accepted = normalise({"type": "group", "userId": "u", "groupId": 5, "traits": {"name": "ACME"}}, "", SERVER)
    assert decodes(accepted.value).traits is None
    assert b'"groupTraits":{"name":"ACME"}' in accepted.value


def test_long_parts_of_the_context_are_cut() -> None:
    accepted = normalise(
        track(context={"userAgent": "M" * 9_000, "page": {"url": "https://a/" + "p" * 9_000}}), "", SERVER
    )
    assert len(accepted.value) < 3_000


def ids_of(*raws: dict[str, Any], at: float = NOW) -> list[str]:
    return [normalise(raw, "", Envelope(at, "server")).message_id for raw in raws]


def test_a_missing_message_id_is_the_same_in_a_retry_and_another_in_another_event() -> None:
    first = track(timestamp="2026-11-22T07:19:00Z", sentAt="2026-11-22T07:19:01Z")
    retry = {**first, "sentAt": "2026-11-22T07:19:31Z"}
    other = {**first, "timestamp": "2026-11-22T07:19:00.001Z"}
    a, b, c = ids_of(first, retry, other)
    assert a == b != c


def test_events_without_any_time_are_told_apart_by_the_minute() -> None:
    assert ids_of(track()) == ids_of(track(), at=NOW + 5) != ids_of(track(), at=NOW + 61)


def test_a_long_message_id_is_hashed_and_a_short_one_kept() -> None:
    short, long, longer = ids_of(track(messageId="m" * 99), track(messageId="m" * 100), track(messageId="m" * 101))
    assert short == "m" * 99
    assert len(long) < 100
    assert long != longer


@pytest.mark.parametrize(
    "nobody", ["null", "undefined", "None", "NaN", "[object Object]", "0", 0, -1, "guest", " Anonymous ", "   ", "\n"]
)
def test_what_programs_write_for_nobody_is_no_id(nobody: Any) -> None:
    assert normalise(track(userId=nobody), "", SERVER).customer == "anon:visitor-1"
    raw = {"type": "identify", "userId": nobody, "anonymousId": nobody}
    assert refusal_of(raw) == (BadInput.MISSING_ID, "anonymousId")
    assert refusal_of({"type": "alias", "userId": "u", "previousId": nobody}) == (BadInput.MISSING_ID, "previousId")


@pytest.mark.parametrize("spelled", ["caf\u00e9", "cafe\u0301", " caf\u00e9\u00a0", "\tcafe\u0301\r\n"])
def test_one_id_in_several_spellings_is_one_customer_and_one_product(spelled: str) -> None:
    accepted = normalise(track(userId=spelled, properties={"product_id": spelled}), "", SERVER)
    assert accepted.customer == decodes(accepted.value).properties.product_id == "caf\u00e9"


@pytest.mark.parametrize("value", ["a\x00b", "\x00shelf:lamps", "a\u202eb", "a" * 10_000, "a\u2066b", "a\ufffdb"])
def test_an_id_that_is_none_is_refused(value: str) -> None:
    assert refusal_of(track(userId=value)) == (BadInput.BAD_ID, "userId")
    assert refusal_of(track(properties={"product_id": value})) == (BadInput.WRONG_TYPE, "properties.product_id")


@pytest.mark.parametrize("name", ["price", "quantity"])
@pytest.mark.parametrize("value", [1e15, 1e308, "1e308", 10**18])
def test_a_number_that_no_shop_has_is_refused(name: str, value: Any) -> None:
    assert refusal_of(track(properties={"product_id": "1", name: value})) == (
        BadInput.NOT_FINITE,
        f"properties.{name}",
    )
    assert refusal_of(track("Cart Viewed", properties={"products": [{"id": "1", name: value}]}))[0] is (
        BadInput.NOT_FINITE
    )


def test_texts_do_not_turn_the_direction_of_what_follows() -> None:
    assert properties_of(product_id="1", name="\u202egnp.exe\u2069 \u05d0").name == "gnp.exe  \u05d0"


@pytest.mark.parametrize("name", ["Win! https://evil.example", "see WWW.evil.example", "evil.example/win", "//evil"])
def test_a_name_that_is_an_advertisement_is_no_name(name: str) -> None:
    traits = event_of({"type": "identify", "userId": "u", "traits": {"first_name": name, "city": "Omsk"}}).traits
    assert (traits.first_name, traits.city) == (None, "Omsk")


@pytest.mark.parametrize("name", ["Ann", "J. R. R. Tolkien", "Anna-Maria", "M.Sc. Ann", "\u0410\u043d\u043d\u0430"])
def test_a_name_of_a_person_is_kept(name: str) -> None:
    assert event_of({"type": "identify", "userId": "u", "traits": {"first_name": name}}).traits.first_name == name


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("https://shop.example/p", True),
        ("https://SHOP.example:8443?x", True),
        ("https://img.shop.example/p.jpg", True),
        ("https://pics.cdn.example/p.jpg", True),
        ("/p/1", True),
        ("", True),
        ("https://shop.example.evil.example/", False),
        ("https://evilshop.example/", False),
        ("https://shop.example@evil.example/", False),
        ("https://evil.example\\.shop.example/", False),
        ("https://evil.example#.shop.example", False),
        ("//evil.example/", False),
        ("/\\evil.example/", False),
        ("p/1", False),
        ("https:evil.example", False),
        ("https://example/", False),
    ],
)
def test_only_the_shops_own_hosts_are_linked(url: str, own: bool) -> None:
    assert (url in OwnHosts(["https://www.shop.example", "pics.cdn.example", ""])) is own


def test_the_key_is_the_user_else_the_visitor() -> None:
    def customer(**fields: Any) -> Accepted:
        return normalise(track(**fields), "", SERVER).customer

    assert customer(userId=42) == "42"
    assert customer(userId="") == "anon:visitor-1"
    assert customer(userId=None, anonymousId="v") == "anon:v"
