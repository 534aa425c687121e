"""What the policy does with customers, travelling through time: caps, quiet hours, control groups, topics of consent."""

import pytest

from agents.scenarios.load import parse
from app.model.policy import AttributionWindow, Cap, Policy, Quiet, Which, one_per
from app.model.reasons import Reason
from app.model.receipt import Outcome
from tests.agents.test_cascade import CART, EVERYWHERE, channels
from tests.carts import cart_scenario
from tests.driver import DAY, HOUR, MINUTE, Engine

SMS = cart_scenario("  - channel: sms\n    template: abandoned_cart\n", more="reentry: 0s\n")
WISH = (
    SMS.replace("id: cart", "id: wish")
    .replace("family: abandonment", "family: wishes")
    .replace("of: [cart_changed]\n  without: [ordered, cart_emptied]", "of: [Wished]")
)
NIGHT = Quiet(22 * 60, 9 * 60, frozenset({"sms", "whatsapp"}))
"""The clock of the tests begins at 22:13 UTC."""


def shop(*texts, policy, phone="+79160000001", consent=EVERYWHERE, **traits):
    engine = Engine([parse(text) for text in texts], policy=policy)
    engine.identify("u1", email="u1@shop.example", phone=phone, consent=consent, **traits)
    return engine


# -- quiet hours


def test_at_night_the_scenario_waits_for_the_morning():
    engine = shop(SMS, policy=Policy(quiet=NIGHT))
    engine.add("p1")
    engine.wait(10 * HOUR)
    assert engine.fired == []
    assert engine.reasons("cart").count(Reason.QUIET_HOURS) == 1
    engine.wait(HOUR)
    assert engine.fired == ["cart"]
    (held,) = [line for line in engine.journal if line.reason == Reason.QUIET_HOURS]
    assert engine.triggers[0].due == held.due  # what was late was the night's, not ours
    assert engine.clock.now() - engine.triggers[0].due < HOUR


def test_in_the_morning_everything_is_asked_again():
    engine = shop(SMS, policy=Policy(quiet=NIGHT))
    engine.add("p1")
    engine.wait(5 * HOUR)
    engine.order()
    engine.wait(DAY)
    assert engine.fired == []
    assert engine.reasons("cart")[-1] == Reason.ENDED_BY_ORDER


def test_a_new_addition_at_night_counts_from_itself_and_is_held_like_the_first():
    engine = shop(SMS, policy=Policy(quiet=NIGHT))
    engine.add("p1")
    engine.wait(10 * HOUR)  # 8:13
    engine.add("p2")
    engine.wait(50 * MINUTE)
    assert engine.fired == []
    engine.wait(11 * MINUTE)
    assert [line.product_id for line in engine.triggers[0].content.items] == ["p1", "p2"]


def test_what_a_night_holds_does_not_come_too_late():
    text = SMS.replace("reentry: 0s", "reentry: 0s\noutage:\n  skip_after: 2h")
    engine = shop(text, policy=Policy(quiet=NIGHT))
    engine.add("p1")
    engine.wait(12 * HOUR)
    assert engine.fired == ["cart"]


@pytest.mark.parametrize(
    ("text", "policy", "fires"),
    [
        (SMS.replace("reentry: 0s", "reentry: 0s\nquiet: drop"), Policy(quiet=NIGHT), False),
        (SMS, Policy(quiet=Quiet(22 * 60, 9 * 60, drop=True)), False),
        (SMS.replace("reentry: 0s", "reentry: 0s\nquiet: ignore"), Policy(quiet=NIGHT), True),
        (SMS.replace("reentry: 0s", "reentry: 0s\nmarketing: false"), Policy(quiet=NIGHT), True),
        (SMS.replace("channel: sms", "channel: email"), Policy(quiet=NIGHT), True),
        (SMS, Policy(quiet=None), True),
    ],
)
def test_a_scenario_may_drop_or_ignore_what_falls_into_the_night(text, policy, fires):
    engine = shop(text, policy=policy)
    engine.add("p1")
    engine.wait(2 * HOUR)
    assert (engine.fired == ["cart"]) is fires
    engine.wait(DAY)
    assert (engine.fired == ["cart"]) is fires
    if not fires:
        assert engine.reasons("cart")[-1] == Reason.QUIET_HOURS


def test_a_later_stage_waits_for_the_morning_too_and_is_asked_again():
    engine = shop(CART, policy=Policy(quiet=NIGHT))
    engine.add("p1")
    engine.wait(HOUR)
    engine.receipt(engine.triggers[0])
    engine.wait(10 * HOUR - 15 * MINUTE)  # 8:58; the wait was over at 3:13
    assert channels(engine) == ["email"]
    assert Reason.QUIET_HOURS in engine.reasons("cart")
    engine.wait(15 * MINUTE)
    assert channels(engine) == ["email", "whatsapp"]


def test_an_order_in_the_night_ends_a_stage_that_waits_for_the_morning():
    engine = shop(CART, policy=Policy(quiet=NIGHT))
    engine.add("p1")
    engine.wait(HOUR)
    engine.receipt(engine.triggers[0])
    engine.wait(8 * HOUR)
    engine.order()
    engine.wait(3 * DAY)
    assert channels(engine) == ["email"]
    assert engine.cancels == []


@pytest.mark.parametrize(
    ("traits", "fires"),
    [
        ({"timezone": "America/New_York"}, True),
        ({"device_timezone": "America/New_York"}, True),
        ({"timezone": "Europe/London", "device_timezone": "America/New_York"}, False),
        ({"city": " New york"}, True),
        ({"timezone": "Mars/Olympus", "city": "New York"}, True),
        ({}, False),
    ],
)
def test_the_customers_clock_is_his_own_setting_his_devices_his_citys_or_the_shops(traits, fires):
    policy = Policy(quiet=NIGHT, cities={"new york": "America/New_York"})
    engine = shop(SMS, policy=policy, **traits)
    engine.add("p1")
    engine.wait(2 * HOUR)
    assert (engine.fired == ["cart"]) is fires
    if fires:
        assert engine.triggers[0].timezone == "America/New_York"


# -- frequency caps


def test_any_number_of_caps_holds_together():
    policy = Policy(quiet=None, caps=(one_per(2 * HOUR, "sms"), Cap(2, DAY, counts=Which(), obeys=Which())))
    engine = shop(SMS, policy=policy)
    times = []
    for _ in range(30):
        engine.add("p1")
        engine.wait(HOUR)
        if len(engine.triggers) > len(times):
            times.append(engine.clock.now())
            engine.receipt(engine.triggers[-1])
    assert len(times) == 4
    assert all(later - earlier >= 2 * HOUR for earlier, later in zip(times, times[1:], strict=False))
    assert all(times[n + 2] - times[n] >= DAY for n in range(len(times) - 2))
    assert Reason.CAP in engine.reasons("cart")


def test_a_topic_may_have_a_cap_of_its_own():
    cap = Cap(1, 7 * DAY, counts=Which(topics=frozenset({"wishes"})), obeys=Which(topics=frozenset({"wishes"})))
    wish = WISH.replace("reentry: 0s", "reentry: 0s\ntopic: wishes")
    engine = shop(SMS, wish, policy=Policy(quiet=None, caps=(cap,)))
    for _ in range(3):
        engine.add("p1")
        engine.event("Wished")
        engine.wait(2 * HOUR)
        for trigger in engine.triggers:
            engine.receipt(trigger)
    assert engine.fired.count("cart") == 3
    assert engine.fired.count("wish") == 1


def test_a_scenarios_own_cap_takes_the_place_of_the_policys():
    free = SMS.replace("reentry: 0s", "reentry: 0s\ncap: 0s")
    engine = shop(free, policy=Policy(quiet=None))
    for _ in range(3):
        engine.add("p1")
        engine.wait(HOUR + 1)
        engine.receipt(engine.triggers[-1])
    assert len(engine.triggers) == 3
    assert engine.triggers[0].caps == {}


def test_transactional_messages_neither_obey_nor_count():
    plain = WISH.replace("reentry: 0s", "reentry: 0s\nmarketing: false")
    engine = shop(SMS, plain, policy=Policy(quiet=None))
    for _ in range(2):
        engine.event("Wished")
        engine.add("p1")
        engine.wait(HOUR + 1)
        for trigger in engine.triggers:
            engine.receipt(trigger)
    assert engine.fired.count("wish") == 2
    assert engine.fired.count("cart") == 1


@pytest.mark.parametrize(("within", "known"), [(0.0, 1), (2 * DAY, 3)])
def test_sends_that_no_cap_looks_back_to_and_no_order_can_be_owed_to_are_forgotten(within, known):
    windows = {"sms": AttributionWindow("sent", within)}
    engine = shop(SMS, policy=Policy(quiet=None, caps=(one_per(HOUR, "sms"),), attribution=windows))
    for _ in range(5):
        engine.add("p1")
        engine.wait(2 * DAY)
        engine.receipt(engine.triggers[-1])
    assert len(engine.customer().sends) == known


# -- control groups


def test_a_member_of_the_control_group_gets_nothing_and_is_written_down_like_a_recipient():
    all_of_them = Policy(quiet=None, control=1.0)
    member, recipient = (shop(CART, policy=policy) for policy in (all_of_them, Policy(quiet=None)))
    for engine in (member, recipient):
        engine.add("p1", price=20.0)
        engine.wait(HOUR)
        engine.wait(DAY)
        engine.order(total=20.0)
    assert member.triggers == []
    assert member.customer().open is None
    (held,) = [line for line in member.journal if line.reason == Reason.CONTROL_GROUP]
    (fired,) = [line for line in recipient.journal if line.reason == Reason.FIRED]
    assert held.detail == fired.detail | {"group": "all"}
    assert (held.trigger_id, held.due, held.channel, held.event_id) == (
        fired.trigger_id,
        fired.due,
        fired.channel,
        fired.event_id,
    )
    goals = [
        [line.detail | {"order": ""} for line in engine.journal if line.reason == Reason.BOUGHT_AFTER]
        for engine in (member, recipient)
    ]
    assert goals[0] == [goals[1][0] | {"group": "all"}]
    assert goals[1][0]["group"] == "recipients"


def test_an_order_too_long_after_is_no_goal():
    engine = shop(SMS, policy=Policy(quiet=None))
    engine.add("p1")
    engine.wait(HOUR)
    engine.wait(8 * DAY)
    engine.order()
    assert Reason.BOUGHT_AFTER not in engine.reasons("cart")


def test_a_scenario_may_have_a_control_group_of_its_own_and_transactional_messages_have_none():
    half = SMS.replace("reentry: 0s", "reentry: 0s\ncontrol: 50")
    engine = Engine([parse(half)], policy=Policy(quiet=None))
    for number in range(40):
        user = f"u{number}"
        engine.identify(user, email=f"{user}@shop.example", phone=f"+791600000{number:02}", consent=EVERYWHERE)
        engine.add("p1", user)
    engine.wait(HOUR)
    held = {line.customer for line in engine.journal if line.reason == Reason.CONTROL_GROUP}
    assert 8 < len(held) < 32
    assert held | {trigger.customer for trigger in engine.triggers} == {f"u{number}" for number in range(40)}
    assert not held & {trigger.customer for trigger in engine.triggers}
    everyone = shop(SMS.replace("reentry: 0s", "marketing: false"), policy=Policy(quiet=None, control=1.0))
    everyone.add("p1")
    everyone.wait(HOUR)
    assert everyone.fired == ["cart"]


# -- consent by topic


@pytest.mark.parametrize(
    ("words", "fires"),
    [
        ([{"sms": True}], True),
        ([{"sms:offers": True}], True),
        ([{"sms:news": True}], False),
        ([{"sms": True, "sms:offers": False}], False),
        ([{"sms": True}, {"sms:offers": False}, {"sms": True}], False),
        ([{"sms": False}, {"sms:offers": True}], True),
        ([{"sms:offers": True}, {"sms": False}], False),
    ],
)
def test_consent_is_asked_for_by_channel_and_topic(words, fires):
    engine = shop(SMS.replace("reentry: 0s", "topic: offers"), policy=Policy(quiet=None), consent=None)
    for word in words:
        engine.wait(MINUTE)
        engine.identify("u1", consent=word)
    engine.add("p1")
    engine.wait(2 * HOUR)
    assert (engine.fired == ["cart"]) is fires


def test_an_unsubscribe_is_not_undone_by_a_back_end_that_repeats_an_old_consent_to_a_topic():
    engine = shop(SMS.replace("reentry: 0s", "topic: offers\nreentry: 0s"), policy=Policy(quiet=None))
    engine.add("p1")
    engine.wait(HOUR)
    engine.receipt(engine.triggers[0])
    engine.receipt(engine.triggers[0], Outcome.UNSUBSCRIBED)
    engine.wait(2 * DAY)
    engine.identify("u1", consent={"sms:offers": True})
    engine.add("p2")
    engine.wait(2 * HOUR)
    assert len(engine.triggers) == 1
    engine.identify("u1", consent={"sms:offers": True}, consent_source="preference page")
    engine.add("p3")
    engine.wait(2 * HOUR)
    assert len(engine.triggers) == 2
    assert engine.triggers[1].consent_at["sms"] > engine.triggers[0].fired_at


def test_a_refused_topic_ends_the_cascades_about_it():
    text = CART.replace("reentry: 7d", "topic: offers")
    engine = shop(text, policy=Policy(quiet=None))
    engine.add("p1")
    engine.wait(HOUR)
    engine.receipt(engine.triggers[0])
    engine.identify("u1", consent={"email:offers": False})
    assert engine.customer().open is None
    assert engine.reasons("cart")[-1] == Reason.CONSENT_WITHDRAWN


def test_a_browser_can_neither_grant_a_consent_nor_one_to_a_topic():
    engine = shop(SMS.replace("reentry: 0s", "topic: offers"), policy=Policy(quiet=None), consent=None)
    engine.identify("u1", consent={"sms": True, "sms:offers": True}, source="browser")
    engine.add("p1")
    engine.wait(2 * HOUR)
    assert engine.fired == []
