"""Reads the team file: YAML -> typed structs -> `Staff` with its hours. The edge; raises TeamError that says what to do."""

import re
from collections.abc import Collection
from datetime import date
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from agents.daysoff import days_off
from agents.dialogs.staff import Staff
from agents.scenarios.document import MOST_BYTES, convert, read_yaml
from agents.scenarios.language import ScenarioError
from app.model.team import HoursFile, Team
from tables.hours import BusinessHours, Period

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MOST_MEMBERS = 500
YEARS = 5
"""Years whose days off are looked up at the start, from the last one on."""
_PERIOD = re.compile(r"(\d{1,2}):(\d\d)-(\d{1,2}):(\d\d)")


class TeamError(ValueError):
    """A team file that cannot be used; the text says where and what to do."""


def load_staff(path: Path, year: int, *, channels: Collection[str] | None = None) -> Staff:
    """The team of a file with its hours; `year` is the present one, `channels` the known ones.

    Raises TeamError naming the file and what to do.
    """
    team = load_team(path, channels=channels)
    try:
        return staff_of(team, year)
    except TeamError as error:
        raise TeamError(f"{path.name}: {error}") from None


def staff_of(team: Team, year: int) -> Staff:
    """The team with its hours around `year`. Raises TeamError."""
    return Staff(team, _hours(team.hours, year))


def load_team(path: Path, *, channels: Collection[str] | None = None) -> Team:
    """The team of a file. Raises TeamError naming the file and what to do."""
    try:
        return parse_team(path.read_bytes()[: MOST_BYTES + 1].decode(), channels=channels)
    except OSError as error:
        raise TeamError(f"{path}: {error.strerror}; BOOMERANG_TEAM names the team's file") from None
    except (UnicodeDecodeError, ScenarioError, TeamError) as error:
        raise TeamError(f"{path.name}: {error}") from None


def parse_team(text: str, *, channels: Collection[str] | None = None) -> Team:
    """The team of a YAML text. Raises ScenarioError or TeamError without the file's name."""
    if len(text) > MOST_BYTES:
        raise TeamError(f"longer than {MOST_BYTES // 1024} KiB")
    team = convert(text, read_yaml(text), Team)
    _check(team)
    for addresses in (team.addresses, *(member.addresses for member in team.members)):
        for channel in addresses:
            if channels is not None and channel not in channels:
                known = ", ".join(sorted(channels))
                raise TeamError(f"addresses: there is no channel {channel!r}; there are: {known}")
    return team


def _check(team: Team) -> None:
    if len(team.members) > MOST_MEMBERS:
        raise TeamError(f"members: at most {MOST_MEMBERS}")
    known: set[str] = set()
    managers: set[str] = set()
    for member in team.members:
        if not member.id or member.id in known:
            raise TeamError(f"members: the id {member.id!r} is empty or stands twice")
        known.add(member.id)
        for manager in member.managers:
            if manager.count(":") < 2:
                raise TeamError(
                    f"members: {member.id}: {manager!r} must be provider:source:id, such as telegram:shop:777"
                )
            if manager in managers:
                raise TeamError(f"members: {member.id}: {manager!r} is another member's already")
            managers.add(manager)
    for name in team.line:
        if name not in known:
            raise TeamError(f"line: {name!r} is no member's id")


def _hours(file: HoursFile, year: int) -> BusinessHours | None:
    try:
        zone = ZoneInfo(file.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise TeamError(f"hours.zone: there is no time zone {file.zone!r}; write one such as Europe/Moscow") from None
    week: dict[int, list[Period]] = {}
    for days, periods in file.week.items():
        for day in _days(days):
            week.setdefault(day, []).extend(_period(text) for text in periods)
    for day, found in week.items():
        for before, after in pairwise(sorted(found)):
            if after[0] < before[1]:
                raise TeamError(f"hours.week: two periods of {DAYS[day]} overlap")
    if not file.week:
        return None
    if not any(week.values()):
        raise TeamError("hours.week: no period at all; leave `week` out where the shop answers around the clock")
    closed = {_date(text) for text in file.closed}
    if file.holidays:
        try:
            closed |= days_off(file.holidays, range(year - 1, year - 1 + YEARS))
        except LookupError as error:
            raise TeamError(f"hours.holidays: {error}") from None
    return BusinessHours(zone, week, closed)


def _days(text: str) -> range:
    first, _, last = text.partition("-")
    if first not in DAYS or (last and last not in DAYS):
        raise TeamError(f"hours.week: {text!r} is no day; write mon, tue, ... or mon-fri")
    start, end = DAYS.index(first), DAYS.index(last or first)
    if end < start:
        raise TeamError(f"hours.week: {text!r} runs backwards")
    return range(start, end + 1)


def _period(text: str) -> Period:
    match = _PERIOD.fullmatch(text.strip())
    start, end = (int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])) if match else (0, 0)
    if not 0 <= start < end <= 24 * 60:
        raise TeamError(f"hours.week: {text!r} is no period; write 09:00-13:00, and two where one goes over midnight")
    return start, end


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise TeamError(f"hours.closed: {text!r} is no date; write it as 2026-12-31, in quotes") from None
