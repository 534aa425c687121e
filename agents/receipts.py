"""What a receipt means for the customer's state. Pure."""

from agents.addresses import addresses_of
from app.model.journal import JournalLine
from app.model.reasons import Reason
from app.model.receipt import Outcome, Receipt
from tables import devices
from tables.customer import Customer, Open, Permission
from tables.profile import CHANNELS, set_consent

REFUSALS = (Outcome.UNSUBSCRIBED, Outcome.COMPLAINED)
"""What the customer said: kept even of somebody unknown."""
_OWN = (Outcome.SENT, Outcome.AMBIGUOUS, Outcome.SKIPPED, Outcome.FAILED)
"""The sender's own: it has written its line already. A failure that a provider tells of afterwards has none yet."""


def on_receipt(customer: Customer, receipt: Receipt) -> tuple[list[JournalLine], bool]:
    """Apply what a receipt says of the customer; idempotent, in any order. Returns journal lines and whether consent was withdrawn.

    What it means for the trigger that it is about is the cascade's business (`agents/cascade.py`).
    """
    if receipt.outcome in _OWN and not (receipt.outcome is Outcome.FAILED and receipt.reason == Reason.RECEIPT):
        return [], False
    if receipt.outcome is Outcome.BOUNCED and receipt.channel in devices.CHANNELS and receipt.address:
        devices.forget(customer, receipt.channel, receipt.address)  # of one device: others may still be spoken to
    elif (
        receipt.outcome is Outcome.BOUNCED
        and _is_present(customer, receipt)
        and len(customer.suppressed or ()) < CHANNELS
    ):
        customer.suppressed = {**(customer.suppressed or {}), receipt.channel: receipt.outcome.value}
    if receipt.outcome is Outcome.REINSTATED and customer.suppressed is not None:
        customer.suppressed = {
            name: reason for name, reason in customer.suppressed.items() if name != receipt.channel
        } or None
    line = JournalLine(
        receipt.at,
        receipt.customer,
        Reason.RECEIPT,
        receipt.scenario,
        receipt.trigger_id,
        channel=receipt.channel,
        detail=_detail(receipt),
    )
    withdrawn = False
    if receipt.outcome in REFUSALS:
        consent = Permission(False, receipt.at, receipt.outcome.value)
        withdrawn = set_consent(customer, receipt.channel, consent)
    return [line], withdrawn


def _is_present(customer: Customer, receipt: Receipt) -> bool:
    """Whether it is the customer's present address that bounced. A receipt that names none says so to the ledger, which knows it."""
    return bool(receipt.address) and addresses_of(customer, receipt.customer).get(receipt.channel) == receipt.address


def _detail(receipt: Receipt) -> dict[str, str | float | int]:
    """The outcome and the message, and what the provider said beside it."""
    told: dict[str, str | float | int] = {"outcome": receipt.outcome.value, "message": receipt.message_id}
    return {**told, "detail": receipt.detail[:200]} if receipt.detail else told


def scenario_of(customer: Customer, trigger_id: str) -> str:
    """The scenario of a trigger, for a receipt that does not name it; "" where the customer's state does not know it any more."""
    known = (*(customer.open or ()), *(customer.sends or ()))
    return next((item.scenario for item in known if item.trigger_id == trigger_id), "")


def meant(customer: Customer, receipt: Receipt) -> Open | None:
    """The open trigger that a receipt is about; an answer that names no message is one to the last that went over its channel."""
    if receipt.outcome is Outcome.REPLIED and not receipt.trigger_id:
        said = {(sent.trigger_id, sent.stage) for sent in customer.sends or () if sent.channel == receipt.channel}
        heard = [
            item for item in customer.open or () if (item.trigger_id, item.stage) in said and item.at <= receipt.at
        ]
        return max(heard, key=lambda item: item.at, default=None)
    return next((item for item in customer.open or () if item.trigger_id == receipt.trigger_id), None)
