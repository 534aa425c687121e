"""Times of events as text, read for less than it takes to make a date of each. Pure.

The collector writes all times in one way, `2026-01-31T12:00:00.000Z`, and events that follow each other are of one second, or of one
minute. What is known of that second is kept, and the milliseconds are looked up. Any other text is no instant to this page.
"""

from datetime import datetime

import msgspec

_SECOND = 20
"""Characters up to the milliseconds."""
_MINUTE = 17
_MILLIS = {f"{number:03d}Z": float(number) for number in range(1000)}
"""The rest of the text, in milliseconds."""
_SECONDS = {f"{number:02d}.": number * 1000.0 for number in range(60)}


class Instants:
    """Knows the second, and the minute, of the text that was read last."""

    __slots__ = ("_minute", "_minute_ms", "_second", "_second_ms")

    def __init__(self) -> None:
        self._second, self._second_ms = "", 0.0
        """What a text of that second begins with; when it began, in milliseconds: whole, and so few that no sum of them is rounded."""
        self._minute, self._minute_ms = "", 0.0

    def read(self, text: str) -> float | None:
        """Epoch seconds; None: another reader has to look at the text."""
        millis = _MILLIS.get(text[_SECOND:])
        if millis is None or (text[:_SECOND] != self._second and not self._turn_to(text)):
            return None
        return (self._second_ms + millis) / 1000.0

    def _turn_to(self, text: str) -> bool:
        """Know the second that a text is of. False: it is not written like that, or there is no such time."""
        seconds = _SECONDS.get(text[_MINUTE:_SECOND])
        if seconds is None:
            return False
        minute = text[:_MINUTE]
        if minute != self._minute:
            try:
                began = msgspec.convert(f"{minute}00.000Z", datetime).timestamp()
            except msgspec.ValidationError:
                return False
            self._minute, self._minute_ms = minute, began * 1000.0
        self._second, self._second_ms = text[:_SECOND], self._minute_ms + seconds
        return True
