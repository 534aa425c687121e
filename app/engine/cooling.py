"""Freezes rows beside the worker, a slice at a time, and gives the memory back.

Only of partitions that are ours: a copy that stands by stays as it is, so that a takeover need not thaw it.
"""

import asyncio

from app import metrics
from app.clock import Clock
from app.engine.beside import Beside
from app.engine.heap import give_back
from tables.cooling import Cooling
from tables.held import HeldPartition
from tables.store import FencedTable

SETTLE = 30.0
"""Seconds after a partition was opened before its rows are looked at: first come those that wait for it, and its backlog."""
PAUSE = 0.05
"""Seconds between two slices, of whatever partition: after a start a million rows are frozen within some two minutes."""
IDLE = 5.0
"""Seconds between two looks when nothing is due."""
GIVE_BACK = 50_000
"""Rows frozen after which memory is given back: some 25 MB."""


class Cooler(Beside):
    """Attached to the worker's app."""

    def __init__(self, table: FencedTable, clock: Clock) -> None:
        super().__init__("cooling")
        self._table, self._clock = table, clock
        self._rounds: dict[int, tuple[HeldPartition, Cooling]] = {}
        self._frozen = 0
        """Since memory was given back."""

    async def _run(self) -> None:
        while True:
            looked, parts = False, dict(self._table.parts)
            self._rounds = {number: known for number, known in self._rounds.items() if known[0] is parts.get(number)}
            for part in parts.values():
                if self.look(part):
                    looked = True
                    await asyncio.sleep(PAUSE)
            if not looked:
                self._give_back()
                await asyncio.sleep(IDLE)

    def look(self, part: HeldPartition) -> bool:
        """Look at the next slice of a partition. False: nothing is due."""
        if part.packed is None or not part.open:
            self._rounds.pop(part.number, None)  # opened again it is left alone as long as a new one
            return False
        now = self._clock.now()
        known = self._rounds.get(part.number)
        if known is None or known[0] is not part:
            known = self._rounds[part.number] = part, Cooling(now + SETTLE)
        rounds = known[1]
        if not rounds.is_due(now):
            return False
        frozen = rounds.look(part.packed, now)
        metrics.FROZEN.inc(frozen)
        self._frozen += frozen
        if self._frozen >= GIVE_BACK:
            self._give_back()
        return True

    def _give_back(self) -> None:
        if self._frozen:
            self._frozen = 0
            give_back()
