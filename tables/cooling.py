"""Which rows are frozen: those of customers whose visit is over. Pure.

Looks through the rows of a partition in slices, round after round. What it freezes it changes for memory alone: nothing is written,
and nothing is decided otherwise.
"""

from tables.activity import last_seen
from tables.frost import is_frozen
from tables.packed import PackedRows
from tables.windows import SESSION_GAP

SLICE = 1_000
"""Rows that are looked at in one go: ten milliseconds where all of them are frozen."""
SLICE_BYTES = 1 << 20
"""A slice that has frozen rows of so many bytes is over too."""
ROUND = 900.0
"""Seconds from the beginning of a round to the next one's."""


class Cooling:
    """One partition's rounds, from `begin` on (epoch seconds)."""

    def __init__(self, begin: float) -> None:
        self._left: list[str] = []
        self._next_round = begin

    def is_due(self, now: float) -> bool:
        """Whether there is something to look at; `now` is the wall clock, epoch seconds."""
        return bool(self._left) or now >= self._next_round

    def look(self, rows: PackedRows, now: float) -> int:
        """Look at the next rows; returns how many were frozen."""
        if not self._left:
            self._left, self._next_round = list(rows), now + ROUND
        frozen = size = 0
        for _ in range(min(SLICE, len(self._left))):
            key = self._left.pop()
            cell = rows.cells.get(key)
            if cell is None or is_frozen(cell.packed):
                continue
            seen = last_seen(cell.packed)
            if seen is not None and seen < now - SESSION_GAP:
                size += len(cell.packed)
                frozen += rows.freeze(key)
            if size >= SLICE_BYTES:
                break
        return frozen
