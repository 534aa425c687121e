"""Runs the rounds of forgetting beside the worker, one slice a second and partition."""

import asyncio
import contextlib

from agents.forgetting import Forgetting
from app import metrics
from app.clock import Clock
from tables.store import FencedTable

PAUSE = 1.0


class Forgetter:
    """Attached to the worker's app."""

    def __init__(self, table: FencedTable, clock: Clock, days: int) -> None:
        """`days` is how long a visitor without a name is remembered."""
        self._table, self._clock, self._keep = table, clock, days * 86_400.0
        self._rounds: dict[int, Forgetting] = {}
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name="forgetting")

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

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
