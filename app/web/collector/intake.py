"""From accepted events to acknowledged ones: a short linger, recognition of repeated events, then Kafka.

All requests of a few milliseconds share one look into Redis and one produce request for each partition: a task or a
round trip for each event would cost more than everything else together.
"""

import asyncio
import logging

from app.ending import end
from app.web.collector.dedupe import RecentIds
from app.web.collector.record import Record, Ticket
from app.web.collector.sink import Sink

logger = logging.getLogger(__name__)

LINGER_SECONDS = 0.003
BUFFER_BYTES = 32 << 20
RECENT_LIMIT = 20_000
"""Ids kept in memory as well: they bridge the moment until Redis has them."""
_OVERHEAD = 400
"""Bytes that a waiting record costs besides its key and value."""


class Unavailable(Exception):  # noqa: N818 - an answer (503), not a fault of the program
    """The events cannot be taken now; the client shall come again in `retry_after` seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


class Intake:
    """Takes records, settles their tickets when Kafka has acknowledged them."""

    def __init__(self, sink: Sink, ids: RecentIds) -> None:
        self.sink = sink
        self.ids = ids
        self._pending: list[Record] = []
        self._flying: dict[bytes, Record] = {}
        self._recent: dict[bytes, None] = {}
        self._buffered = 0
        self._wake = asyncio.Event()
        self._pump_task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop
        sink.outcome = self._outcome

    async def start(self) -> None:
        """Connect (in the background) and begin."""
        self._loop = asyncio.get_running_loop()
        await self.ids.start()
        await self.sink.start()
        self._pump_task = asyncio.ensure_future(self._pump())

    async def close(self, within: float = 5.0) -> None:
        """Deliver what was taken, for at most `within` seconds."""
        if self._pump_task is not None:
            await end(self._pump_task)
        await self._step()
        await self.sink.close(within)
        await self.ids.close()

    def submit(self, records: list[Record]) -> Ticket:
        """Take the records of one request. Raises Unavailable when the buffer is full."""
        ticket = Ticket(len(records), self._loop)
        waiting, size = [ticket], 0
        for record in records:
            record.tickets = waiting
            record.size = len(record.value) + len(record.key) + _OVERHEAD
            size += record.size
        if self._buffered + size > BUFFER_BYTES:
            raise Unavailable(2)
        self._buffered += size
        self._pending += records
        self._wake.set()
        return ticket

    async def publish(self, records: list[Record]) -> int:
        """Take records and wait until they are acknowledged; how many were known before. Raises Unavailable."""
        ticket = self.submit(records)
        if not await ticket.done:
            raise Unavailable(5)
        return ticket.duplicates

    async def _pump(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(LINGER_SECONDS)
            self._wake.clear()
            try:
                await self._step()
            except Exception:  # nobody else would notice that nothing is taken any more
                logger.exception("a step of the intake failed")

    async def _step(self) -> None:
        records, self._pending = self._pending, []
        fresh = self._unseen(records)
        ids = [record.id for record in fresh if record.id]
        try:
            known = await self.ids.known(ids)
        except BaseException:
            self._put(fresh)
            raise
        if known:
            repeated = [record for record in fresh if record.id in known]
            fresh = [record for record in fresh if record.id not in known]
            self._forget(repeated)
            for record in repeated:
                _settle_duplicate(record)
        self._put(fresh)

    def _put(self, records: list[Record]) -> None:
        if records:
            self.sink.put(records)

    def _unseen(self, records: list[Record]) -> list[Record]:
        """Records whose id is neither on its way nor acknowledged a moment ago; the others join or are settled."""
        fresh = []
        flying, recent = self._flying, self._recent
        for record in records:
            id_ = record.id
            if not id_:
                fresh.append(record)
            elif id_ in flying:
                self._buffered -= record.size
                first = flying[id_]
                if first is not record:  # given again while it is on its way, it waits for itself
                    for ticket in record.tickets:
                        ticket.duplicates += 1
                    first.tickets = first.tickets + record.tickets
            elif id_ in recent:
                self._buffered -= record.size
                _settle_duplicate(record)
            else:
                flying[id_] = record
                fresh.append(record)
        return fresh

    def _outcome(self, records: list[Record], acknowledged: bool) -> None:
        self._forget(records)
        if acknowledged:
            ids = [record.id for record in records if record.id]
            self.ids.remember(ids)
            self._recent.update(dict.fromkeys(ids))
            excess = len(self._recent) - RECENT_LIMIT
            if excess > 0:
                for id_ in list(self._recent)[: excess + RECENT_LIMIT // 4]:
                    del self._recent[id_]

    def _forget(self, records: list[Record]) -> None:
        flying = self._flying
        for record in records:
            flying.pop(record.id, None)
        self._buffered -= sum([record.size for record in records])


def _settle_duplicate(record: Record) -> None:
    for ticket in record.tickets:
        ticket.duplicates += 1
        ticket.settle()
