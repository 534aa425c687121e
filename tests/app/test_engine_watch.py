"""What the worker watches about itself: progress, floods of bad records, and its small web."""

import asyncio
from collections import Counter

import aiohttp
import pytest

from agents.worth.tally import Tally
from app import metrics
from app.clock import ManualClock
from app.engine import watch
from app.engine.base import SPARE, STOPPING
from app.engine.counts import MOST_CURRENCIES, DecisionCounts, Flood, WorthCounts
from app.engine.disk import room_at
from app.engine.progress import LONGEST_LOOK, STANDSTILL_S, STUCK_S, Progress, Standstill
from app.engine.site import Site
from app.model.journal import JournalLine
from app.model.reasons import Reason
from tables.held import HeldPartition
from tests.simulation.virtual import VirtualLoop, Wall


def seconds_until(limit, told, looks, every):
    """Seconds at the first look at which `told` tells the limit or more, or None."""
    return next((number * every for number, seen in enumerate(looks) if told.look(every, seen) >= limit), None)


def seconds_until_stuck(looks, every=1.0):
    """`looks`: what each look sees, (applied, end) by input. Seconds of waiting at the first look that says stuck, or None."""
    return seconds_until(STUCK_S, Progress(), looks, every)


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


def test_silence_ends_nobody_who_gets_on_meanwhile():
    """As with a broker that tells ends later than anybody waits for them."""
    progress = Progress()
    assert [progress.silence(3.0, {("a", 0): (number, 900)}) for number in range(20)] == [3.0] + [0.0] * 19
    assert [progress.silence(3.0, {("a", 0): (19, 900)}) for _ in range(7)][-1] >= STUCK_S


def test_a_consumer_whose_thread_is_silent_is_stuck_and_one_that_answers_again_is_not():
    progress = Progress()
    waits = [progress.silence(2.0, {}) for _ in range(10)]
    assert waits[-1] >= STUCK_S > waits[-2]
    progress.look(1.0, {("a", 0): (4, 5)})
    assert progress.silence(2.0, {}) == 2.0


def test_what_was_there_to_read_waits_on_while_nobody_tells_the_ends():
    progress, waits = Progress(), []
    for _ in range(6):
        waits += [progress.look(1.0, {("a", 0): (4, 10)}), progress.silence(3.0, {("a", 0): (4, 10)})]
    assert waits[-1] >= STUCK_S


def test_a_consumer_that_is_asked_in_vain_now_and_then_but_applies_what_there_is_is_not_stuck():
    progress = Progress()
    for second in range(200):
        assert progress.look(1.0, {("a", 0): (second, second + 9)}) == 0.0
        assert progress.silence(3.0, {("a", 0): (second, second + 9)}) == 3.0


def seconds_until_standstill(places, every=1.0):
    return seconds_until(STANDSTILL_S, Standstill(), places, every)


def test_a_restore_that_gets_on_may_take_hours():
    assert seconds_until_standstill(("restoring state", second // 200) for second in range(10_000)) is None


def test_a_restore_that_does_not_get_on_ends_after_minutes():
    assert seconds_until_standstill(("restoring state", 5) for _ in range(1000)) == STANDSTILL_S


def test_a_process_that_was_stopped_for_a_night_has_not_stood_still_for_a_night():
    standstill = Standstill()
    standstill.look(1.0, "restoring state")
    assert standstill.look(30_000.0, "restoring state") == LONGEST_LOOK


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
        for _ in range(2 * int(STUCK_S / LONGEST_LOOK)):
            asked.clear()
            await asked.wait()
    assert not watching.done()
    app.should_stop = True
    await watching


async def never(*_args):
    await asyncio.Event().wait()


async def stubborn(*_args):
    """As a call that loses its cancellations does."""
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            continue


async def fails(*_args):
    raise RuntimeError("the thread's loop is closed")


async def told(*tps):
    return dict.fromkeys(tps, 10)


async def late(_settings, patience):
    """A broker that takes connections, in the last moment."""
    await asyncio.sleep(patience * 0.7)
    return True


class Turns:
    """Ends that are told every other time, and nothing else."""

    def __init__(self):
        self.asked = 0

    async def __call__(self, *tps):
        self.asked += 1
        return await (told(*tps) if self.asked % 2 else never())


@pytest.fixture
def virtual(monkeypatch):
    """Runs `watch` with its own seconds over an app, in virtual time; returns how many it took."""
    monkeypatch.setattr(watch, "note_expiries", lambda _settings: None)
    monkeypatch.setattr(watch, "observe_place", lambda app: not app.not_ready())
    monkeypatch.setattr(watch, "reachable", late)

    def run(app, longest=3600.0):
        loop = VirtualLoop()

        async def watched():
            async with asyncio.timeout(longest):
                await watch.watch(app, Wall(loop))
            return loop.time()

        try:
            return loop.run_until_complete(watched())
        finally:
            for task in asyncio.all_tasks(loop):
                task._log_destroy_pending = False
            loop.close()

    return run


@pytest.mark.parametrize("highwaters", [never, stubborn, fails, told, Turns()])
@pytest.mark.parametrize("answers", [never, stubborn, fails])
def test_whatever_hangs_the_process_ends_within_half_a_minute(make_settings, virtual, highwaters, answers):
    app = Deaf(make_settings(redis=""))
    app.highwaters, app.answers = highwaters, answers
    app.fenced[0].parts[0].applied["a"] = 4
    took = virtual(app)
    assert isinstance(app.why, watch.StuckError)
    assert STUCK_S <= took <= STUCK_S + LONGEST_LOOK + 1.0 < 30 - 4  # the rest is for a slow machine


def test_looks_that_take_their_longest_count_for_what_they_took(make_settings, virtual):
    app, asked = Deaf(make_settings(redis="")), []

    async def silent(*_args):
        asked.append(1)
        await never()

    app.highwaters, app.answers = silent, never
    took = virtual(app)
    assert took == pytest.approx(LONGEST_LOOK * len(asked))


class Climbing(Deaf):
    """One that is not ready, and restores `restores` records in so many looks."""

    def __init__(self, settings, why, restores=0):
        super().__init__(settings)
        self.reason, self.consumer_generation_id = why, 3
        self.tables = self.recovery = self
        self._restored, self._restores = 0, restores
        self.fenced[0].parts[0].open = False

    @property
    def active_offsets(self):
        self._restored = min(self._restored + 1, self._restores)
        return {("log", 0): self._restored}

    def not_ready(self):
        return self.reason


@pytest.mark.parametrize("why", ["restoring state", "waiting for partitions", "customers: partitions [0] are closed"])
def test_a_process_that_never_gets_ready_ends_after_minutes_and_says_so_before(make_settings, virtual, why):
    app = Climbing(make_settings(redis=""), why)
    took = virtual(app)
    assert STANDSTILL_S <= took <= STANDSTILL_S + 2 * LONGEST_LOOK
    assert str(app.why) == f"{why}, and nothing has moved for {metrics.STANDSTILL_SECONDS._value.get():.0f} s"


def test_the_wait_begins_anew_with_everything_that_is_restored(make_settings, virtual):
    app = Climbing(make_settings(redis=""), "restoring state", restores=1000)
    assert virtual(app) >= 1000 + STANDSTILL_S


@pytest.mark.parametrize("why", [SPARE, STOPPING])
def test_a_worker_without_partitions_stands_by_for_as_long_as_it_likes(make_settings, virtual, why):
    app = Climbing(make_settings(redis=""), why)
    with pytest.raises(TimeoutError):
        virtual(app, longest=10 * STANDSTILL_S)
    assert app.why is None


def test_a_worker_that_is_not_ready_because_the_broker_is_away_waits_for_it(make_settings, virtual, monkeypatch):
    async def away(_settings, _patience):
        return False

    monkeypatch.setattr(watch, "reachable", away)
    app = Climbing(make_settings(redis=""), "waiting for partitions")
    with pytest.raises(TimeoutError):
        virtual(app, longest=10 * STANDSTILL_S)
    assert app.why is None


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
    app = Told(make_settings(redis=""), looks=1 + int(30 / LONGEST_LOOK))
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
