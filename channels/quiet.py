"""Quiet hours: until when a message has to wait. Pure; the clock on the customer's wall counts, also where it is put forward or back."""

from datetime import datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from app.model.policy import Quiet

_QUARTER = 900.0
"""Seconds. Clocks are put forward and back at a quarter of an hour."""


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo | None:
    """The time zone of a name; None: there is none, or it is no name."""
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def quiet_until(quiet: Quiet | None, channel: str, zone: tzinfo, at: float) -> float:
    """When the channel may be used again, if it is silent at `at`; 0.0: it may be used. Both are epoch seconds."""
    if quiet is None or (quiet.channels and channel not in quiet.channels) or not _is_quiet(quiet, zone, at):
        return 0.0
    local = datetime.fromtimestamp(at, zone)
    day = local.date() if _minute(local) < quiet.end else local.date() + timedelta(days=1)
    wall = datetime.combine(day, time(quiet.end // 60, quiet.end % 60), tzinfo=zone)
    opens = wall.timestamp()
    if opens <= at:  # the clock was put back: that minute comes a second time
        opens = wall.replace(fold=1).timestamp()
    while not _is_quiet(quiet, zone, opens - _QUARTER) and opens - _QUARTER > at:
        opens -= _QUARTER  # that minute does not exist: the clock is put forward past it
    return opens


def _is_quiet(quiet: Quiet, zone: tzinfo, at: float) -> bool:
    now = _minute(datetime.fromtimestamp(at, zone))
    if quiet.start < quiet.end:
        return quiet.start <= now < quiet.end
    return now >= quiet.start or now < quiet.end


def _minute(local: datetime) -> int:
    return local.hour * 60 + local.minute
