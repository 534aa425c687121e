"""The scenario language, as typed structs. Pure.

A scenario says: when something happened and something else did not follow for a while, and nothing speaks against it, send
this content over this cascade. `docs/scenarios.md` explains each field; a test keeps it complete.
"""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from agents.conditions.language import ConditionFile
from agents.conditions.verdict import Condition
from agents.conditions.words import (
    DAY,
    HOUR,
    LONGEST,
    MINUTE,
    UNITS,
    WRITTEN,
    Duration,
    Id,
    Name,
    ScenarioError,
    Wait,
    duration,
)
from channels.ledger import MOST_STAGES

if TYPE_CHECKING:
    from agents.scenarios.program import Program

__all__ = (
    "DAY",
    "HOUR",
    "LONGEST",
    "MINUTE",
    "UNITS",
    "Duration",
    "Id",
    "Name",
    "ScenarioError",
    "Topic",
    "Version",
    "Wait",
    "duration",
)

Version = Annotated[int, Meta(ge=1, le=999_999)]
Topic = Annotated[str, Meta(pattern=r"^[a-z0-9_]{0,32}$", extra={"advice": "must be up to 32 of a-z, 0-9 and _"})]


class Absence(msgspec.Struct, forbid_unknown_fields=True, rename={"wait": "for"}, frozen=True):
    """`of` happened and none of `without` followed for `for`, counted from the event or from leaving the site."""

    of: Annotated[tuple[Name, ...], Meta(min_length=1)]
    wait: Wait
    without: tuple[Name, ...] = ("ordered",)
    after: Literal["event", "leaving"] = "event"


class Unless(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What holds a scenario back when it comes due."""

    order_within: Duration = "24h"
    in_dialog: Duration = "24h"
    """Held back for this time after the last word of an open dialog; `0s`: not."""


BEGUN = "begun"
"""What a message of a scenario with steps may show: what the event was about that began it."""


class Show(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What the message is about. A scenario whose `items` are gone when it comes due does not fire."""

    items: Literal["cart", "views", "category", "search", "begun"]
    most: Annotated[int, Meta(ge=0, le=20)] = 10
    similar: Annotated[int, Meta(ge=0, le=8)] = 0
    similar_by: Literal["category", "viewed", "bought"] = "category"
    prefer: Annotated[tuple[Literal["discounted", "bonus", "average"], ...], Meta(max_length=3)] = ()
    within: Duration = "24h"
    """Only what happened in this time before the customer was last seen; a cart is shown whole."""


class Reaction(StrEnum):
    """What the customer does so that the next stage of a cascade is not needed. Each includes the ones below it; `goal` is none of them."""

    DELIVERED = "delivered"
    OPENED = "opened"
    CLICKED = "clicked"
    REPLIED = "replied"
    GOAL = "goal"


class StageFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One stage of the cascade, as written in the file. Of several channels the first that can be used is."""

    channel: str | tuple[str, ...]
    template: Name
    wait: Annotated[str, Meta(pattern=WRITTEN, examples=["4h", "2d"], extra={"duration": True, "most": "30d"})] = "0s"
    reaction: Reaction = Reaction.GOAL


class GoalFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What the scenario is for: `event` within this time after it fired, of recipients and the control group alike."""

    event: Name = "ordered"
    within: Wait | None = None


class OutageFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`skip_after: 6h`: drop what an outage has delayed by more than that."""

    skip_after: Duration


class ScenarioFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One file of `app/scenarios/`, durations as text."""

    id: Id
    version: Version
    title: Name
    family: Name
    priority: Annotated[int, Meta(ge=0, le=1_000)]
    absence: Absence
    show: Show
    cascade: Annotated[tuple[StageFile, ...], Meta(min_length=1, max_length=MOST_STAGES)]
    unless: Unless = Unless()
    reentry: Duration = "24h"
    cap: Duration | None = None
    topic: Topic = ""
    quiet: Literal["hold", "drop", "ignore"] | None = None
    control: Annotated[float, Meta(ge=0, le=50)] = 0.0
    marketing: bool = True
    outage: Literal["fire", "recheck"] | OutageFile = "recheck"
    max_lateness: Duration = "24h"
    send_within: Duration = "6h"
    stopped: bool = False
    upgrade: Literal["move", "finish"] = "move"
    when: ConditionFile | None = None
    goal: GoalFile = GoalFile()


class Stage(msgspec.Struct, frozen=True, gc=False):
    """One compiled stage: `wait` seconds for the `reaction` before the next one."""

    channels: tuple[str, ...]
    template: str
    wait: float
    reaction: Reaction


class Slots(NamedTuple):
    """Times that a message offers to book: on the next `days` days that are one of `weekdays` (0: Monday), so many minutes after midnight.

    `book` is the address at which they are booked, of the shop where it begins with a slash.
    """

    days: int
    minutes: tuple[int, ...]
    weekdays: frozenset[int]
    book: str


class Scenario(msgspec.Struct, frozen=True, gc=False):
    """A compiled scenario: durations in seconds (waits already divided by the time scale)."""

    id: str
    version: int
    family: str
    priority: int
    of: frozenset[str]
    without: frozenset[str]
    wait: float
    leaving: bool
    show: Show | None
    """None: what its messages are about is what began it (`agents/journeys/content.py`)."""
    cascade: tuple[Stage, ...]
    order_within: float
    in_dialog: float
    reentry: float
    cap: float | None
    """In place of the policy's caps: one message over a channel within so many seconds; 0: none; None: the policy's."""
    marketing: bool
    recheck: bool
    max_lateness: float
    send_within: float
    within: float
    title: str = ""
    stopped: bool = False
    topic: str = ""
    quiet: str = ""
    """`hold`, `drop` or `ignore`; empty: as the policy says."""
    control: float = 0.0
    """Share of the customers who get nothing of it."""
    finish: bool = False
    """What has begun under a former version ends under that one, instead of going on under this."""
    when: Condition | None = None
    """What has to hold for it to be armed."""
    still: Condition | None = None
    """What of that has to hold when it fires: all but what was asked of the event."""
    goal: str = ""
    """Event that is its goal; empty: an order."""
    goal_within: float | None = None
    """So long after it fired the goal counts; None: as the policy says."""
    program: "Program | None" = None
    """The steps of a scenario that has some."""
    slots: Slots | None = None
    """Times that a message of a journey offers."""
