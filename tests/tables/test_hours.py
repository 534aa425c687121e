"""Business hours against walking minute by minute."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tables.hours import DAY, AroundTheClock, BusinessHours

BERLIN, MOSCOW = ZoneInfo("Europe/Berlin"), ZoneInfo("Europe/Moscow")
NINE_TO_FIVE = {day: [(9 * 60, 17 * 60)] for day in range(5)}


def at(zone, *parts):
    return datetime(*parts, tzinfo=zone).timestamp()


def local(zone, moment):
    return datetime.fromtimestamp(moment, zone).strftime("%a %H:%M")


def test_an_hour_from_friday_half_past_four_ends_on_monday_half_past_nine():
    hours = BusinessHours(MOSCOW, NINE_TO_FIVE)
    assert local(MOSCOW, hours.add(at(MOSCOW, 2026, 11, 20, 16, 30), 3600)) == "Mon 09:30"


def test_a_wait_may_end_with_the_day():
    hours = BusinessHours(MOSCOW, NINE_TO_FIVE)
    assert local(MOSCOW, hours.add(at(MOSCOW, 2026, 11, 20, 16, 0), 3600)) == "Fri 17:00"


def test_several_periods_a_day_leave_out_the_break():
    hours = BusinessHours(MOSCOW, {2: [(9 * 60, 13 * 60), (14 * 60, 18 * 60)]})
    assert local(MOSCOW, hours.add(at(MOSCOW, 2026, 11, 25, 12, 45), 1800)) == "Wed 14:15"


def test_a_day_off_does_not_count():
    hours = BusinessHours(MOSCOW, NINE_TO_FIVE, [date(2026, 11, 23)])
    assert local(MOSCOW, hours.add(at(MOSCOW, 2026, 11, 20, 16, 30), 3600)) == "Tue 09:30"


def test_the_hour_that_is_skipped_in_spring_does_not_count():
    hours = BusinessHours(BERLIN, {6: [(60, 5 * 60)]})
    begin = at(BERLIN, 2026, 3, 29, 0, 0)
    assert hours.between(begin, begin + DAY) == 3 * 3600
    assert local(BERLIN, hours.add(begin, 5400)) == "Sun 03:30"


def test_the_hour_that_comes_twice_in_autumn_counts_twice():
    hours = BusinessHours(BERLIN, {6: [(2 * 60 + 30, 3 * 60)]})
    begin = at(BERLIN, 2026, 10, 25, 0, 0)
    assert hours.between(begin, begin + DAY) == 3600


def test_where_it_never_opens_a_wait_ends_after_the_longest_time():
    hours = BusinessHours(MOSCOW, {})
    assert hours.add(0.0, 60) == 400 * DAY


def test_around_the_clock_is_plain_arithmetic():
    hours = AroundTheClock()
    assert (hours.add(5.0, 60), hours.between(5.0, 65.0), hours.is_open(5.0)) == (65.0, 60.0, True)


def periods(starts):
    """Periods that do not overlap, from sorted points of a day."""
    points = sorted(set(starts))
    return [(a, b) for a, b in zip(points[::2], points[1::2], strict=False)]


week = st.dictionaries(
    st.integers(0, 6), st.lists(st.integers(0, 1440), min_size=2, max_size=6).map(periods), min_size=1
)
zone = st.sampled_from(
    ["Europe/Berlin", "Europe/Moscow", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]
)
begins = st.integers(0, 3).flatmap(
    # around changes of the clock, and anywhere else
    lambda near: st.integers(0, 2 * 1440).map(lambda minute: [1774656000, 1792886400, 1775260800, 1764028800][near] + 60 * minute)
)  # fmt: skip


def open_minutes(zone_name, table, days_off, begin, most):
    """Each minute from `begin` on, and whether it counts: looked up one by one in the local calendar."""
    tz = ZoneInfo(zone_name)
    for minute in range(most):
        moment = begin + 60 * minute
        there = datetime.fromtimestamp(moment, UTC).astimezone(tz)
        clock = there.hour * 60 + there.minute
        counts = there.date() not in days_off and any(a <= clock < b for a, b in table.get(there.weekday(), ()))
        yield moment, counts


@settings(max_examples=40, deadline=None)
@given(zone, week, begins, st.integers(1, 900), st.sets(st.integers(0, 6), max_size=2))
def test_waits_end_where_counting_every_minute_ends_them(name, table, begin, minutes, off):
    days_off = {datetime.fromtimestamp(begin, UTC).date() + timedelta(days=day) for day in off}
    hours = BusinessHours(ZoneInfo(name), table, days_off)
    left, expected, counted = minutes, None, 0
    for moment, counts in open_minutes(name, table, days_off, begin, 4 * 1440):
        counted += counts
        left -= counts
        if left == 0 and expected is None:
            expected = moment + 60
    if expected is not None:
        assert hours.add(begin, minutes * 60) == expected
        assert hours.between(begin, expected) == minutes * 60
    assert hours.between(begin, begin + 4 * DAY) == counted * 60


@settings(max_examples=40, deadline=None)
@given(zone, week, begins, st.floats(1, 1e6), st.floats(1, 1e6))
def test_waiting_in_two_parts_is_waiting_once(name, table, begin, first, second):
    hours = BusinessHours(ZoneInfo(name), table)
    once = hours.add(begin, first + second)
    if once < begin + 399 * DAY:
        assert hours.add(hours.add(begin, first), second) == pytest.approx(once, abs=1e-3)
