"""A Faust table whose every step is one Kafka transaction.

It is registered like any Faust table (changelog topic, assignment, recovery), but holds msgspec structs in one dict per
partition and writes its changelog itself:

step      some consecutive records of one partition, or timers that came due, or the result of something done outside.
          It decides synchronously what changes and what is to be sent, under the partition's lock.
fence     a record of its own on each changelog partition: input topic -> last offset applied, and the clock.
transaction  changed rows and fence to the changelog, and the outputs to their topics: all of it or nothing, of a
          producer that belongs to the partition. A record is applied exactly once; readers of committed records see each
          output exactly once; a former owner that wakes up is fenced.

The group's committed offsets are a hint; the fence decides where to go on. After any failure nothing goes on: the
partitions close and the process ends, because the rows in memory may be ahead of the changelog. Its supervisor
restarts it, and it restores the last step that was committed.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from faust.types import TP
from mode import Service

from app import metrics
from tables.bundle import Bundle
from tables.changelog import KeyValue
from tables.firing import Firing
from tables.held import HeldPartition
from tables.ownership import OwnedPartitions
from tables.step import Step

BundleWork = Callable[[Step, Bundle], None]
StepWork = Callable[[Step], None]
OnTimer = Callable[[Step, float, str, float], None]
"""Called with the step, the deadline, the key and the wall clock now (all epoch seconds)."""

STEP_BYTES = 8 << 20
"""A step that has grown so large is written before the rest of its bundle is decided, which is a step of its own then."""

IDLE_FENCE_S = 60.0
"""A fence that moved over nothing but transaction markers is written after this time at the latest."""


class FencedTable(OwnedPartitions):
    """Rows by partition, changed in steps only. See the module's text."""

    def __init__(
        self,
        app: Any,
        *,
        on_timer: OnTimer | None = None,
        live: bool = True,
        triggers_to: str = "outbox",
        committed: StepWork | None = None,
        across: Iterable[str] = (),
        **options: Any,
    ) -> None:
        """Make a table with the changelog `<prefix><name>-changelog`. `options` are those of `OwnedPartitions`.

        `on_timer` is called for a row whose deadline has come and that the lag gate lets pass (`live` only). The lateness of
        what it sends to the topic `triggers_to` is measured. `committed` is told of every step that was written. `across`: inputs
        that all partitions have to have read, as they were when ours were opened, before timers fire.
        """
        super().__init__(app, **options)
        self.on_timer, self.live, self._on_step, self.across = on_timer, live, committed, tuple(across)
        self._running: dict[int, asyncio.Task[None]] = {}
        self._applied = _by_topic(metrics.EVENTS_APPLIED, self.inputs)
        self._bundle_records = _by_topic(metrics.BUNDLE_RECORDS, self.inputs)
        self._skipped = _by_topic(metrics.EVENTS_SKIPPED, self.inputs)
        self._steps, self._step_seconds = metrics.STEPS.labels(self.name), metrics.STEP_SECONDS.labels(self.name)
        self._decide_seconds = metrics.BUNDLE_CPU.labels(self.name)
        self._firing = Firing(self, triggers_to)

    # -- steps

    async def submit(self, event: Any, work: BundleWork) -> None:
        """Like `process`, but return as soon as the bundle's turn has come: partitions work side by side."""
        number = event.value.partition
        running = self._running.get(number)
        if running is not None:
            await asyncio.wait([running])
        task = self._running[number] = asyncio.ensure_future(self.process(event, work))
        task.add_done_callback(
            lambda done: self._running.pop(number, None) if self._running.get(number) is done else None
        )

    async def process(self, event: Any, work: BundleWork) -> None:
        """Apply one bundle of the agent's stream and acknowledge it. An exception stops the process."""
        bundle: Bundle = event.value
        part = self.parts.get(bundle.partition)
        if part is None:
            return
        try:
            async with part.lock:
                # Faust looks at the generation too, but before we have waited for the lock
                if not part.open or event.message.generation_id != self.app.consumer_generation_id:
                    return
                await self._apply(part, bundle, work)
            event.ack()
        except Exception as error:
            await self.fail(error)

    async def run(self, partition: int, work: StepWork) -> bool:
        """A step outside a bundle. False: the partition is not ours, or not restored yet, and nothing was done."""
        part = self.parts.get(partition)
        if part is None:
            return False
        try:
            async with part.lock:
                if not part.open:
                    return False
                step = Step(part)
                work(step)
                await self.write(part, step, [])
                self._firing.wake_for(part)
        except Exception as error:
            await self.fail(error)
            raise
        return True

    def timers_changed(self, part: HeldPartition) -> None:
        """Deadlines of a partition were brought forward outside of steps."""
        self._firing.wake_for(part)

    async def ends(self, partition: int) -> dict[str, int]:
        """Input topic -> the offset that the next record of this partition will get, as the broker knows it now."""
        tps = {TP(self.prefix + topic, partition): topic for topic in self.inputs}
        ends = await self.app.consumer.highwaters(*tps)
        return {topic: int(ends[tp]) for tp, topic in tps.items()}

    async def _apply(self, part: HeldPartition, bundle: Bundle, work: BundleWork) -> None:
        fence = part.check(bundle)
        skipped = bundle.drop_until(fence)
        if skipped:
            self._skipped[bundle.topic].inc(skipped)
        if bundle.offset <= fence:
            return
        if bundle.records:
            self._bundle_records[bundle.topic].observe(len(bundle.records))
        step = Step(part)
        for piece in bundle.pieces():
            if step.size >= STEP_BYTES:
                await self.write(part, step, [])
                step = Step(part)
            self._decide(part, step, piece, work)
        triggered = self._firing.fire_into(part, step)
        part.idle_fence = not step
        self._firing.wake_for(part)  # ends are asked for while this step is written
        await self.write(part, step, triggered)

    def _decide(self, part: HeldPartition, step: Step, piece: Bundle, work: BundleWork) -> None:
        if piece.records:
            started = self.clock.monotonic()
            work(step, piece)
            step.fold()
            self._decide_seconds.inc(self.clock.monotonic() - started)
            self._applied[piece.topic].inc(len(piece.records))
            step.read += piece.size
            part.seen[piece.topic] = piece.records[-1].timestamp / 1000.0
        part.applied[piece.topic] = piece.offset

    async def write(self, part: HeldPartition, step: Step, triggered: list[float], *, force: bool = False) -> None:
        """Write a step, if there is anything to write. The caller holds the partition's lock.

        After a failure the partition is closed: its rows may be ahead of the changelog.
        """
        if not step and not force:
            return
        started = self.clock.monotonic()
        try:
            part.log_end = await self._writers[part.number].write(self._transaction(part, step))
        except BaseException:
            part.open = False
            raise
        part.idle_fence = False
        self._steps.inc()
        self._step_seconds.observe(self.clock.monotonic() - started)
        self._firing.observe(triggered)
        if self._on_step is not None:
            self._on_step(step)

    def _transaction(self, part: HeldPartition, step: Step) -> list[tuple[str, int, Iterable[KeyValue]]]:
        changes = [*self.codec.records(step.rows, step.changed), self.codec.fence(part.applied, part.clock)]
        outputs: defaultdict[tuple[str, int], list[KeyValue]] = defaultdict(list)
        here = part.number
        for output in step.outputs:
            there = output.partition
            outputs[output.topic, here if there is None else there].append((output.key.encode(), output.value))
        changelog = (self._changelog_topic_name(), here, changes)
        return [changelog, *((self.prefix + topic, number, records) for (topic, number), records in outputs.items())]

    # -- timers

    async def on_rebalance(self, *args: Any, **kwargs: Any) -> None:
        """As of all owned partitions; their timers wait for what the others have not read."""
        self._firing.rebalanced()
        await super().on_rebalance(*args, **kwargs)

    async def tick(self) -> None:
        """Fire what is due, live: once the inputs are applied up to the ends that they had after the deadline."""
        if self._firing.on:
            try:
                await self._firing.tick()
            except Exception as error:
                await self.fail(error)

    @Service.task  # type: ignore[untyped-decorator]
    async def _timer_loop(self) -> None:
        while self._firing.on and not self.should_stop:
            await self._firing.sleep()
            await self.tick()

    @Service.task  # type: ignore[untyped-decorator]
    async def _idle_fence_loop(self) -> None:
        """Write fences that have moved in memory only, so that a restart long after still finds its place."""
        while not self.should_stop:
            await self.sleep(IDLE_FENCE_S)
            for part in list(self.parts.values()):
                async with part.lock:
                    if part.open and part.idle_fence:
                        await self.write_fence(part)

    async def write_fence(self, part: HeldPartition) -> None:
        """Write the fence alone."""
        await self.write(part, Step(part), [], force=True)


def _by_topic(metric: Any, topics: Iterable[str]) -> dict[str, Any]:
    return {topic: metric.labels(topic) for topic in topics}
