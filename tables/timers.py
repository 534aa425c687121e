"""Deadlines, soonest first: an index over rows, never the truth.

The `wake` of a row (or of the cell that holds it, when rows are packed) is the one heap entry that counts for it. Postponing costs nothing: the entry stays where it is, and when it
comes up the row is asked for its true deadline. Entries that no row confirms are skipped. After a recovery the index is
rebuilt from the rows.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol


class Row(Protocol):
    """What the index needs of a row: the due time of its live heap entry, 0.0 for none."""

    wake: float


class TimerIndex:
    """A heap of (due, key) over the rows of one partition. Times are epoch seconds."""

    __slots__ = ("_heap", "_rows")

    def __init__(self, rows: Mapping[str, Row]) -> None:
        self._rows = rows
        self._heap: list[tuple[float, str]] = []

    def __len__(self) -> int:
        """Entries held, stale ones included."""
        return len(self._heap)

    def wake(self, key: str, at: float | None) -> None:
        """Make sure that `key` comes up no later than `at`; None: it need not come up at all."""
        row = self._rows[key]
        if at is None:
            row.wake = 0.0
        elif not row.wake or at < row.wake:
            row.wake = at
            heapq.heappush(self._heap, (at, key))

    def may_be_due(self, limit: float) -> bool:
        """Whether an entry, stale or not, is due at or before `limit`. Cheap: for every event of a stream."""
        heap = self._heap
        return bool(heap) and heap[0][0] <= limit

    def next_due(self) -> float | None:
        """When the soonest live entry comes up; drops stale entries from the top."""
        heap, rows = self._heap, self._rows
        while heap:
            due, key = heap[0]
            row = rows.get(key)
            if row is not None and row.wake == due:
                return due
            heapq.heappop(heap)
        return None

    def pop_due(self, limit: float, most: int = 1_000_000_000) -> Iterator[tuple[float, str]]:
        """Take out entries due at or before `limit`, soonest first, at most `most`. Their rows have no entry then."""
        rows = self._rows
        while most > 0:
            due = self.next_due()
            if due is None or due > limit:
                return
            _, key = heapq.heappop(self._heap)
            rows[key].wake = 0.0
            most -= 1
            yield due, key

    def rebuild(self, wakes: Iterable[tuple[str, float | None]]) -> None:
        """Start anew from (key, deadline)."""
        heap: list[tuple[float, str]] = []
        for key, at in wakes:
            self._rows[key].wake = at or 0.0
            if at is not None:
                heap.append((at, key))
        heapq.heapify(heap)
        self._heap = heap
