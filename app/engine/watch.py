"""Looks at a running worker once a second: lag, rows and timers as metrics, and whether it still gets on.

A consumer that silently stops is the failure that nobody notices. The ends of the inputs are asked for here, once a look:
what the last fetch knew of them is as old as that fetch, and says nothing of a consumer that no longer fetches. When an
input has had something to read for `STUCK_S` seconds and nothing of it was applied, or the consumer has not answered for
so long although the broker can be reached, the process ends with an error and its supervisor starts it anew. So it does when it
is not ready, and has come no nearer to that for `STANDSTILL_S` seconds.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping
from typing import Any, TypeVar

from faust.types import TP

from app import metrics
from app.clock import Clock
from app.engine.base import SPARE, STOPPING, EngineApp
from app.engine.disk import room_at
from app.engine.expiry import note_expiries
from app.engine.kafka_client import reachable
from app.engine.progress import STANDSTILL_S, STUCK_S, Input, Progress, Standstill
from tables.held import HeldPartition
from tables.store import FencedTable

log = logging.getLogger(__name__)
T = TypeVar("T")

LOOK_S = 1.0
PATIENCE = 2.0
"""Seconds that a look waits for answers, whatever hangs: with `LOOK_S` a look takes no longer than it may count."""
SOON = 0.25
"""The part of `PATIENCE` after which others are asked too."""

WAITS = frozenset({STOPPING, SPARE})
"""Reasons not to be ready that may last: there is nothing to come nearer to."""

Ends = Mapping[TP, int]


class StuckError(RuntimeError):
    """There is something to do, but nothing gets done."""


def _open_parts(app: EngineApp) -> Iterator[tuple[FencedTable, HeldPartition]]:
    """The partitions that are worked on. Copies that stand by are none: their fence comes late, and nothing waits for them."""
    return ((table, part) for table in app.fenced for part in table.parts.values() if part.open)


def positions(app: EngineApp, ends: Ends) -> dict[Input, tuple[int, int]]:
    """Input -> last offset applied, and the end as the broker knows it now."""
    return {
        (topic, part.number): (applied, ends.get(TP(app.topic_prefix + topic, part.number), 0))
        for table, part in _open_parts(app)
        for topic, applied in part.applied.items()
        if topic in table.inputs
    }


def observe(app: EngineApp, now: float, inputs: Mapping[Input, tuple[int, int]]) -> None:
    """Set the gauges."""
    lags: defaultdict[str, int] = defaultdict(int)
    ages: defaultdict[str, float] = defaultdict(float)
    seen = {(topic, part.number): at for _, part in _open_parts(app) for topic, at in part.seen.items()}
    for (topic, number), (applied, end) in inputs.items():
        lag = max(end - applied - 1, 0)
        lags[topic] += lag
        if lag and (topic, number) in seen:
            ages[topic] = max(ages[topic], now - seen[topic, number])
    for topic, lag in lags.items():
        metrics.LAG_RECORDS.labels(topic).set(lag)
        metrics.LAG_SECONDS.labels(topic).set(ages[topic])


def observe_state(app: EngineApp) -> None:
    """Set the gauges that need no broker."""
    for table in app.fenced:
        metrics.STATE_ROWS.labels(table.name).set(len(table))
        packed = [part.packed.size for part in table.parts.values() if part.packed is not None]
        if packed:
            metrics.STATE_BYTES.labels(table.name).set(sum(packed))
        metrics.TIMERS_PENDING.labels(table.name).set(sum(len(part.timers) for part in table.parts.values()))
    for take in app.observers:
        take()


async def _ends(app: EngineApp) -> Ends | None:
    """Ends of all inputs that are ours; None when the broker does not tell."""
    inputs = [TP(app.topic_prefix + t, part.number) for table, part in _open_parts(app) for t in table.inputs]
    if not inputs:
        return {}
    try:
        ends: Ends = await app.consumer.highwaters(*inputs)
    except Exception as error:
        log.debug("the ends of the inputs are not known: %r", error)
        return None
    return ends


async def ask(app: EngineApp) -> tuple[Ends | None, bool]:
    """Ends of all inputs that are ours, None when nobody tells them; and whether that is because the broker is away.

    Takes `PATIENCE` seconds at the longest. Whatever does not answer is told to end and not waited for: it may not do that either.
    """
    ends = asyncio.create_task(_ends(app))
    tasks: set[asyncio.Task[Any]] = {ends}
    try:
        await asyncio.wait(tasks, timeout=PATIENCE * SOON)
        if (known := _answer(ends)) is not None:
            return known, False
        answers = asyncio.create_task(app.consumer.answers(PATIENCE))
        there = asyncio.create_task(reachable(app.settings, PATIENCE))
        tasks |= {answers, there}
        await asyncio.wait(tasks, timeout=PATIENCE * (1.0 - SOON))
        known = _answer(ends)
        return known, known is None and _answer(answers) is True and _answer(there) is not True
    finally:
        for task in tasks:
            task.cancel()


def _answer(task: asyncio.Task[T]) -> T | None:
    """What the task has returned; None: nothing yet, or it has failed."""
    if not task.done() or task.cancelled():
        return None
    error = task.exception()
    if error is not None:
        log.debug("no answer: %r", error)
        return None
    return task.result()


def place(app: EngineApp) -> Hashable:
    """All that moves while a worker that is not ready comes nearer to work."""
    restored = app.tables.recovery.active_offsets
    return (
        app.not_ready(),
        app.consumer_generation_id,
        tuple(sorted(restored.items())),
        tuple((table.name, part.number) for table, part in _open_parts(app)),
    )


def observe_place(app: EngineApp) -> bool:
    """Set the gauges that tell of a process at work or not; returns whether it is."""
    ready = not app.not_ready()
    metrics.READY.set(ready)
    remaining = 0 if ready else sum(max(count, 0) for count in app.tables.recovery.active_remaining().values())
    metrics.RECOVERY_REMAINING.set(remaining)
    room = room_at(app.settings.data)
    metrics.DISK_FREE.set(room.free)
    metrics.DISK_SIZE.set(room.total)
    return ready


async def watch(app: EngineApp, clock: Clock) -> None:
    """Look once a second until the app stops; end it when it is stuck."""
    await Watchdog(app, clock).run()


class Watchdog:
    """The looks at one app."""

    def __init__(self, app: EngineApp, clock: Clock) -> None:
        self._app, self._clock = app, clock
        self._last = clock.monotonic()
        self._progress, self._standstill = Progress(), Standstill()
        self._known: dict[TP, int] = {}
        """Ends as they were told last."""

    async def run(self) -> None:
        """See `watch`."""
        note_expiries(self._app.settings)
        while not self._app.should_stop:
            await asyncio.sleep(LOOK_S)
            why = await (self._at_work() if observe_place(self._app) else self._on_the_way())
            if why:
                error = StuckError(why)
                log.error("%s", error)
                await self._app.crash(error)

    def _seconds(self) -> float:
        """Since this was asked last."""
        before, self._last = self._last, self._clock.monotonic()
        return self._last - before

    async def _on_the_way(self) -> str:
        """Of a process that is not ready: why it never will be, or an empty text."""
        self._forget()
        app, seconds = self._app, self._seconds()
        why, stands = app.not_ready(), 0.0
        if why not in WAITS:
            stands = self._standstill.look(seconds, place(app))
        if why in WAITS or (stands and not await reachable(app.settings, PATIENCE)):
            self._standstill.reset()  # a new start would find the broker away too
            stands = 0.0
        metrics.STANDSTILL_SECONDS.set(stands)
        return f"{why}, and nothing has moved for {stands:.0f} s" if stands >= STANDSTILL_S else ""

    async def _at_work(self) -> str:
        """Of a process that is ready: what it does not do, or an empty text."""
        app = self._app
        self._standstill.reset()
        metrics.STANDSTILL_SECONDS.set(0.0)
        observe_state(app)
        ends, away = await ask(app)
        seconds = self._seconds()
        if app.not_ready():
            return ""
        if away:
            self._forget()  # the broker is not ours to mend, and a new start would find it away too
            return ""
        self._known.update(ends or {})
        inputs = positions(app, self._known)
        if ends is not None:
            observe(app, self._clock.now(), inputs)
            waited = self._progress.look(seconds, inputs)
        else:
            # a client that has lost its way over a restart of the broker asks for ever, and hears nothing
            waited = self._progress.silence(seconds, inputs)
        metrics.STALLED_SECONDS.set(waited)
        log.debug("records to read have waited %.0f s", waited)
        if waited < STUCK_S:
            return ""
        what = "there are records to read, and none were applied" if ends is not None else "the consumer is silent"
        return f"{what} for {waited:.0f} s"

    def _forget(self) -> None:
        """What was seen of inputs says nothing any more."""
        self._progress.reset()
        self._known.clear()
        metrics.STALLED_SECONDS.set(0.0)
