"""What messages bring, travelling through time: to which message an order is owed, what takes it back, and goals of scenarios."""

import pytest

from agents.scenarios.language import ScenarioError
from agents.scenarios.load import parse
from app.model.policy import AttributionWindow, Policy
from app.model.reasons import Reason
from app.model.receipt import Outcome
from tables.customer import GOALS
from tables.upcast import current
from tests.agents.test_policy import SMS, WISH, shop
from tests.driver import DAY, HOUR, MINUTE, Engine
from tests.properties.test_core import restart

MAIL = WISH.replace("channel: sms", "channel: email")
"""A wish is answered by a mail an hour later, a cart by an SMS."""
OPEN = Policy(quiet=None, caps=(), currency="EUR")


def both(**options):
    """A shop in which a mail about a wish and an SMS about a cart went out, in this order, a minute apart."""
    engine = shop(SMS, MAIL, policy=OPEN, **options)
    engine.event("Wished")
    engine.wait(MINUTE)
    engine.add("p1")
    engine.wait(HOUR + 2)
    assert engine.fired == ["wish", "cart"]
    return engine


def of(engine, *reasons):
    return [line for line in engine.journal if line.reason in reasons]


def told(engine):
    """Attribution as (reason, scenario) in the order of the journal."""
    found = of(engine, Reason.ATTRIBUTED, Reason.ASSOCIATED, Reason.REATTRIBUTED, Reason.REFUNDED)
    return [(str(line.reason), line.scenario) for line in found]


def test_an_order_is_owed_to_the_last_message_that_touched_and_others_are_associated():
    engine = both()
    mail, text = engine.triggers
    engine.receipt(mail)
    engine.receipt(text)
    engine.wait(HOUR)
    engine.receipt(mail, Outcome.OPENED)
    engine.wait(DAY)
    engine.order(total=30.0, currency="usd")
    assert told(engine) == [("attributed", "wish"), ("associated", "cart")]
    owed, other = of(engine, Reason.ATTRIBUTED, Reason.ASSOCIATED)
    assert owed.detail == {
        "touch": "opened",
        "touched_at": int(engine.clock.now() - DAY),
        "order": "o4",
        "value": 30.0,
        "currency": "USD",
    }
    assert (owed.trigger_id, owed.channel, other.channel) == (mail.trigger_id, "email", "sms")
    assert other.detail["touch"] == "sent"


def test_a_mail_that_nobody_opened_has_no_part_in_an_order():
    engine = both()
    mail, text = engine.triggers
    engine.receipt(text)
    engine.wait(MINUTE)
    engine.receipt(mail)
    engine.receipt(mail, Outcome.DELIVERED)
    engine.order(total=30.0)
    assert told(engine) == [("attributed", "cart")]


@pytest.mark.parametrize(
    ("channel", "days", "owed"),
    [
        ("sms", 4.99, True),
        ("sms", 5.01, False),
        ("webpush", 0.99, True),
        ("webpush", 1.01, False),
        ("whatsapp", 4.99, True),
    ],
)
def test_the_windows_are_five_days_and_a_day_for_push(channel, days, owed):
    engine = shop(SMS, policy=OPEN)
    engine.add("p1")
    engine.wait(HOUR + 2)
    engine.receipt(engine.triggers[0], channel=channel)
    engine.wait(days * DAY)
    engine.order(total=5.0)
    assert told(engine) == ([("attributed", "cart")] if owed else [])


def test_the_windows_of_the_policy_hold():
    windows = {"sms": AttributionWindow("clicked", HOUR)}
    engine = shop(SMS, policy=Policy(quiet=None, caps=(), attribution=windows))
    engine.add("p1")
    engine.wait(HOUR + 2)
    (text,) = engine.triggers
    engine.receipt(text)
    engine.receipt(text, Outcome.OPENED)
    engine.order()
    assert told(engine) == []
    engine.wait(MINUTE)
    engine.receipt(text, Outcome.CLICKED)
    engine.wait(59 * MINUTE)
    engine.order()
    assert told(engine) == [("attributed", "cart")]
    engine.wait(2 * MINUTE)
    engine.order()
    assert told(engine) == [("attributed", "cart")]


def test_a_click_that_is_told_after_the_order_counts_if_it_came_before_it():
    engine = both()
    mail, text = engine.triggers
    engine.receipt(mail)
    engine.receipt(text)
    clicked_at = engine.clock.now() + HOUR
    engine.wait(2 * HOUR)
    engine.order(total=30.0)
    assert told(engine) == [("attributed", "cart")]
    engine.wait(MINUTE)
    engine.receipt(mail, Outcome.CLICKED, at=clicked_at)
    assert told(engine)[1:] == [("reattributed", "cart"), ("attributed", "wish"), ("associated", "cart")]
    moved = of(engine, Reason.ATTRIBUTED)[-1]
    assert moved.detail["ordered_at"] < engine.clock.now()
    engine.receipt(mail, Outcome.CLICKED, at=clicked_at)
    engine.receipt(mail, Outcome.OPENED)  # after the order: says nothing of it
    assert len(told(engine)) == 4


def test_a_message_whose_touch_is_told_late_and_was_not_the_last_is_associated():
    engine = both()
    mail, text = engine.triggers
    engine.receipt(mail)
    opened_at = engine.clock.now() + 1
    engine.wait(MINUTE)
    engine.receipt(text)
    engine.wait(HOUR)
    engine.order(total=30.0)
    engine.receipt(mail, Outcome.OPENED, at=opened_at)
    assert told(engine) == [("attributed", "cart"), ("associated", "wish")]


def test_a_late_order_is_owed_by_the_time_at_which_it_was_made():
    engine = both()
    mail, text = engine.triggers
    engine.receipt(text)
    engine.receipt(mail)
    engine.wait(HOUR)
    made_at = engine.clock.now()
    engine.wait(HOUR)
    engine.receipt(mail, Outcome.CLICKED)
    engine.order(total=30.0, at=made_at)
    assert told(engine) == [("attributed", "cart")]


def test_an_order_that_is_told_twice_counts_once():
    engine = both()
    engine.receipt(engine.triggers[1])
    for _ in range(2):
        engine.event("Order Completed", order_id="o1", total=30.0)
        engine.wait(MINUTE)
    assert told(engine) == [("attributed", "cart")]
    assert len(of(engine, Reason.BOUGHT_AFTER)) == 2  # once a scenario


@pytest.mark.parametrize("name", ["Order Refunded", "Order Cancelled"])
def test_an_order_that_is_given_back_is_taken_back_from_its_message_and_from_every_goal(name):
    engine = both()
    engine.receipt(engine.triggers[1])
    engine.event("Order Completed", order_id="o1", total=30.0)
    engine.wait(DAY)
    restart(engine)
    for _ in range(2):
        engine.event(name, source="server", order_id="o1")
    assert told(engine) == [("attributed", "cart"), ("refunded", "cart")]
    (back,) = of(engine, Reason.REFUNDED)
    assert back.detail == {"order": "o1", "value": 30.0, "currency": "EUR", "whole": 1}
    undone = of(engine, Reason.GOAL_UNDONE)
    assert [(line.scenario, line.detail["value"], line.detail["group"]) for line in undone] == [
        ("wish", 30.0, "recipients"),
        ("cart", 30.0, "recipients"),
    ]
    assert [line.detail["fired_at"] for line in undone] == [
        line.detail["fired_at"] for line in of(engine, Reason.BOUGHT_AFTER)
    ]


def test_part_of_an_order_may_be_given_back_and_then_the_rest():
    engine = both()
    engine.receipt(engine.triggers[1])
    engine.event("Order Completed", order_id="o1", total=30.0)
    part = {"order_id": "o1", "products": [{"product_id": "p1", "price": 5.0, "quantity": 2.0}]}
    for _ in range(2):  # one event, told twice
        engine.event("Order Refunded", id="r1", **part)
    engine.event("Order Refunded", **part)
    engine.event("Order Refunded", order_id="o1")
    backs = of(engine, Reason.REFUNDED)
    assert [(line.detail["value"], line.detail["whole"]) for line in backs] == [(10.0, 0), (10.0, 0), (10.0, 1)]


def test_a_refund_that_comes_before_its_order_leaves_nothing_to_count():
    engine = both()
    engine.receipt(engine.triggers[1])
    engine.event("Order Refunded", order_id="o1")
    engine.event("Order Refunded", order_id="o2", total=10.0)
    engine.event("Order Completed", order_id="o1", total=30.0)
    engine.event("Order Completed", order_id="o2", total=30.0)
    (owed,) = of(engine, Reason.ATTRIBUTED)
    assert (owed.detail["order"], owed.detail["value"]) == ("o2", 20.0)


def test_a_refund_of_an_order_that_no_message_brought_says_nothing():
    engine = Engine([parse(SMS)], policy=OPEN)
    engine.event("Order Completed", order_id="o1", total=30.0)
    engine.event("Order Refunded", order_id="o1")
    engine.event("Order Refunded")
    assert engine.journal == []
    assert engine.customer().engagement is None


def test_the_orders_that_are_kept_are_bounded():
    engine = both()
    engine.receipt(engine.triggers[1])
    for _ in range(GOALS + 5):
        engine.order(total=1.0)
        engine.event("Order Refunded", order_id=f"never-{engine.clock.now()}")
        engine.wait(MINUTE)
    assert len(engine.customer().engagement.goals) == GOALS


def test_transactional_messages_are_owed_nothing():
    engine = shop(SMS.replace("reentry: 0s", "reentry: 0s\nmarketing: false"), policy=OPEN)
    engine.add("p1")
    engine.wait(HOUR + 2)
    engine.receipt(engine.triggers[0])
    engine.order(total=5.0)
    assert told(engine) == []


def test_a_visitor_who_becomes_known_brings_his_orders_along():
    engine = Engine([parse(SMS)], policy=OPEN)
    engine.identify(None, anonymous="v1", email="v1@shop.example", phone="+79160000001", consent={"sms": True})
    engine.event("Product Added", None, anonymous="v1", product_id="p1", price=1.0)
    engine.wait(HOUR + 2)
    engine.receipt(engine.triggers[0])
    engine.event("Order Completed", None, anonymous="v1", order_id="o1", total=30.0)
    engine.identify("u1", anonymous="v1")
    engine.event("Order Completed", order_id="o1", total=30.0)
    engine.event("Order Refunded", order_id="o1")
    assert told(engine) == [("attributed", "cart"), ("refunded", "cart")]
    assert {line.customer for line in of(engine, Reason.REFUNDED)} == {"u1"}


def test_rows_of_before_have_no_touches_and_are_read():
    engine = both()
    engine.receipt(engine.triggers[1])
    sent = engine.customer().sends[-1]
    assert sent.sent_at == int(engine.clock.now())
    assert current(b"\xdc\x00\x16\x01") == b"\xdc\x00\x16\x01"


# -- goals of a scenario's own


REVIEW = SMS.replace("reentry: 0s", "reentry: 0s\ngoal: {event: Product Reviewed, within: 2d}")


def test_a_scenario_may_have_another_goal_than_an_order_within_a_time_of_its_own():
    engine = shop(REVIEW, MAIL, policy=Policy(quiet=None, caps=(), control=1.0))
    engine.add("p1")
    engine.event("Wished")
    engine.wait(HOUR + 2)
    engine.event("Product Reviewed", product_id="p1")
    engine.order(total=3.0)
    engine.wait(2 * DAY)
    engine.event("Product Reviewed", product_id="p2")
    assert [(str(line.reason), line.scenario) for line in of(engine, Reason.GOAL_AFTER, Reason.BOUGHT_AFTER)] == [
        ("goal_after", "cart"),
        ("bought_after", "wish"),
    ]
    (goal,) = of(engine, Reason.GOAL_AFTER)
    assert goal.detail["group"] == "all"
    assert goal.detail["goal"] == "Product Reviewed"


WISH_REVIEW = MAIL.replace("reentry: 0s", "reentry: 0s\ngoal: {event: Product Reviewed}")


def goals_told(engine):
    return [
        (str(line.reason), line.scenario, line.channel)
        for line in of(engine, Reason.GOAL_ATTRIBUTED, Reason.GOAL_ASSOCIATED)
    ]


def test_a_goal_that_is_no_order_is_owed_to_the_last_touch_of_the_scenarios_that_are_for_it():
    engine = shop(REVIEW, WISH_REVIEW, policy=OPEN)
    engine.event("Wished")
    engine.wait(MINUTE)
    engine.add("p1")
    engine.wait(HOUR + 2)
    mail, text = engine.triggers
    engine.receipt(mail)
    engine.receipt(text)
    engine.wait(MINUTE)
    engine.event("Product Reviewed")
    assert goals_told(engine) == [("goal_attributed", "cart", "sms")], "a mail that nobody opened has no part"
    engine.receipt(mail, Outcome.CLICKED)
    engine.wait(MINUTE)
    engine.event("Product Reviewed", total=5.0)
    assert goals_told(engine)[1:] == [("goal_attributed", "wish", "email"), ("goal_associated", "cart", "sms")]
    plain, dear, _ = of(engine, Reason.GOAL_ATTRIBUTED, Reason.GOAL_ASSOCIATED)
    assert plain.detail["goal"] == "Product Reviewed" and "value" not in plain.detail
    assert (dear.detail["value"], dear.detail["currency"], dear.detail["touch"]) == (5.0, "EUR", "clicked")
    engine.wait(6 * DAY)
    engine.event("Product Reviewed")
    assert len(goals_told(engine)) == 3, "every window is over"
    assert told(engine) == []


def test_a_message_of_a_scenario_with_another_goal_has_no_part_in_it():
    engine = shop(REVIEW, MAIL, policy=OPEN)
    engine.event("Wished")
    engine.wait(MINUTE)
    engine.add("p1")
    engine.wait(HOUR + 2)
    engine.receipt(engine.triggers[0])
    engine.receipt(engine.triggers[0], Outcome.CLICKED)
    engine.event("Product Reviewed")
    assert goals_told(engine) == []


JOURNEY = """
id: course
version: 1
title: A course
family: courses
priority: 10
entry: {event: Subscribed}
goal: {event: Lesson Booked, when: {event: price, at_least: 10}, within: 5d}
exit_on: end
steps:
  - message: {channel: sms, template: abandoned_cart}
  - delay: 3d
"""


def test_a_goal_of_a_journey_counts_where_its_condition_holds():
    engine = shop(JOURNEY, policy=OPEN)
    engine.event("Subscribed", product_id="p1")
    engine.wait(2)
    engine.receipt(engine.triggers[0])
    engine.wait(MINUTE)
    engine.event("Lesson Booked", price=5.0)
    assert goals_told(engine) == [] and of(engine, Reason.GOAL_AFTER) == []
    engine.event("Lesson Booked", price=20.0)
    assert goals_told(engine) == [("goal_attributed", "course", "sms")]
    assert len(of(engine, Reason.GOAL_AFTER)) == 1


def test_an_order_may_count_for_another_time_than_the_policy_says():
    engine = shop(SMS.replace("reentry: 0s", "reentry: 0s\ngoal: {within: 1d}"), policy=OPEN)
    engine.add("p1")
    engine.wait(HOUR + 2)
    engine.wait(DAY + HOUR)
    engine.order()
    assert of(engine, Reason.BOUGHT_AFTER) == []


@pytest.mark.parametrize(
    ("goal", "fault"),
    [
        ("{event: consent_changed}", "'consent_changed' is a signal"),
        ("{event: reviewed}", "neither a signal nor the name of an event"),
        ("{event: Product Reviewed, within: 900d}", "longer than 400 days"),
        ("{evnt: Product Reviewed}", "there is no such field"),
    ],
)
def test_a_goal_that_can_never_be_seen_is_refused(goal, fault):
    with pytest.raises(ScenarioError, match=fault):
        parse(SMS.replace("reentry: 0s", f"reentry: 0s\ngoal: {goal}"))
