"""Moments by the clock of a customer. Pure."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from agents.scenarios.language import Slots


def next_at(zone: ZoneInfo, after: float, minutes: int, days: frozenset[int]) -> float:
    """The first moment (epoch seconds) later than `after` at so many minutes after midnight, on one of the weekdays (0: Monday)."""
    today = datetime.fromtimestamp(after, zone).date()
    for ahead in range(9):  # a week, and the days at its ends that clocks may move
        day = today + timedelta(ahead)
        at = datetime.combine(day, time(minutes // 60, minutes % 60), zone).timestamp()
        if at > after and day.weekday() in days:
            return at
    raise AssertionError("a week has every weekday")


def slots_of(slots: Slots, zone: ZoneInfo, now: float) -> list[float]:
    """The times (epoch seconds) that a message said at `now` offers: on the first such days after today."""
    today = datetime.fromtimestamp(now, zone).date()
    days = [
        day for ahead in range(1, 7 * slots.days + 8) if (day := today + timedelta(ahead)).weekday() in slots.weekdays
    ]
    return [
        datetime.combine(day, time(minutes // 60, minutes % 60), zone).timestamp()
        for day in days[: slots.days]
        for minutes in slots.minutes
    ]
