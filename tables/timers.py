"""Deadlines, soonest first: an index over rows, never the truth.

The `wake` of a row (or of the cell that holds it, when rows are packed) is the one deadline that counts for it. Postponing costs
nothing: the entry stays where it is, and when it comes up the row is asked for its true deadline. Entries that no row confirms
are skipped. After a recovery the index is rebuilt from the rows.

Deadlines far away need no order yet. A slot is some seconds wide and lists the keys that come up in it, unsorted and without
their deadlines, which the rows know. When the clock comes near, the slot is opened: its entries are sorted once, and taken out
one by one. What is scheduled into a slot that was opened before goes to a heap, and the sooner of the two comes up.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from math import floor, inf
from typing import Protocol

SLOT = 16.0
"""Seconds. Wide enough for many entries to share a slot's list; narrow enough for few entries to be sorted at once."""


class Row(Protocol):
    """What the index needs of a row: the due time of its live entry, 0.0 for none."""

    wake: float


class TimerIndex:
    """The keys of one partition's rows by the time at which they come up. Times are epoch seconds."""

    __slots__ = ("_late", "_open", "_opened", "_order", "_rows", "_slots", "earliest")

    def __init__(self, rows: Mapping[str, Row]) -> None:
        self._rows = rows
        self._clear()

    def _clear(self) -> None:
        self._slots: dict[int, list[str]] = {}
        self._order: list[int] = []
        """The numbers of the slots, as a heap."""
        self._open: list[tuple[float, str]] = []
        """Entries of the slot that was opened last, soonest last."""
        self._late: list[tuple[float, str]] = []
        """Entries scheduled into slots that had been opened, as a heap."""
        self._opened = -1
        """The last slot that was opened."""
        self.earliest = inf
        """No entry, stale or not, comes up before this."""

    def __len__(self) -> int:
        """Entries held, stale ones included."""
        return len(self._open) + len(self._late) + sum(map(len, self._slots.values()))

    def wake(self, key: str, at: float | None) -> None:
        """Make sure that `key` comes up no later than `at`; None: it need not come up at all."""
        row = self._rows[key]
        if at is None:
            row.wake = 0.0
            return
        wake = row.wake
        if not wake or at < wake:
            row.wake = at
            if at < self.earliest:  # noqa: PLR1730 -- min() would be a sixth of the time that scheduling takes
                self.earliest = at
            number = floor(at / SLOT)  # exact: a slot is a power of two wide
            if number <= self._opened:
                heapq.heappush(self._late, (at, key))
                return
            slot = self._slots.get(number)
            if slot is not None:
                slot.append(key)
                return
            self._slots[number] = [key]
            heapq.heappush(self._order, number)

    def next_due(self) -> float | None:
        """When the soonest live entry comes up; drops stale entries before it."""
        while True:
            opened, late = self._open, self._late
            while opened and not self._is_live(opened[-1]):
                opened.pop()
            while late and not self._is_live(late[0]):
                heapq.heappop(late)
            if opened or late:
                self.earliest = opened[-1][0] if not late else late[0][0] if not opened else min(opened[-1], late[0])[0]
                return self.earliest
            if not self._order:
                self.earliest = inf
                return None
            self._open_slot()

    def _is_live(self, entry: tuple[float, str]) -> bool:
        row = self._rows.get(entry[1])
        return row is not None and row.wake == entry[0]

    def _open_slot(self) -> None:
        """Sort the entries of the next slot, without those that have another deadline by now."""
        self._opened = number = heapq.heappop(self._order)
        find, first, behind = self._rows.get, number * SLOT, (number + 1) * SLOT
        entries = self._open = []
        for key in self._slots.pop(number):
            row = find(key)
            if row is not None and (at := row.wake) and first <= at < behind:
                entries.append(
                    (at, key)
                )  # twice for a key that was put there twice: the second is stale once the first is out
        entries.sort(reverse=True)

    def pop_due(self, limit: float, most: int = 1_000_000_000) -> Iterator[tuple[float, str]]:
        """Take out entries due at or before `limit`, soonest first, at most `most`. Their rows have no entry then.

        Between two of them anything may be scheduled.
        """
        find = self._rows.get
        while most > 0 and self.earliest <= limit:
            if not self._open and not self._late and self._order and self._order[0] * SLOT > limit:
                self.earliest = self._order[0] * SLOT  # nothing before: that slot stays closed until its time comes
                return
            due = self.next_due()
            if due is None or due > limit:
                return
            opened, late = self._open, self._late
            if late:
                _, key = heapq.heappop(late) if not opened or late[0] < opened[-1] else opened.pop()
                self._rows[key].wake = 0.0
                most -= 1
                yield due, key
                continue
            while opened and most > 0 and not late and self._open is opened:
                entry = opened.pop()
                due, key = entry
                if due > limit:
                    opened.append(entry)
                    self.earliest = due
                    return
                row = find(key)
                if row is not None and row.wake == due:
                    row.wake = 0.0
                    self.earliest = due
                    most -= 1
                    yield due, key

    def rebuild(self, wakes: Iterable[tuple[str, Row, float | None]]) -> None:
        """Start anew from (key, row, deadline)."""
        self._clear()
        slots, soonest = self._slots, inf
        for key, row, at in wakes:
            if at is None:
                row.wake = 0.0
                continue
            row.wake = at
            soonest = min(soonest, at)
            slot = slots.get(number := floor(at / SLOT))
            if slot is None:
                slots[number] = [key]
            else:
                slot.append(key)
        self.earliest = soonest
        self._order = sorted(slots)
