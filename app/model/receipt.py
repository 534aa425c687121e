"""What became of a message: records of the `receipts` topic, keyed by customer."""

from enum import StrEnum

import msgspec


class Outcome(StrEnum):
    """One vocabulary for all channels."""

    SENT = "sent"
    SKIPPED = "skipped"
    FAILED = "failed"
    AMBIGUOUS = "ambiguous"
    DELIVERED = "delivered"
    OPENED = "opened"
    CLICKED = "clicked"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"


class Receipt(msgspec.Struct, gc=False, omit_defaults=True):
    """`at` is epoch seconds. `reason` is a `Reason`. `address` is set where the receipt concerns an address."""

    outcome: Outcome
    customer: str
    channel: str
    at: float
    message_id: str = ""
    trigger_id: str = ""
    scenario: str = ""
    reason: str = ""
    detail: str = ""
    address: str = ""
    marketing: bool = True
