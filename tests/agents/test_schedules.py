"""A scenario whose time comes by the shop's clock begins for everybody, or for a segment, once each time, whatever crashes."""

from collections import Counter
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.journeys.occurrences import last_until, next_after, told_in_words
from agents.scenarios.load import Loaded, parse
from agents.scenarios.program import Planned
from agents.scenarios.unarmed import standings
from agents.segments.load import load_segments
from app.clock import ManualClock
from app.explain import story
from app.model.policy import Policy
from tables.customer import PLAN_PREFIX, SWEEP_PREFIX, Row, Schedule, Sweep
from tables.packed import Cell
from tests.driver import DAY, HOUR, MINUTE, Engine

HEAD = """\
id: weekly
version: 1
title: Weekly
family: news
priority: 50
cap: 0s
unless: {order_within: 0s}
"""
GREETS = "steps: [{message: {channel: email, template: hello}}]\n"
DAILY = 'entry: {schedule: {every: day, at: "10:00"}}\n' + GREETS
LOYAL = 'entry: {schedule: {every: day, at: "10:00", segment: loyal}}\n' + GREETS
MONDAY = datetime(2026, 1, 5, 9, 0, tzinfo=UTC).timestamp()
"""A Monday, an hour before the time of `DAILY`."""


def shop_of(text=DAILY, *, people=("u1",), at=MONDAY, zone="UTC", slice_=None, **options):
    shop = Engine([parse(HEAD + text)], delivers=True, clock=ManualClock(at), policy=Policy(zone=zone), **options)
    shop.plan()
    if slice_ is not None:
        shop.behaviour.sweeps._slice = slice_
    for name in people:
        shop.subscriber(name)
    return shop


def take(shop, *texts, **more):
    shop.behaviour.take(Loaded([parse(text) for text in texts], [], []), **more)
    shop.event("Page Seen", "somebody")  # whatever happens in a partition has it look after its schedules
    shop.plan()


def begun(shop):
    """When journeys began, and whose."""
    return [(line.at - MONDAY, line.customer) for line in shop.journal if line.reason == "journey_begun"]


def rows_of(shop, prefix):
    return [row for key, row in shop.table.rows() if key.startswith(prefix)]


@pytest.fixture
def loyal(tmp_path):
    (tmp_path / "loyal.yaml").write_text("id: loyal\ntitle: Loyal\nwhen: {orders: count, at_least: 2}\n")
    return load_segments(tmp_path)


def test_everybody_hears_of_it_once_a_day_at_its_time():
    shop = shop_of(people=("u1", "u2", "u3"))
    shop.wait(HOUR - 1.0)
    assert shop.fired == []
    shop.wait(MINUTE)
    assert sorted(trigger.customer for trigger in shop.triggers) == ["u1", "u2", "u3"]
    assert {trigger.due for trigger in shop.triggers} == {MONDAY + HOUR}
    shop.wait(DAY - MINUTE)
    assert len(shop.triggers) == 3
    shop.wait(2 * MINUTE)
    assert Counter(trigger.customer for trigger in shop.triggers) == {"u1": 2, "u2": 2, "u3": 2}
    assert len({trigger.trigger_id for trigger in shop.triggers}) == 6
    assert any("weekly began by event weekly:2026-01-05T10:00" in sentence for sentence in story(shop.journal))
    assert rows_of(shop, SWEEP_PREFIX) == []


def test_only_customers_of_the_segment_hear_of_it_and_who_leaves_it_ends(loyal):
    text = LOYAL.replace("steps: [", "exit_on: segment\nsteps: [{delay: 1h}, ")
    shop = shop_of(text, people=("u1", "u2"), segments=loyal)
    for _ in range(2):
        shop.order("u2")
    shop.wait(HOUR + MINUTE)
    assert begun(shop) == [(HOUR, "u2")]
    assert shop.behaviour.sweeps.counts["touched"] == 1
    assert shop.decider.planned["weekly"].program.leaving == "segment_left:loyal"


def test_days_of_the_week_and_of_the_month_are_kept_by_the_clock_of_the_shop():
    berlin = ZoneInfo("Europe/Berlin")
    text = 'entry: {schedule: {every: week, on: [thu, sat], at: "10:00"}}\n' + GREETS
    shop = shop_of(text, zone="Europe/Berlin")
    shop.wait(10 * DAY)
    told = [datetime.fromtimestamp(MONDAY + at, berlin).strftime("%a %d %H:%M") for at, _ in begun(shop)]
    assert told == ["Thu 08 10:00", "Sat 10 10:00", "Thu 15 10:00"]
    text = 'entry: {schedule: {every: month, on: [1, last], at: "23:30"}}\n' + GREETS
    shop = shop_of(text, zone="Europe/Berlin")
    shop.wait(60 * DAY)
    told = [datetime.fromtimestamp(MONDAY + at, berlin).strftime("%d.%m %H:%M") for at, _ in begun(shop)]
    assert told == ["31.01 23:30", "01.02 23:30", "28.02 23:30", "01.03 23:30"]


def test_where_clocks_are_changed_each_day_has_one_time():
    berlin = ZoneInfo("Europe/Berlin")
    night = Planned("day", frozenset(), 150)
    at, told = datetime(2026, 3, 27, 12, tzinfo=UTC).timestamp(), []
    for _ in range(3):
        at = next_after(night, berlin, at)
        told.append(datetime.fromtimestamp(at, berlin).strftime("%d %H:%M"))
    assert told == ["28 02:30", "29 03:30", "30 02:30"]
    autumn = datetime(2026, 10, 25, 0, 30, tzinfo=UTC).timestamp()  # 02:30, for the first time
    assert last_until(night, berlin, autumn) == autumn
    assert next_after(night, berlin, autumn) == autumn + 25 * HOUR


def test_the_day_on_which_clocks_are_put_forward_is_no_reason_to_rest():
    start = datetime(2026, 3, 27, 12, tzinfo=UTC).timestamp()
    shop = shop_of(zone="Europe/Berlin", at=start)
    shop.wait(4 * DAY)
    assert shop.fired == ["weekly"] * 4
    assert "reentry" not in shop.reasons("weekly")


@settings(max_examples=300, deadline=None)
@given(
    every=st.sampled_from(["day", "week", "month"]),
    days=st.frozensets(st.integers(0, 28), min_size=1),
    minutes=st.integers(0, 1439),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    at=st.integers(1_500_000_000, 2_500_000_000),
)
def test_between_the_last_time_and_the_next_there_is_none(every, days, minutes, zone, at):
    where = ZoneInfo(zone)
    named = frozenset() if every == "day" else frozenset(day % 7 for day in days) if every == "week" else days
    planned = Planned(every, named, minutes)
    last, after = last_until(planned, where, float(at)), next_after(planned, where, float(at))
    assert last <= at < after
    assert next_after(planned, where, last) == after
    assert last_until(planned, where, after) == after


@pytest.mark.parametrize(
    ("outage", "late", "told"),
    [
        ("outage: {skip_after: 30m}\n", 40 * MINUTE, ["too_late"]),
        ("outage: {skip_after: 2h}\n", 40 * MINUTE, ["journey_begun"]),
        ("outage: fire\n", 23 * HOUR, ["journey_begun"]),
        ("", 25 * HOUR, ["journey_begun"]),
    ],
)
def test_a_time_that_came_while_nothing_ran_is_decided_about_by_the_scenarios_rules(outage, late, told):
    shop = shop_of(outage + DAILY)
    asleep(shop, HOUR + late)
    shop.wait(MINUTE)
    assert [reason for reason in shop.reasons("weekly") if reason in ("too_late", "journey_begun")] == told


def asleep(shop, seconds):
    """Nothing runs for a while; then the timers are those of the rows."""
    shop.clock.advance(seconds)
    restart(shop)


def restart(shop):
    for part in shop.table.parts.values():
        part.packed.close()
        shop.behaviour.rebuilding(part.number)
        part.rebuild_timers(shop.behaviour.wake_of)


def test_of_several_times_that_an_outage_passed_over_the_last_is_made_up_for():
    shop = shop_of()
    asleep(shop, 4 * DAY)
    shop.wait(MINUTE)
    assert [line.event_id for line in shop.journal if line.reason == "journey_begun"] == ["weekly:2026-01-08T10:00"]
    assert shop.behaviour.sweeps.counts["missed"] == shop.partitions
    shop.wait(HOUR)
    assert shop.fired == ["weekly"] * 2  # and the one of that day


def test_conditions_are_asked_as_of_the_moment_and_fire_asks_nothing_less():
    text = 'entry:\n  schedule: {every: day, at: "10:00"}\n  when: {orders: count, at_least: 1}\n' + GREETS
    shop = shop_of(text, people=("u1", "u2"))
    shop.order("u2")
    shop.wait(HOUR + MINUTE)
    assert [customer for _, customer in begun(shop)] == ["u2"]


def test_a_scenario_that_is_taken_later_begins_with_the_next_time_and_one_that_is_gone_begins_no_more():
    shop = shop_of("entry: {event: Never Seen}\n" + GREETS)
    shop.wait(2 * HOUR)
    take(shop, HEAD + DAILY)
    shop.wait(HOUR)
    assert shop.fired == []  # that of today was before
    shop.wait(DAY)
    assert shop.fired == ["weekly"]
    take(shop)
    shop.wait(2 * DAY)
    assert shop.fired == ["weekly"]
    assert rows_of(shop, PLAN_PREFIX) == []


def test_a_new_version_with_the_same_times_runs_not_again_and_one_with_a_later_time_does():
    shop = shop_of()
    shop.wait(HOUR + MINUTE)
    newer = HEAD.replace("version: 1", "version: 2") + DAILY
    take(shop, newer)
    shop.wait(3 * HOUR)
    assert shop.fired == ["weekly"]
    take(shop, newer.replace("10:00", "15:00"))
    shop.wait(3 * HOUR)
    assert [(trigger.scenario, trigger.version) for trigger in shop.triggers] == [("weekly", 1), ("weekly", 2)]


def test_a_clock_of_the_shop_that_is_changed_counts_from_then_on():
    shop = shop_of()
    take(shop, HEAD + DAILY, policy=Policy(zone="America/New_York"))
    shop.wait(5 * HOUR)
    assert shop.fired == []
    shop.wait(2 * HOUR)
    assert {trigger.due for trigger in shop.triggers} == {MONDAY + 6 * HOUR}


def test_a_walk_whose_scenario_is_taken_away_or_stopped_ends():
    people = [f"u{number}" for number in range(20)]
    for texts in ((), (HEAD + "stopped: true\n" + DAILY,)):
        shop = shop_of(people=people, slice_=1)
        shop.wait(HOUR)
        heard = len(begun(shop))
        assert 0 < heard <= shop.partitions
        take(shop, *texts)
        shop.wait(HOUR)
        assert len(begun(shop)) == heard
        assert rows_of(shop, SWEEP_PREFIX) == []
        shop.wait(DAY)
        assert len(begun(shop)) == heard


def test_a_stopped_scenario_begins_no_walk():
    shop = shop_of("stopped: true\n" + DAILY)
    shop.wait(2 * DAY)
    assert shop.fired == [] and shop.behaviour.sweeps.counts["begun"] == 0
    assert {row.due for row in rows_of(shop, PLAN_PREFIX)} == {MONDAY + 2 * DAY + HOUR}


def test_without_room_for_another_walk_it_is_tried_again(monkeypatch):
    shop = shop_of()
    monkeypatch.setattr("agents.sweeps.MOST_SWEEPS", 0)
    shop.wait(HOUR + MINUTE)
    assert shop.fired == []
    monkeypatch.setattr("agents.sweeps.MOST_SWEEPS", 10)
    shop.wait(2 * MINUTE)
    assert begun(shop)[0][1] == "u1" and shop.triggers[0].due == MONDAY + HOUR


def test_a_step_that_has_grown_large_looks_at_no_more_customers(monkeypatch):
    monkeypatch.setattr("agents.sweeps.SLICE_BYTES", 1)
    people = [f"u{number}" for number in range(12)]
    shop = shop_of(people=people)
    shop.wait(HOUR)
    assert len(begun(shop)) <= shop.partitions
    shop.wait(MINUTE)
    assert Counter(trigger.customer for trigger in shop.triggers) == Counter(people)


def test_who_was_never_written_to_is_told_when_it_begins(loyal):
    scenario = parse(HEAD + 'entry: {schedule: {every: week, on: [thu, mon], at: "10:00", segment: loyal}}\n' + GREETS)
    shop = Engine([scenario], segments=loyal)
    shop.subscriber()
    assert [one.text for one in standings("u1", shop.customer(), [scenario])] == [
        "was never entered: the customer is not in segment loyal"
    ]
    for _ in range(2):
        shop.order()
    (one,) = standings("u1", shop.customer(), [scenario])
    assert "it begins every week on mon, thu at 10:00 by the shop's clock, for segment loyal" in one.text
    assert told_in_words(Planned("month", frozenset({0, 15, 1}), 9)) == (
        "every month on 1, 15, last at 00:09 by the shop's clock"
    )
    assert told_in_words(Planned("day", frozenset(), 600)) == "every day at 10:00 by the shop's clock"


def test_rows_of_a_walk_before_there_were_schedules_are_read():
    before = msgspec.msgpack.encode([4, "i1-0", 1.0, [], 2.0, 7])
    assert msgspec.msgpack.decode(before, type=Row) == Sweep("i1-0", 1.0, [], 2.0, 7)
    row = Schedule("weekly", "day  600 UTC", 3.0)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=Row) == row


def lost(shop, number):
    """A step of a partition's timers is decided and never written: the process dies, and another one restores the rows."""
    part = shop.table.partition(number)
    part.packed.close()
    kept = {key: cell.packed for key, cell in part.packed.cells.items()}
    publish, shop.table._publish = shop.table._publish, lambda *_: None
    shop.table.run(number, shop._timers(shop.clock.now()))
    shop.table._publish = publish
    part.packed.close()
    part.packed.cells.clear()
    part.packed.cells.update({key: Cell(packed) for key, packed in kept.items()})
    part.packed.size = sum(map(len, kept.values()))


@settings(max_examples=40, deadline=None)
@given(
    wanted=st.lists(st.booleans(), min_size=1, max_size=25),
    slice_=st.integers(1, 30),
    crashes=st.lists(st.sampled_from(["on", "restart", "lost", "late"]), max_size=30),
)
def test_each_customer_of_the_segment_hears_of_each_time_once_under_crashes(tmp_path_factory, wanted, slice_, crashes):
    folder = tmp_path_factory.getbasetemp() / "loyal"
    folder.mkdir(exist_ok=True)
    (folder / "loyal.yaml").write_text("id: loyal\ntitle: Loyal\nwhen: {orders: count, at_least: 1}\n")
    people = [f"u{number}" for number in range(len(wanted))]
    shop = shop_of(LOYAL, people=people, slice_=slice_, segments=load_segments(folder))
    for name, wants in zip(people, wanted, strict=True):
        if wants:
            shop.order(name)
    for day in range(2):
        shop.wait(MONDAY + day * DAY + HOUR - shop.clock.now())
        for crash in crashes:
            if crash == "lost":
                for number in list(shop.table.parts):
                    lost(shop, number)
            if crash == "late":
                shop.clock.advance(30.0)
            if crash != "on":
                restart(shop)
            shop.wait(0.03)
        shop.wait(HOUR)
    loyal = [name for name, wants in zip(people, wanted, strict=True) if wants]
    times = {MONDAY + HOUR, MONDAY + DAY + HOUR}
    assert Counter((trigger.customer, trigger.due) for trigger in shop.triggers) == Counter(
        (name, at) for name in loyal for at in times
    )
    assert rows_of(shop, SWEEP_PREFIX) == []
