"""The team file: what is read, and what is refused with a line that says what to do."""

from datetime import UTC, datetime

import pytest

from agents.dialogs.staff import Staff
from agents.team import TeamError, load_staff, load_team
from app.settings import load
from channels import CHANNELS
from tables.dialog import Dialog
from tables.hours import AroundTheClock

GOOD = """\
name: Sales
locale: ru
addresses: {email: sales@shop.example}
members:
  - {id: anna, name: Anna, managers: ["telegram:shop:777"], addresses: {email: anna@shop.example}}
  - {id: boris, managers: ["chatwoot:main:3"]}
  - {id: vera, addresses: {email: vera@shop.example}, head: true, locale: en}
line: [boris, anna]
hours:
  zone: Europe/Moscow
  week: {mon-thu: ["09:00-13:00", "14:00-18:00"], fri: ["09:00-17:00"]}
  holidays: RU
  closed: ["2026-11-25"]
links: {telegram: "https://chat.example/{source}/{dialog}"}
"""


def written(tmp_path, text):
    path = tmp_path / "team.yaml"
    path.write_text(text)
    return path


@pytest.fixture
def staff(tmp_path):
    return load_staff(written(tmp_path, GOOD), 2026, channels=CHANNELS)


def moscow(*parts):
    return datetime(*parts, tzinfo=UTC).timestamp() - 3 * 3600


def test_the_built_in_team_loads_and_answers_around_the_clock():
    staff = load_staff(load({}).team, 2026, channels=CHANNELS)
    assert isinstance(staff.hours, AroundTheClock)
    assert staff.team().addresses


def test_hours_know_the_week_the_countrys_days_off_and_further_ones(staff):
    assert staff.hours.is_open(moscow(2026, 11, 24, 10, 0))
    assert not staff.hours.is_open(moscow(2026, 11, 24, 13, 30))
    assert not staff.hours.is_open(moscow(2026, 11, 25, 10, 0))  # closed
    assert not staff.hours.is_open(moscow(2026, 11, 4, 10, 0))  # Unity Day, a Wednesday
    assert not staff.hours.is_open(moscow(2026, 11, 28, 10, 0))  # Saturday


def test_whoever_owns_the_dialog_is_told_first_then_the_line_then_the_head(staff):
    told = [target.member for target in staff.levels(Dialog("telegram:shop:d1", 0.0, manager="777"))]
    assert told == ["anna", "vera"]  # boris has no address
    assert [target.member for target in staff.levels(Dialog("vk:shop:d1", 0.0, manager="777"))] == ["", "anna", "vera"]
    taken = Dialog("telegram:shop:d1", 0.0, manager="777", taken_by="vera")
    assert [target.member for target in staff.levels(taken)] == ["vera", "anna"]


def test_a_member_speaks_his_own_language_or_the_teams(staff):
    assert (staff.member("anna").locale, staff.member("vera").locale) == ("ru", "en")
    assert staff.member("nobody") is None


def test_the_link_into_a_dialog_is_the_providers_or_the_teams_template(staff):
    assert staff.link(Dialog("telegram:shop:d:1", 0.0)) == "https://chat.example/shop/d:1"
    assert staff.link(Dialog("telegram:shop:d1", 0.0, url="https://t.example/1")) == "https://t.example/1"
    assert staff.link(Dialog("vk:shop:d1", 0.0)) == ""


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("zone: Europe/Moscow", "zone: Europe/Atlantis", "no time zone"),
        ("mon-thu", "mon-day", "is no day"),
        ("mon-thu", "thu-mon", "runs backwards"),
        ('"09:00-17:00"', '"22:00-02:00"', "two where one goes over midnight"),
        ('"09:00-17:00"', '"9-17"', "is no period"),
        ('"14:00-18:00"', '"12:00-18:00"', "overlap"),
        ("holidays: RU", "holidays: XX", "two letters"),
        ('"2026-11-25"', '"25.11.2026"', "is no date"),
        ("[boris, anna]", "[boris, olga]", "no member's id"),
        ("id: boris", "id: anna", "stands twice"),
        ("chatwoot:main:3", "777", "provider:source:id"),
        ("chatwoot:main:3", "telegram:shop:777", "another member's"),
        ("{email: sales@shop.example}", "{pigeon: loft}", "there is no channel 'pigeon'"),
        ("locale: ru", "langue: ru", "langue"),
        ("name: Sales", "name: [", "line"),
    ],
)
def test_a_fault_is_named_with_the_file_and_what_to_do(tmp_path, old, new, told):
    assert old in GOOD
    with pytest.raises(TeamError, match="team.yaml") as error:
        load_staff(written(tmp_path, GOOD.replace(old, new, 1)), 2026, channels=CHANNELS)
    assert told in str(error.value)


def test_a_week_without_a_period_and_a_missing_file_are_refused(tmp_path):
    with pytest.raises(TeamError, match="around the clock"):
        load_staff(written(tmp_path, "hours: {week: {mon: []}}"), 2026)
    with pytest.raises(TeamError, match="BOOMERANG_TEAM"):
        load_team(tmp_path / "none.yaml")


def test_the_team_alone_is_read_without_its_hours(tmp_path):
    team = load_team(written(tmp_path, GOOD))
    assert [member.id for member in team.members] == ["anna", "boris", "vera"]
    assert Staff(team).described.startswith("3 members, by email")
