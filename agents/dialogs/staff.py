"""The sales team as alerts see it: whose a dialog is, who is told next, and the link into it. Pure; `agents/team.py` reads the file."""

from collections.abc import Collection
from typing import NamedTuple

from app.model.chat import MOST_URL, dialog_key
from app.model.team import Member, Team
from tables.dialog import Dialog
from tables.hours import AroundTheClock, BusinessHours

TEAM, HEAD = "team", "head"


class Target(NamedTuple):
    """Whom a message is for: a member, or the whole team (`member` is empty). `addresses` are by channel."""

    member: str
    name: str
    addresses: dict[str, str]
    locale: str


class Staff:
    """The team, with its business hours."""

    def __init__(self, team: Team, hours: BusinessHours | None = None) -> None:
        self.hours = hours or AroundTheClock()
        self.told = team
        """The team as its file has it."""
        self._by_id = {member.id: member for member in team.members}
        self._by_manager = {manager: member for member in team.members for manager in member.managers}
        self._line = [self._by_id[name] for name in team.line]
        self._heads = [member for member in team.members if member.head]

    @property
    def described(self) -> str:
        """The team in a few words."""
        reached = ", ".join(
            sorted({channel for target in (self.team(), *self._everybody()) for channel in target.addresses})
        )
        hours = "around the clock" if isinstance(self.hours, AroundTheClock) else "in business hours"
        return f"{len(self._by_id)} members, by {reached or 'no channel (the board alone)'}, {hours}"

    def _everybody(self) -> list[Target]:
        return [self._target(member) for member in self._by_id.values()]

    def owner(self, dialog: Dialog) -> Member | None:
        """The member whose dialog it is: who has taken it, else the manager at the provider."""
        if dialog.taken_by in self._by_id:
            return self._by_id[dialog.taken_by]
        return (
            self._by_manager.get(dialog_key(dialog.provider, dialog.source, dialog.manager)) if dialog.manager else None
        )

    def managers(self, dialog: Dialog) -> tuple[str, ...]:
        """Every id that a scenario may call the dialog's manager by."""
        owner = self.owner(dialog)
        return (dialog.manager, owner.id) if owner is not None else (dialog.manager,)

    def member(self, name: str) -> Target | None:
        """The member of that id."""
        found = self._by_id.get(name)
        return None if found is None else self._target(found)

    @property
    def names(self) -> tuple[str, ...]:
        """Whom an alert of a scenario with steps may be for."""
        return (TEAM, HEAD, *self._by_id)

    def named(self, name: str) -> Target:
        """`team`, the first `head` with an address, or the member of that id; who has no address, or is not there, is the team."""
        members = self._heads if name == HEAD else [self._by_id[name]] if name in self._by_id else []
        return next((self._target(member) for member in members if member.addresses), self.team())

    def levels(self, dialog: Dialog) -> list[Target]:
        """Who is told, one after the other: the owner, or the team; the others of the line; the heads."""
        owner = self.owner(dialog)
        first = self._target(owner) if owner is not None and owner.addresses else self.team()
        found = [first]
        for member in (*self._line, *self._heads):
            if member.addresses and member.id not in (target.member for target in found):
                found.append(self._target(member))
        return found

    def next(self, dialog: Dialog, told: Collection[str]) -> Target | None:
        """Who is told next; None: everybody has been. Names, not places, since an owner may have changed meanwhile."""
        return next((target for target in self.levels(dialog) if target.member not in told), None)

    def team(self) -> Target:
        """Everybody at once: the team's own addresses."""
        return Target("", self.told.name, self.told.addresses, self.told.locale)

    def _target(self, member: Member) -> Target:
        return Target(member.id, member.name or member.id, member.addresses, member.locale or self.told.locale)

    def link(self, dialog: Dialog) -> str:
        """The link into the dialog: as the provider told it, else by the team's template."""
        if dialog.url:
            return dialog.url
        template = self.told.links.get(dialog.provider, "")
        name = dialog.key.split(":", 2)[2]
        url = template.replace("{source}", dialog.source).replace("{dialog}", name)
        return url if len(url) <= MOST_URL else ""
