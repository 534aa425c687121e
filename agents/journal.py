"""The journal's sink: bundles of `journal` records into SQL.

A line that cannot be read is counted and passed over: an explanation must never hold up the explained. A database that
does not answer is another matter: `on_bundle` waits for it, with growing pauses, and the records wait in Kafka.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol

import msgspec

from app import metrics
from app.clock import Clock
from app.codec import decode_journal
from app.errors import JournalDownError, LineRefusedError
from app.journal_store import PRUNE_BATCH, JournalStore, Place
from app.model.reasons import BadInput, Reason

log = logging.getLogger(__name__)

DAY = 86_400.0
PRUNE_EVERY = 600.0
"""Seconds between two prunings."""
PRUNE_BATCHES = 10
PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds between two attempts to store a bundle; the last one repeats."""


class Record(Protocol):
    """What the sink needs of a Kafka record."""

    @property
    def value(self) -> bytes | None:
        """The line as JSON."""
        ...

    @property
    def offset(self) -> int:
        """Its place in the partition."""
        ...


class JournalSink:
    """Stores what `on_bundle` is given. One instance for all partitions of a process."""

    def __init__(
        self,
        store: JournalStore,
        clock: Clock,
        days: int,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`days` is how long a line is kept."""
        self._lines = store
        self._clock = clock
        self._days = days
        self._sleep = sleep
        self._prune_at = clock.monotonic()

    async def on_bundle(self, records: Sequence[Record], partition: int) -> None:
        """Store the records of one partition's bundle; returns when they are durable, and then the bundle may be acknowledged.

        Never raises for what the records contain. Waits as long as the database fails.
        """
        places: list[Place] = []
        for record in records:
            place = _read(record, partition)
            if place is None:
                continue
            if place.line.reason == Reason.ERASED:  # in the order of the records: what came before goes with it
                await self._store(places)
                places = []
                await self._patiently(partial(self._erase, place.line.customer), 1)
            else:
                places.append(place)
        await self._store(places)
        if self._clock.monotonic() >= self._prune_at:
            await self.prune()

    async def prune(self) -> int:
        """Delete what is past retention; the number of lines. A failure is logged and tried again later."""
        self._prune_at = self._clock.monotonic() + PRUNE_EVERY
        try:
            deleted = await asyncio.to_thread(self._lines.prune, self._clock.now() - self._days * DAY, PRUNE_BATCHES)
        except JournalDownError as error:
            log.warning("pruning the journal failed: %s", error)
            return 0
        if deleted == PRUNE_BATCHES * PRUNE_BATCH:  # there is more: soon again, but let bundles through
            self._prune_at = self._clock.monotonic() + 1.0
        return deleted

    def close(self) -> None:
        """Close the database."""
        self._lines.close()

    def _erase(self, customer: str) -> None:
        log.info("%d lines of a customer were erased on request", self._lines.erase(customer))

    async def _store(self, places: list[Place]) -> None:
        try:
            await self._stored(places)
        except LineRefusedError:
            await self._one_by_one(places)

    async def _stored(self, places: list[Place]) -> None:
        if places:
            await self._patiently(lambda: self._lines.insert(places), len(places))
            metrics.JOURNAL_LINES.inc(len(places))

    async def _patiently(self, work: Callable[[], None], lines: int) -> None:
        """Have the database do something, with pauses as long as it fails."""
        attempt = 0
        while True:
            try:
                await asyncio.to_thread(work)
            except JournalDownError as error:
                metrics.JOURNAL_DOWN.set(1)
                pause = PAUSES[min(attempt, len(PAUSES) - 1)]
                log.warning("%s; %d lines wait, next attempt in %.1f s", error, lines, pause)
                await self._sleep(pause)
                attempt += 1
            else:
                metrics.JOURNAL_DOWN.set(0)
                return

    async def _one_by_one(self, places: list[Place]) -> None:
        """Something among these lines cannot be stored: the others are."""
        for place in places:
            try:
                await self._stored([place])
            except LineRefusedError as error:
                metrics.DEAD_LETTERS.labels(BadInput.BAD_RECORD).inc()
                log.warning("partition %d offset %d: %s", place.partition, place.offset, error)


def _read(record: Record, partition: int) -> Place | None:
    raw = record.value or b""
    try:
        line = decode_journal(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        metrics.DEAD_LETTERS.labels(BadInput.BAD_RECORD).inc()
        log.warning("journal line at partition %d offset %d cannot be read", partition, record.offset)
        return None
    return Place(partition, record.offset, raw, line)
