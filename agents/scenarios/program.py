"""Steps as they run: one flat program a scenario, with jumps forward only, so that every journey has an end. Pure."""

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from agents.conditions.verdict import Condition

if TYPE_CHECKING:
    from agents.scenarios.language import Scenario, Stage

CATEGORY, ORDER, PRODUCT, QUERY = "category", "order", "product", "query"


class Delay(msgspec.Struct, frozen=True):
    """Waits so many seconds."""

    place: str
    seconds: float


class At(msgspec.Struct, frozen=True):
    """Waits until it is so many minutes after midnight where the customer lives, on one of these weekdays (0: Monday)."""

    place: str
    minutes: int
    days: frozenset[int]


class Heed(NamedTuple):
    """An event that is waited for, and where it leads."""

    event: str
    when: Condition | None
    target: int


class Listen(msgspec.Struct, frozen=True):
    """Waits for the first of some events; after `most` seconds it goes on at `target`."""

    place: str
    events: tuple[Heed, ...]
    most: float
    target: int


class Split(msgspec.Struct, frozen=True):
    """The first way whose condition holds (None: always) is taken; else it goes on at `target`."""

    place: str
    ways: tuple[tuple[Condition | None, int], ...]
    target: int


class Draw(msgspec.Struct, frozen=True):
    """An experiment: (share, target) of each arm."""

    place: str
    name: str
    arms: tuple[tuple[int, int], ...]


class Say(msgspec.Struct, frozen=True):
    """A cascade. `scenario` is the file's, with the cascade and what it shows."""

    place: str
    scenario: "Scenario"


class Tell(msgspec.Struct, frozen=True):
    """An alert to the sales team: what it says, by a text or a template, and to whom (`Staff.named`)."""

    place: str
    text: str
    to: str
    template: str = ""


class Note(msgspec.Struct, frozen=True):
    """What is noted of the customer: traits, and tags and audiences by name, put on (True) or taken off."""

    place: str
    traits: tuple[tuple[str, str | float | bool], ...] = ()
    tags: tuple[tuple[str, bool], ...] = ()
    audiences: tuple[tuple[str, bool], ...] = ()


class Jump(msgspec.Struct, frozen=True):
    """Goes on at `target`."""

    place: str
    target: int


class Leave(msgspec.Struct, frozen=True):
    """The journey is over; `why` is the file's word."""

    place: str
    why: str


Step = Delay | At | Listen | Split | Draw | Say | Tell | Note | Jump | Leave
WAITS = (Delay, At, Listen, Say, Tell)
"""Steps at which a journey may stand."""


class Goal(NamedTuple):
    """What ends a journey well, within so many seconds after it began."""

    event: str
    when: Condition | None
    within: float


class Dated(NamedTuple):
    """A date of the customer that journeys begin on; see `agents/journeys/dates.py`."""

    trait: str
    days: int
    minutes: int
    yearly: bool


class OnChange(NamedTuple):
    """A change of the catalogue that journeys begin on; see `agents/journeys/sweep.py`.

    `of` is what ties a customer to a product: it was `viewed`, no longer ago than `within` seconds, is `wished` for, or lies in the `cart`.
    `least` is how far a price must have fallen, as a share.
    """

    kind: str
    of: frozenset[str]
    least: float
    within: float


class Planned(NamedTuple):
    """Times by the shop's clock at which journeys begin; see `agents/schedules.py`.

    `days` are weekdays (0: Monday) of `every: week`, days of the month (0: its last) of `every: month`, and empty of `every: day`.
    `segment`: whose customers; empty: all.
    """

    every: str
    days: frozenset[int]
    minutes: int
    segment: str = ""


class Replenish(NamedTuple):
    """Something that is likely to be bought again; see `agents/journeys/replenish.py`.

    `of` is by what purchases are told apart, `ahead` how long before the predicted moment a journey begins, and `least` what
    purchases lie apart that count as two (both in seconds).
    """

    of: str
    ahead: float
    least: float


class Program(msgspec.Struct, frozen=True):
    """What a scenario with steps does."""

    steps: tuple[Step, ...]
    entry: str
    """The signal or event's name that begins a journey; empty: an absence, a date, the catalogue or a schedule does."""
    when: Condition | None
    goal: Goal | None
    ends_on_goal: bool
    leaving: str
    """The signal that ends it, empty: none."""
    per: str
    dated: Dated | None
    change: OnChange | None = None
    planned: Planned | None = None
    replenish: Replenish | None = None

    @property
    def awaited(self) -> frozenset[str]:
        """Signals and events that a journey, once begun, listens to."""
        names = {heed.event for step in self.steps if isinstance(step, Listen) for heed in step.events}
        if self.goal is not None:
            names.add(self.goal.event)
        return frozenset(names | {self.leaving} if self.leaving else names)

    def saying(self, number: int) -> "Scenario | None":
        """The scenario of the message that step `number` says, counted from 1."""
        step = self.steps[number - 1] if 0 < number <= len(self.steps) else None
        return step.scenario if isinstance(step, Say) else None

    @property
    def cascade(self) -> "tuple[Stage, ...]":
        """The stages of all its messages."""
        return tuple(stage for step in self.steps if isinstance(step, Say) for stage in step.scenario.cascade)

    def conditions(self) -> tuple[Condition, ...]:
        """All conditions that it asks."""
        found = [self.when, *((self.goal.when,) if self.goal is not None else ())]
        for step in self.steps:
            if isinstance(step, Listen):
                found += [heed.when for heed in step.events]
            elif isinstance(step, Split):
                found += [when for when, _ in step.ways]
        return tuple(one for one in found if one is not None)


def first_message(program: Program) -> "Scenario | None":
    """The scenario of the first message that stands in the file; None: it says nothing."""
    return next((step.scenario for step in program.steps if isinstance(step, Say)), None)
