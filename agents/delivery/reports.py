"""What receipts report on messages that were spoken: whether they arrived, and what that means for the address. Pure.

Receipts come late, more than once and in any order. Each kind counts once a message; one that proves an arrival proves it whenever
it comes: before the provider's own answer, after nobody knew, or while a further attempt waits.
"""

from agents.delivery.rules import Rules
from agents.delivery.settle import Note, settle, suppress, trigger_of
from app.model.reasons import Reason
from app.model.receipt import ARRIVED, Outcome, Receipt
from channels.ledger import Message, Move, State, address_key, known_address_key, message_key
from channels.pipeline import Verdict
from tables.step import Step

UNKNOWN = "unknown"
"""What is counted instead of the outcome when the ledger does not know the message (any more)."""
TOLD = "told"
"""Kind of the note about a receipt; its reason is the outcome."""
_OURS = frozenset({Outcome.SENT, Outcome.SKIPPED, Outcome.AMBIGUOUS, Outcome.REINSTATED, Outcome.CONFIRMED})
"""What the sender alone says, whose own receipts come back; what the operator has told it in another way; and what concerns a consent."""
_SUPPRESSING = {
    Outcome.BOUNCED: (Reason.SUPPRESSED, True),
    Outcome.COMPLAINED: (Reason.SUPPRESSED, False),
    Outcome.UNSUBSCRIBED: (Reason.UNSUBSCRIBED, False),
}


def report(step: Step, receipt: Receipt, now: float, rules: Rules) -> list[Note]:
    """Take one receipt into the ledger; `now` is the wall clock, epoch seconds."""
    if receipt.outcome in _OURS:
        return []
    key = message_key(receipt.message_id)
    found = step.rows.get(key) if receipt.message_id else None
    row = found if isinstance(found, Message) else None
    if receipt.outcome in _SUPPRESSING:
        _suppress(step, receipt, row)
    if row is None:
        return [Note(TOLD, key, receipt.channel, UNKNOWN)] if receipt.message_id else []
    if row.state is State.FAILED and receipt.outcome in (Outcome.FAILED, Outcome.BOUNCED):
        return []  # our own word, come back
    if not row.tell(receipt.outcome):
        return []
    step.touch(key)
    notes = [Note(TOLD, key, row.channel, receipt.outcome)]
    if receipt.outcome in ARRIVED:
        notes += _arrived(step, key, row, now if rules.live else receipt.at, rules)
    return notes


def _suppress(step: Step, receipt: Receipt, row: Message | None) -> None:
    """Suppress the address that the receipt names, else the one that the message went to."""
    if receipt.address:
        key = address_key(receipt.channel, receipt.address)
    elif row is not None and row.to:
        key = known_address_key(row.channel, row.to)
    else:
        return
    reason, everything = _SUPPRESSING[receipt.outcome]
    suppress(step, key, reason, everything, receipt.at)


def _arrived(step: Step, key: str, row: Message, at: float, rules: Rules) -> list[Note]:
    """A proof that the customer has the message: it was sent, and is not sent again."""
    if row.state is State.AMBIGUOUS:
        row.move(Move.ACCEPT, at, Reason.RECEIPT)
    elif row.state is State.CLAIMED:
        trigger = trigger_of(row)
        if trigger is not None:
            row.move(Move.SPEAK, at)
            note = settle(step, key, trigger, Verdict(Move.ACCEPT, Reason.RECEIPT), at, rules)
            return [note] if note else []
    return []
