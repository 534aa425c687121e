"""For any input at all: never a 500, and the core can read whatever was accepted."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.model.reasons import BadInput
from app.web.collector import eventtime, fields
from app.web.collector.asgi import ROUTES
from app.web.collector.body import inflate, mend, parse
from app.web.collector.normalise import Envelope, normalise
from app.web.collector.refusal import Refused
from tests.app.web.conftest import NOW, ORIGIN, House, decodes

NAMES = st.sampled_from(
    [
        "type",
        "event",
        "userId",
        "anonymousId",
        "previousId",
        "groupId",
        "messageId",
        "timestamp",
        "originalTimestamp",
        "sentAt",
        "properties",
        "traits",
        "context",
        "name",
        "category",
        "product_id",
        "id",
        "sku",
        "price",
        "quantity",
        "total",
        "value",
        "revenue",
        "results",
        "query",
        "products",
        "url",
        "image_url",
        "currency",
        "order_id",
        "email",
        "phone",
        "consent",
        "locale",
        "timezone",
        "first_name",
        "firstName",
        "city",
        "address",
        "page",
        "userAgent",
        "batch",
        "writeKey",
    ]
)
WORDS = st.sampled_from(
    ["track", "page", "identify", "alias", "group", "Product Added", "Order Completed", "Products Searched", "u1", "12.5", "-1", "NaN", "Infinity",
     "1e999", "2026-11-22T07:00:00Z", "0001-01-01", "9999-12-31T23:59:59-12:00", "a@b.c", "a@b.c\r\nX: y", "+79001234567", "javascript:x", "email:x", "", "\x00"]
)  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=40)
JSON: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES | st.text(max_size=8), inner, max_size=8),
    max_leaves=25,
)
EVENTS = st.fixed_dictionaries(
    {"type": st.sampled_from(["track", "page", "identify", "alias", "group", "screen"])},
    optional={
        "userId": SCALARS, "anonymousId": st.just("a") | SCALARS, "event": WORDS, "previousId": SCALARS, "groupId": SCALARS,
        "messageId": SCALARS, "timestamp": SCALARS, "sentAt": SCALARS, "originalTimestamp": SCALARS,
        "properties": st.dictionaries(NAMES, JSON, max_size=8) | JSON, "traits": st.dictionaries(NAMES, JSON, max_size=6) | JSON,
        "context": st.dictionaries(NAMES, JSON, max_size=6) | JSON,
    },
)  # fmt: skip
ENVELOPES = st.builds(
    Envelope,
    received=st.just(NOW),
    source=st.sampled_from(["browser", "server"]),
    sent_at=st.none() | st.floats(-1e12, 1e12),
    anonymous_id=st.sampled_from(["", "h"]),
    context=st.dictionaries(NAMES, JSON, max_size=3),
    historical=st.booleans(),
    clamp=st.booleans(),
)
THOROUGH = settings(max_examples=600, deadline=None)


def as_sent(value: Any) -> Any:
    """The value as it arrives: through JSON text and the collector's own parser. Raises Refused."""
    document, lenient = parse(json.dumps(value).encode())
    return mend(document, 20) if lenient else document


@THOROUGH
@given(EVENTS | JSON, ENVELOPES)
def test_what_is_accepted_the_core_can_read(raw: Any, envelope: Envelope) -> None:
    try:
        envelope = Envelope(
            **{
                n: getattr(envelope, n)
                for n in ("received", "source", "sent_at", "anonymous_id", "historical", "clamp")
            },
            context=as_sent(envelope.context),
        )
        accepted = normalise(as_sent(raw), "", envelope)
    except Refused as refused:
        assert isinstance(refused.reason, BadInput)
        return
    event = decodes(accepted.value)
    assert event.userId or event.anonymousId
    assert 0 < len(event.messageId) < 100
    assert event.messageId == accepted.message_id
    if envelope.clamp:
        at = event.timestamp.timestamp()
        assert eventtime.EARLIEST <= at <= NOW
        assert at >= NOW - 86_400 or event.historical
    if envelope.browser and event.traits is not None:
        assert (event.traits.email, event.traits.phone, event.traits.consent) == (None, None, None)
    told = event.properties
    assert told is None or told.price >= 0


@THOROUGH
@given(EVENTS, ENVELOPES)
def test_an_accepted_event_normalised_again_says_the_same(raw: Any, envelope: Envelope) -> None:
    envelope = Envelope(NOW, "server", clamp=False)
    try:
        once = normalise(as_sent(raw), "", envelope).value
    except Refused:
        return
    again = decodes(normalise(json.loads(once), "", envelope).value)
    first = decodes(once)
    assert (again.event, again.properties, again.userId, again.messageId) == (
        first.event,
        first.properties,
        first.userId,
        first.messageId,
    )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(sorted(ROUTES)),
    body=st.binary(max_size=60) | EVENTS.map(json.dumps).map(str.encode) | st.lists(EVENTS | JSON, max_size=4).map(lambda b: json.dumps({"batch": b, "writeKey": "server-key"}).encode()),
    headers=st.dictionaries(
        st.sampled_from(["authorization", "anonymousid", "sentat", "x-write-key", "origin", "x-forwarded-for", "content-encoding"]),
        st.sampled_from(["", "Basic c2VydmVyLWtleTo=", "Basic ====", "Bearer server-key", "server-key", ORIGIN, "\xff\xfe", "1, 2", "gzip"]),
    ),
)  # fmt: skip
async def test_no_request_is_answered_with_a_500(house: House, path: str, body: bytes, headers: dict[str, str]) -> None:
    house.clock.advance(1)
    encoded = {name: value.encode("latin-1") for name, value in headers.items()}
    response = await house.http.post(path, content=body, headers=encoded)
    assert response.status_code in (200, 400, 401, 403, 413), response.text
    json.loads(response.content)


@given(st.binary(max_size=200))
def test_any_bytes_are_inflated_and_parsed_or_refused(body: bytes) -> None:
    for content in (body, b"\x1f\x8b" + body):
        try:
            parse(inflate(content))
        except Refused as refused:
            assert isinstance(refused.reason, BadInput)


@given(SCALARS | JSON)
def test_a_date_is_read_or_refused(value: Any) -> None:
    told = eventtime.lenient(value)
    assert told is None or abs(told) < 1e12


@given(st.text())
def test_no_text_keeps_a_control_character(value: str) -> None:
    told = fields.text(value)
    assert not any(c in told for c in "\r\n\0\x85\u2028\u2029\x1b\x7f")
    assert len(told) <= 512


@given(st.text(), st.text())
def test_no_address_with_a_line_break_is_an_address(a: str, b: str) -> None:
    for sign in "\r\n\0\u2028 ,;<>":
        for address in (f"{a}{sign}{b}@c.d", f"{a}@{b}{sign}.d"):
            try:
                told = fields.email(address)
            except ValueError:
                continue
            assert sign not in told
            assert told == address.strip(" ").rsplit("@", 1)[0] + "@" + address.strip(" ").rsplit("@", 1)[1].lower()
