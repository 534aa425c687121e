"""Looks at a running worker once a second: lag, rows and timers as metrics, and whether it still gets on.

A consumer that silently stops is the failure that nobody notices. The ends of the inputs are asked for here, once a look:
what the last fetch knew of them is as old as that fetch, and says nothing of a consumer that no longer fetches. When an
input has had something to read for `STUCK_S` seconds and nothing of it was applied, or the consumer has not answered for
so long although the broker can be reached, the process ends with an error and its supervisor starts it anew.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping

from faust.types import TP

from app import metrics
from app.clock import Clock
from app.engine.base import EngineApp
from app.engine.disk import room_at
from app.engine.expiry import note_expiries
from app.engine.kafka_client import reachable
from tables.held import HeldPartition
from tables.store import FencedTable

log = logging.getLogger(__name__)

STUCK_S = 20.0
"""With looks, questions and the end of the process this stays below half a minute."""
LOOK_S = 1.0
LONGEST_LOOK = 3.0
"""A look counts for no more seconds than this: a process that was stopped or had no CPU is slow, not stuck."""
PATIENCE = 2.0
"""Seconds that the consumer has for an answer."""

Input = tuple[str, int]
"""Topic (without prefix) and partition."""


class StuckError(RuntimeError):
    """There is something to read, but nothing gets done."""


class Progress:
    """For how long each input has had something to read of which nothing was applied. Pure.

    A lag that does not grow counts as well: it only says that no more came, and what waits, waits for ever. So does an input
    that stands still while others get on.
    """

    def __init__(self) -> None:
        self._applied: dict[Input, int] = {}
        self._waited: defaultdict[Input, float] = defaultdict(float)
        self._silent = 0.0

    def look(self, seconds: float, inputs: Mapping[Input, tuple[int, int]]) -> float:
        """Seconds that the input which waits longest has waited. `inputs`: (last offset applied, end); `seconds` since the last look."""
        seconds, self._silent = min(seconds, LONGEST_LOOK), 0.0
        for key, (applied, end) in inputs.items():
            stands = self._applied.get(key) == applied and applied + 1 < end
            self._waited[key] = self._waited[key] + seconds if stands else 0.0
        self._applied = {key: applied for key, (applied, _) in inputs.items()}
        self._waited = defaultdict(float, {key: self._waited[key] for key in inputs})
        return max(self._waited.values(), default=0.0)

    def silence(self, seconds: float) -> float:
        """The consumer does not answer, although the broker is there; returns for how many seconds now."""
        self._silent += min(seconds, LONGEST_LOOK)
        return self._silent

    def reset(self) -> None:
        """Partitions have changed, or are being restored."""
        self._applied.clear()
        self._waited.clear()
        self._silent = 0.0


def _open_parts(app: EngineApp) -> Iterator[tuple[FencedTable, HeldPartition]]:
    """The partitions that are worked on. Copies that stand by are none: their fence comes late, and nothing waits for them."""
    return ((table, part) for table in app.fenced for part in table.parts.values() if part.open)


def positions(app: EngineApp, ends: Mapping[TP, int]) -> dict[Input, tuple[int, int]]:
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


async def _ends(app: EngineApp) -> Mapping[TP, int] | None:
    """Ends of all inputs that are ours; None when the broker does not tell."""
    inputs = [TP(app.topic_prefix + t, part.number) for table, part in _open_parts(app) for t in table.inputs]
    if not inputs:
        return {}
    try:
        async with asyncio.timeout(PATIENCE):
            ends: Mapping[TP, int] = await app.consumer.highwaters(*inputs)
            return ends
    except Exception as error:
        log.debug("the ends of the inputs are not known: %r", error)
        return None


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
    progress, last = Progress(), clock.monotonic()
    note_expiries(app.settings)
    while not app.should_stop:
        await asyncio.sleep(LOOK_S)
        if not observe_place(app):
            progress.reset()
            last = clock.monotonic()
            continue
        observe_state(app)
        ends = await _ends(app)
        now = clock.monotonic()
        seconds, last = now - last, now
        if app.not_ready():
            continue
        if ends is not None:
            inputs = positions(app, ends)
            observe(app, clock.now(), inputs)
            waited = progress.look(seconds, inputs)
        elif await app.consumer.answers(PATIENCE) and not await reachable(app.settings, PATIENCE):
            progress.reset()  # the broker is away: that is not ours to mend, and a new start would find it away too
            continue
        else:
            # a client that has lost its way over a restart of the broker asks for ever, and hears nothing
            waited = progress.silence(seconds)
        metrics.STALLED_SECONDS.set(waited)
        log.debug("records to read have waited %.0f s", waited)
        if waited >= STUCK_S:
            what = "there are records to read, and none were applied" if ends is not None else "the consumer is silent"
            error = StuckError(f"{what} for {waited:.0f} s")
            log.error("%s", error)
            await app.crash(error)
