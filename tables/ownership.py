"""Which partitions a fenced table holds: what Faust's rebalances and recovery tell it.

Faust assigns the changelog's partitions together with the inputs', restores them, and only then lets the inputs flow. Of
`faust.Table` this overrides what those services call: `on_rebalance`, `persisted_offset`, `apply_changelog_batch`,
`on_recovery_completed`, `on_start` and `on_stop`.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import faust
from faust.types import TP

from app import metrics
from app.clock import Clock
from tables.bundle import Bundle, BundleSchema
from tables.changelog import Codec
from tables.frost import Frost
from tables.held import HeldPartition
from tables.packed import PackedRows
from tables.writer import Fault, PartitionWriter

log = logging.getLogger(__name__)

OnPartition = Callable[[int], None]


BUFFERS = {"recovery_buffer_size": 4, "standby_buffer_size": 1}
"""Bundles that Faust applies at once. Of 1 it makes something else in a recovery; of 4 of a copy that stands by, up to three would wait
until the fourth comes.
"""


class OwnedPartitions(faust.Table):  # type: ignore[misc]
    """The partitions of a table that are ours, each restored and with a writer of its own."""

    parts: dict[int, HeldPartition]
    """Partitions in memory: ours, and those that we stand by for."""
    actives: frozenset[int]
    """Those that are ours."""

    _fenced = 0
    """The era in which former owners of what is ours can write no more: only then it is settled where changelogs end."""

    def __init__(
        self,
        app: Any,
        *,
        name: str,
        row_type: Any,
        inputs: Iterable[str],
        options: Mapping[str, Any],
        clock: Clock,
        prefix: str = "",
        partitions: int | None = None,
        wake_of: Callable[[Any], float | None] | None = None,
        grace: float = 0.0,
        rebuilding: Callable[[int], Callable[[Any], float | None]] | None = None,
        on_gone: Callable[[int, Any], None] | None = None,
        on_opened: OnPartition | None = None,
        on_closed: OnPartition | None = None,
        compression: str | None = "zstd",
        fault: Fault | None = None,
        packed: bool = False,
        **kwargs: Any,
    ) -> None:
        """`inputs` are the topics (without prefix) that the table is fed with; `options` reach the broker.

        `wake_of` gives a row's next deadline; `rebuilding` gives it for the rows of a partition that is restored, and `on_gone` hears
        of rows that are deleted or give way to another kind. `on_opened` and `on_closed` hear of partitions that become ours, restored, and
        of those that no longer are. `compression` is of the changelog and the outputs. `packed` keeps rows as bytes in memory.
        """
        self.prefix, self.inputs, self.clock = prefix, tuple(inputs), clock
        super().__init__(app, name=name, schema=BundleSchema(), partitions=partitions, **{**BUFFERS, **kwargs})
        self.parts, self.actives = {}, frozenset()
        self._era = 0
        """Grows when the group rebalances: what was found out before may no longer hold."""
        self.codec = Codec(row_type)
        self._packed, self._frost = packed, Frost()
        self.wake_of, self.grace = wake_of, grace
        self.on_opened, self.on_closed = on_opened, on_closed
        self.rebuilding, self.on_gone = rebuilding, on_gone
        self.failure: BaseException | None = None
        self._options, self._compression, self._fault = options, compression, fault or (lambda _point: None)
        self._writers: dict[int, PartitionWriter] = {}
        self._recovery_started = clock.monotonic()
        metrics.RECOVERED_ROWS.labels(name)  # shown from the start: a rate that is not there cannot be zero
        app.on_partitions_revoked.connect(self._on_revoked)

    def _changelog_topic_name(self) -> str:
        return f"{self.prefix}{self.name}-changelog"

    async def fail(self, error: BaseException) -> None:
        """Stop for good. Faust would restart the agent and go on with the next bundle, and the fence would cover the failed."""
        for part in self.parts.values():
            part.open = False
        if self.failure is None:
            self.failure = error
            log.error("%s: stopping: %s: %s", self.name, type(error).__name__, error, exc_info=error)
            await self.app.crash(error)

    # -- rebalances

    async def _on_revoked(self, *_args: Any, **_kwargs: Any) -> None:
        """Before the group is rejoined: wait for steps in flight, allow no more."""
        self._era += 1
        for part in list(self.parts.values()):
            async with part.lock:
                self._close(part)

    def _close(self, part: HeldPartition) -> None:
        part.gate.reset()
        if part.open:
            part.open = False
            if self.on_closed is not None:
                self.on_closed(part.number)

    async def on_rebalance(
        self,
        assigned: set[TP],
        revoked: set[TP],  # noqa: ARG002 -- Faust's signature
        newly_assigned: set[TP],  # noqa: ARG002
        generation_id: int = 0,  # noqa: ARG002
    ) -> None:
        """Drop what is no longer ours; fence former owners of what is, before recovery asks where the changelog ends."""
        metrics.REBALANCES.labels(self.name).inc()
        self._era = era = self._era + 1
        self._recovery_started = self.clock.monotonic()
        topic = self._changelog_topic_name()
        for part in self.parts.values():
            self._close(part)
        held = {tp.partition for tp in assigned if tp.topic == topic}
        self.parts = {number: part for number, part in self.parts.items() if number in held}
        active = sorted(tp.partition for tp in self.app.assignor.assigned_actives() if tp.topic == topic)
        self.actives = frozenset(active)
        await self._stop_writers()
        writers = {number: self._writer(number) for number in active}
        self._writers = writers
        await asyncio.gather(*(writer.start() for writer in writers.values()))
        self._fenced = era

    def _writer(self, number: int) -> PartitionWriter:
        name = f"{self.app.conf.id}-{self.name}-{number}"
        return PartitionWriter(self._options, name, self._compression, self._fault)

    async def _stop_writers(self) -> None:
        writers, self._writers = self._writers, {}
        await asyncio.gather(*(writer.stop() for writer in writers.values()))

    # -- recovery

    def _held(self, number: int) -> HeldPartition:
        rows = PackedRows(self.codec.encode_row, self.codec.decode_row, self._frost) if self._packed else None
        return HeldPartition(number, self.grace, rows)

    def persisted_offset(self, tp: TP) -> int:
        """Up to where a partition still in memory reflects its changelog: recovery goes on from there. -1: not at all.

        Never None: Faust would go on from where it had read before, and where one rebalance overtakes another it remembers that of
        partitions which we have dropped since.
        """
        part = self.parts.get(tp.partition)
        return -1 if part is None or part.log_end is None else part.log_end

    def apply_changelog_batch(self, batch: Iterable[Any]) -> None:
        """Apply bundles of the changelog. Faust's recovery would only warn of an exception and go on with a hole."""
        try:
            for event in batch:
                bundle: Bundle = event.message.value
                part = self.parts.get(bundle.partition)
                if part is None:
                    part = self.parts[bundle.partition] = self._held(bundle.partition)
                metrics.RECOVERED_ROWS.labels(self.name).inc(part.replay(bundle, self.codec))
        except Exception as error:
            self.add_future(self.fail(error))
            raise

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:  # noqa: ARG002
        """Open the partitions that are ours. Faust never looks at the outcome of this call, so it fails by itself.

        Where a rebalance overtakes another, it may be an earlier recovery that has ended: then the one to come calls again.
        """
        try:
            era = self._era
            if self._fenced != era:
                return
            for number in sorted(tp.partition for tp in active_tps):
                if not await self._open(number, era):
                    return  # a rebalance has overtaken us: it recovers, and calls, again
            metrics.RECOVERY_SECONDS.labels(self.name).set(self.clock.monotonic() - self._recovery_started)
            log.info("%s: partitions %s are open, %d rows", self.name, sorted(self.actives), len(self))
            await self.call_recover_callbacks()
        except Exception as error:
            await self.fail(error)

    async def _open(self, number: int, era: int) -> bool:
        """Check and open one restored partition. False: what was ours in `era` may no longer be."""
        if number not in self.actives:
            return False  # of an earlier rebalance
        part = self.parts.get(number)
        if part is None:
            part = self.parts[number] = self._held(number)
        begins, ends = await self._ranges(number)
        committed = {} if part.applied else await self._committed(number)
        async with part.lock:
            if self._era != era:
                return False
            if part.open:
                return True
            changelog = self._changelog_topic_name()
            begin, end = begins.pop(changelog), ends.pop(changelog)
            if not part.is_read(begin, end):
                log.info("%s[%d] is not read to its end: this was the end of an earlier recovery", changelog, number)
                return False
            part.check_state(changelog, begin, self.app.conf.id, committed)
            fresh = not part.applied
            part.start_fence(begins, ends)
            part.rebuild(self.wake_of if self.rebuilding is None else self.rebuilding(number))
            part.on_gone = self.on_gone
            if fresh:
                await self.write_fence(part)  # a rebalance waits for the lock
            part.open = True
        if self.on_opened is not None:
            self.on_opened(number)
        return True

    async def write_fence(self, part: HeldPartition) -> None:
        """Write the fence alone. A partition has one before anything of its inputs is acknowledged."""
        raise NotImplementedError

    async def _committed(self, number: int) -> dict[str, int]:
        """Input topic -> the offset that the group has committed, where there is one."""
        committed = await self.app.consumer.committed(*self._inputs_of(number))
        return {tp.topic[len(self.prefix) :]: int(offset) for tp, offset in committed.items() if offset}

    def _inputs_of(self, number: int) -> list[TP]:
        return [TP(self.prefix + topic, number) for topic in self.inputs]

    async def _ranges(self, number: int) -> tuple[dict[str, int], dict[str, int]]:
        """First and next offsets of each input's partition, and of the changelog's under its full name."""
        tps, changelog = self._inputs_of(number), TP(self._changelog_topic_name(), number)
        begins = await self.app.consumer.earliest_offsets(*tps, changelog)
        ends = await self.app.consumer.highwaters(*tps, changelog)
        cut = len(self.prefix)
        names = {**{tp: tp.topic[cut:] for tp in tps}, changelog: changelog.topic}
        return {name: int(begins[tp]) for tp, name in names.items()}, {
            name: int(ends[tp]) for tp, name in names.items()
        }

    def is_open(self, number: int) -> bool:
        """Whether a partition is restored and ours."""
        part = self.parts.get(number)
        return part is not None and part.open

    def next_offset(self, topic: str, number: int) -> int | None:
        """Where an input partition is to be read from; None: it is not ours, or no input of this table."""
        part = self.parts.get(number)
        fence = part.applied.get(topic) if part is not None and part.open and topic in self.inputs else None
        return None if fence is None else fence + 1

    async def on_start(self) -> None:
        """No store of Faust's, and topics are made elsewhere."""

    async def on_stop(self) -> None:
        """Let steps in flight finish, then close the producers."""
        await self._on_revoked()
        await self._stop_writers()

    # -- reading as a mapping

    def __len__(self) -> int:
        """Rows of all partitions."""
        return sum(len(part.rows) for part in self.parts.values())

    def __bool__(self) -> bool:
        """An empty table is a table."""
        return True

    def __setitem__(self, key: Any, value: Any) -> None:
        """Not this way."""
        raise TypeError("a fenced table changes in steps only")
