"""When the time of a schedule comes, by the clock of the shop. Pure.

Each day that a schedule names has one such time, also where clocks are changed: a time that the day does not have is as much
later as the clocks were put forward, and of one that it has twice the first counts.
"""

from calendar import monthrange
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from agents.conditions.language import DAYS
from agents.scenarios.program import Planned

FURTHEST = 64
"""Days between two times are fewer."""
MONTH, WEEK = "month", "week"


def next_after(planned: Planned, zone: ZoneInfo, after: float) -> float:
    """The first time later than `after` (both epoch seconds)."""
    return min(at for at in _around(planned, zone, after) if at > after)


def last_until(planned: Planned, zone: ZoneInfo, until: float) -> float:
    """The last time that is not later than `until` (both epoch seconds)."""
    return max(at for at in _around(planned, zone, until) if at <= until)


def name_of(scenario: str, zone: ZoneInfo, at: float) -> str:
    """What the time of a scenario is called: the same however often it is decided about, whatever the scenario's version."""
    return f"{scenario}:{datetime.fromtimestamp(at, zone):%Y-%m-%dT%H:%M}"


def told_in_words(planned: Planned) -> str:
    """Such as `every week on mon and thu at 10:00 by the shop's clock, for segment loyal`."""
    if planned.every == MONTH:
        days = [str(day or "last") for day in sorted(planned.days, key=lambda day: day or FURTHEST)]
    else:
        days = [DAYS[day] for day in sorted(planned.days)]
    on = f" on {', '.join(days)}" if days else ""
    whose = f", for segment {planned.segment}" if planned.segment else ""
    return f"every {planned.every}{on} at {_clock(planned):%H:%M} by the shop's clock{whose}"


def times_of(planned: Planned, zone: ZoneInfo) -> str:
    """Tells schedules apart by their times alone."""
    return f"{planned.every} {','.join(map(str, sorted(planned.days)))} {planned.minutes} {zone.key}"


def _around(planned: Planned, zone: ZoneInfo, at: float) -> Iterator[float]:
    """The times about a moment: one before it and one after it, and more."""
    today = datetime.fromtimestamp(at, zone).date()
    for ahead in range(-FURTHEST, FURTHEST + 1):
        day = today + timedelta(ahead)
        if _is_named(planned, day):
            yield datetime.combine(day, _clock(planned), zone).timestamp()


def _is_named(planned: Planned, day: date) -> bool:
    if planned.every == WEEK:
        return day.weekday() in planned.days
    if planned.every == MONTH:
        return day.day in planned.days or (0 in planned.days and day.day == monthrange(day.year, day.month)[1])
    return True


def _clock(planned: Planned) -> time:
    return time(planned.minutes // 60, planned.minutes % 60)
