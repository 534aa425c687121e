"""A visitor becomes a user: history and live timers move along, between partitions too."""

import pytest

from app.clock import moment
from app.codec import encode_json
from app.model.event import ANONYMOUS, EMAIL, Event
from app.model.reasons import Reason
from app.model.receipt import Outcome, Receipt
from app.topics import RECEIPTS
from tests.driver import DAY, HOUR, MINUTE, Engine


@pytest.fixture(params=[1, 4, 7])
def shop(request):
    return Engine(partitions=request.param)


def test_a_cart_of_a_visitor_fires_for_the_user_with_its_original_deadline(shop):
    shop.add("p1", None, anonymous="a1")
    due = shop.clock.now() + HOUR
    shop.wait(30 * MINUTE)
    shop.subscriber("u1", anonymous="a1")
    shop.wait(DAY)
    assert [(trigger.customer, trigger.scenario, trigger.due) for trigger in shop.triggers] == [
        ("u1", "abandoned_cart", due)
    ]
    assert shop.customer(ANONYMOUS + "a1").owner == "u1"
    assert Reason.LINKED in shop.reasons()


def test_two_carts_become_one_cart_and_one_trigger(shop):
    shop.subscriber("u1")
    shop.add("p1", "u1")
    shop.wait(10 * MINUTE)
    shop.add("p2", None, anonymous="a1")
    shop.add("p1", None, anonymous="a1", quantity=3)
    shop.identify("u1", anonymous="a1")
    shop.wait(DAY)
    assert shop.fired == ["abandoned_cart"]
    assert {line.product_id: line.quantity for line in shop.triggers[0].content.items} == {"p1": 3, "p2": 1}


def test_an_order_of_the_user_ends_the_cart_of_the_visitor(shop):
    shop.subscriber("u1")
    shop.add("p1", None, anonymous="a1")
    shop.wait(MINUTE)
    shop.order("u1")
    shop.identify("u1", anonymous="a1")
    shop.wait(2 * DAY)
    assert shop.fired == []
    assert Reason.ENDED_BY_MERGE in shop.reasons("abandoned_cart")


@pytest.mark.parametrize(
    ("told", "left"),
    [
        ([("Product Removed", 20.0, {"product_id": "p1"})], ["p2"]),
        ([("Product Removed", 5.0, {"product_id": "p1"})], ["p1", "p2"]),  # of another cart: he was a visitor then
        ([("Cart Viewed", 20.0, {"products": [{"product_id": "p2"}]})], ["p2"]),
        ([("Cart Viewed", 5.0, {"products": [{"product_id": "p3"}]})], ["p1", "p2", "p3"]),
        ([("Product Removed", 20.0, {"product_id": "p1"}), ("Product Removed", 21.0, {"product_id": "p2"})], []),
    ],
)
def test_what_the_user_has_taken_out_before_his_cart_arrived_is_not_in_it(shop, told, left):
    shop.subscriber("u1")
    began = shop.clock.now()
    shop.wait(MINUTE)
    for product in ("p1", "p2"):
        shop.add(product, None, anonymous="a1", at=began + 1)
    for name, after, what in told:
        shop.event(name, "u1", at=began + after, **what)
    shop.feed(Event("identify", moment(began + 10), messageId="login", userId="u1", anonymousId="a1"))
    shop.wait(DAY)
    cart = shop.customer("u1").cart
    assert sorted(line.product_id for line in (cart.lines if cart is not None else ())) == left
    assert [sorted(item.product_id for item in one.content.items) for one in shop.triggers] == ([left] if left else [])


def test_late_events_of_the_visitor_follow_to_the_user(shop):
    shop.subscriber("u1", anonymous="a1")
    shop.add("p1", None, anonymous="a1")
    shop.wait(2 * HOUR)
    assert [trigger.customer for trigger in shop.triggers] == ["u1"]
    assert shop.customer("u1").cart.lines[0].product_id == "p1"


def test_an_order_that_comes_late_for_the_visitor_disarms_the_user(shop):
    shop.add("p1", None, anonymous="a1")
    shop.subscriber("u1", anonymous="a1")
    shop.event("Order Completed", None, anonymous="a1", order_id="o1")
    shop.wait(2 * DAY)
    assert shop.fired == []


def test_a_visitor_is_not_given_to_a_second_user(shop):
    shop.subscriber("u1", anonymous="a1")
    shop.subscriber("u2", anonymous="a1")
    assert Reason.LINK_REFUSED in shop.reasons()
    shop.add("p1", None, anonymous="a1")
    shop.wait(2 * HOUR)
    assert [trigger.customer for trigger in shop.triggers] == ["u1"]


def test_an_address_belongs_to_the_first_user_who_was_given_it(shop):
    shop.subscriber("u1")
    assert shop.customer(EMAIL + "u1@shop.example").owner == "u1"
    shop.identify("u2", email="u1@shop.example", consent=True)
    assert Reason.LINK_REFUSED in shop.reasons()


def test_a_refusal_wins_when_two_consents_of_one_moment_meet(shop):
    shop.identify("u1", email="a@shop.example", consent=False)
    shop.add("p1", "u1")
    shop.wait(2 * HOUR)
    assert shop.fired == []


def test_caps_move_along_with_the_visitor(shop):
    shop.subscriber("u1")
    shop.add("p1", "u1")
    shop.wait(61 * MINUTE)
    shop.receipt(shop.triggers[0])
    shop.add("p2", None, anonymous="a1")
    shop.identify("u1", anonymous="a1")
    shop.wait(2 * HOUR)
    assert shop.fired == ["abandoned_cart"]


def test_a_receipt_for_a_moved_customer_finds_its_owner(shop):
    shop.subscriber("u1", anonymous="a1")
    receipt = Receipt(Outcome.UNSUBSCRIBED, ANONYMOUS + "a1", "email", shop.clock.now() + 1)
    shop.record(RECEIPTS.name, receipt.customer, encode_json(receipt))
    assert not shop.customer("u1").consent["email"].granted


def test_an_alias_moves_the_previous_id(shop):
    from app.clock import moment
    from app.model.event import Event

    shop.add("p1", None, anonymous="old")
    shop.subscriber("u1")
    shop.feed(Event("alias", moment(shop.clock.now()), userId="u1", previousId="old", messageId="alias"))
    shop.wait(2 * HOUR)
    assert [trigger.customer for trigger in shop.triggers] == ["u1"]


def test_a_guest_order_with_the_same_address_ends_the_cart_of_its_owner(shop):
    shop.subscriber("u1")
    shop.add("p1", "u1")
    shop.identify("guest7", email="u1@shop.example")
    shop.order("guest7")
    shop.wait(2 * DAY)
    assert shop.fired == []
    assert shop.customer("u1").orders.count == 1
    assert shop.customer("guest7").orders.count == 1
    assert shop.dead == []


def test_an_order_with_ones_own_address_counts_once(shop):
    shop.subscriber("u1")
    shop.order("u1")
    assert shop.customer("u1").orders.count == 1
    assert shop.dead == []


def test_a_back_end_that_updates_a_profile_is_no_visit(shop):
    shop.subscriber("u1")
    shop.view("p1", "u1")
    left = shop.clock.now()
    shop.wait(2 * HOUR)
    shop.identify("u1", first_name="Ann")
    shop.wait(2 * HOUR)
    assert [trigger.due for trigger in shop.triggers] == [left + 3 * HOUR]
