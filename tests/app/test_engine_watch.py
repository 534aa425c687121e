"""What the worker watches about itself: progress, floods of bad records, and its small web."""

import asyncio
from collections import Counter

import aiohttp
import pytest

from agents.worth.tally import Tally
from app import metrics
from app.clock import ManualClock
from app.engine import watch
from app.engine.counts import MOST_CURRENCIES, DecisionCounts, Flood, WorthCounts
from app.engine.disk import room_at
from app.engine.site import Site
from app.engine.watch import STUCK_S, Progress
from app.model.journal import JournalLine
from app.model.reasons import Reason
from tables.held import HeldPartition


def seconds_until_stuck(looks, every=1.0):
    """`looks`: what each look sees, (applied, end) by input. Seconds of waiting at the first look that says stuck, or None."""
    progress = Progress()
    for number, inputs in enumerate(looks):
        if progress.look(every, inputs) >= STUCK_S:
            return number * every
    return None


def test_work_that_gets_done_is_not_stuck_however_long_the_queue_is():
    assert seconds_until_stuck({("a", 0): (second, 1000 * second + 9)} for second in range(200)) is None


def test_nothing_to_do_is_not_stuck():
    assert seconds_until_stuck({("a", 0): (4, 5)} for _ in range(200)) is None


def test_a_growing_queue_of_which_nothing_is_done_is_stuck_in_less_than_half_a_minute():
    assert seconds_until_stuck({("a", 0): (4, 10 + second)} for second in range(60)) == STUCK_S < 30


def test_a_queue_that_does_not_grow_is_stuck_too_for_what_waits_in_it_waits_for_ever():
    assert seconds_until_stuck({("a", 0): (4, 10)} for _ in range(60)) == STUCK_S


def test_an_input_that_stands_still_is_noticed_while_others_get_on():
    looks = ({("a", 0): (second, second + 5), ("a", 1): (4, 10)} for second in range(60))
    assert seconds_until_stuck(looks) == STUCK_S


def test_every_record_applied_begins_the_wait_anew():
    assert seconds_until_stuck({("a", 0): (second // 15, 1000)} for second in range(200)) is None


def test_a_process_that_was_stopped_for_an_hour_has_not_waited_for_an_hour():
    progress = Progress()
    progress.look(1.0, {("a", 0): (4, 10)})
    assert progress.look(3600.0, {("a", 0): (4, 1000)}) < STUCK_S


def test_partitions_that_went_and_came_back_have_not_waited_meanwhile():
    progress = Progress()
    for _ in range(15):
        progress.look(1.0, {("a", 0): (4, 10)})
    progress.reset()
    progress.look(1.0, {("a", 0): (4, 10)})
    assert progress.look(1.0, {("a", 0): (4, 10)}) == 1.0


def test_a_consumer_whose_thread_is_silent_is_stuck_and_one_that_answers_again_is_not():
    progress = Progress()
    waits = [progress.silence(2.0) for _ in range(10)]
    assert waits[-1] >= STUCK_S > waits[-2]
    progress.look(1.0, {("a", 0): (4, 5)})
    assert progress.silence(2.0) == 2.0


class Deaf:
    """What `watch` needs of an app whose consumer asks and hears nothing."""

    def __init__(self, settings, asked=None):
        self.settings, self.fenced, self.observers, self.topic_prefix = settings, [Held()], [], ""
        self.should_stop, self.why = False, None
        self.consumer = self
        self._asked = asked or asyncio.Event()

    def not_ready(self):
        return ""

    async def highwaters(self, *_tps):
        self._asked.set()
        await asyncio.Event().wait()

    async def answers(self, _patience):
        return True

    async def crash(self, error):
        self.should_stop, self.why = True, error


class Held:
    name, inputs = "held", ("a",)

    def __init__(self):
        self.parts = {0: HeldPartition(0, 0.0)}
        self.parts[0].open = True

    def __len__(self):
        return 0


@pytest.fixture
def quick(monkeypatch):
    """Looks that take no time, for a clock that moves three seconds with each."""
    monkeypatch.setattr(watch, "LOOK_S", 0.0)
    monkeypatch.setattr(watch, "PATIENCE", 0.05)
    monkeypatch.setattr(watch, "observe_place", lambda _app: True)
    monkeypatch.setattr(watch, "note_expiries", lambda _settings: None)

    class Clock(ManualClock):
        def monotonic(self):
            self.advance(3.0)
            return self.now()

    return Clock()


async def test_a_consumer_that_hears_nothing_of_a_broker_that_is_there_ends_the_process(make_settings, quick):
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    address = f"kafka://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    app = Deaf(make_settings(kafka=address, redis=""))
    async with server, asyncio.timeout(30):
        await watch.watch(app, quick)
    assert isinstance(app.why, watch.StuckError)
    assert "silent" in str(app.why)


async def test_a_broker_that_is_away_is_waited_for(make_settings, quick, free_port):
    asked = asyncio.Event()
    app = Deaf(make_settings(kafka=f"kafka://127.0.0.1:{free_port()}", redis=""), asked)
    watching = asyncio.create_task(watch.watch(app, quick))
    async with asyncio.timeout(60):
        for _ in range(2 * int(STUCK_S / watch.LONGEST_LOOK)):
            asked.clear()
            await asked.wait()
    assert not watching.done()
    app.should_stop = True
    await watching


class Told(Deaf):
    """One whose broker tells the ends of what it is asked for; it stops after `looks` looks."""

    def __init__(self, settings, looks):
        super().__init__(settings)
        self.looks, self.asked_for = looks, set()

    async def highwaters(self, *tps):
        self.looks -= 1
        self.should_stop = self.looks <= 0
        self.asked_for.update(tp.partition for tp in tps)
        return dict.fromkeys(tps, 10)


@pytest.mark.parametrize("standby", [True, False])
async def test_a_copy_that_stands_by_and_is_told_nothing_for_half_a_minute_does_not_end_the_worker(
    make_settings, quick, standby
):
    app = Told(make_settings(redis=""), looks=1 + int(30 / watch.LONGEST_LOOK))
    own, other = app.fenced[0].parts[0], HeldPartition(1, 0.0)
    app.fenced[0].parts[1] = other
    own.applied["a"], other.applied["a"] = 9, 4
    other.seen["a"] = 0.0
    other.open = not standby
    async with asyncio.timeout(30):
        await watch.watch(app, quick)
    assert isinstance(app.why, type(None) if standby else watch.StuckError)
    assert metrics.LAG_RECORDS.labels("a")._value.get() == (0 if standby else 5)
    assert app.asked_for == ({0} if standby else {0, 1})


def test_a_data_folder_that_nobody_has_made_lies_where_its_nearest_parent_lies(tmp_path):
    room = room_at(tmp_path / "not" / "made")
    assert room.folder == tmp_path
    assert 0 < room.free <= room.total


def test_one_bad_record_in_two_hundred_is_no_flood():
    flood = Flood()
    assert not any(flood.look(200, 1) for _ in range(100))


def test_more_than_one_in_a_hundred_is_a_flood_until_a_minute_has_passed_without():
    flood = Flood()
    assert flood.look(100, 50)
    verdicts = [flood.look(1, 0) for _ in range(60)]
    assert verdicts[0]
    assert not verdicts[-1]


def test_a_handful_of_bad_records_in_a_quiet_hour_is_no_flood():
    flood = Flood()
    assert not flood.look(9, 9)


def test_a_thousand_bad_records_in_a_row_are_a_flood():
    flood = Flood()
    for _ in range(100):
        flood.look(100_000, 0)
    assert not flood.look(600, 600)
    assert flood.look(600, 600)


def test_counts_of_the_core_become_metrics_once():
    decisions = Counter({("cart", "fired"): 2, ("cart", "armed"): 3})
    dead = Counter({"not_json": 4})
    before = metrics.TRIGGERS.labels("cart")._value.get()
    counts = DecisionCounts(decisions, dead, Counter())
    counts.take()
    counts.take()
    assert metrics.TRIGGERS.labels("cart")._value.get() == before + 2
    assert not decisions
    assert not dead


def test_what_scenarios_bring_becomes_metrics_once_and_currencies_are_bounded():
    tally = Tally()
    lines = [
        JournalLine(1.0, "c1", Reason.FIRED, "worth"),
        JournalLine(1.0, "c2", Reason.CONTROL_GROUP, "worth", detail={"items": 1, "group": "all"}),
        JournalLine(1.0, "c2", Reason.CONTROL_GROUP, "worth", detail={"stage": 2, "group": "all"}),
        JournalLine(1.0, "c2", Reason.BOUGHT_AFTER, "worth", detail={"group": "all"}),
        JournalLine(1.0, "c1", Reason.GOAL_AFTER, "worth", detail={"group": "recipients"}),
        JournalLine(1.0, "c1", Reason.GOAL_UNDONE, "worth", detail={"group": "recipients", "whole": 1}),
        JournalLine(1.0, "c1", Reason.GOAL_UNDONE, "worth", detail={"group": "recipients", "whole": 0}),
        JournalLine(1.0, "c1", Reason.ASSOCIATED, "worth", channel="sms", detail={"value": 5.0, "currency": "EUR"}),
        JournalLine(
            1.0, "c1", Reason.REFUNDED, "worth", channel="sms", detail={"value": 5.0, "currency": "EUR", "whole": 0}
        ),
    ]
    orders = [
        JournalLine(
            1.0, "c1", Reason.ATTRIBUTED, "worth", channel="sms", detail={"value": 30.0, "currency": f"X{at:02}"}
        )
        for at in range(MOST_CURRENCIES + 5)
    ]
    counts = WorthCounts(tally)
    for line in (*lines, *orders, JournalLine(1.0, "c1", Reason.ARMED, "worth")):
        tally.note(line)
    counts.take()
    counts.take()
    assert value(metrics.ENTERED, "worth", "recipients") == value(metrics.ENTERED, "worth", "control") == 1
    assert value(metrics.GOALS, "worth", "recipients") == value(metrics.GOALS, "worth", "control") == 1
    assert value(metrics.GOALS_UNDONE, "worth", "recipients") == 1
    assert value(metrics.ORDERS_OWED, "worth", "sms", "attributed") == MOST_CURRENCIES + 5
    assert value(metrics.ORDERS_OWED, "worth", "sms", "associated") == 1
    assert (
        value(metrics.REVENUE_BACK, "worth", "sms", "EUR") + value(metrics.REVENUE_BACK, "worth", "sms", "other") == 5.0
    )
    told = [value(metrics.REVENUE, "worth", "sms", f"X{at:02}") for at in range(MOST_CURRENCIES + 5)]
    assert sum(amount > 0 for amount in told) == MOST_CURRENCIES
    assert sum(told) + value(metrics.REVENUE, "worth", "sms", "other") == 30.0 * (MOST_CURRENCIES + 5)


def value(metric, *labels):
    return metric.labels(*labels)._value.get()


@pytest.mark.parametrize(
    ("reason", "status", "text"), [("", 200, "ok\n"), ("restoring state", 503, "restoring state\n")]
)
async def test_readiness_says_why_not(free_port, reason, status, text):
    port = free_port()
    site = Site("127.0.0.1", port, lambda: reason)
    await site.start()
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
            async with http.get("/readyz") as answer:
                assert (answer.status, await answer.text()) == (status, text)
            async with http.get("/healthz") as answer:
                assert answer.status == 200
            async with http.get("/metrics") as answer:
                assert "# HELP boomerang_engine_steps_total" in await answer.text()
    finally:
        await site.stop()
