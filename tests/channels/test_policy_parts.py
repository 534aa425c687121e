"""Caps, quiet hours and control groups, each by itself."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.model.policy import Cap, Quiet, Which, one_per
from channels.caps import Said, full
from channels.control import is_member
from channels.quiet import quiet_until, zone

HOUR, DAY = 3600.0, 86_400.0
MOSCOW = ZoneInfo("Europe/Moscow")
NEW_YORK = ZoneInfo("America/New_York")


def at(zone, *when, fold=0):
    return datetime(*when, tzinfo=zone, fold=fold).timestamp()


def said(hours_ago, channel="email", topic="", scenario="cart", marketing=True, now=1_700_000_000.0):
    return Said(channel, topic, scenario, now - hours_ago * HOUR, marketing)


NEW = said(0)


@pytest.mark.parametrize(
    ("cap", "before", "is_full"),
    [
        (one_per(16 * HOUR, "email"), [said(15)], True),
        (one_per(16 * HOUR, "email"), [said(16)], False),
        (one_per(16 * HOUR, "email"), [said(1, "sms")], False),
        (one_per(16 * HOUR, "sms"), [said(1, "sms")], False),  # the new one is a mail, and does not obey
        (one_per(16 * HOUR), [said(1, "sms")], True),
        (one_per(16 * HOUR, "email"), [said(1, marketing=False)], False),
        (Cap(1, 16 * HOUR, transactional=True), [said(1, marketing=False)], True),
        (Cap(3, DAY), [said(1), said(2)], False),
        (Cap(3, DAY), [said(1), said(2), said(3)], True),
        (Cap(1, DAY, counts=Which(frozenset({"sms"})), obeys=Which(frozenset({"email"}))), [said(1, "sms")], True),
        (Cap(1, DAY, counts=Which(frozenset({"sms"})), obeys=Which(frozenset({"email"}))), [said(1)], False),
        (Cap(1, DAY, counts=Which(scenarios=frozenset({"wish"}))), [said(1)], False),
        (Cap(1, DAY, counts=Which(scenarios=frozenset({"wish"}))), [said(1, scenario="wish")], True),
        (Cap(1, DAY, obeys=Which(topics=frozenset({"news"}))), [said(1)], False),
    ],
)
def test_what_counts_and_what_obeys_are_apart(cap, before, is_full):
    found = full([cap], before, NEW, UTC)
    assert (found is not None) is is_full
    if found is not None:
        assert found.last == max(one.at for one in before)


def test_transactional_messages_are_exempt():
    assert full([Cap(1, DAY)], [said(1)], NEW._replace(marketing=False), UTC) is None


def test_calendar_days_are_those_of_the_customers_zone():
    late, early = at(MOSCOW, 2026, 3, 1, 23, 50), at(MOSCOW, 2026, 3, 2, 0, 10)
    before = [Said("email", "", "cart", late, True)]
    new = Said("email", "", "cart", early, True)
    assert full([Cap(1, days=1)], before, new, MOSCOW) is None
    assert full([Cap(1, days=1)], before, new, UTC) is not None
    assert full([Cap(1, days=2)], before, new, MOSCOW) is not None


def test_a_day_begins_at_midnight_where_the_clock_is_changed():
    morning = at(NEW_YORK, 2026, 3, 8, 0, 30)  # the day has 23 hours
    new = Said("email", "", "cart", at(NEW_YORK, 2026, 3, 8, 23, 59), True)
    assert full([Cap(1, days=1)], [Said("email", "", "cart", morning, True)], new, NEW_YORK) is not None
    evening = at(NEW_YORK, 2026, 3, 7, 23, 59)
    assert full([Cap(1, days=1)], [Said("email", "", "cart", evening, True)], new, NEW_YORK) is None


NIGHT = Quiet(21 * 60, 9 * 60, frozenset({"sms"}))


@pytest.mark.parametrize(
    ("quiet", "when", "opens"),
    [
        (NIGHT, (2026, 3, 1, 20, 59), None),
        (NIGHT, (2026, 3, 1, 21, 0), (2026, 3, 2, 9, 0)),
        (NIGHT, (2026, 3, 2, 8, 59), (2026, 3, 2, 9, 0)),
        (NIGHT, (2026, 3, 2, 9, 0), None),
        (Quiet(13 * 60, 15 * 60), (2026, 3, 1, 14, 0), (2026, 3, 1, 15, 0)),
        (Quiet(13 * 60, 15 * 60), (2026, 3, 1, 15, 0), None),
        (Quiet(21 * 60, 0), (2026, 12, 31, 22, 0), (2027, 1, 1, 0, 0)),
    ],
)
def test_the_window_opens_by_the_customers_clock(quiet, when, opens):
    assert quiet_until(quiet, "sms", MOSCOW, at(MOSCOW, *when)) == (at(MOSCOW, *opens) if opens else 0.0)


def test_other_channels_and_no_quiet_hours_are_always_open():
    night = at(MOSCOW, 2026, 3, 1, 23, 0)
    assert quiet_until(NIGHT, "email", MOSCOW, night) == 0.0
    assert quiet_until(None, "sms", MOSCOW, night) == 0.0


def test_a_minute_that_does_not_exist_opens_when_the_clock_is_past_it():
    quiet = Quiet(22 * 60, 2 * 60 + 30)
    night = at(NEW_YORK, 2026, 3, 7, 23, 0)  # at 2:00 it becomes 3:00
    assert quiet_until(quiet, "sms", NEW_YORK, night) == at(NEW_YORK, 2026, 3, 8, 3, 0)


def test_a_clock_that_is_put_back_to_before_the_night_opens_for_as_long():
    quiet, berlin = Quiet(2 * 60 + 1, 0), ZoneInfo("Europe/Berlin")
    night = at(berlin, 2026, 10, 25, 2, 1)  # at 3:00 it becomes 2:00
    assert quiet_until(quiet, "sms", berlin, night) == at(berlin, 2026, 10, 25, 2, 0, fold=1)


def test_an_hour_that_comes_twice_is_quiet_twice():
    quiet = Quiet(22 * 60, 60 + 30)
    first, second = at(NEW_YORK, 2026, 11, 1, 1, 10), at(NEW_YORK, 2026, 11, 1, 1, 10, fold=1)
    assert quiet_until(quiet, "sms", NEW_YORK, first) == at(NEW_YORK, 2026, 11, 1, 1, 30)
    assert quiet_until(quiet, "sms", NEW_YORK, second) == at(NEW_YORK, 2026, 11, 1, 1, 30, fold=1)


ZONES = st.sampled_from(
    [
        "Europe/Moscow",
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "Asia/Kathmandu",
        "America/Caracas",
        "UTC",
    ]
)
MINUTES = st.integers(0, 1439)
CHANGES = [datetime(2026, 3, 8, tzinfo=UTC), datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 4, 4, tzinfo=UTC),
           datetime(2026, 10, 3, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)]  # fmt: skip
MOMENTS = st.builds(
    lambda day, minutes: (day + timedelta(minutes=minutes)).timestamp(),
    st.sampled_from(CHANGES),
    st.integers(-1440, 2880),
)


@settings(max_examples=600, deadline=None)
@given(ZONES, MINUTES, MINUTES, MOMENTS)
@example("America/New_York", 22 * 60, 150, datetime(2026, 3, 8, 4, tzinfo=UTC).timestamp())
@example("America/New_York", 22 * 60, 90, datetime(2026, 11, 1, 6, 10, tzinfo=UTC).timestamp())
@example("Europe/Berlin", 121, 0, datetime(2026, 10, 25, 0, 1, tzinfo=UTC).timestamp())
def test_what_is_held_is_held_until_the_first_minute_that_is_not_quiet(name, start, end, moment):
    if start == end:
        return
    quiet, home = Quiet(start, end), ZoneInfo(name)
    opens = quiet_until(quiet, "sms", home, moment)
    walked = moment
    while _is_night(quiet, home, walked):
        walked = (walked // 60 + 1) * 60
    assert opens == (walked if walked != moment else 0.0)


def _is_night(quiet, home, moment):
    local = datetime.fromtimestamp(moment, home)
    now = local.hour * 60 + local.minute
    return quiet.start <= now < quiet.end if quiet.start < quiet.end else not quiet.end <= now < quiet.start


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../etc/passwd", "Europe/Moscow\x00"])
def test_what_is_no_zone_is_none(name):
    assert zone(name) is None


def test_control_groups_are_sticky_and_of_their_size():
    keys = [f"u{number}" for number in range(20_000)]
    small = {key for key in keys if is_member("", key, 0.05)}
    large = {key for key in keys if is_member("", key, 0.15)}
    assert 0.045 < len(small) / len(keys) < 0.055
    assert 0.14 < len(large) / len(keys) < 0.16
    assert small < large
    other = {key for key in keys if is_member("cart", key, 0.15)}
    assert 0.015 < len(large & other) / len(keys) < 0.03  # groups are drawn apart from each other
    assert not any(is_member("", key, 0.0) for key in keys)
