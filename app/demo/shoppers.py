"""Plays shoppers against the collector's public HTTP API."""

import asyncio
from collections import Counter

from app.clock import Clock, moment
from app.demo.sender import NotSent, Sender
from app.demo.stories import Shopper


class Players:
    """Plays each shopper's steps at their time. `finished` and `failed` count while it runs."""

    def __init__(self, people: list[Shopper], sender: Sender, clock: Clock) -> None:
        self._people = people
        self._sender = sender
        self._clock = clock
        self.arrived: Counter[str] = Counter()
        """Shoppers who are here or have been, by story."""
        self.finished = 0
        self.failed: list[str] = []
        """Reasons why shoppers gave up."""

    async def play(self) -> None:
        """Play all; returns when the last has left. A shopper whose events are refused gives up and is counted."""
        begun = self._clock.monotonic()
        async with asyncio.TaskGroup() as group:
            for shopper in self._people:
                group.create_task(self._shop(shopper, begun))

    async def _shop(self, shopper: Shopper, begun: float) -> None:
        await self._until(begun + shopper.arrives)
        self.arrived[shopper.story] += 1
        try:
            for step in shopper.steps:
                await self._until(begun + shopper.arrives + step.at)
                event = {**step.event, "timestamp": moment(self._clock.now()).isoformat()}
                await self._sender.send(step.kind, [event])
        except NotSent as error:
            self.failed.append(str(error))
        self.finished += 1

    async def _until(self, at: float) -> None:
        await asyncio.sleep(max(0.0, at - self._clock.monotonic()))
