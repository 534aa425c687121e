"""Events in odd orders, of odd sizes, from odd people: no buyer is accused, nobody else notices."""

import msgspec
import pytest

from app.clock import moment
from app.codec import encode_json
from app.model.event import ANONYMOUS, Consent, Event, Line, Properties, Traits
from app.model.reasons import BadInput, Reason
from app.model.receipt import Outcome, Receipt
from app.topics import CLICKSTREAM, RECEIPTS
from tables import bounds
from tests.driver import DAY, HOUR, MINUTE, Engine

EMOJI = "\U0001f600"


@pytest.fixture
def shop():
    engine = Engine()
    engine.subscriber()
    return engine


def shown(shop):
    return [[(line.product_id, line.quantity) for line in trigger.content.items] for trigger in shop.triggers]


# -- the cart


@pytest.mark.parametrize("quantity", [0.0, -1.0, float("nan")])
def test_an_addition_of_nothing_is_no_cart(shop, quantity):
    event = Event("track", moment(shop.clock.now()), "Product Added", "m", "u1")
    event.properties = Properties("p1", quantity=quantity)
    shop.decider.on_event("u1", shop.customer(), event, shop.clock.now())
    assert shop.customer().cart is None


def test_a_client_that_calls_all_its_messages_alike_can_still_empty_its_cart(shop):
    shop.add("p1", id="1")
    shop.event("Product Removed", product_id="p1", id="1")
    shop.wait(2 * HOUR)
    assert shop.fired == []


def test_fractions_that_add_up_empty_the_cart(shop):
    shop.add("p1", quantity=0.9)
    for _ in range(3):
        shop.event("Product Removed", product_id="p1", quantity=0.3)
    shop.wait(2 * HOUR)
    assert shop.fired == []


def test_a_removal_that_arrives_before_its_addition_counts(shop):
    added_at = shop.clock.now()
    shop.wait(1)
    shop.event("Product Removed", product_id="p1")
    shop.add("p1", at=added_at)
    shop.wait(2 * HOUR)
    assert shop.fired == []
    shop.add("p1")
    shop.wait(2 * HOUR)
    assert shown(shop) == [[("p1", 1)]]


def test_only_so_many_removals_are_remembered(shop):
    for number in range(100):
        shop.event("Product Removed", product_id=f"p{number}")
        shop.clock.advance(1)
    assert list(shop.customer().removed) == [f"p{number}" for number in range(84, 100)]


def test_an_addition_older_than_a_snapshot_is_in_it_already(shop):
    added_at = shop.clock.now()
    shop.wait(1)
    shop.event("Cart Viewed", products=[{"product_id": "p1"}])
    shop.add("p1", at=added_at)
    shop.wait(2 * HOUR)
    assert shown(shop) == [[("p1", 1)]]


def test_an_addition_older_than_an_empty_snapshot_arms_nothing(shop):
    added_at = shop.clock.now()
    shop.wait(1)
    shop.event("Cart Viewed", products=[])
    shop.add("p1", at=added_at)
    shop.wait(2 * HOUR)
    assert shop.fired == []


def test_a_removal_older_than_a_snapshot_does_not_touch_it(shop):
    before = shop.clock.now()
    shop.wait(1)
    shop.event("Cart Viewed", products=[{"product_id": "p1"}])
    shop.event("Product Removed", product_id="p1", at=before)
    shop.wait(2 * HOUR)
    assert shown(shop) == [[("p1", 1)]]


def test_of_two_snapshots_the_later_one_counts_in_any_order(shop):
    before = shop.clock.now()
    shop.add("p1")
    shop.wait(10)
    shop.event("Cart Viewed", products=[{"product_id": "p1"}])
    shop.event("Cart Viewed", products=[{"product_id": "p1"}, {"product_id": "p2"}], at=before + 5)
    shop.wait(2 * HOUR)
    assert shown(shop) == [[("p1", 1)]]


def test_a_snapshot_older_than_a_removal_does_not_bring_the_product_back(shop):
    shop.add("p1")
    shop.wait(10)
    seen_at = shop.clock.now()
    shop.wait(5)
    shop.event("Product Removed", product_id="p1")
    shop.event("Cart Viewed", products=[{"product_id": "p1"}], at=seen_at)
    shop.wait(2 * HOUR)
    assert shop.fired == []


def test_an_addition_and_an_order_of_one_moment_are_a_purchase_in_any_order(shop):
    shop.add("p1")
    shop.order()
    shop.add("p2")
    shop.wait(2 * DAY)
    assert shop.fired == []


def test_a_value_beyond_all_numbers_is_left_out(shop):
    shop.add("p1", price=1e308, quantity=1e10)
    shop.wait(2 * HOUR)
    assert [trigger.content.value for trigger in shop.triggers] == [0.0]
    assert shop.dead == []


# -- orders


def test_an_order_whose_clock_is_behind_takes_its_own_lines_out(shop):
    shop.wait(MINUTE)
    shop.add("p1")
    shop.add("p2")
    shop.order(at=shop.clock.now() - 30, products=[{"product_id": "p1"}])
    shop.wait(2 * DAY)
    assert shop.fired == []
    shop.add("p3")
    shop.wait(2 * HOUR)
    assert shown(shop) == [[("p2", 1), ("p3", 1)]]


def test_an_order_of_the_server_that_comes_before_the_visitor_is_known_disarms_the_visitors_cart():
    shop = Engine()
    shop.add("p1", None, anonymous="a1")
    shop.wait(10 * MINUTE)
    shop.order("u1", source="server")
    shop.wait(10 * MINUTE)
    shop.subscriber("u1", anonymous="a1")
    shop.wait(2 * DAY)
    assert shop.fired == []
    assert Reason.ENDED_BY_MERGE in shop.reasons("abandoned_cart")


def test_an_imported_order_keeps_its_date_and_holds_nothing_back(shop):
    ordered_at = shop.clock.now() - 30 * DAY
    shop.feed(
        Event(
            "track", moment(ordered_at), "Order Completed", "old", "u1",
            properties=Properties(order_id="o1", total=9.0), historical=True,
        )
    )  # fmt: skip
    assert (shop.customer().orders.count, shop.customer().orders.last_at) == (1, ordered_at)
    shop.add("p1")
    shop.wait(2 * HOUR)
    assert shop.fired == ["abandoned_cart"]


def test_an_imported_order_still_ends_what_it_bought_and_calls_back_what_has_fired(shop):
    shop.add("p1")
    shop.wait(61 * MINUTE)
    bought_at = shop.clock.now() - 30
    order = Event("track", moment(bought_at), "Order Completed", "o", "u1", properties=Properties(order_id="o1"))
    order.historical = True
    shop.feed(order)
    assert [cancel.reason for cancel in shop.cancels] == [Reason.GOAL_REACHED]
    assert shop.customer().cart is None


def test_a_visitors_order_of_the_last_day_calls_back_what_has_fired_for_the_user(shop):
    shop.event("Order Completed", None, anonymous="a2", order_id="o1")
    shop.wait(MINUTE)
    shop.add("p1")
    shop.wait(61 * MINUTE)
    shop.identify("u1", anonymous="a2")
    assert [cancel.reason for cancel in shop.cancels] == [Reason.GOAL_REACHED]


def test_a_view_that_arrives_after_its_order_is_not_shown_a_day_later(shop):
    viewed_at = shop.clock.now()
    shop.wait(MINUTE)
    shop.order()
    shop.view("bought", at=viewed_at)
    shop.wait(DAY - 2 * HOUR)
    shop.view("new")
    shop.wait(4 * HOUR)
    assert shown(shop) == [[("new", 1)]]


# -- who is who


def told(at, **traits):
    return Event("identify", moment(at), messageId=f"{at}", userId="u1", traits=Traits(**traits), source="server")


def test_a_late_identify_fills_gaps_and_replaces_nothing(shop):
    before = shop.clock.now() - HOUR
    shop.feed(told(before, email="old@shop.example", first_name="Ann"))
    assert (shop.customer().profile.email, shop.customer().profile.first_name) == ("u1@shop.example", "Ann")


def test_an_imported_consent_does_not_undo_a_later_refusal(shop):
    shop.identify("u1", consent=False)
    before = shop.clock.now() - 300 * DAY
    event = told(before, consent={"email": Consent(True, before)})
    event.historical = True
    shop.feed(event)
    assert not shop.customer().consent["email"].granted


def test_two_browsers_of_one_user_are_one_customer_with_one_message(shop):
    for browser in ("a1", "a2"):
        shop.add(f"p-{browser}", None, anonymous=browser)
        shop.identify("u1", anonymous=browser)
    shop.order(None, anonymous="a2")
    shop.wait(2 * DAY)
    assert shop.fired == []
    assert [shop.customer(ANONYMOUS + browser).owner for browser in ("a1", "a2")] == ["u1", "u1"]


def test_a_chain_of_aliases_ends_at_one_user():
    shop = Engine()
    for number in range(40):
        shop.add(f"p{number}", None, anonymous=f"a{number}")
        alias = Event("alias", moment(shop.clock.now()), f"n{number}", userId="u1", previousId=f"a{number}")
        shop.feed(alias)
        shop.clock.advance(1)
    shop.subscriber("u1")
    shop.event("Order Completed", None, anonymous="a0", order_id="o1")
    shop.wait(2 * DAY)
    assert shop.fired == []
    assert shop.dead == []


# -- sizes and names


def test_many_visitors_of_one_user_do_not_make_a_row_that_no_topic_accepts():
    shop = Engine(partitions=1)
    shop.subscriber()
    url = "https://x/" + "p" * 980
    for visitor in range(5):
        for number in range(100):
            more = {"name": EMOJI * 500, "category": EMOJI * 500, "url": url, "image_url": url}
            shop.add(f"{visitor}-{number}", None, anonymous=f"a{visitor}", **more)
            shop.view(f"{visitor}-{number}", None, anonymous=f"a{visitor}", **more)
            shop.clock.advance(0.001)
        shop.identify("u1", anonymous=f"a{visitor}")
    row = shop.customer()
    assert len(row.cart.lines) == 100
    assert row.cart.lines[-1].product_id == "4-99"
    assert shop.reasons().count("state_bounded") == 4
    assert len(msgspec.msgpack.encode(row)) < 600_000


def test_an_address_too_long_to_keep_is_left_out(shop):
    shop.add("p1", url="https://x/" + "p" * 2_000, image_url="https://x/" + EMOJI * 300)
    line = shop.customer().cart.lines[0]
    assert (line.url, line.image_url) == ("", "")


HUGE = "x" * (bounds.EVENT_BYTES + 1)


@pytest.mark.parametrize(
    ("key", "properties"),
    [
        ("u1", Properties("p1", name=HUGE)),
        ("u1", Properties("p" * 513)),
        ("u1", Properties("p1", currency="x" * 513)),
        ("u1", Properties(products=[Line("p" * 513)])),
        ("u" * (bounds.KEY_BYTES + 1), Properties("p1")),
    ],
    ids=["event", "product", "currency", "line", "key"],
)
def test_an_event_larger_than_a_row_may_become_is_kept_aside_and_changes_nothing(shop, key, properties):
    shop.add("p0")
    before = msgspec.msgpack.encode(shop.customer())
    shop.clock.advance(1)
    event = Event("track", moment(shop.clock.now()), "Product Added", "m", key, properties=properties)
    shop.record(CLICKSTREAM.name, key, encode_json(event))
    assert [letter.reason for letter in shop.dead] == [BadInput.TOO_LARGE]
    assert msgspec.msgpack.encode(shop.customer()) == before
    assert shop.customer(key) is None or key == "u1"


def test_a_snapshot_of_a_hundred_thousand_lines_changes_nothing_and_one_of_five_hundred_keeps_the_newest(shop):
    shop.event("Cart Viewed", products=[{"product_id": f"p{number}"} for number in range(100_000)])
    assert [letter.reason for letter in shop.dead] == [BadInput.TOO_LARGE]
    shop.event("Cart Viewed", products=[{"product_id": f"p{number}"} for number in range(500)])
    assert [line.product_id for line in shop.customer().cart.lines] == [f"p{number}" for number in range(400, 500)]
    assert "state_bounded" in shop.reasons()


@pytest.mark.parametrize("outcome", [Outcome.UNSUBSCRIBED, Outcome.COMPLAINED])
def test_a_refusal_of_somebody_unknown_is_remembered(outcome):
    shop = Engine()
    receipt = Receipt(outcome, "u1", "email", shop.clock.now(), address="u1@shop.example")
    shop.record(RECEIPTS.name, "u1", encode_json(receipt))
    shop.clock.advance(DAY)
    shop.subscriber()
    shop.add("p1")
    shop.wait(2 * HOUR)
    assert shop.fired == []
    assert "no_consent" in shop.reasons()


@pytest.mark.parametrize("source", ["", "checkout form"])
@pytest.mark.parametrize("hours", [-1, 1])
def test_it_does_not_matter_whether_an_unsubscribe_or_a_consent_is_read_first(source, hours):
    consents = []
    for first in ("consent", "unsubscribe"):
        shop = Engine()
        now = shop.clock.now()

        def unsubscribe(shop=shop, at=now):
            receipt = Receipt(Outcome.UNSUBSCRIBED, "u1", "email", at)
            shop.record(RECEIPTS.name, "u1", encode_json(receipt))

        def agree(shop=shop, at=now + hours * HOUR):
            traits = Traits(email="u1@shop.example", consent={"email": Consent(True, at, source)})
            event = Event("identify", moment(at), userId="u1", messageId="m", traits=traits, source="server")
            shop.feed(event)

        for act in (agree, unsubscribe) if first == "consent" else (unsubscribe, agree):
            act()
        consents.append(shop.customer().consent["email"])
    assert consents[0] == consents[1]
    assert consents[0].granted == (source != "" and hours > 0)


def test_a_receipt_of_somebody_unknown_makes_no_customer():
    shop = Engine()
    shop.record(RECEIPTS.name, "u1", encode_json(Receipt(Outcome.DELIVERED, "u1", "email", shop.clock.now())))
    assert shop.customer() is None


def test_receipts_of_many_channels_do_not_grow_a_row(shop):
    for number in range(100):
        receipt = Receipt(Outcome.BOUNCED, "u1", f"channel {number}", shop.clock.now(), address=f"a{number}")
        shop.record(RECEIPTS.name, "u1", encode_json(receipt))
    assert shop.customer().suppressed is None  # nobody is spoken to there


@pytest.mark.parametrize("key", ["\x00", "\x00shelf:lamps"])
def test_nobody_takes_the_place_of_a_shelf(shop, key):
    event = Event("track", moment(shop.clock.now()), "Product Added", "m", key, properties=Properties("p1"))
    shop.record(CLICKSTREAM.name, key, encode_json(event))
    assert [letter.reason for letter in shop.dead] == [BadInput.BAD_RECORD]
    shop.view("p1", category="lamps")
    assert len(shop.dead) == 1


@pytest.mark.parametrize(
    "user", ["a\x00b", " u ", "\u00e9", "e\u0301", "\u202eu", "0" * 10_000, "a/../b", "%00", "{{7*7}}"]
)
def test_an_odd_key_is_a_customer_like_any_other(user):
    shop = Engine()
    shop.identify(user, email="a@shop.example", consent=True)
    shop.add("p1", user)
    shop.wait(2 * HOUR)
    assert [trigger.customer for trigger in shop.triggers] == [user]
    assert shop.dead == []
