"""The sales team: who is told of a dialog, over what, in which order, and when the shop is open. Pure; `agents/team.py` reads the file."""

import msgspec


class Member(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One sales person. `managers` are ids at providers, as `provider:source:id`; `addresses` are by channel.

    `accounts` are ids by channel whose presses of buttons are believed, besides the address itself (a Telegram user's id).
    """

    id: str
    name: str = ""
    managers: tuple[str, ...] = ()
    addresses: dict[str, str] = {}
    accounts: dict[str, str] = {}
    head: bool = False
    locale: str = ""


class HoursFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """When the shop answers. `week` maps days (`mon`, `mon-fri`) to periods (`09:00-13:00`); empty: around the clock."""

    zone: str = "UTC"
    week: dict[str, tuple[str, ...]] = {}
    holidays: str = ""
    """Country whose days off count, as the `holidays` package calls it (`RU`, `DE-BY`); empty: none."""
    closed: tuple[str, ...] = ()
    """Further days off, as `2026-12-31`."""


class Team(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The team file. `addresses` (by channel) are the whole team's: where an alert goes that is nobody's.

    An alert goes to the dialog's manager if he is a member with an address, else to the team; then along `line`, then to the
    head. `links` are templates of links into a dialog by provider, with `{source}` and `{dialog}`.
    """

    name: str = "Sales"
    addresses: dict[str, str] = {}
    members: tuple[Member, ...] = ()
    line: tuple[str, ...] = ()
    hours: HoursFile = HoursFile()
    links: dict[str, str] = {}
    locale: str = ""
