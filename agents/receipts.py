"""What a receipt means for the customer's state. Pure."""

from app.model.journal import JournalLine
from app.model.reasons import Reason
from app.model.receipt import Outcome, Receipt
from tables.customer import SENDS, Customer, Permission, Sent
from tables.profile import CHANNELS, set_consent
from tables.windows import push

_COUNTS_AS_SENT = (Outcome.SENT, Outcome.AMBIGUOUS)
_SETTLES = (Outcome.SENT, Outcome.AMBIGUOUS, Outcome.SKIPPED, Outcome.FAILED)
_SUPPRESSES = (Outcome.BOUNCED, Outcome.COMPLAINED)
REFUSALS = (Outcome.UNSUBSCRIBED, Outcome.COMPLAINED)
"""What the customer said: kept even of somebody unknown."""


def on_receipt(customer: Customer, receipt: Receipt) -> tuple[list[JournalLine], bool]:
    """Apply a receipt; idempotent, in any order. Returns journal lines and whether consent was withdrawn."""
    if receipt.outcome in _SETTLES:
        _settle(customer, receipt)
        return [], False
    if receipt.outcome in _SUPPRESSES and len(customer.suppressed or ()) < CHANNELS:
        customer.suppressed = {**(customer.suppressed or {}), receipt.channel: receipt.outcome.value}
    line = JournalLine(
        receipt.at,
        receipt.customer,
        Reason.RECEIPT,
        receipt.scenario,
        receipt.trigger_id,
        channel=receipt.channel,
        detail={"outcome": receipt.outcome.value, "message": receipt.message_id},
    )
    withdrawn = False
    if receipt.outcome in REFUSALS:
        consent = Permission(False, receipt.at, receipt.outcome.value)
        withdrawn = set_consent(customer, receipt.channel, consent)
    return [line], withdrawn


def _settle(customer: Customer, receipt: Receipt) -> None:
    """The open trigger is open no more; one that was, or may have been, sent counts for the caps from its firing on."""
    for item in customer.open or ():
        if item.trigger_id == receipt.trigger_id:
            if receipt.outcome in _COUNTS_AS_SENT and not any(
                sent.trigger_id == item.trigger_id for sent in customer.sends or ()
            ):
                sent = Sent(item.trigger_id, item.scenario, receipt.channel, item.at, item.marketing)
                customer.sends = push(customer.sends, sent, SENDS)
            break
    customer.open = [item for item in customer.open or () if item.trigger_id != receipt.trigger_id] or None
