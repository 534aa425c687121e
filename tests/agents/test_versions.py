"""A scenario is changed while it waits for customers: what has begun ends as it began, or goes on under the new version."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.scenarios.faults import Known
from agents.scenarios.load import Loaded, check_folder, parse
from app.model.reasons import Reason
from app.model.receipt import Outcome
from tests.driver import DAY, HOUR, MINUTE, Engine
from tests.properties.test_core import HISTORIES, play, told

CART = """\
id: left
version: {version}
title: A cart was left
family: carts
priority: 5
upgrade: {upgrade}
absence:
  of: [cart_changed]
  without: [{without}]
  for: {wait}
show:
  items: cart
cascade:
  - channel: email
    template: abandoned_cart
    wait: {stage}
  - channel: sms
    template: {second}
"""


def cart(version=1, *, wait="60m", upgrade="move", without="ordered, cart_emptied", second="first", stage="2h"):
    return parse(CART.format(version=version, wait=wait, upgrade=upgrade, without=without, second=second, stage=stage))


def take(shop, scenario, *former):
    """What a reload does."""
    shop.behaviour.take(Loaded([scenario], list(former), []))
    for part in shop.table.parts.values():
        for key, row in list(part.packed.unpacked()):
            due = shop.behaviour.wake_of(row)
            if due is not None:
                part.timers.wake(key, due)


@pytest.fixture
def shop():
    engine = Engine([cart()], delivers=True)
    engine.subscriber()
    return engine


def test_what_is_armed_moves_to_the_new_version_unless_the_file_says_otherwise(shop):
    shop.add("p1")
    shop.wait(10 * MINUTE)
    take(shop, cart(2, wait="30m"))
    shop.wait(19 * MINUTE)
    assert shop.fired == []
    shop.wait(2 * MINUTE)
    assert [(trigger.version, trigger.due - trigger.fired_at) for trigger in shop.triggers] == [(2, 0.0)]


def test_a_longer_wait_of_the_new_version_is_waited_for(shop):
    shop.add("p1")
    take(shop, cart(2, wait="3h"))
    shop.wait(2 * HOUR)
    assert shop.fired == []
    shop.wait(61 * MINUTE)
    assert [trigger.version for trigger in shop.triggers] == [2]


def test_what_is_armed_ends_under_the_version_under_which_it_began_where_the_file_says_so(shop):
    shop.add("p1")
    take(shop, cart(2, wait="5m", upgrade="finish"), cart(1))
    shop.wait(59 * MINUTE)
    assert shop.fired == []
    shop.wait(2 * MINUTE)
    assert [trigger.version for trigger in shop.triggers] == [1]
    shop.wait(2 * DAY)
    shop.add("p2")
    shop.wait(6 * MINUTE)
    assert [trigger.version for trigger in shop.triggers] == [1, 2], "what begins now begins under the new one"


def test_what_starts_the_wait_anew_takes_the_new_version_and_its_shorter_wait(shop):
    shop.add("p1")
    shop.wait(20 * MINUTE)
    take(shop, cart(2, wait="5m", upgrade="finish"), cart(1))
    shop.add("p2")
    shop.wait(6 * MINUTE)
    assert [trigger.version for trigger in shop.triggers] == [2]


@pytest.mark.parametrize(("upgrade", "fires"), [("move", False), ("finish", True)])
def test_what_ends_the_wait_is_what_its_own_version_says(shop, upgrade, fires):
    shop.add("p1")
    take(shop, cart(2, without="ordered, cart_emptied, Call Requested", upgrade=upgrade), cart(1))
    shop.event("Call Requested")
    shop.wait(2 * HOUR)
    assert bool(shop.fired) is fires


@pytest.mark.parametrize(("upgrade", "second"), [("move", "other"), ("finish", "first")])
def test_a_cascade_goes_on_with_the_stages_of_its_version(upgrade, second):
    shop = Engine([cart()])
    shop.identify(email="u1@shop.example", phone="+79991234567", consent={"email": True, "sms": True})
    shop.add("p1")
    shop.wait(61 * MINUTE)
    shop.receipt(shop.triggers[0], Outcome.SENT)
    take(shop, cart(2, second="other", upgrade=upgrade), cart(1))
    shop.wait(25 * HOUR)
    assert [trigger.cascade[0].template for trigger in shop.triggers] == ["abandoned_cart", second]


def test_a_scenario_that_is_gone_ends_what_has_begun_unless_its_file_is_kept(shop):
    shop.add("p1")
    shop.behaviour.take(Loaded([], [], []))
    shop.wait(2 * HOUR)
    assert shop.fired == []
    assert Reason.SCENARIO_GONE in [line.reason for line in shop.journal]

    other = Engine([cart()], delivers=True)
    other.subscriber()
    other.add("p1")
    other.behaviour.take(Loaded([], [cart(1)], []))
    other.add("p2")  # begins nothing any more, and does not move what has begun
    other.wait(61 * MINUTE)
    assert [trigger.version for trigger in other.triggers] == [1]
    other.wait(2 * DAY)
    other.add("p3")
    other.wait(2 * HOUR)
    assert len(other.triggers) == 1


@given(HISTORIES, st.integers(0, 40))
@settings(max_examples=150, deadline=None)
def test_a_reload_of_the_same_at_any_moment_changes_nothing(history, at):
    plain, reloaded = Engine([cart()], delivers=True), Engine([cart()], delivers=True)
    for shop in (plain, reloaded):
        shop.subscriber()
    play(history, plain)
    plain.wait(2 * DAY)
    play(history[:at], reloaded)
    take(reloaded, cart())
    play(history[at:], reloaded, first=len(history[:at]))
    reloaded.wait(2 * DAY)
    assert told(plain) == told(reloaded)


@given(HISTORIES, st.integers(0, 40), st.sampled_from(["move", "finish"]), st.sampled_from(["30m", "60m", "2h"]))
@settings(max_examples=150, deadline=None)
def test_a_new_version_at_any_moment_neither_loses_nor_doubles_a_trigger(history, at, upgrade, wait):
    """Whatever is armed ends: fired once, ended or refused, with a line that tells it."""
    shop = Engine([cart()], delivers=True)
    shop.subscriber()
    play(history[:at], shop)
    take(shop, cart(2, wait=wait, upgrade=upgrade), cart(1))
    play(history[at:], shop, first=len(history[:at]))
    shop.wait(4 * DAY)
    row = shop.customer()
    assert row.armed is None
    assert len({trigger.trigger_id for trigger in shop.triggers}) == len(shop.triggers)
    begun = sum(line.reason == Reason.ARMED for line in shop.journal if line.scenario == "left")
    ends = {
        Reason.FIRED, Reason.ENDED_BY_ORDER, Reason.ENDED_BY_EMPTIED_CART, Reason.REENTRY, Reason.ONE_PER_SILENCE, Reason.CAP,
        Reason.CONDITION, Reason.RECENT_ORDER, Reason.TOO_LATE,
    }  # fmt: skip
    over = [
        line.reason
        for line in shop.journal
        if line.scenario == "left" and line.reason in ends and not line.detail.get("stage")
    ]
    open_ones_too = (Reason.ENDED_BY_ORDER, Reason.ENDED_BY_EMPTIED_CART)  # they end cascades that have fired as well
    assert len([one for one in over if one not in open_ones_too]) <= begun
    assert len(over) >= begun


def folder(tmp_path, *files):
    (tmp_path / "old").mkdir()
    for name, text in files:
        (tmp_path / name).write_text(text)
    return check_folder(tmp_path, Known())


def text(version, upgrade="move"):
    return CART.format(
        version=version, wait="60m", upgrade=upgrade, without="ordered", second="abandoned_cart", stage="2h"
    )


def test_the_version_before_stands_in_its_folder(tmp_path):
    checked = folder(
        tmp_path,
        ("left.yaml", text(3, "finish")),
        ("old/left.2.yaml", text(2)),
        ("old/gone.1.yaml", text(1).replace("id: left", "id: gone")),
    )
    assert checked.faults == ()
    assert [(item.scenario.id, item.scenario.version) for item in checked.former] == [("gone", 1), ("left", 2)]


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        ([("left.yaml", text(2, "finish"))], "left.yaml:6: upgrade: `finish` needs the version before: copy the file as it was to old/left.VERSION.yaml"),
        ([("left.yaml", text(2)), ("old/left.2.yaml", text(2))], "old/left.2.yaml:2: version: 2 is not below 2, the one of left.yaml"),
        ([("left.yaml", text(2)), ("old/left.yaml", text(1))], "old/left.yaml:2: version: the file of version 1 must be called left.1.yaml"),
        ([("left.yaml", text(2)), ("old/left.1.yaml", text(1)), ("old/left.1.yml", text(1))], "old/left.1.yml:2: version: left.1.yaml is of the same one; keep one of the two"),
        ([("left.yaml", text(2)), ("old/left.1.yaml", text(1).replace("title", "titel"))], "old/left.1.yaml:3: titel: there is no such field"),
    ],
    ids=["not kept", "not older", "called otherwise", "twice", "with a fault"],
)  # fmt: skip
def test_what_is_wrong_with_a_former_version_is_told(tmp_path, files, fault):
    checked = folder(tmp_path, *files)
    assert any(found.startswith(fault) for found in checked.faults), checked.faults


def test_a_version_that_ends_as_it_began_still_counts_the_events_that_it_asks_about(shop):
    asking = parse(
        CART.format(version=1, wait="60m", upgrade="move", without="ordered", second="first", stage="2h")
        + "when: {not: {happened: Ticket Opened}}\n"
    )
    take(shop, asking)
    shop.add("p1")
    take(shop, cart(2, upgrade="finish"), asking)
    shop.event("Ticket Opened")
    shop.wait(2 * HOUR)
    assert shop.fired == []
    assert Reason.CONDITION in [line.reason for line in shop.journal]


def test_a_refused_topic_calls_back_what_a_version_that_is_gone_has_begun():
    of_topic = parse(
        CART.format(version=1, wait="60m", upgrade="move", without="ordered", second="first", stage="2h")
        + "topic: news\n"
    )
    shop = Engine([of_topic])
    shop.subscriber()
    shop.add("p1")
    shop.wait(61 * MINUTE)
    shop.behaviour.take(Loaded([], [of_topic], []))
    shop.identify(consent={"email:news": False})
    assert [cancel.reason for cancel in shop.cancels] == [Reason.CONSENT_WITHDRAWN]
