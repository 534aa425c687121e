"""Has every open partition know the schedules and the ranking that are needed by what runs, also one in which nothing happens."""

import asyncio

from agents.upkeep import Upkeep
from app.clock import Clock
from app.engine.beside import Beside
from tables.store import FencedTable

PAUSE = 1.0
"""Seconds between two looks."""


class Planner(Beside):
    """Attached to the worker's app. A partition that was just opened, or that other scenarios were taken for, is looked after once."""

    def __init__(self, table: FencedTable, upkeep: Upkeep, clock: Clock) -> None:
        super().__init__("planning")
        self._table, self._upkeep, self._clock = table, upkeep, clock

    async def _run(self) -> None:
        while True:
            for number in list(self._table.parts):
                if self._upkeep.wants(number):
                    now = self._clock.now()
                    await self._table.run(number, lambda step, now=now: self._upkeep.keep(step, now))  # type: ignore[misc]
            await asyncio.sleep(PAUSE)
