"""What scenarios with steps and segments keep of a customer. Pure data; field order is the format, so new fields go to the end.

Limits on each collection stand here, so that a row always fits a Kafka record.
"""

from datetime import date

import msgspec

from app.model.event import Line
from tables.views import ViewRing

JOURNEYS = 12
ABOUT_LINES = 5
"""Products of the event that began a journey."""
ENTERED = 100
"""Scenarios, and keys of them, of which it is known when they were last entered."""
KEY = "\x1f"
"""Between a scenario and the key of its journey."""
TAGS = 50
AUDIENCES = 50
TRAITS = 50

Trait = str | float | bool


class About(msgspec.Struct, array_like=True, gc=False):
    """What the event was about that began a journey."""

    lines: list[Line] | None = None
    category: str = ""
    query: str = ""
    value: float = 0.0
    currency: str = ""
    order_id: str = ""


class Journey(msgspec.Struct, array_like=True, gc=False):
    """One run through the steps of a scenario. `anchor` is the event that began it, `at` that event's time (epoch seconds)."""

    scenario: str
    version: int
    anchor: str
    at: float
    step: int = 0
    """The step at which it stands, counted from 1."""
    since: float = 0.0
    """When it came to that step."""
    due: float = 0.0
    """When that step is to be decided; 0: its message is being said, and it goes on when that is over."""
    key: str = ""
    """What tells journeys of one scenario apart."""
    reached: float = 0.0
    """When its goal was reached, where that does not end it."""
    about: About | None = None


class Entered(msgspec.Struct, array_like=True, gc=False):
    """A scenario that had fired, `at` when, before an order came. `group`: the control group that kept it silent; empty: none did."""

    scenario: str
    at: float
    group: str = ""


class Goal(msgspec.Struct, array_like=True, gc=False):
    """An order, the message that it is owed to, and what of it was taken back. `at` is 0 while only its refund is known.

    `gone`: all of it was taken back. `returns` are the events that took back parts.
    """

    order: str
    at: float = 0.0
    value: float = 0.0
    currency: str = ""
    scenario: str = ""
    channel: str = ""
    trigger_id: str = ""
    stage: int = 0
    after: list[Entered] | None = None
    back: float = 0.0
    gone: bool = False
    returns: list[str] | None = None


class Bought(msgspec.Struct, array_like=True, gc=False):
    """A product, or a category, that was bought: its last times, rising (epoch seconds), and how the last order named it.

    `decided`: the last predicted moment that was decided about (`agents/journeys/replenish.py`).
    """

    name: str
    times: list[float]
    line: Line
    is_category: bool = False
    decided: float = 0.0


class SeenWith(msgspec.Struct, array_like=True, gc=False):
    """What a customer was there with: words of `app/model/device.py`."""

    kind: str
    system: str


class Engagement(msgspec.Struct, array_like=True, gc=False):
    """What scenarios with steps and segments keep of a customer."""

    segments: dict[str, float] | None = None
    """Segment -> since when the customer is in it."""
    segments_at: float = 0.0
    """When his memberships change, or may change, though nothing happens; 0: not at all."""
    segments_of: int = 0
    """Which definitions the memberships follow; 0: none yet."""
    segments_known: float = 0.0
    """As of when they were worked out last; never goes back."""
    happened: dict[str, list[float]] | None = None
    """Event -> its last times, of events that conditions count (`tables/recent.py`)."""
    goals: list[Goal] | None = None
    """The last orders that messages may have brought, oldest first (`tables/goals.py`)."""
    journeys: list[Journey] | None = None
    entered: dict[str, float] | None = None
    """Scenario (and key) -> when a journey of it last began."""
    tags: dict[str, float] | None = None
    """Tag -> since when the customer has it."""
    audiences: dict[str, float] | None = None
    """Audience -> since when he is in it."""
    traits: dict[str, Trait] | None = None
    """What steps, or the shop, set of him beside the profile."""
    traits_at: float = 0.0
    """When one of them that holds a date last changed."""
    dated: dict[str, float] | None = None
    """Scenario that begins on a date -> the last such moment that was decided about."""
    wishes: ViewRing | None = None
    """What is on the wish list, where a scenario asks for it (`tables/wishes.py`)."""
    bought: list[Bought] | None = None
    """What was bought when, the newest last, where scenarios predict the next time from it (`tables/purchases.py`)."""
    had: bytes = b""
    """Marks of the products that he bought last (`tables/bought.py`)."""
    seen_with: SeenWith | None = None
    """What he was last there with, where a condition asks for it (`tables/seenwith.py`)."""


def set_traits(engagement: Engagement, traits: dict[str, Trait], at: float) -> None:
    """Set traits as of `at` (epoch seconds); of too many those that were set longest ago are forgotten."""
    known = engagement.traits or {}
    if all(known.get(name) == value for name, value in traits.items()):
        return
    kept = {name: value for name, value in known.items() if name not in traits}
    engagement.traits = dict([*kept.items(), *traits.items()][-TRAITS:])
    if any(known.get(name) != value and day_of(value) is not None for name, value in traits.items()):
        engagement.traits_at = max(at, engagement.traits_at)  # another trait must not pass over a date that is due


def bounded_entered(entered: dict[str, float]) -> dict[str, float]:
    """The last ENTERED. Those with a key go first: there are ever more of them, and a scenario that comes once must stay known."""
    over = len(entered) - ENTERED
    if over <= 0:
        return entered
    dropped = sorted(entered, key=lambda name: KEY not in name)[:over]
    return {name: at for name, at in entered.items() if name not in dropped}


def day_of(value: Trait | None) -> date | None:
    """The date that a trait holds, as `1990-05-17`, whatever follows it; or `05-17`, where the year is nobody's business."""
    if not isinstance(value, str):
        return None
    text = value.strip().removeprefix("--")
    try:
        found = date.fromisoformat(f"2000-{text}" if len(text) == 5 else text[:10])
    except ValueError:
        return None
    return found if 1900 <= found.year <= 2200 else None
