"""Event time: the client's clock corrected by ours. Pure: `received` is an argument.

    event time = received - (sentAt - originalTimestamp or timestamp), at most received

Without `sentAt` the timestamp itself is taken; without either, `received`. An event of more than 24 hours ago is
*historical*: it keeps its true time (but not one before the year 2000), updates orders and profile, and arms nothing. A
text that is no date at all refuses the event (`bad_timestamp`), an unusable `sentAt` counts as absent. With `clamp=False`
(stream time: replay, backtest) the timestamp stands as it is, and one that lies over a day ahead refuses the event: it
would move the clock of all customers of its partition.
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

DAY = 86_400.0
EARLIEST = 946_684_800.0
"""2000-01-01: what claims to be older has no date."""
_MILLISECONDS_FROM = 1e11
"""A bare number this large counts milliseconds: as seconds it would be the year 5138."""


def epoch(value: Any) -> float | None:
    """Epoch seconds of an ISO 8601 text or of a number of seconds or milliseconds; None when absent.

    Raises ValueError when it is no moment between the years 1 and 9999. A text without an offset is UTC.
    """
    if type(value) is str:
        if not value:
            return None
        if len(value) > 64:
            raise ValueError("not a date")
        parsed = datetime.fromisoformat(value)
        if parsed.tzinfo is None:
            parsed = parsed.replace(tzinfo=UTC)
        return parsed.timestamp()
    if value is None:
        return None
    if type(value) is int or type(value) is float:
        seconds = value / 1000 if abs(value) >= _MILLISECONDS_FROM else value
        if not -62_135_596_800 <= seconds <= 253_402_300_799:
            raise ValueError("not a date")
        return float(seconds)
    raise ValueError("not a date")


def lenient(value: Any) -> float | None:
    """Like `epoch`, but what cannot be read counts as absent. All events of a batch may tell the same `sentAt`: it is read once."""
    try:
        return _told_lately(value) if type(value) is str else epoch(value)
    except (ValueError, OverflowError):
        return None


@lru_cache(maxsize=64)
def _told_lately(value: str) -> float | None:
    return epoch(value)


def corrected(at: float | None, sent_at: float | None, received: float, *, clamp: bool = True) -> tuple[float, bool]:
    """Event time and whether the event is historical. Raises ValueError for stream time that runs ahead."""
    if at is None:
        return received, False
    if not clamp:
        if at > received + DAY:
            raise ValueError("in the future")
        return at, False
    if sent_at is not None:
        at += received - sent_at
    if at < received - DAY:
        return max(at, EARLIEST), True
    if at > received:
        return received, False
    return at, False
