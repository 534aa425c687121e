"""What must hold of journeys whatever customers do and whenever workers restart."""

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.scenarios.load import parse
from app.codec import encode_json
from app.model.receipt import Outcome
from tests.driver import DAY, HOUR, MINUTE, Engine
from tests.properties.test_core import restart

WELCOME = """\
id: welcome
version: 1
title: Welcome
family: greeting
priority: 20
reentry: 2h
cap: 0s
goal: {event: Order Completed}
entry: {event: Subscribed}
steps:
  - message: {channel: email, template: one}
  - wait:
      for:
        - {event: Product Viewed, then: [{tag: {add: [seen]}}, {message: {channel: email, template: seen}}]}
        - {event: Left, then: [{exit: left}]}
      most: 6h
      else: [{delay: 1h}]
  - split:
      - {when: {cart: lines, at_least: 1}, steps: [{delay: 30m}, {message: {channel: email, template: cart}}]}
      - {otherwise: [{experiment: {name: e, arms: [{share: 1, steps: [{delay: 1h}]}, {share: 1}]}}]}
  - cascade: [{channel: email, template: two, wait: 1h, reaction: opened}, {channel: sms, template: three}]
"""
RIVAL = """\
id: rival
version: 1
title: Rival
family: greeting
priority: 30
reentry: always
cap: 0s
entry: {event: Product Added}
per: product
goal: {event: Product Removed}
steps: [{delay: 2h}, {message: {channel: email, template: rival}}]
"""
ACTIONS = st.one_of(
    st.sampled_from(["Subscribed", "Product Viewed", "Left", "Order Completed", "opened", "failed"]).map(
        lambda n: (n, "")
    ),
    st.tuples(st.sampled_from(["Product Added", "Product Removed"]), st.sampled_from(["p1", "p2"])),
    st.tuples(st.just("wait"), st.sampled_from([1.0, 20 * MINUTE, HOUR, 3 * HOUR, 7 * HOUR])),
)
HISTORIES = st.lists(ACTIONS, max_size=30)


class Watched(Engine):
    """An engine that looks at the families of journeys after every record and every deadline."""

    rows = 0

    def families(self):
        row = self.customer()
        engagement = row.engagement if row is not None else None
        return {journey.scenario for journey in (engagement.journeys if engagement else None) or ()}


def fresh():
    shop = Watched([parse(WELCOME), parse(RIVAL)], delivers=True)
    shop.subscriber(phone="+4915112345678")
    shop.identify(consent={"email": True, "sms": True})
    return shop


def play(history, shop, first=0):
    for number, (name, what) in enumerate(history, first):
        if name == "wait":
            shop.wait(what)
        elif name in ("opened", "failed"):
            if shop.triggers:
                shop.receipt(shop.triggers[-1], Outcome(name))
        else:
            shop.event(name, id=f"e{number}", product_id=what or "p9", order_id=f"o{number}", price=1.0)
        shop.clock.advance(0.5)
        assert len(shop.families()) <= 1


def journal(shop):
    return b"\n".join(map(encode_json, shop.journal))


@given(HISTORIES)
@settings(max_examples=200, deadline=None)
def test_of_a_family_one_scenario_is_open_and_every_journey_ends(history):
    shop = fresh()
    play(history, shop)
    shop.wait(5 * DAY)
    assert shop.families() == set()
    assert shop.dead == []
    assert "decision_failed" not in shop.reasons()


@given(HISTORIES)
@settings(max_examples=200, deadline=None)
def test_nothing_is_said_after_the_goal_or_an_exit(history):
    shop = fresh()
    play(history, shop)
    shop.wait(5 * DAY)
    over: dict[str, int] = {}
    for number, line in enumerate(shop.journal):
        if line.scenario == "welcome" and line.reason == "journey_begun":
            over.pop("welcome", None)
        elif line.scenario == "welcome" and line.reason in (
            "goal_reached",
            "journey_exited",
            "journey_ended",
            "outranked",
        ):
            over["welcome"] = number
        elif line.scenario == "welcome" and line.reason in ("fired", "next_stage", "journey_waits", "branch_taken"):
            assert "welcome" not in over, [line.reason for line in shop.journal]


@given(HISTORIES, st.floats(0, 12 * HOUR))
@settings(max_examples=100, deadline=None)
def test_a_goal_reached_at_any_moment_means_that_no_later_message_comes(history, after):
    shop = fresh()
    play([item for item in history if item[0] != "Product Added"], shop)
    shop.event("Subscribed", id="begin")
    shop.wait(after)
    shop.order()
    said = len(shop.triggers)
    shop.wait(5 * DAY)
    assert len(shop.triggers) == said


@given(HISTORIES)
@settings(max_examples=100, deadline=None)
def test_one_history_played_twice_gives_one_journal_byte_for_byte(history):
    first, second = fresh(), fresh()
    for shop in (first, second):
        play(history, shop)
        shop.wait(5 * DAY)
    assert journal(first) == journal(second)


@given(HISTORIES, st.integers(0, 30))
@settings(max_examples=200, deadline=None)
def test_a_restart_at_any_point_changes_nothing(history, at):
    plain, restarted = fresh(), fresh()
    play(history, plain)
    plain.wait(5 * DAY)
    play(history[:at], restarted)
    restart(restarted)
    play(history[at:], restarted, first=len(history[:at]))
    restarted.wait(5 * DAY)
    assert journal(plain) == journal(restarted)
    assert [trigger.trigger_id for trigger in plain.triggers] == [trigger.trigger_id for trigger in restarted.triggers]


@given(HISTORIES, HISTORIES)
@settings(max_examples=100, deadline=None)
def test_two_keys_that_are_one_customer_are_in_one_scenario_of_the_family(first, second):
    shop = fresh()
    for number, (name, what) in enumerate(first):
        if name in ("Subscribed", "Product Added", "Product Viewed"):
            shop.event(name, None, anonymous="a1", product_id=what or "p9", id=f"a{number}")
    play(second, shop)
    shop.identify("u1", anonymous="a1")
    assert len(shop.families()) <= 1
    shop.wait(5 * DAY)
    assert shop.families() == set()
    assert len({(trigger.trigger_id, trigger.stage) for trigger in shop.triggers}) == len(shop.triggers)
