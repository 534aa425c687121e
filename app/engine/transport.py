"""The transport `bundle://`: Faust's Kafka transport, one message per partition and fetch instead of one per record.

    app = EngineApp(..., broker="bundle://host:9092")
    topic = app.topic("prefix.a", "prefix.b", schema=BundleSchema())

What is overridden, and why:

Consumer._wait_next_records, getmany, perform_seek, seek_wait
    Faust resumes the source partitions before it seeks them, and clears the agents' queues after that, with the fetch
    loop running. What is fetched in between is delivered, cleared away, and dropped as already read when it comes again:
    a hole. Here no source record is fetched during a rebalance, a fetch and a seek exclude each other, and what was
    fetched before a seek is thrown away. Without active partitions Faust sleeps a second; here a moment.
Consumer.perform_seek
    A fenced table knows where to go on: the fence decides, the group's committed offset is a hint for topics without one.
    Without either it is the beginning of the log, set explicitly: a position is never left to chance.
Consumer.ack, _new_offset, _filter_tps_with_pending_acks, _add_gap
    Faust keeps an interval tree of offsets without records. Here the bundles themselves are kept in the order of
    delivery, and the offset to commit is behind the last one before the first that is not acknowledged. An acknowledgement
    of a delivery from before a seek counts for nothing (Faust acknowledges what it skips).
Consumer.on_buffer_full
    Faust takes a partition whose agent lags out of the fetch and sleeps a second when that leaves none. Without it the
    fetch loop waits for the agent's queue, which is enough.
"""

import asyncio
import contextlib
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping
from typing import Any

from faust.transport.drivers import TRANSPORTS
from faust.transport.drivers import aiokafka as driver
from faust.transport.utils import DefaultSchedulingStrategy
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from app.engine.fetching import FetchThread, Rows
from tables.bundle import Bundle

MAX_RECORDS = 6000
"""Records in one bundle, and so in one step: about as many as one fetch brings of a partition (`PARTITION_BYTES`). In a backlog
a customer has several of them, and his row is packed and written once; a transaction costs the worker some milliseconds, and
the broker more. 12,000 are no cheaper, and other partitions wait longer for their turn.
"""
LINGER = 0.02
"""Seconds between fetches while there is little to fetch: a step costs about as much as a hundred records."""
SMALL = 1000
"""Records of a fetch below which it pays to linger."""
FETCH_TIMEOUT = 0.25


class BundleScheduler(DefaultSchedulingStrategy):  # type: ignore[misc]
    """Cuts each partition's records into bundles and goes round the partitions."""

    def __init__(self, prefix: str = "", max_records: int = MAX_RECORDS) -> None:
        self._prefix = len(prefix)
        self._max = max_records

    def iterate(self, records: Mapping[TP, Rows]) -> Iterator[tuple[TP, Bundle]]:
        """Yield bundles, one of each partition at a time."""
        waiting = deque((tp, rows, 0) for tp, rows in records.items())
        while waiting:
            tp, rows, at = waiting.popleft()
            chunk = rows[at : at + self._max]
            start = rows.start if at == 0 else rows[at - 1].offset + 1
            at += self._max
            last = at >= len(rows)
            yield (
                tp,
                Bundle(
                    tp.topic[self._prefix :], tp.partition, chunk, start, rows.end - 1 if last else chunk[-1].offset
                ),
            )
            if not last:
                waiting.append((tp, rows, at))


class Mark:
    """One delivered bundle: the last offset that it covers, and whether it has been acknowledged."""

    __slots__ = ("acked", "offset")

    def __init__(self, offset: int, *, acked: bool = False) -> None:
        self.offset = offset
        self.acked = acked


class BundleMessage(ConsumerMessage):  # type: ignore[misc]
    """A Faust message whose value is a bundle."""

    __slots__ = ("mark",)


class Consumer(driver.Consumer):  # type: ignore[misc]
    """Faust's consumer, for bundles."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._order: defaultdict[TP, deque[Mark]] = defaultdict(deque)
        self._fetching = asyncio.Lock()
        self._seeks = {True: 0, False: 0}
        """Seeks so far, of changelog partitions (True) and of source partitions (False)."""
        self._seen = dict(self._seeks)
        self._small = False
        self._wanted_now = asyncio.Event()
        super().__init__(*args, **kwargs)
        self.scheduler = BundleScheduler(self.app.topic_prefix, self.app.max_records)

    def _new_consumer_thread(self) -> FetchThread:
        return FetchThread(self, loop=self.loop, beacon=self.beacon)

    # -- fetching

    async def _wait_next_records(self, timeout: float) -> tuple[dict[TP, Rows], set[TP]]:  # noqa: ASYNC109
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        active = self._get_active_partitions()
        wanted = frozenset(active)
        if self.app.rebalancing:
            wanted = frozenset(filter(self._is_changelog_tp, wanted))
        if not wanted:
            await self.sleep(0.02)
            return {}, active
        if self._small and not self.app.rebalancing:
            await self._linger()
        self._wanted_now.clear()
        async with self._fetching:
            self._seen = dict(self._seeks)
            fetched = await self._thread.getmany(wanted, min(timeout, FETCH_TIMEOUT))
        self._small = sum(map(len, fetched.values())) < SMALL
        return fetched, active

    async def _linger(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wanted_now.wait(), LINGER)

    def hurry(self) -> None:
        """What there is to fetch is waited for: the next fetch does not linger."""
        self._wanted_now.set()

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:  # noqa: ASYNC109
        """Fetch, and yield one message a bundle; nothing that a seek or a rebalance has overtaken."""
        async for tp, message in super().getmany(timeout):
            changelog = self._is_changelog_tp(tp)
            if self._seen[changelog] != self._seeks[changelog] or (self.app.rebalancing and not changelog):
                continue
            if not changelog:
                self._order[tp].append(message.mark)
            yield tp, message

    def _to_message(self, tp: TP, bundle: Bundle) -> BundleMessage:
        stamp = bundle.records[-1].timestamp / 1000.0 if bundle.records else 0.0
        message = BundleMessage(
            tp.topic, tp.partition, bundle.offset, stamp, 0, (), None, bundle, None, 0, 0, tp,
            generation_id=self.app.consumer_generation_id,
        )  # fmt: skip
        message.mark = Mark(bundle.offset)
        return message

    async def perform_seek(self) -> None:
        """Go to where each source partition is to be read from. Whatever was delivered before no longer counts."""
        async with self._fetching:
            self._seeks[False] += 1
            self._forget()
            sources = [tp for tp in self.assignment() if not self._is_changelog_tp(tp)]
            await self._thread.seek_wait(await self._starts(sources))
            for tp in sources:
                # the group hears how far a fence is, also where nothing new comes; of what has no fence yet it must not hear
                start = self.app.next_offset(tp)
                if start is not None:
                    self._order[tp].append(Mark(start - 1, acked=True))

    async def _starts(self, sources: Collection[TP]) -> dict[TP, int]:
        """Next offset to read of each partition."""
        starts = {tp: self.app.next_offset(tp) for tp in sources}
        unknown = [tp for tp, start in starts.items() if start is None]
        if unknown:
            starts |= await self._thread.committed(unknown)
        unknown = [tp for tp, start in starts.items() if start is None]
        if unknown:
            starts |= await self._thread.earliest_offsets(*unknown)
        return {TP(tp.topic, tp.partition): start for tp, start in starts.items() if start is not None}

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Faust's recovery seeks changelog partitions with this."""
        async with self._fetching:
            self._seeks[True] += 1
            await super().seek_wait(partitions)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Nothing that was delivered before counts any more."""
        self._forget()
        await super().on_partitions_assigned(assigned, generation_id)

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        """Ends of partitions, asked now."""
        ends: Mapping[TP, int] = await self._thread.end_offsets(partitions)
        return ends

    async def committed(self, *partitions: TP) -> Mapping[TP, int | None]:
        """Offsets that the group has committed."""
        offsets: Mapping[TP, int | None] = await self._thread.committed(partitions)
        return offsets

    async def answers(self, patience: float) -> bool:
        """Whether the thread that fetches answers within `patience` seconds."""
        return bool(await self._thread.answers(patience))

    def on_buffer_full(self, tp: TP) -> None:
        """Nothing: the fetch loop waits for the agent's queue."""

    # -- acknowledgements and commits

    def ack(self, message: BundleMessage) -> bool:
        """Mark a delivery as done."""
        if message.acked and message.mark.acked:
            return False
        message.acked = True
        message.mark.acked = True
        self._unacked_messages.discard(message)
        return True

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        pass

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterable[TP]:
        return [tp for tp in self._order if topics is None or tp in topics or tp.topic in topics]

    def _new_offset(self, tp: TP) -> int | None:
        order, done = self._order[tp], None
        while order and order[0].acked:
            done = order.popleft().offset
        return None if done is None else done + 1

    def _forget(self) -> None:
        self._order.clear()
        self._committed_offset.clear()


class Producer(driver.Producer):  # type: ignore[misc]
    """Faust's producer. Nothing of ours goes through it; it only has to reach the broker."""

    def _settings_auth(self) -> Mapping[str, Any]:
        return dict(self.app.kafka_options)


class Transport(driver.Transport):  # type: ignore[misc]
    """Kafka by bundles."""

    Consumer = Consumer
    Producer = Producer
    default_port = 9092
    driver_version = "bundle/" + driver.Transport.driver_version


TRANSPORTS.aliases["bundle"] = f"{__name__}:Transport"
