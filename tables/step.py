"""One atomic step over one partition's state: what it changes, and what it sends. Pure.

A step is decided synchronously and then written as a whole (by `tables/store.py` into Kafka, by `tables/memory.py` into
nothing). Topics are named without their prefix.
"""

from collections.abc import Callable, MutableMapping, Sequence
from typing import Any, Protocol

import msgspec

from tables.packed import PackedRows
from tables.timers import TimerIndex


class Record(Protocol):
    """One record of a topic. `timestamp` is milliseconds since the epoch."""

    key: bytes | None
    value: bytes | None
    offset: int
    timestamp: int


class Batch(Protocol):
    """Consecutive records of one partition of one topic."""

    topic: str
    partition: int
    records: Sequence[Record]


class Output(msgspec.Struct, gc=False, frozen=True):
    """A record to be published with the step. `partition` of None: the step's own number; `value` of None: a tombstone."""

    topic: str
    key: str
    value: bytes | None
    partition: int | None


class Partition:
    """State of one partition in this process: rows, the fence, the clock and the timer index."""

    __slots__ = ("applied", "clock", "number", "on_gone", "packed", "rows", "timers")

    def __init__(self, number: int, rows: PackedRows | None = None) -> None:
        """`rows`: packed ones; none: a plain dict of structs, each with a `wake` of its own."""
        self.number = number
        self.rows: MutableMapping[str, Any] = {} if rows is None else rows
        self.packed = rows
        self.on_gone: Callable[[int, Any], None] | None = None
        """Hears of each row that is deleted, or gives way to another."""
        self.applied: dict[str, int] = {}
        """Topic -> last offset that `rows` reflects: the fence."""
        self.clock = 0.0
        """Largest event time seen, epoch seconds."""
        self.timers = TimerIndex(self.rows if rows is None else rows.cells)

    def rebuild_timers(self, wake_of: Callable[[Any], float | None]) -> None:
        """Rebuild the index from the rows."""
        if self.packed is None:
            self.timers.rebuild((key, row, wake_of(row)) for key, row in self.rows.items())
        else:
            self.timers.rebuild((key, cell, wake_of(row)) for key, cell, row in self.packed.unpacked_cells())


class Step:
    """What one step changes and sends. Keys keep the order in which they were first changed."""

    __slots__ = ("changed", "outputs", "packed", "part", "partition", "read", "rows", "sent")

    def __init__(self, part: Partition) -> None:
        self.part = part
        if part.packed is not None:
            part.packed.close()
        self.partition = part.number
        self.rows = part.rows
        self.packed = part.packed
        self.changed: dict[str, None] = {}
        self.outputs: list[Output] = []
        self.read = 0
        """Bytes of the records that were applied."""
        self.sent = 0
        """Bytes of what is to be published."""

    @property
    def size(self) -> int:
        """About how many bytes there are to write: no row grows by more than the records that change it."""
        return self.read + self.sent + (self.packed.looked_at if self.packed is not None else 0)

    @property
    def clock(self) -> float:
        """The partition's clock: the largest event time seen, epoch seconds."""
        return self.part.clock

    @clock.setter
    def clock(self, at: float) -> None:
        self.part.clock = at

    def fold(self) -> None:
        """Pack what was changed so far and let go of it: see `PackedRows.fold`."""
        if self.packed is not None:
            self.packed.fold(self.changed)

    def put(self, key: str, row: Any) -> None:
        """Set a row."""
        self._gone(key)
        self.rows[key] = row
        self.changed[key] = None

    def _gone(self, key: str) -> None:
        if self.part.on_gone is not None:
            row = self.rows.get(key)
            if row is not None:
                self.part.on_gone(self.partition, row)

    def touch(self, key: str) -> None:
        """A row was changed in place."""
        self.changed[key] = None

    def delete(self, key: str) -> None:
        """Forget a row."""
        self._gone(key)
        self.rows.pop(key, None)
        self.changed[key] = None

    def wake(self, key: str, at: float | None) -> None:
        """Have the row `key` come up at `at` (epoch seconds) at the latest; None: not at all."""
        self.part.timers.wake(key, at)

    def due(self, limit: float, most: int = 1_000_000_000) -> Any:
        """Take out the (due, key) entries that are due at or before `limit`, soonest first."""
        return self.part.timers.pop_due(limit, most)

    def send(self, topic: str, key: str, value: bytes | None, partition: int | None = None) -> None:
        """Publish a record with this step."""
        self.sent += len(value or b"")
        self.outputs.append(Output(topic, key, value, partition))

    def __bool__(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.changed or self.outputs)
