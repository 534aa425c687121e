"""Scenarios of dialogs: what is watched, how long, for whom it is different, and what follows when nobody takes the alert. Pure.

A file of `app/scenarios/` that has `dialog` is one of these. `docs/dialogs.md` explains each field; a test keeps it complete.
"""

from collections.abc import Collection
from typing import Annotated, Protocol

import msgspec
from msgspec import Meta

from agents.scenarios.language import Duration, Id, Name, Version, Wait, duration
from app.model.alert import Watch
from channels.ledger import MOST_STAGES

MOST_CASES = 50


class When(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a case asks for; all that is given must be so. `manager` is a member of the team or a manager's id."""

    cart_value: float | None = None
    manager: str = ""
    tag: str = ""


class Case(msgspec.Struct, forbid_unknown_fields=True, rename={"wait": "for"}, frozen=True):
    """Another wait where `when` is so."""

    when: When
    wait: Wait


class Watched(msgspec.Struct, forbid_unknown_fields=True, rename={"wait": "for"}, frozen=True):
    """What is watched, and how long it may last in business time. The first of `cases` that is so counts instead."""

    watch: Watch
    wait: Wait = "30m"
    cases: Annotated[tuple[Case, ...], Meta(max_length=MOST_CASES)] = ()


class Told(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A channel of the team; the first with an address is used."""

    channel: str
    template: Name


class Escalate(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Nobody took the alert for `after` of business time: the next in line is told, at last the head."""

    after: Wait = "10m"
    reassign: bool = False
    """Whether the dialog then is the next one's, as far as alerts and the board are concerned."""


class DialogScenarioFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One file, durations as text."""

    id: Id
    version: Version
    title: Name
    dialog: Watched
    cascade: Annotated[tuple[Told, ...], Meta(min_length=1, max_length=MOST_STAGES)]
    priority: Annotated[int, Meta(ge=0, le=2)] = 0
    """A client who comes back to the site adds to it."""
    escalate: Escalate | None = None
    max_lateness: Duration = "24h"
    send_within: Duration = "2h"


class DialogScenario(msgspec.Struct, frozen=True, gc=False):
    """A compiled scenario: durations in seconds (waits already divided by the time scale)."""

    id: str
    version: int
    title: str
    watch: Watch
    wait: float
    cases: tuple[tuple[When, float], ...]
    cascade: tuple[Told, ...]
    priority: int
    escalate_after: float
    """0: never."""
    reassign: bool
    max_lateness: float
    send_within: float


class Situation(Protocol):
    """What the cases of a scenario look at."""

    @property
    def value(self) -> float:
        """What the client's cart is worth."""
        ...

    @property
    def managers(self) -> Collection[str]:
        """Whose dialog it is: the manager's id at the provider, and the member's in the team."""
        ...

    @property
    def tags(self) -> Collection[str]:
        """The dialog's tags."""
        ...


def wait_of(scenario: DialogScenario, situation: Situation) -> float:
    """How long the scenario waits here, in business seconds."""
    for when, wait in scenario.cases:
        if _holds(when, situation):
            return wait
    return scenario.wait


def _holds(when: When, situation: Situation) -> bool:
    return (
        (when.cart_value is None or situation.value >= when.cart_value)
        and (not when.manager or when.manager in situation.managers)
        and (not when.tag or when.tag in situation.tags)
    )


def compile_dialog(file: DialogScenarioFile, time_scale: float) -> DialogScenario:
    """The scenario of a file without faults (`agents/scenarios/faults.py`)."""
    watched, escalate = file.dialog, file.escalate
    return DialogScenario(
        id=file.id,
        version=file.version,
        title=file.title,
        watch=watched.watch,
        wait=duration(watched.wait) / time_scale,
        cases=tuple((case.when, duration(case.wait) / time_scale) for case in watched.cases),
        cascade=file.cascade,
        priority=file.priority,
        escalate_after=duration(escalate.after) / time_scale if escalate is not None else 0.0,
        reassign=escalate is not None and escalate.reassign,
        max_lateness=duration(file.max_lateness),
        send_within=duration(file.send_within),
    )
