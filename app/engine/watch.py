"""Looks at a running worker once a second: lag, rows and timers as metrics, and whether it still gets on.

A consumer that silently stops is the failure that nobody notices. When there is something to read and nothing has been
acknowledged for half a minute, the process ends with an error and its supervisor starts it anew.
"""

import asyncio
import logging
import shutil
from collections import defaultdict

from app import metrics
from app.clock import Clock
from app.engine.base import EngineApp
from app.engine.expiry import note_expiries

log = logging.getLogger(__name__)

STUCK_S = 30.0


class StuckError(RuntimeError):
    """There is something to read, but nothing gets done."""


class Progress:
    """Decides whether a worker is stuck. Pure."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._last = (0, 0)

    def stuck(self, monotonic: float, done: int, lag: int) -> bool:
        """Whether `done` has not moved for `STUCK_S` seconds although there is, and has been, `lag`, and it grew."""
        last_done, first_lag = self._last
        if self._since is None or done != last_done or lag == 0:
            self._since, self._last = monotonic, (done, lag)
            return False
        return monotonic - self._since >= STUCK_S and lag > first_lag


def observe(app: EngineApp, now: float) -> int:
    """Set the gauges; returns the records that are yet to be read."""
    lags: defaultdict[str, int] = defaultdict(int)
    ages: defaultdict[str, float] = defaultdict(float)
    for table in app.fenced:
        metrics.STATE_ROWS.labels(table.name).set(len(table))
        packed = [part.packed.size for part in table.parts.values() if part.packed is not None]
        if packed:
            metrics.STATE_BYTES.labels(table.name).set(sum(packed))
        metrics.TIMERS_PENDING.labels(table.name).set(sum(len(part.timers) for part in table.parts.values()))
        for part in table.parts.values():
            for topic, applied in part.applied.items():
                lag = max(app.end_of(topic, part.number) - applied - 1, 0) if topic in table.inputs else 0
                lags[topic] += lag
                if lag and topic in part.seen:
                    ages[topic] = max(ages[topic], now - part.seen[topic])
    for take in app.observers:
        take()
    for topic, lag in lags.items():
        metrics.LAG_RECORDS.labels(topic).set(lag)
        metrics.LAG_SECONDS.labels(topic).set(ages[topic])
    return sum(lags.values())


def observe_place(app: EngineApp) -> bool:
    """Set the gauges that tell of a process at work or not; returns whether it is."""
    ready = not app.not_ready()
    metrics.READY.set(ready)
    remaining = 0 if ready else sum(max(count, 0) for count in app.tables.recovery.active_remaining().values())
    metrics.RECOVERY_REMAINING.set(remaining)
    usage = shutil.disk_usage(app.settings.data)
    metrics.DISK_FREE.set(usage.free)
    metrics.DISK_SIZE.set(usage.total)
    return ready


async def watch(app: EngineApp, clock: Clock) -> None:
    """Look once a second until the app stops; end it when it is stuck."""
    progress = Progress()
    note_expiries(app.settings)
    while not app.should_stop:
        await asyncio.sleep(1.0)
        if not observe_place(app):
            continue
        lag = observe(app, clock.now())
        if progress.stuck(clock.monotonic(), app.consumer.acknowledged, lag):
            error = StuckError(f"{lag} records to read, and nothing done for {STUCK_S:.0f} s")
            log.error("%s", error)
            await app.crash(error)
