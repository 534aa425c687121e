"""Runs the rounds of forgetting beside the worker, one slice a second and partition."""

import asyncio

from agents.forgetting import Forgetting
from app import metrics
from app.clock import Clock
from app.engine.beside import Beside
from tables.store import FencedTable

PAUSE = 1.0


class Forgetter(Beside):
    """Attached to the worker's app."""

    def __init__(self, table: FencedTable, clock: Clock, days: int) -> None:
        """`days` is how long a visitor without a name is remembered."""
        super().__init__("forgetting")
        self._table, self._clock, self._keep = table, clock, days * 86_400.0
        self._rounds: dict[int, Forgetting] = {}

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(PAUSE)
            for number in list(self._table.parts):
                rounds = self._rounds.setdefault(number, Forgetting(self._keep))
                now = self._clock.now()
                if rounds.is_due(now):
                    before = rounds.forgotten
                    await self._table.run(number, lambda step, rounds=rounds, now=now: rounds.look(step, now))  # type: ignore[misc]
                    metrics.FORGOTTEN.inc(rounds.forgotten - before)
