"""A decision about one customer: what the core hands to the shell. Pure."""

import msgspec

from app.model.journal import JournalLine
from app.model.link import Claim
from app.model.trigger import Cancel, Trigger
from tables.customer import Customer


class Decision(msgspec.Struct, gc=False):
    """What was decided. `wake_at` (epoch seconds) of None leaves the customer's timer as it is."""

    customer: Customer
    fired: list[Trigger] = []
    cancelled: list[Cancel] = []
    claims: list[Claim] = []
    ordered_as: str = ""
    """Key of the address that an order was made with: whoever owns it has bought, under whatever user id."""
    wake_at: float | None = None
    reasons: list[JournalLine] = []
    moved: list[tuple[str, bool]] = []
    """(segment, whether it was entered; else left), for the sizes of segments."""
