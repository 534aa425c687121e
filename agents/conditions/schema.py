"""What editors are told about conditions. Pure."""

from collections.abc import Mapping
from typing import Any

from agents.conditions.language import ASKED, HEADS, NEEDS_ONE

CONDITION: Mapping[str, str] = {
    "all": "All of these hold.",
    "any": "One of these holds.",
    "not": "This does not hold.",
    "profile": "A field of the profile: `is`, `in` or `exists`. Texts are compared without regard to case.",
    "trait": "A trait that the shop told beside the profile, or that a step set: numbers, `is`, `in` or `exists`.",
    "tag": "A step has put this tag on the customer.",
    "cart": "What lies in the cart: its value, lines or pieces.",
    "orders": "All orders: count, days with an order, total, average, the share (0 to 1) with a discount or a coupon, whole days since the last or first one.",
    "event": "A property of the event at hand. Not in segments.",
    "happened": "A signal that the state remembers, or an event by its name, so often, and within a time.",
    "segment": "The customer is in this segment.",
    "rfm": "A score of 1 to 5: recency, frequency, monetary.",
    "device": "`webpush`, `fcm`: there is a device that can be pushed to. `kind`, `os`: of the device that the customer was last there with, `is`, `in` or `exists`.",
    "consent": "A channel, or channel:topic: what was said of it.",
    "time": "The hour or weekday where the customer lives. Not in segments.",
    "seen_within": "The customer was active within this time.",
    "at_least": "This or more.",
    "at_most": "This or less.",
    "above": "More than this.",
    "below": "Less than this.",
    "is": "This value.",
    "in": "One of these values.",
    "exists": "Whether it is known at all.",
    "within": "How long ago at the most.",
    "same": "All of one category.",
    "category": "Of this category.",
}


def of_condition(parts: dict[str, Any]) -> None:
    """A condition has one head, and beside it what that head takes: so an editor completes no more than that."""
    fields = parts["ConditionFile"]["properties"]
    for field in fields.values():
        field.pop("default", None)
        kinds = [kind for kind in field.pop("anyOf", ()) if kind != {"type": "null"}]
        field.update(kinds[0] if len(kinds) == 1 else {"anyOf": kinds} if kinds else {})
    parts["ConditionFile"]["oneOf"] = [
        {
            "properties": dict.fromkeys((head, *ASKED.get(head, ())), True),
            "required": [head],
            "additionalProperties": False,
        }
        | ({"minProperties": 2} if head in NEEDS_ONE else {})
        for head in HEADS
    ]
