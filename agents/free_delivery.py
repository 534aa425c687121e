"""From what sum delivery is free where a customer lives: read from the policy file, and told in messages. Pure."""

from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import Meta

from agents.scenarios.shape import Fault
from app.model.policy import FreeDelivery, Policy
from app.model.trigger import Content, Delivery
from tables.customer import Customer

MOST_REGIONS = 500
MOST_HINT = 200
REGION = "region"
"""The trait that says where a customer lives; it goes before the city of his profile."""
LANGUAGES = ("en", "ru")

Hint = Annotated[str, Meta(max_length=MOST_HINT)]


class DeliveryFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One line of the policy's `delivery`: regions or cities, and from what sum an order is brought there for nothing."""

    region: str | tuple[str, ...]
    free_from: Annotated[float, Meta(ge=0)]
    hint: Hint | dict[str, Hint] = ""


def faults(lines: tuple[DeliveryFile, ...]) -> Iterator[Fault]:
    """What is wrong with the lines, and where."""
    if len(lines) > MOST_REGIONS:
        yield Fault(("delivery",), f"has {len(lines)} lines; {MOST_REGIONS} are allowed")
    first: dict[str, int] = {}
    for number, line in enumerate(lines):
        place = ("delivery", number)
        names = _names(line.region)
        if not names or not all(names):
            yield Fault((*place, "region"), "name a region or a city, as profiles have it: region: Moscow")
        for name in filter(None, names):
            if first.setdefault(name, number) != number:
                yield Fault(
                    (*place, "region"), f"{name!r} stands in line {first[name] + 1} of `delivery` too: keep one of them"
                )
        if isinstance(line.hint, dict):
            for language in line.hint:
                if language not in LANGUAGES:
                    yield Fault(
                        (*place, "hint", language), f"there is no such language; there are: {', '.join(LANGUAGES)}"
                    )


def compiled(lines: tuple[DeliveryFile, ...]) -> dict[str, FreeDelivery]:
    """Region or city, in lower case -> what is told there."""
    found: dict[str, FreeDelivery] = {}
    for line in lines:
        hints = dict.fromkeys(LANGUAGES, line.hint) if isinstance(line.hint, str) else line.hint
        told = FreeDelivery(line.free_from, {name: text for name, text in hints.items() if text})
        found |= dict.fromkeys(_names(line.region), told)
    return found


def told_to(policy: Policy, customer: Customer, content: Content) -> Delivery | None:
    """What a message says of delivery to the customer; None where it is not known where he lives, or nothing is told of it.

    `left` is what the cart, or what else the message is about, is short of; nothing is where it has no value.
    """
    if not policy.delivery:
        return None
    region = region_of(policy, customer)
    if not region:
        return None
    there = policy.delivery[region.strip().lower()]
    left = max(0.0, there.free_from - content.value) if content.value > 0.0 else 0.0
    reached = 0.0 < content.value >= there.free_from
    currency = content.currency or policy.currency
    return Delivery(region, there.free_from, currency, left, reached, dict(there.hints))


def region_of(policy: Policy, customer: Customer) -> str:
    """The first of the customer's places that the policy names: the trait `region`, then the city. Empty: none."""
    engagement, profile = customer.engagement, customer.profile
    told = (engagement.traits or {}).get(REGION) if engagement is not None else None
    for name in (told if isinstance(told, str) else "", profile.city if profile is not None else ""):
        if name.strip().lower() in policy.delivery:
            return name.strip()
    return ""


def _names(region: str | tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name.strip().lower() for name in ((region,) if isinstance(region, str) else region))
