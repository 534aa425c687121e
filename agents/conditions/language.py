"""A condition as written in a file: a typed struct, no expression in a text. Pure.

Each has one head, which says what is looked at, and what is asked of it: `{cart: value, at_least: 5000}`. Structure instead of
expressions gives every fault its line, and editors something to complete (docs/adr).
"""

from typing import Annotated, Literal, Optional

import msgspec
from msgspec import Meta

from agents.conditions.words import Duration, Id, Name, Wait
from app.model.device import KINDS, SYSTEMS

MOST_NODES = 50
MOST_DEPTH = 8
MOST_TEXTS = 100

Value = str | float | bool
PROFILE = ("email", "phone", "name", "first_name", "locale", "timezone", "city")
"""Fields of the profile."""
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class ConditionFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True, rename={"is_": "is", "in_": "in", "not_": "not"}):  # fmt: skip
    """One condition. The first fields are the heads, of which it has one; the others say what is asked."""

    all: Annotated[tuple["ConditionFile", ...], Meta(min_length=1)] | None = None
    any: Annotated[tuple["ConditionFile", ...], Meta(min_length=1)] | None = None
    not_: Optional["ConditionFile"] = None
    profile: Literal["email", "phone", "name", "first_name", "locale", "timezone", "city"] | None = None
    trait: Id | None = None
    tag: Id | None = None
    cart: Literal["value", "lines", "quantity"] | None = None
    orders: Literal["count", "days", "total", "average", "discounted", "days_since_last", "days_since_first"] | None = (
        None
    )
    event: (
        Literal["product_id", "name", "price", "quantity", "category", "brand", "currency", "total", "query", "results"]
        | None
    ) = None
    happened: Name | None = None
    segment: Id | None = None
    rfm: Literal["r", "f", "m"] | None = None
    device: Literal["webpush", "fcm", "kind", "os"] | None = None
    consent: Name | None = None
    time: Literal["hour", "weekday"] | None = None
    seen_within: Wait | None = None
    at_least: float | None = None
    at_most: float | None = None
    above: float | None = None
    below: float | None = None
    is_: Value | None = None
    in_: Annotated[tuple[str | float, ...], Meta(min_length=1, max_length=MOST_TEXTS)] | None = None
    exists: bool | None = None
    within: Duration | None = None
    same: Literal["category"] | None = None
    category: Name | None = None


HEADS = (
    "all", "any", "not", "profile", "trait", "tag", "cart", "orders", "event", "happened", "segment", "rfm", "device", "consent", "time", "seen_within",
)  # fmt: skip
OF_DEVICE = {"kind": KINDS, "os": SYSTEMS}
"""What is asked of the device that the customer was last there with, and the words that may be said of it."""
NUMBERS = ("at_least", "at_most", "above", "below")
ASKED: dict[str, tuple[str, ...]] = {
    "profile": ("is", "in", "exists"),
    "trait": (*NUMBERS, "is", "in", "exists"),
    "cart": NUMBERS,
    "orders": NUMBERS,
    "event": (*NUMBERS, "is", "in", "exists"),
    "happened": (*NUMBERS, "within", "same", "category"),
    "rfm": NUMBERS,
    "device": ("is", "in", "exists"),
    "consent": ("is",),
    "time": (*NUMBERS, "in"),
}
"""What may stand beside each head; beside the others nothing."""
NEEDS_ONE = {
    "profile": ("is", "in", "exists"),
    "trait": (*NUMBERS, "is", "in", "exists"),
    "cart": NUMBERS,
    "orders": NUMBERS,
    "event": (*NUMBERS, "is", "in", "exists"),
    "rfm": NUMBERS,
    "consent": ("is",),
    "time": (*NUMBERS, "in"),
}
"""Of which each of these heads needs one at the least."""
CONSENTS = ("granted", "refused", "unknown")
