"""Moves state and unread input to where a larger number of partitions puts them.

Each old partition is one Kafka transaction: the rows that leave it go to their new partitions and become tombstones here, what
no table has read yet is appended anew to where it belongs, and the fences pass over the originals. So a partition has been
split or it has not; after kill -9, or any failure, the command is run again and finds out which.

Nobody can start in between: one topic gets its new partitions last (`plan.SEAL`), and a process whose number of partitions
is not that of every topic refuses to start. The transactions use the transactional ids of the partitions' owners: a worker
that was thought dead and wakes up is fenced.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from app.engine.kafka_client import client_options
from app.errors import CommandError
from app.repartition.broker import Broker, connected, until
from app.repartition.plan import SEAL, TABLES, Split, Table, by_home, check_counts, home_of, split
from app.settings import Settings
from tables.changelog import FENCE_KEY, Codec, Fence
from tables.writer import Fault, PartitionWriter

GROUP_S = 15.0
"""A member that was killed is in its group for so long; a running one for ever."""
NOTICE_S = 6.0
"""Collectors look at the number of partitions every five seconds and refuse events while it is not theirs."""
TRANSACTION_MS = 840_000
"""A partition's move may take so long; brokers allow 15 minutes unless told otherwise."""
MOST_UNREAD = 1_000_000
"""Unread records of one partition that are held in memory; beyond that the workers have to catch up first."""
MOST_PASSES = 3

Tell = Callable[[str], None]
KeyValue = tuple[bytes, bytes | None]


class Moved(NamedTuple):
    """What happened to one partition, or would: rows that stay and leave, unread records that are appended anew."""

    kept: int
    moved: int
    unread: int


class TableState(NamedTuple):
    """One table's partition as its changelog tells it."""

    table: Table
    split: Split
    fence: Fence


class Unread(NamedTuple):
    """What some table has not read yet of one input's partition, up to before the offset `end`."""

    topic: str
    records: list[tuple[bytes | None, bytes | None]]
    end: int


class Repartition:
    """One run of the command. See the module's text."""

    def __init__(
        self, settings: Settings, new: int, tell: Tell, *, notice: float = NOTICE_S, fault: Fault = lambda _point: None
    ) -> None:
        """`tell` hears of progress. `notice` is how long collectors get to see the new partitions; `fault` is for tests."""
        self._settings, self._new, self._tell = settings, new, tell
        self._notice, self._fault = notice, fault
        self._codec = Codec(Any)
        self._passed: dict[int, list[TableState]] = {}
        """Old partition -> its tables as its move has left them: what has arrived since is found without reading it all again."""

    async def run(self, *, dry: bool) -> tuple[int, list[Moved]]:
        """The old number of partitions, and what was (or, `dry`, would be) done with each. Raises CommandError, UsageError."""
        async with connected(self._settings) as broker:
            counts = await broker.counts()
            old = check_counts(counts, self._new)
            if old == self._new:
                return old, []
            await self._idle(broker)
            if dry:
                return old, [await self._look(broker, number, old) for number in range(old)]
            await self._take_over(old)
            rest = [name for name, count in counts.items() if count != self._new and name != SEAL.name]
            await broker.grow(rest, self._new)
            self._tell(
                f"{len(rest)} topics have {self._new} partitions now; collectors get {self._notice:.0f} s to see it"
            )
            await asyncio.sleep(self._notice)
            await self._idle(broker)
            done = [await self._move(broker, number, old) for number in range(old)]
            await self._catch_up(broker, old)
            await broker.grow([SEAL.name], self._new)
            return old, done

    async def _idle(self, broker: Broker) -> None:
        """Raises CommandError while somebody owns partitions."""
        for group in dict.fromkeys(table.group for table in TABLES):
            hosts = await broker.members(group)
            if hosts:
                self._tell(f"waiting up to {GROUP_S:.0f} s for {len(hosts)} members of {group} to leave")

            async def empty(group: str = group) -> bool:
                return not await broker.members(group)

            where = f" (on {', '.join(sorted(set(hosts)))})" if hosts else ""
            await until(
                empty,
                GROUP_S if hosts else 1.0,
                f"{len(hosts)} members of {group} still run{where}: stop all workers and delivery agents, then run this again",
            )

    async def _take_over(self, old: int) -> None:
        """Fence whoever owned partitions and has not noticed that he is gone."""
        for table in filter(lambda table: table.inputs, TABLES):
            for number in range(old):
                writer = self._writer(table, number)
                await writer.start()
                await writer.stop()

    def _writer(self, table: Table, number: int) -> PartitionWriter:
        name = f"{self._settings.topic_prefix}{table.group}-{table.name}-{number}"
        return PartitionWriter(client_options(self._settings), name, "zstd", self._fault, transaction_ms=TRANSACTION_MS)

    # -- one partition

    async def _look(self, broker: Broker, number: int, old: int) -> Moved:
        states = [await self._state(broker, table, number, old) for table in TABLES]
        unread = await self._all_unread(broker, number, states)
        return _summary(states, unread)

    async def _move(self, broker: Broker, number: int, old: int) -> Moved:
        states = [await self._state(broker, table, number, old) for table in TABLES]
        unread = await self._all_unread(broker, number, states)
        self._passed[number] = [state._replace(fence=_behind(state, unread)) for state in states]
        summary = _summary(states, unread)
        parts = [part for part in self._parts(states, unread, number) if part[2]]
        if parts:
            writer = self._writer(TABLES[0], number)
            await writer.start()
            try:
                await writer.write(parts)
            finally:
                await writer.stop()
        self._tell(
            f"partition {number + 1} of {old}: {summary.moved:,} rows moved, {summary.kept:,} stay, "
            f"{summary.unread:,} unread records put where they belong"
        )
        return summary

    async def _state(self, broker: Broker, table: Table, number: int, old: int) -> TableState:
        rows: dict[bytes, bytes] = {}
        async for record in broker.read(table.changelog, number, *await broker.range(table.changelog, number)):
            if record.key is None:
                continue
            if record.value is None:
                rows.pop(record.key, None)
            else:
                rows[record.key] = record.value
        fence = self._codec.read_fence(rows[FENCE_KEY]) if FENCE_KEY in rows else Fence({})
        return TableState(table, split(rows, table.owner, number, old, self._new), fence)

    async def _all_unread(self, broker: Broker, number: int, states: list[TableState]) -> list[Unread]:
        """Inputs of which something unread lies in the wrong partition; all that is unread of them, to keep its order."""
        found = []
        for topic in dict.fromkeys(topic for state in states for topic in state.table.inputs):
            fences = [state.fence.applied.get(topic) for state in states if topic in state.table.inputs]
            first, end = await broker.range(topic, number)
            starts = [first if fence is None else fence + 1 for fence in fences]
            name = f"{self._settings.topic_prefix}{topic}[{number}]"
            if min(starts) < first:
                raise CommandError(
                    f"{name} begins at offset {first}, but was read up to {min(starts) - 1} only: the records in between have "
                    "expired unread; start the workers as they were and follow what they say"
                )
            if end - min(starts) > MOST_UNREAD:
                raise CommandError(
                    f"{end - min(starts):,} records of {name} are unread: let the workers catch up, stop them, and run this again"
                )
            records = [(record.key, record.value) async for record in broker.read(topic, number, min(starts), end)]
            if any(home_of(key, number, self._new) != number for key, _ in records):
                found.append(Unread(topic, records, end))
        return found

    def _parts(
        self, states: list[TableState], unread: list[Unread], number: int
    ) -> Iterator[tuple[str, int, list[KeyValue]]]:
        """What the transaction writes: rows and tombstones, records, and the fences that pass over these."""
        prefix = self._settings.topic_prefix
        for state in states:
            changelog = prefix + state.table.changelog
            for heir, rows in state.split.moved.items():
                # its inputs are read from their beginning; a partition with rows and without a fence would be refused
                first = self._codec.fence(dict.fromkeys(state.table.inputs, -1), state.fence.clock)
                yield changelog, heir, [*rows, first] if state.table.inputs else rows
            tombstones: list[KeyValue] = [(key, None) for key in state.split.gone]
            fence = _behind(state, unread)
            if fence != state.fence or (tombstones and fence.applied):  # whatever is written ends with a fence
                tombstones.append(self._codec.fence(fence.applied, fence.clock))
            if tombstones:
                yield changelog, number, tombstones
        for some in unread:
            for home, records in by_home(some.records, number, self._new):
                yield prefix + some.topic, home, records

    async def _catch_up(self, broker: Broker, old: int) -> None:
        """Put right what has arrived by the old number of partitions meanwhile."""
        for _ in range(MOST_PASSES):
            late = [number for number in range(old) if await self._all_unread(broker, number, self._passed[number])]
            if not late:
                return
            for number in late:
                await self._move(broker, number, old)
        raise CommandError(f"something still writes by {old} partitions: stop the collectors too, then run this again")


def _behind(state: TableState, unread: list[Unread]) -> Fence:
    """The fence of a table once `unread` records have been appended anew: it passes over the originals."""
    passed = {some.topic: some.end - 1 for some in unread if some.topic in state.table.inputs}
    return Fence({**state.fence.applied, **passed}, state.fence.clock)


def _summary(states: list[TableState], unread: list[Unread]) -> Moved:
    return Moved(
        sum(state.split.kept for state in states),
        sum(len(state.split.gone) for state in states),
        sum(len(some.records) for some in unread),
    )
