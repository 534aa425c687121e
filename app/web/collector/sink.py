"""The way into Kafka: records wait in lanes (topic, partition), one batch of each lane is on its way at a time.

A record counts as accepted only when Kafka has acknowledged its batch (acks=all, idempotent producer). Whoever waits for it
holds a `Ticket`. What cannot be acknowledged in time fails its tickets (503, the client retries); a batch that is already
on its way is not recalled: it may still arrive, and the retry is then recognised by its id. Everything is bounded: the
bytes that wait, the size of a batch, the time of a wait.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import UnknownTopicOrPartitionError

from app.clock import Clock
from app.ending import end
from app.web.collector.outgrown import METADATA_MS, outgrown
from app.web.collector.record import Record, settle
from app.web.collector.retire import retire

logger = logging.getLogger(__name__)

BATCH_BYTES = 512 * 1024
SWEEP_SECONDS = 0.25
RECONNECT_SECONDS = 1.0
REACH_SECONDS = 2.0
"""How long the broker has for taking a connection when we ask whether it is there."""
SILENT_SECONDS = 20.0
"""So long after a wait has ended without an acknowledgement, a client that hears nothing of a broker that is there is replaced."""


class Sink(Protocol):
    """Where records go. `outcome(records, acknowledged)` is called once for each record taken."""

    outcome: Callable[[list[Record], bool], None]

    @property
    def ready(self) -> bool:
        """Whether records have a good chance of being acknowledged."""
        ...

    def put(self, records: list[Record]) -> None:
        """Take records; returns at once."""
        ...

    async def start(self) -> None:
        """Begin to connect; returns at once."""
        ...

    async def close(self, within: float) -> None:
        """Deliver what is left, for at most `within` seconds."""
        ...


class _Lane:
    """`queue` waits, `flight` is on its way since `since` (`sent` is its acknowledgement), `stuck`: for too long."""

    __slots__ = ("flight", "queue", "sent", "since", "stuck", "task")

    def __init__(self) -> None:
        self.queue: list[Record] = []
        self.flight: list[Record] = []
        self.since = 0.0
        self.stuck = False
        self.task: asyncio.Task[None] | None = None
        self.sent: asyncio.Future[Any] | None = None


class KafkaSink:
    """The sink that writes to Kafka. `ack_timeout` is the longest wait of a request, in seconds; `partitions` see `outgrown`.

    `reachable` tells whether the broker takes connections: a client that is silent all the same is replaced.
    """

    def __init__(
        self,
        options: dict[str, Any],
        clock: Clock,
        *,
        ack_timeout: float = 8.0,
        partitions: int | None = None,
        reachable: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        self.outcome: Callable[[list[Record], bool], None] = lambda _records, _acknowledged: None
        self._options = options
        self._clock = clock
        self._ack_timeout = ack_timeout
        self._producer: AIOKafkaProducer | None = None
        self._lanes: dict[tuple[str, int], _Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False
        self._partitions = partitions
        self._outgrown = False
        self._reachable = reachable

    @property
    def ready(self) -> bool:
        """Connected, the topics are as we know them, and no lane waits for an acknowledgement beyond its time."""
        return bool(self._producer) and not self._outgrown and not any(lane.stuck for lane in self._lanes.values())

    async def start(self) -> None:
        """Connect in the background, again and again until it works."""
        self._spawn(self._connect())
        self._spawn(self._sweep())

    def put(self, records: list[Record]) -> None:
        """Line records up; those that have no chance now fail at once."""
        refused = []
        lanes, closed = self._lanes, self._producer is None or self._outgrown
        for record in records:
            lane = lanes.get((record.topic, record.partition))
            if lane is None:
                lane = lanes[record.topic, record.partition] = _Lane()
            if closed or lane.stuck:
                refused.append(record)
                continue
            lane.queue.append(record)
            if lane.task is None:
                lane.task = self._spawn(self._drain(record.topic, record.partition, lane))
        if refused:
            self._finish(refused, acknowledged=False)

    async def close(self, within: float) -> None:
        """Deliver what waits, then part from the broker; after `within` seconds what is left fails. Nobody waits for a stuck lane."""
        self._closing = True
        draining = [lane.task for lane in self._lanes.values() if lane.task is not None and not lane.stuck]
        if draining:
            await asyncio.wait(draining, timeout=within)
        producer, self._producer = self._producer, None
        await end(*self._tasks)
        busy = any(lane.flight for lane in self._lanes.values())
        for lane in self._lanes.values():
            self._finish(lane.flight + lane.queue, acknowledged=False)
            lane.flight, lane.queue = [], []
        if producer is not None:
            await retire(producer, idle=not busy)

    def _spawn(self, work: Awaitable[None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _connect(self) -> None:
        while not self._closing:
            producer = AIOKafkaProducer(
                **self._options,
                acks="all",
                enable_idempotence=True,
                max_batch_size=BATCH_BYTES,
                metadata_max_age_ms=METADATA_MS,
                request_timeout_ms=10_000,
                retry_backoff_ms=250,
            )
            try:
                await producer.start()
            except asyncio.CancelledError:
                await retire(producer, idle=True)
                raise
            except Exception as error:  # whatever it is, only trying again helps
                logger.warning("Kafka cannot be reached, trying again: %s", type(error).__name__)
                await retire(producer, idle=True)
                await asyncio.sleep(RECONNECT_SECONDS)
            else:
                self._producer = producer
                logger.info("connected to Kafka")
                return

    async def _drain(self, topic: str, partition: int, lane: _Lane) -> None:
        """Send what waits in a lane, batch after batch; whatever arrives meanwhile shares the next batch."""
        try:
            while lane.queue:
                producer = self._producer
                if producer is None:
                    self._refuse(lane)
                    return
                batch = self._fill(producer, lane)
                await self._deliver(producer, batch, topic, partition, lane)
        finally:
            lane.task = None

    def _fill(self, producer: AIOKafkaProducer, lane: _Lane) -> Any:
        batch = producer.create_batch()
        append = batch.append
        taken = 0
        stamp = int(self._clock.now() * 1000)
        for record in lane.queue:
            if append(timestamp=stamp, key=record.key, value=record.value) is None:
                break
            taken += 1
        batch.close()
        lane.flight, lane.queue = lane.queue[:taken], lane.queue[taken:]
        lane.since = self._clock.monotonic()
        return batch

    async def _deliver(self, producer: AIOKafkaProducer, batch: Any, topic: str, partition: int, lane: _Lane) -> None:
        acknowledged = False
        try:
            lane.sent = await producer.send_batch(batch, topic, partition=partition)
            await lane.sent
            acknowledged = True
        except asyncio.CancelledError:
            if self._producer is producer or self._closing:
                raise
            logger.warning("a batch of %s was given up together with its producer", topic)
        except (UnknownTopicOrPartitionError, AssertionError):
            logger.warning("topic %s has no partition %d; `boomerang topics` tells what is missing", topic, partition)
        except Exception as error:  # a batch lost its sequence number: this producer cannot go on
            logger.warning("Kafka refused a batch of %s: %s", topic, type(error).__name__)
            self._replace(producer)
        flight, lane.flight, lane.stuck, lane.sent = lane.flight, [], False, None
        self._finish(flight, acknowledged=acknowledged)

    def _finish(self, records: list[Record], *, acknowledged: bool) -> None:
        self.outcome(records, acknowledged)
        if acknowledged:
            settle(records)
            return
        for record in records:
            record.fail()

    def _refuse(self, lane: _Lane) -> None:
        waiting, lane.queue = lane.queue, []
        self._finish(waiting, acknowledged=False)

    def _replace(self, producer: AIOKafkaProducer) -> None:
        if self._producer is producer and not self._closing:
            self._producer = None
            for lane in self._lanes.values():
                waits = lane.sent if lane.sent is not None else lane.task if lane.flight else None
                if waits is not None:
                    waits.cancel()
            self._spawn(retire(producer, idle=False))
            self._spawn(self._connect())

    async def _sweep(self) -> None:
        """Let nobody wait beyond the time: the batch stays on its way, the requests are told."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            if self._partitions is not None and self._producer is not None and not self._outgrown:
                self._outgrown = outgrown(self._producer, {topic for topic, _ in self._lanes}, self._partitions)
            oldest = self._clock.monotonic() - self._ack_timeout
            for lane in self._lanes.values():
                if lane.flight and lane.since < oldest:
                    lane.stuck = True
                    for record in lane.flight:
                        record.fail()
                    self._refuse(lane)
            await self._mend_silence(oldest - SILENT_SECONDS)

    async def _mend_silence(self, before: float) -> None:
        """Take a new client where this one has heard nothing since `before`. What was on its way counts as not acknowledged."""
        producer = self._producer
        silent = any(lane.flight and lane.since < before for lane in self._lanes.values())
        if producer is not None and silent and self._reachable is not None and await self._reachable():
            logger.error("Kafka can be reached, but acknowledges nothing to this client: a new one takes its place")
            self._replace(producer)
