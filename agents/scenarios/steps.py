"""The full shape of a scenario file: how a customer enters, and the steps that follow. As typed structs. Pure.

A file of `app/scenarios/` that has `steps` is one of these. `docs/journeys.md` explains each field; a test keeps it complete.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from agents.conditions.language import ConditionFile
from agents.scenarios.language import (
    Absence,
    Duration,
    Id,
    Name,
    OutageFile,
    Show,
    StageFile,
    Topic,
    Unless,
    Version,
    Wait,
)
from channels.ledger import MOST_STAGES

MOST_STEPS = 200
"""Steps of a file, those of all branches together."""
MOST_DEPTH = 6
"""Branches within branches."""
MOST_BRANCHES = 20
MOST_SET = 10
MOST_TIMES = 6
"""Times of a day that a message offers."""
MOST_ALERT = 200
"""Characters of what an alert says."""

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Clock = Annotated[
    str,
    Meta(
        pattern=r"^([01]\d|2[0-3]):[0-5]\d$",
        examples=["10:00"],
        extra={"advice": "is no time of day such as 10:00", "quoted": "'10:00'"},
    ),
]
Reentry = Annotated[
    str,
    Meta(
        pattern=r"^(once|always|\d+(\.\d+)?[smhd])$",
        examples=["once", "always", "30d"],
        extra={"advice": "is neither `once` nor `always` nor a time such as 30d"},
    ),
]
Steps = Annotated[tuple["StepFile", ...], Meta(max_length=MOST_STEPS)]


class SegmentEntry(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Entering a segment, or leaving it; one of the two."""

    enters: Id | None = None
    leaves: Id | None = None


class DateEntry(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A date that the shop told as a trait of the customer, at a time of day where he lives."""

    trait: Id
    offset: Annotated[
        str,
        Meta(
            pattern=r"^[+-]?\d{1,3}d$", examples=["-7d"], extra={"advice": "is no number of days such as -7d or +30d"}
        ),
    ] = "0d"
    at: Clock = "10:00"
    yearly: bool = True


class CatalogueEntry(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A change of the catalogue, for those who looked at the product within a time, wish for it, or have it in the cart."""

    change: Literal["price_drop", "back_in_stock"]
    of: Annotated[tuple[Literal["viewed", "wished", "cart"], ...], Meta(min_length=1)] = ("viewed", "wished", "cart")
    at_least: (
        Annotated[
            str,
            Meta(
                pattern=r"^\d{1,2}(\.\d+)?%$",
                examples=["10%"],
                extra={"advice": "is no share from 0% to 99% such as 10%"},
            ),
        ]
        | None
    ) = None
    within: Duration = "30d"


MonthDay = Annotated[int, Meta(ge=1, le=31)]


class ScheduleEntry(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Times by the clock of the shop, for all customers, or those of a segment. `on`: weekdays, or days of the month."""

    every: Literal["day", "week", "month"]
    at: Clock
    on: (
        Annotated[
            tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun", "last"] | MonthDay, ...],
            Meta(min_length=1, max_length=31),
        ]
        | None
    ) = None
    segment: Id | None = None


class ReplenishEntry(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Some time before the customer is likely to buy the same product, or of the same category, again."""

    of: Literal["product", "category"] = "product"
    ahead: Duration = "3d"


class Entry(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How a customer enters: one of `event`, `absence`, `segment`, `date`, `catalogue`, `schedule` and `replenish`, and a condition."""

    event: Name | None = None
    absence: Absence | None = None
    segment: SegmentEntry | None = None
    date: DateEntry | None = None
    catalogue: CatalogueEntry | None = None
    schedule: ScheduleEntry | None = None
    replenish: ReplenishEntry | None = None
    when: ConditionFile | None = None


class JourneyGoal(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What the scenario is for."""

    event: Name
    when: ConditionFile | None = None
    within: Duration | None = None


class Until(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The next time that it is `at` o'clock where the customer lives, on one of these days."""

    at: Clock
    on: Annotated[tuple[Day, ...], Meta(min_length=1)] | None = None


class Awaited(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """An event that a wait is for, and the steps that follow it."""

    event: Name
    when: ConditionFile | None = None
    then: Steps = ()


class WaitFor(msgspec.Struct, forbid_unknown_fields=True, frozen=True, rename={"awaited": "for", "otherwise": "else"}):
    """Waits for the first of some events, at the most so long."""

    awaited: Awaited | Annotated[tuple[Awaited, ...], Meta(min_length=1, max_length=MOST_BRANCHES)]
    most: Wait
    otherwise: Steps = ()


class Branch(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Steps for those for whom `when` holds; or `otherwise`, for the rest."""

    when: ConditionFile | None = None
    steps: Steps = ()
    otherwise: Steps | None = None


class Arm(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Steps for a share of the customers."""

    share: Annotated[int, Meta(ge=1, le=1_000)]
    steps: Steps = ()


class Experiment(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Divides the customers by chance: who came into an arm once comes into it again."""

    name: Id
    arms: Annotated[tuple[Arm, ...], Meta(min_length=2, max_length=MOST_BRANCHES)]


class SlotsFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Times that a message offers to book: on the next days where the customer lives, from the day after it on."""

    at: Annotated[tuple[Clock, ...], Meta(min_length=1, max_length=MOST_TIMES)]
    days: Annotated[int, Meta(ge=1, le=14)] = 3
    on: Annotated[tuple[Day, ...], Meta(min_length=1)] | None = None
    book: Annotated[
        str,
        Meta(
            pattern=r"^(https?:/)?/[^\s\"'<>\\^`{|}]{1,500}$",
            examples=["/book"],
            extra={"advice": "is no address such as /book or https://shop.example/book"},
        ),
    ] = "/book"


class MessageFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One message. Of several channels the first that can be used is."""

    channel: str | tuple[str, ...]
    template: Name
    show: Show | None = None
    slots: SlotsFile | None = None


class HookFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A signed webhook to the shop."""

    template: Name


class AlertFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """An alert to the sales team, by its `text` or by a `template`. `to`: `team`, `head`, or the id of a member of the team file."""

    text: Annotated[str, Meta(min_length=1, max_length=MOST_ALERT)] | None = None
    template: Name | None = None
    to: Name = "team"


class TagFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Tags that are put on the customer, or taken off."""

    add: Annotated[tuple[Id, ...], Meta(max_length=MOST_SET)] = ()
    remove: Annotated[tuple[Id, ...], Meta(max_length=MOST_SET)] = ()


class AudienceFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """An audience that the customer is added to, or removed from."""

    add: Id | None = None
    remove: Id | None = None


class StepFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One step. It has one of the fields before `show`."""

    delay: Wait | None = None
    until: Until | None = None
    wait: WaitFor | None = None
    split: Annotated[tuple[Branch, ...], Meta(min_length=1, max_length=MOST_BRANCHES)] | None = None
    experiment: Experiment | None = None
    message: MessageFile | None = None
    cascade: Annotated[tuple[StageFile, ...], Meta(min_length=1, max_length=MOST_STAGES)] | None = None
    webhook: HookFile | None = None
    alert: AlertFile | None = None
    set: Annotated[dict[Id, str | float | bool], Meta(min_length=1, max_length=MOST_SET)] | None = None
    tag: TagFile | None = None
    audience: AudienceFile | None = None
    go: Id | None = None
    exit: Name | None = None
    show: Show | None = None
    """Beside `cascade`: what its messages are about."""
    slots: SlotsFile | None = None
    """Beside `cascade`: times that its messages offer."""
    name: Id | None = None
    """What `go` leads to."""


KINDS = (
    "delay", "until", "wait", "split", "experiment", "message", "cascade", "webhook", "alert", "set", "tag", "audience", "go", "exit",
)  # fmt: skip


class JourneyFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One file, durations as text."""

    id: Id
    version: Version
    title: Name
    family: Name
    priority: Annotated[int, Meta(ge=0, le=1_000)]
    entry: Entry
    steps: Annotated[tuple[StepFile, ...], Meta(min_length=1, max_length=MOST_STEPS)]
    goal: JourneyGoal | None = None
    exit_on: Literal["goal", "segment", "either", "end"] = "goal"
    per: Literal["product", "category", "order", "query"] | None = None
    reentry: Reentry | None = None
    """None: 24h; of a schedule `always`, since two days may lie 23 hours apart."""
    unless: Unless = Unless(order_within="0s")
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
