"""Moments by the clock of a customer. Pure."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo


def next_at(zone: ZoneInfo, after: float, minutes: int, days: frozenset[int]) -> float:
    """The first moment (epoch seconds) later than `after` at so many minutes after midnight, on one of the weekdays (0: Monday)."""
    today = datetime.fromtimestamp(after, zone).date()
    for ahead in range(9):  # a week, and the days at its ends that clocks may move
        day = today + timedelta(ahead)
        at = datetime.combine(day, time(minutes // 60, minutes % 60), zone).timestamp()
        if at > after and day.weekday() in days:
            return at
    raise AssertionError("a week has every weekday")
