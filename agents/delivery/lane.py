"""The work queue of one channel: keys of claimed messages, ready or waiting for their time. No payloads: those are in the ledger.

A key is in a lane at most once, so a lane is no longer than the ledger has claimed messages of its channel, and those are
bounded where they are claimed.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from channels import retry

BASE = 2.0
"""Seconds: upper end of the first wait for a provider that is away."""
LONGEST = 30.0
"""Seconds: no wait for a provider is longer, unless it asks for that."""
POLL = 1.0
"""Seconds: a worker looks at the clock at least this often."""


class Item(NamedTuple):
    """A message's place in the ledger."""

    partition: int
    key: str


class Lane:
    """Ready and waiting messages of one channel. `now` is the wall clock, `on_down` hears whether the provider is away."""

    def __init__(self, channel: str, now: Callable[[], float], on_down: Callable[[str, bool], None]) -> None:
        self.channel = channel
        self._now = now
        self._on_down = on_down
        self._ready: deque[Item] = deque()
        self._later: list[tuple[float, Item]] = []
        self._held: set[Item] = set()
        self._changed = asyncio.Event()
        self._hold_until = 0.0
        self._downs = 0
        self.why = ""
        """Why the channel is held, while it is."""

    def __len__(self) -> int:
        """Messages that are ready or wait."""
        return len(self._held)

    def put(self, item: Item, at: float = 0.0) -> None:
        """Queue a message, for `at` (epoch seconds) if that is later than now. One that is queued already stays where it is."""
        if item in self._held:
            return
        self._held.add(item)
        if at > self._now():
            heapq.heappush(self._later, (at, item))
        else:
            self._ready.append(item)
        self._changed.set()

    def keep(self, wanted: Callable[[Item], bool]) -> None:
        """Forget the messages that are not wanted: settled in the meantime, or of a partition that is no longer ours."""
        self._ready = deque(item for item in self._ready if wanted(item))
        self._later = [entry for entry in self._later if wanted(entry[1])]
        heapq.heapify(self._later)
        self._held = {*self._ready, *(item for _, item in self._later)}

    async def take(self) -> Item:
        """The next message whose time has come, once the channel is not held."""
        while True:
            pause = self._pause()
            if pause <= 0.0:
                item = self._ready.popleft()
                self._held.discard(item)
                return item
            self._changed.clear()
            with suppress(TimeoutError):  # not wait_for, which may swallow a cancellation in Python 3.11
                async with asyncio.timeout(min(pause, POLL)):
                    await self._changed.wait()

    def _pause(self) -> float:
        now = self._now()
        while self._later and self._later[0][0] <= now:
            self._ready.append(heapq.heappop(self._later)[1])
        if self._hold_until > now:
            return self._hold_until - now
        if self._ready:
            return 0.0
        return self._later[0][0] - now if self._later else POLL

    def look(self) -> None:
        """Look at the clock again now; for tests that move it."""
        self._changed.set()

    @property
    def held(self) -> bool:
        """Whether the provider is away and nobody should try."""
        return self._hold_until > self._now()

    def hold(self, why: str, after: float | None) -> None:
        """The provider is away: nobody tries for a while. Several workers that notice it together count once."""
        now = self._now()
        if not self.held:
            self._hold_until = now + max(retry.wait(self.channel, self._downs, after, BASE, LONGEST), 0.1)
            self._downs += 1
        self.why = why
        self._on_down(self.channel, True)

    def resume(self) -> None:
        """The provider answered."""
        if self._downs:
            self._downs, self._hold_until, self.why = 0, 0.0, ""
            self._on_down(self.channel, False)
            self._changed.set()
