"""The stages of a cascade, travelling through time: when the next one follows, what it says, and what ends it."""

import pytest

from agents.dialogs.staff import Staff
from agents.scenarios.language import ScenarioError
from agents.scenarios.load import parse
from app.model.policy import Policy
from app.model.reasons import Reason
from app.model.receipt import Outcome
from app.model.team import Team
from tests.carts import cart_scenario
from tests.driver import DAY, HOUR, MINUTE, Engine
from tests.properties.test_core import restart

CART = cart_scenario(
    """\
  - channel: email
    template: abandoned_cart
    wait: 4h
    reaction: clicked
  - channel: [whatsapp, telegram]
    template: abandoned_cart
    wait: 1d
    reaction: delivered
  - channel: sms
    template: abandoned_cart
""",
    more="reentry: 7d\n",
)
AWAKE = Policy(quiet=None)
EVERYWHERE = {"email": True, "whatsapp": True, "sms": True}


def shop(text=CART, *, consent=EVERYWHERE, phone="+79160000001", **options):
    engine = Engine([parse(text)], policy=AWAKE, **options)
    engine.identify("u1", email="u1@shop.example", phone=phone, consent=consent)
    return engine


def fired(**options):
    """A shop in which the first stage has just been handed over."""
    engine = shop(**options)
    engine.add("p1", name="Lamp", price=20.0)
    engine.wait(HOUR)
    engine.receipt(engine.triggers[0])
    return engine


def channels(engine):
    return [trigger.cascade[0].channel for trigger in engine.triggers]


def test_the_next_stage_follows_when_the_wait_ends_without_the_reaction():
    engine = fired()
    engine.wait(4 * HOUR - 1)
    assert channels(engine) == ["email"]
    engine.wait(2)
    assert channels(engine) == ["email", "whatsapp"]
    engine.receipt(engine.triggers[1])
    engine.wait(DAY + 1)
    assert channels(engine) == ["email", "whatsapp", "sms"]
    engine.receipt(engine.triggers[2])
    engine.wait(30 * DAY)
    assert channels(engine) == ["email", "whatsapp", "sms"]
    assert engine.customer().open is None
    assert len({trigger.trigger_id for trigger in engine.triggers}) == 1
    assert [trigger.stage for trigger in engine.triggers] == [0, 1, 2]
    assert engine.reasons("cart").count(Reason.NEXT_STAGE) == 2


def test_the_wait_begins_when_the_message_was_handed_over():
    engine = shop()
    engine.add("p1")
    engine.wait(3 * HOUR)
    assert channels(engine) == ["email"]
    engine.receipt(engine.triggers[0])
    engine.wait(4 * HOUR - 1)
    assert channels(engine) == ["email"]
    engine.wait(2)
    assert channels(engine) == ["email", "whatsapp"]


def test_a_later_stage_shows_what_is_in_the_cart_by_then():
    engine = fired()
    engine.event("Product Added", product_id="p2", price=5.0, name="Bulb")
    engine.wait(5 * HOUR)
    assert [line.product_id for line in engine.triggers[1].content.items] == ["p1", "p2"]


@pytest.mark.parametrize(
    ("outcome", "goes_on"),
    [(Outcome.DELIVERED, True), (Outcome.OPENED, True), (Outcome.CLICKED, False), (Outcome.REPLIED, False)],
)
def test_the_reaction_that_is_waited_for_or_a_stronger_one_ends_the_cascade(outcome, goes_on):
    engine = fired()
    engine.receipt(engine.triggers[0], outcome)
    engine.wait(5 * HOUR)
    assert (len(engine.triggers) == 2) is goes_on
    assert (Reason.REACTED in engine.reasons("cart")) is not goes_on


def test_a_reaction_that_is_read_before_the_sending_counts_and_so_does_the_message():
    engine = shop()
    engine.add("p1")
    engine.wait(HOUR)
    engine.receipt(engine.triggers[0], Outcome.CLICKED)
    engine.receipt(engine.triggers[0], Outcome.SENT)
    engine.wait(30 * DAY)
    assert channels(engine) == ["email"]
    assert [sent.stage for sent in engine.customer().sends] == [0]


def test_a_late_click_on_an_earlier_stage_ends_the_cascade():
    engine = fired()
    engine.wait(5 * HOUR)
    engine.receipt(engine.triggers[1])
    engine.receipt(engine.triggers[0], Outcome.CLICKED)
    engine.wait(3 * DAY)
    assert channels(engine) == ["email", "whatsapp"]


@pytest.mark.parametrize("ending", ["order", "emptied", "refused", "unsubscribed"])
def test_goal_empty_cart_and_withdrawn_consent_end_the_cascade_at_once(ending):
    engine = fired()
    engine.wait(HOUR)
    if ending == "order":
        engine.order()
    elif ending == "emptied":
        engine.event("Product Removed", product_id="p1")
    elif ending == "refused":
        engine.identify("u1", consent={"email": False})
    else:
        engine.receipt(engine.triggers[0], Outcome.UNSUBSCRIBED)
    assert engine.customer().open is None
    engine.wait(3 * DAY)
    assert channels(engine) == ["email"]
    assert engine.cancels == []  # there is nothing with the sender to call back


def test_who_unsubscribes_by_an_earlier_stage_hears_no_later_one():
    engine = fired()
    engine.wait(5 * HOUR)
    engine.receipt(engine.triggers[1])
    engine.receipt(engine.triggers[0], Outcome.UNSUBSCRIBED)
    assert engine.customer().open is None
    engine.wait(3 * DAY)
    assert channels(engine) == ["email", "whatsapp"]


def test_a_stage_that_is_with_the_sender_is_called_back():
    engine = fired()
    engine.wait(5 * HOUR)
    engine.order()
    assert [cancel.reason for cancel in engine.cancels] == [Reason.GOAL_REACHED]
    engine.receipt(engine.triggers[1], Outcome.SKIPPED, reason=Reason.GOAL_REACHED)
    engine.wait(3 * DAY)
    assert channels(engine) == ["email", "whatsapp"]
    assert engine.customer().open is None


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Outcome.FAILED, Reason.REJECTED),
        (Outcome.BOUNCED, Reason.REJECTED),
        (Outcome.SKIPPED, Reason.CHANNEL_DISABLED),
        (Outcome.SKIPPED, Reason.BUDGET),
        (Outcome.SKIPPED, Reason.SUPPRESSED),
        (Outcome.SKIPPED, Reason.BAD_ADDRESS),
    ],
)
def test_a_stage_that_does_not_reach_the_customer_is_followed_at_once(outcome, reason):
    engine = shop()
    engine.add("p1")
    engine.wait(HOUR)
    engine.receipt(engine.triggers[0], outcome, reason=reason)
    engine.wait(1)
    assert channels(engine) == ["email", "whatsapp"]


@pytest.mark.parametrize("reason", [Reason.CAP, Reason.OVERLOADED])
def test_after_other_refusals_of_the_sender_nothing_follows(reason):
    engine = shop()
    engine.add("p1")
    engine.wait(HOUR)
    engine.receipt(engine.triggers[0], Outcome.SKIPPED, reason=reason)
    engine.wait(3 * DAY)
    assert channels(engine) == ["email"]
    assert engine.customer().open is None


def test_a_bounce_that_comes_while_the_reaction_is_waited_for_brings_the_next_stage_at_once():
    engine = fired()
    engine.wait(10 * MINUTE)
    engine.receipt(engine.triggers[0], Outcome.BOUNCED)
    engine.receipt(engine.triggers[0], Outcome.BOUNCED)
    engine.wait(1)
    assert channels(engine) == ["email", "whatsapp"]


def test_stages_without_address_or_consent_are_skipped_each_with_its_reason():
    engine = shop(consent={"sms": True})
    engine.add("p1")
    engine.wait(HOUR)
    assert channels(engine) == ["sms"]
    assert engine.triggers[0].stage == 2
    lines = [(line.reason, line.detail["stage"]) for line in engine.journal if line.reason == Reason.NO_CONSENT]
    assert lines == [(Reason.NO_CONSENT, 1), (Reason.NO_CONSENT, 2)]
    engine.receipt(engine.triggers[0])
    assert engine.customer().open is None


def test_where_no_stage_reaches_the_customer_the_scenario_does_not_fire():
    engine = shop(consent={}, phone="")
    engine.add("p1")
    engine.wait(DAY)
    assert engine.fired == []
    assert Reason.NO_CONSENT in engine.reasons("cart")


def test_a_cascade_whose_later_stages_cannot_be_spoken_ends_with_a_reason():
    engine = fired(consent={"email": True})
    engine.wait(5 * HOUR)
    assert channels(engine) == ["email"]
    assert engine.reasons("cart")[-1] == Reason.CASCADE_ENDED
    assert engine.customer().open is None


@pytest.mark.parametrize(
    ("consent", "ways"),
    [
        ({}, ["whatsapp", "webhook"]),
        ({"whatsapp": False}, ["webhook"]),
        ({"webhook": False}, ["whatsapp"]),
    ],
)
def test_of_several_channels_of_a_stage_those_that_can_be_used_go_to_the_sender(consent, ways):
    text = CART.replace("[whatsapp, telegram]", "[whatsapp, webhook]")
    engine = fired(text=text, consent=EVERYWHERE | {"webhook": True} | consent)
    engine.wait(5 * HOUR)
    assert [way.channel for way in engine.triggers[1].cascade] == ways
    assert set(engine.triggers[1].addresses) == set(ways)


def test_the_channel_that_the_sender_took_counts_for_the_caps():
    text = CART.replace("[whatsapp, telegram]", "[whatsapp, webhook]")
    engine = fired(text=text, consent=EVERYWHERE | {"webhook": True})
    engine.wait(5 * HOUR)
    engine.receipt(engine.triggers[1], channel="webhook")
    assert [sent.channel for sent in engine.customer().sends] == ["email", "webhook"]


def test_a_scenario_that_was_stopped_goes_no_further():
    engine = fired()
    engine.decider._index.by_id["cart"] = parse(CART.replace("reentry: 7d", "reentry: 7d\nstopped: true"))
    engine.wait(DAY)
    assert channels(engine) == ["email"]
    assert engine.reasons("cart")[-1] == Reason.SCENARIO_STOPPED


def test_a_scenario_that_is_gone_goes_no_further():
    engine = fired()
    del engine.decider._index.by_id["cart"]
    engine.wait(DAY)
    assert channels(engine) == ["email"]
    assert engine.reasons("cart")[-1] == Reason.SCENARIO_GONE


def test_a_cascade_that_is_shorter_now_ends_where_it_is():
    engine = fired()
    engine.decider._index.by_id["cart"] = parse(CART[: CART.index("    wait: 4h")])
    engine.wait(DAY)
    assert channels(engine) == ["email"]
    assert engine.customer().open is None


def test_a_stage_that_an_outage_has_delayed_too_much_is_dropped():
    engine = fired()
    engine.clock.advance(4 * HOUR + 25 * HOUR)
    engine.wait(1)
    assert channels(engine) == ["email"]
    assert engine.reasons("cart")[-1] == Reason.TOO_LATE


def test_an_order_that_arrives_late_ends_the_cascade_too():
    engine = fired()
    ordered = engine.clock.now() - 30 * MINUTE
    engine.wait(HOUR)
    engine.event("Order Completed", order_id="o1", at=ordered)
    engine.wait(DAY)
    assert channels(engine) == ["email"]


def test_who_fires_anew_hears_no_more_of_the_old_cascade():
    engine = shop(CART.replace("reentry: 7d", "reentry: 1h\ncap: 0s").replace("wait: 4h", "wait: 3d"))
    engine.add("p1")
    engine.wait(HOUR)
    engine.receipt(engine.triggers[0])
    engine.wait(2 * HOUR)
    engine.add("p2")
    engine.wait(HOUR)
    engine.receipt(engine.triggers[1])
    assert Reason.CASCADE_SUPERSEDED in engine.reasons("cart")
    engine.wait(3 * DAY + 1)
    assert channels(engine) == ["email", "email", "whatsapp"]
    assert engine.triggers[2].trigger_id == engine.triggers[1].trigger_id


def test_who_fires_anew_while_the_sender_has_the_message_is_called_back():
    engine = shop(CART.replace("reentry: 7d", "reentry: 1h\ncap: 0s").replace("wait: 4h", "wait: 3d"))
    engine.add("p1")
    engine.wait(HOUR)
    engine.wait(2 * HOUR)  # no receipt: a relay that is down
    engine.add("p2")
    engine.wait(HOUR)
    old, new = engine.triggers
    assert [(cancel.trigger_id, cancel.reason) for cancel in engine.cancels] == [
        (old.trigger_id, Reason.CASCADE_SUPERSEDED)
    ]
    engine.receipt(old)  # it had gone out all the same
    engine.receipt(new)
    engine.wait(3 * DAY + 1)
    assert [(item.trigger_id, item.stage) for item in engine.triggers[2:]] == [(new.trigger_id, 1)]


def test_a_message_after_which_nothing_was_to_follow_is_not_called_back_by_the_next():
    one = "  - channel: email\n    template: abandoned_cart\n"
    engine = shop(cart_scenario(one, more="reentry: 1h\ncap: 0s\n"))
    engine.add("p1")
    engine.wait(3 * HOUR)
    engine.add("p2")
    engine.wait(HOUR)
    assert len(engine.triggers) == 2 and engine.cancels == []


def test_a_receipt_that_comes_twice_or_late_changes_nothing():
    engine = fired()
    engine.receipt(engine.triggers[0])
    engine.wait(5 * HOUR)
    engine.receipt(engine.triggers[0])
    engine.receipt(engine.triggers[0], Outcome.FAILED, reason=Reason.REJECTED)
    engine.wait(2 * DAY)
    assert channels(engine) == ["email", "whatsapp"]  # the second stage is still with the sender
    assert [sent.stage for sent in engine.customer().sends] == [0]


def test_a_reaction_to_an_earlier_stage_calls_the_later_one_back_and_so_nothing_comes_after_the_goal():
    engine = fired()
    engine.wait(5 * HOUR)
    engine.receipt(engine.triggers[0], Outcome.CLICKED)  # the second stage is with the sender, who has not spoken yet
    assert [(cancel.trigger_id, cancel.reason) for cancel in engine.cancels] == [
        (engine.triggers[1].trigger_id, Reason.REACTED)
    ]
    engine.order()
    engine.receipt(engine.triggers[1], Outcome.SKIPPED, reason=Reason.REACTED)
    engine.wait(3 * DAY)
    assert channels(engine) == ["email", "whatsapp"]
    assert engine.customer().open is None


@pytest.mark.parametrize("channel", ["whatsapp", "sms"])
def test_consent_is_called_back_for_each_way_that_a_stage_may_go(channel):
    engine = fired(text=CART.replace("[whatsapp, telegram]", "[whatsapp, sms]"))
    engine.wait(5 * HOUR)
    assert [way.channel for way in engine.triggers[1].cascade] == ["whatsapp", "sms"]
    engine.identify("u1", consent={channel: False})
    assert [cancel.reason for cancel in engine.cancels] == [Reason.CONSENT_WITHDRAWN]


def test_a_message_that_went_out_under_another_key_is_called_back_there():
    engine = Engine([parse(CART)], policy=AWAKE, partitions=16)
    engine.identify(None, anonymous="x", email="x@shop.example", consent=EVERYWHERE)
    engine.event("Product Added", None, anonymous="x", product_id="p1", price=20.0)
    engine.wait(HOUR)
    (trigger,) = engine.triggers
    assert trigger.customer == "anon:x"
    engine.identify("u7", anonymous="x")
    engine.order("u7")
    assert [(cancel.customer, cancel.reason) for cancel in engine.cancels] == [("anon:x", Reason.GOAL_REACHED)]


def test_a_message_that_was_called_back_and_bounces_is_over():
    engine = shop()
    engine.add("p1")
    engine.wait(HOUR)
    engine.order()
    assert engine.cancels
    engine.receipt(engine.triggers[0], Outcome.BOUNCED)
    assert engine.customer().open is None


def test_a_bounce_of_a_former_address_does_not_silence_the_present_one():
    engine = shop()
    engine.add("p1")
    engine.wait(HOUR)
    engine.receipt(engine.triggers[0])
    engine.identify("u1", email="new@shop.example", phone="+79160000002")
    engine.receipt(engine.triggers[0], Outcome.BOUNCED)
    assert engine.customer().suppressed is None
    engine.receipt(engine.triggers[0], Outcome.BOUNCED, address="new@shop.example")
    assert engine.customer().suppressed == {"email": "bounced"}


def test_a_complaint_withdraws_consent_which_a_newer_one_gives_back():
    engine = fired()
    engine.receipt(engine.triggers[0], Outcome.COMPLAINED)
    assert engine.customer().consent["email"].granted is False
    assert engine.customer().suppressed is None


def test_of_more_open_triggers_than_there_is_room_for_the_oldest_is_called_back():
    scenarios = [parse(CART.replace("id: cart", f"id: cart{n}").replace("abandonment", f"f{n}")) for n in range(9)]
    engine = Engine(scenarios, policy=AWAKE)
    engine.identify("u1", email="u1@shop.example", consent={"email": True})
    engine.add("p1", price=20.0)
    engine.wait(2 * HOUR)
    assert len(engine.customer().open) <= 8
    gone = len(engine.triggers) - len(engine.customer().open)
    assert [cancel.reason for cancel in engine.cancels] == [Reason.CASCADE_SUPERSEDED] * gone


def test_the_cascade_moves_with_the_customer():
    engine = Engine([parse(CART)], policy=AWAKE)
    engine.identify(None, anonymous="a1", email="u1@shop.example", phone="+79160000001", consent=EVERYWHERE)
    engine.add("p1", None, anonymous="a1")
    engine.wait(HOUR)
    engine.identify("u1", anonymous="a1")
    engine.receipt(engine.triggers[0])  # the sender knows the customer by the key of before
    engine.wait(5 * HOUR)
    assert channels(engine) == ["email", "whatsapp"]
    assert [trigger.customer for trigger in engine.triggers] == ["anon:a1", "u1"]
    assert len({trigger.trigger_id for trigger in engine.triggers}) == 1


def test_a_dialog_that_is_going_on_holds_the_next_stage():
    engine = fired(staff=Staff(Team()))
    engine.wait(HOUR)
    engine.asks(key="u1", user_id="u1")
    engine.wait(23 * HOUR)
    assert channels(engine) == ["email"]
    assert Reason.HELD_BY_DIALOG in engine.reasons("cart")
    engine.wait(HOUR + 1)
    assert channels(engine) == ["email", "whatsapp"]


def test_timers_that_are_rebuilt_from_state_know_the_next_stage():
    engine = fired()
    restart(engine)
    engine.wait(4 * HOUR + 1)
    assert channels(engine) == ["email", "whatsapp"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("channel: email", "channel: pigeon", "line 14: cascade 1.channel: there is no channel 'pigeon'"),
        ("channel: [whatsapp, telegram]", "channel: []", "cascade 2.channel: name one channel"),
        ("channel: [whatsapp, telegram]", "channel: [sms, sms]", "several different"),
        ("    wait: 4h\n", "", "cascade 1: wait: say how long"),
        ("wait: 4h", "wait: 31d", "cascade 1.wait: '31d' is longer than 30d"),
        ("wait: 4h", "wait: soon", "not a duration"),
        ("reaction: clicked", "reaction: looked", "line 17: cascade 1.reaction: 'looked' is none of"),
        ("channel: sms\n", "channel: sms\n    wait: 1h\n", "cascade 3: it is the last one"),
        ("channel: sms\n", "channel: sms\n    reaction: opened\n", "cascade 3: it is the last one"),
        (
            "channel: sms\n    template: abandoned_cart",
            "channel: sms\n    template: ''",
            "cascade 3.template: must not be empty",
        ),
    ],
)
def test_a_faulty_cascade_is_refused_with_advice(old, new, expected):
    with pytest.raises(ScenarioError, match=expected):
        parse(CART.replace(old, new), channels={"email", "whatsapp", "telegram", "sms"})
