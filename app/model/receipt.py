"""What became of a message: records of the `receipts` topic, keyed by customer."""

import re
from enum import StrEnum
from typing import NamedTuple

import msgspec

from app.model.reasons import Reason


class Outcome(StrEnum):
    """One vocabulary for all channels. The first four are the sender's own, the others come from providers and customers.

    A provider may tell `failed` too: it took the message and could not deliver it, this time (a phone that is switched off).
    `bounced` says that the address itself is dead.
    """

    SENT = "sent"
    SKIPPED = "skipped"
    FAILED = "failed"
    AMBIGUOUS = "ambiguous"
    DELIVERED = "delivered"
    OPENED = "opened"
    CLICKED = "clicked"
    REPLIED = "replied"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    REINSTATED = "reinstated"
    """Of an address and no message: an operator has taken it off the suppression list."""
    CONFIRMED = "confirmed"
    """Whoever reads the mail has confirmed the consent that it asks for; only our own page says so."""


FROM_PROVIDERS = frozenset(
    {
        Outcome.DELIVERED,
        Outcome.OPENED,
        Outcome.CLICKED,
        Outcome.REPLIED,
        Outcome.FAILED,
        Outcome.BOUNCED,
        Outcome.COMPLAINED,
        Outcome.UNSUBSCRIBED,
    }
)
"""What may come from outside in a provider's own words; all others are said by ourselves alone."""


ARRIVED = frozenset({Outcome.DELIVERED, Outcome.OPENED, Outcome.CLICKED, Outcome.REPLIED})
"""Outcomes that prove that the message reached the customer. Each of them may come first, last or alone."""


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


_STOP = frozenset(("stop", "stopall", "unsubscribe", "cancel", "end", "quit", "стоп", "отписка", "отписаться", "отказ"))


def answered(text: str) -> Outcome:
    """What a customer wrote back to a short message: that he wants no more, or an answer. The words themselves are not kept."""
    return Outcome.UNSUBSCRIBED if text.strip(" .!\"'\r\n").lower() in _STOP else Outcome.REPLIED


class Spoken(NamedTuple):
    """What a receipt, a tracked link or an open pixel speaks of: a message of a scenario to a customer, on a channel."""

    customer: str
    channel: str
    message_id: str
    scenario: str


MOST_DETAIL = 200
_ADDRESS = re.compile(r"[^\s<>]+@[^\s<>]+")


def without_addresses(detail: str) -> str:
    """What a provider said, bounded, with the addresses that it quotes left out."""
    return _ADDRESS.sub("<address>", detail)[:MOST_DETAIL]


def of_message(spoken: Spoken, outcome: Outcome, at: float, detail: str = "") -> Receipt:
    """What a provider, a link or a mail tells of a message that we have sent; `at` is epoch seconds."""
    trigger = spoken.message_id.rpartition(".")[0]
    return Receipt(
        outcome,
        spoken.customer,
        spoken.channel,
        at,
        spoken.message_id,
        trigger,
        spoken.scenario,
        Reason.RECEIPT,
        without_addresses(detail),
    )


class Handed(NamedTuple):
    """Whose message it was, as a provider repeats it in its own receipts."""

    message_id: str
    customer: str


_CALLBACK = "boomerang"
_CALLBACK_LIMIT = 512


def callback_data(message_id: str, customer: str) -> str:
    """What goes along with a message to a provider that repeats it in its receipts (WhatsApp: `biz_opaque_callback_data`)."""
    return f"{_CALLBACK}:{message_id}:{customer}"


def read_callback_data(told: str) -> Handed | None:
    """Whose message a receipt is of; None: not one of ours."""
    mark, _, rest = told.partition(":")
    message_id, _, customer = rest.partition(":")
    if mark != _CALLBACK or not message_id or not customer or len(told) > _CALLBACK_LIMIT:
        return None
    return Handed(message_id, customer)
