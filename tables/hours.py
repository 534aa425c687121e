"""Business hours: when time counts. Pure; days off are given as plain dates, time zones by zoneinfo.

A period is local wall time: on the day a clock is put forward the hour that does not exist does not count, on the day it is put
back the hour that comes twice counts twice. A test holds this page to walking minute by minute.
"""

from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAY = 86_400.0
LONGEST = 400
"""Days looked through for open hours."""
_KEPT = 1_024
"""Days whose spans are remembered."""

Period = tuple[int, int]
"""Minutes since midnight: from, until (up to 1440)."""
Span = tuple[float, float]
"""Epoch seconds: from, until."""


class BusinessHours:
    """Opening hours of a week in one time zone. `week` maps weekdays (0 is Monday) to periods in order, none overlapping."""

    def __init__(self, zone: ZoneInfo, week: Mapping[int, Collection[Period]], days_off: Collection[date] = ()) -> None:
        self._zone = zone
        self._week = {day: tuple(sorted(periods)) for day, periods in week.items()}
        self._days_off = frozenset(days_off)
        self._spans: dict[date, tuple[Span, ...]] = {}

    def add(self, at: float, seconds: float) -> float:
        """The moment at which `seconds` of open time have passed since `at` (epoch seconds).

        Nothing to wait for is now. Where 400 days do not have that much open time, the end of them.
        """
        if seconds <= 0:
            return at
        day = self._day_of(at)
        for _ in range(LONGEST):
            for start, end in self._spans_of(day):
                begin = max(start, at)
                if begin >= end:
                    continue
                if seconds <= end - begin:
                    return begin + seconds
                seconds -= end - begin
            day += timedelta(days=1)
        return at + LONGEST * DAY

    def between(self, start: float, end: float) -> float:
        """Seconds of open time from `start` until `end`, over the first 400 days at most."""
        total, day = 0.0, self._day_of(start)
        last = self._day_of(end)
        for _ in range(LONGEST):
            if day > last:
                break
            total += sum(max(0.0, min(end, until) - max(start, since)) for since, until in self._spans_of(day))
            day += timedelta(days=1)
        return total

    def is_open(self, at: float) -> bool:
        """Whether time counts at `at`."""
        return any(start <= at < end for start, end in self._spans_of(self._day_of(at)))

    def _day_of(self, at: float) -> date:
        return datetime.fromtimestamp(at, self._zone).date()

    def _spans_of(self, day: date) -> tuple[Span, ...]:
        spans = self._spans.get(day)
        if spans is None:
            if len(self._spans) >= _KEPT:
                self._spans.clear()
            spans = self._spans[day] = tuple(self._made(day))
        return spans

    def _made(self, day: date) -> list[Span]:
        """The open spans of one local day, cut where the clock is changed."""
        periods = self._week.get(day.weekday(), ())
        if not periods or day in self._days_off:
            return []
        midnight = datetime.combine(day, time(), UTC).timestamp()
        spans = []
        for since, until, offset in self._offsets(day):
            for begin, end in periods:
                start, stop = midnight + begin * 60 - offset, midnight + end * 60 - offset
                if max(start, since) < min(stop, until):
                    spans.append((max(start, since), min(stop, until)))
        return sorted(spans)

    def _offsets(self, day: date) -> list[tuple[float, float, float]]:
        """(from, until, seconds east of UTC) of a local day: one, or one on each side of every change of the clock."""
        start = datetime.combine(day, time(), self._zone).timestamp()
        end = datetime.combine(day + timedelta(days=1), time(), self._zone).timestamp()
        cuts, hour = [start], start
        while hour < end:
            after = min(hour + 3_600.0, end)
            change = self._change(hour, after) if self._offset(after) != self._offset(hour) else end
            if change < end:
                cuts.append(change)
            hour = after
        return [(since, until, self._offset(since)) for since, until in zip(cuts, [*cuts[1:], end], strict=True)]

    def _change(self, low: float, high: float) -> float:
        """The first second with another offset than at `low`."""
        before = self._offset(low)
        while high - low > 1.0:
            middle = (low + high) // 2
            if self._offset(middle) == before:
                low = middle
            else:
                high = middle
        return high

    def _offset(self, at: float) -> float:
        offset = datetime.fromtimestamp(at, self._zone).utcoffset()
        assert offset is not None, "a zone has offsets"
        return offset.total_seconds()


class AroundTheClock(BusinessHours):
    """All time counts."""

    def __init__(self) -> None:
        super().__init__(ZoneInfo("UTC"), {})

    def add(self, at: float, seconds: float) -> float:
        """`seconds` later."""
        return at + max(seconds, 0.0)

    def between(self, start: float, end: float) -> float:
        """All of it."""
        return max(end - start, 0.0)

    def is_open(self, at: float) -> bool:  # noqa: ARG002 -- always
        """Always."""
        return True
