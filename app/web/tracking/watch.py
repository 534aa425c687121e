"""Clicks wait a second before they count: whoever follows several links of a message within it is a scanner. Pure; `now` is an argument."""

from typing import NamedTuple

from app.model.receipt import Spoken

HOLD = 1.0
"""Seconds after the last link that had not been asked for before."""
MUTE = 10.0
"""Seconds after a burst in which nothing of the same message counts: scanners come in waves."""
MOST = 20_000
"""Messages that are watched at one time; beyond, the oldest stop waiting."""
OPEN = -1
"""The number of the pixel, among those of links."""


class Seen(NamedTuple):
    """A link (or the pixel) of a message that was asked for, at `at` (epoch seconds)."""

    spoken: Spoken
    number: int
    at: float


class _Watched:
    __slots__ = ("burst", "seen", "until")

    def __init__(self, until: float) -> None:
        self.until = until
        self.seen: dict[int, Seen] = {}
        self.burst = False


class Watch:
    """What was asked for of each message in the last second."""

    def __init__(self) -> None:
        self._messages: dict[str, _Watched] = {}
        self._ready: list[Seen] = []

    def __len__(self) -> int:
        """Messages that are watched."""
        return len(self._messages)

    def saw(self, seen: Seen, now: float) -> bool:
        """Note a request at `now` (monotonic seconds). False: it is part of a burst, with which all of the message falls."""
        message = seen.spoken.message_id
        watched = self._messages.get(message)
        if watched is None or watched.until <= now:
            if watched is not None:
                self._settle(message)
            if len(self._messages) >= MOST:
                self._settle(next(iter(self._messages)))
            watched = self._messages[message] = _Watched(now + HOLD)
        if seen.number not in watched.seen and not watched.burst:
            watched.seen[seen.number] = seen
            watched.until = now + HOLD
        if not watched.burst and sum(number != OPEN for number in watched.seen) > 1:
            watched.burst, watched.until = True, now + MUTE
        return not watched.burst

    def due(self, now: float) -> list[Seen]:
        """Take out what counts by `now`: at most one link and the pixel of each message."""
        for message in [message for message, watched in self._messages.items() if watched.until <= now]:
            self._settle(message)
        ready, self._ready = self._ready, []
        return ready

    def _settle(self, message: str) -> None:
        watched = self._messages.pop(message)
        if not watched.burst:
            self._ready += watched.seen.values()
