"""The language of tests of scenarios, as typed structs. Pure.

A file says what happens and when, and what must have come of it. `docs/scenarios.md` explains each field; a test keeps it complete.
"""

import re
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from agents.scenarios.language import ScenarioError, duration
from app.model.chat import CommandKind
from app.model.reasons import Reason
from app.model.receipt import Outcome
from app.model.team import Team

MOST_TESTS = 200
MOST_STEPS = 500
_AFTER = re.compile(r"\+((?:\d+(?:\.\d+)?[dhms])+)")
_PART = re.compile(r"\d+(?:\.\d+)?[dhms]")


class Person(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What the shop knows of the customer. `consent` names the channels over which he may be written to."""

    email: str = ""
    phone: str = ""
    name: str = ""
    first_name: str = ""
    locale: str = ""
    timezone: str = ""
    city: str = ""
    consent: tuple[str, ...] = ()
    traits: dict[str, str | float | bool] = {}


class Shown(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What the message must show; what is not given may be anything.

    `items` and `similar` are ids of products, in order, `slots` times such as 2026-01-06T10:00 where the customer lives.
    """

    items: tuple[str, ...] | None = None
    similar: tuple[str, ...] | None = None
    value: float | None = None
    category: str | None = None
    query: str | None = None
    name: str | None = None
    slots: tuple[str, ...] | None = None
    delivery: str | None = None
    """The region whose free delivery is told; empty: none is."""
    bonus: str | None = None
    """The last day of the bonus that comes first; empty: none does."""


class Told(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A change of the catalogue. `old_price` is what the product cost before."""

    change: Literal["price_drop", "back_in_stock", "out_of_stock"]
    product_id: str
    price: Annotated[float, Meta(gt=0)]
    old_price: Annotated[float, Meta(ge=0)] = 0.0
    currency: str = ""


class StepFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One step: time passes until `at`, then one thing happens (or none), then it is looked at what has come of it."""

    at: str = ""
    event: str = ""
    properties: dict[str, Any] = {}
    by: Annotated[str, Meta(max_length=64)] = ""
    """Another customer who does it; empty: the one whom the test is about."""
    page: str = ""
    device: Literal["", "mobile", "tablet", "desktop", "app"] = ""
    identify: Person | None = None
    chat: Literal["client", "manager", "closed"] | None = None
    text: str = ""
    press: CommandKind | None = None
    receipt: Outcome | None = None
    catalogue: Told | None = None
    expect: str | tuple[str, ...] | None = None
    content: Shown | None = None
    channel: str = ""
    template: str = ""
    reason: Reason | None = None


class TrialCase(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One test: a customer, and what happens."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    steps: Annotated[tuple[StepFile, ...], Meta(min_length=1, max_length=MOST_STEPS)]
    customer: Person | None = None
    team: Team | None = None
    start: str = "2026-01-05T12:00:00Z"


class TrialFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One file of `app/scenarios/tests/`."""

    scenario: str
    tests: Annotated[tuple[TrialCase, ...], Meta(min_length=1, max_length=MOST_TESTS)]
    alone: bool = False


ACTIONS = ("event", "page", "identify", "chat", "press", "receipt", "catalogue")


def action_of(step: StepFile) -> str:
    """What happens in a step; empty: nothing. Raises ScenarioError where there is more than one thing."""
    found = [name for name in ACTIONS if getattr(step, name)]
    if len(found) > 1:
        raise ScenarioError(f"one thing happens in a step, and here are {' and '.join(found)}: make them two steps")
    return found[0] if found else ""


def after(text: str) -> float:
    """`+59m`, `+1d2h` or `+0s` in seconds. Raises ScenarioError."""
    match = _AFTER.fullmatch(text.strip())
    if match is None:
        raise ScenarioError(f"{text!r} is no time of a test: write how long after its start, such as +59m or +1d2h")
    return sum(duration(part) for part in _PART.findall(match[1]))
