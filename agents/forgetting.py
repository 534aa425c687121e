"""Visitors who never said who they are, and never came back, are forgotten: otherwise memory only grows. Pure.

Looks through the packed rows of a partition in slices, a round a day; what it forgets is a step like any other.
"""

from app.model.event import ANONYMOUS
from tables.activity import has_dialogs, last_seen
from tables.step import Step

SLICE = 2_000
"""Keys looked at in one step."""
ROUND = 86_400.0
"""Seconds between two rounds."""


class Forgetting:
    """One partition's rounds. `keep` is how long a visitor without a name is remembered, in seconds."""

    def __init__(self, keep: float) -> None:
        self._keep = keep
        self._left: list[str] = []
        self._next_round = 0.0
        self.forgotten = 0
        """How many since the start."""

    def is_due(self, now: float) -> bool:
        """Whether there is something to look at."""
        return bool(self._left) or now >= self._next_round

    def look(self, step: Step, now: float) -> None:
        """Look at the next slice; `now` is the wall clock, epoch seconds."""
        packed = step.packed
        if packed is None:
            return
        if not self._left:
            self._left = [key for key in packed if key.startswith(ANONYMOUS)]
            self._next_round = now + ROUND
        slice_, self._left = self._left[:SLICE], self._left[SLICE:]
        for key in slice_:
            cell = packed.cells.get(key)
            if cell is None or has_dialogs(cell.packed):
                continue  # whose dialogs go first, each with its row on the board
            seen = last_seen(cell.packed)
            if seen is not None and 0.0 < seen < now - self._keep:
                step.delete(key)
                self.forgotten += 1
