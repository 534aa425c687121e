"""Quiet hours: until when a message has to wait. Pure; the clock on the customer's wall counts, also where it is put forward or back."""

from datetime import datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from app.model.policy import Quiet


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
    turn = _turn(zone, at, opens)  # put forward past that minute, or back to before the night began
    if turn and not _is_quiet(quiet, zone, turn):
        return turn
    return (
        quiet_until(quiet, channel, zone, opens) or opens
    )  # on this day the only minutes that were not quiet do not exist


def _turn(zone: tzinfo, since: float, until: float) -> float:
    """The moment between two at which the zone's clock is changed; 0.0: it is not. Clocks are changed at whole minutes."""
    before = _offset(zone, since)
    if _offset(zone, until) == before:
        return 0.0
    low, high = int(since // 60), int(until // 60)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset(zone, middle * 60.0) == before else (low, middle)
    return high * 60.0


def _offset(zone: tzinfo, at: float) -> timedelta:
    return datetime.fromtimestamp(at, zone).utcoffset() or timedelta()


def _is_quiet(quiet: Quiet, zone: tzinfo, at: float) -> bool:
    now = _minute(datetime.fromtimestamp(at, zone))
    if quiet.start < quiet.end:
        return quiet.start <= now < quiet.end
    return now >= quiet.start or now < quiet.end


def _minute(local: datetime) -> int:
    return local.hour * 60 + local.minute
