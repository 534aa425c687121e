"""No faster than a provider takes messages in all. Who comes too soon waits a moment here, or for longer in his lane."""

import asyncio
from collections.abc import Callable

from channels.channel import Later

LONGEST_TURN = 1.0
"""Seconds that a message waits here for its turn; with a longer pause it waits in its lane."""
LONGEST = 60.0
"""Seconds: who waits in his lane comes again at the latest."""


class Rate:
    """Turns at an even pace. `per_second` of 0: as fast as it goes; `monotonic` counts seconds."""

    def __init__(self, per_second: float, monotonic: Callable[[], float]) -> None:
        self._every = 1.0 / per_second if per_second > 0 else 0.0
        self._monotonic = monotonic
        self._next_at = self._later_at = 0.0

    async def turn(self) -> Later | None:
        """Wait for a turn and take it; or when to come again."""
        now = self._monotonic()
        at = max(self._next_at, now)
        if at - now > LONGEST_TURN:
            self._later_at = min(max(self._later_at, at) + self._every, now + LONGEST)
            return Later(self._later_at - now)
        self._next_at = at + self._every
        if at > now:
            await asyncio.sleep(at - now)
        return None

    def pause(self, after: float | None) -> None:
        """The provider asks everybody to wait: `after` seconds, if it says how long."""
        self._next_at = max(self._next_at, self._monotonic() + min(after or 0.0, LONGEST))
