"""Changes of alerts: what becomes of a message that is waiting, is being said or has been said, when its alert changes. Pure.

- CLAIMED: an end holds it back; anything else makes it show the newer alert, and who has taken or snoozed it is told right after it
- INFLIGHT: as if it had been said, and an end also cancels a further attempt
- SENT: a message of its own, which edits or answers the first one
- not sent: nothing
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from agents.delivery.rules import Rules
from agents.delivery.settle import Note, settle, trigger_of
from app.codec import encode_json
from app.model.alert import AlertState, AlertUpdate
from channels import ledger
from channels.ledger import Cancelled, Message, Move, State, cancel_key, change_key, shown_key
from channels.pipeline import Verdict
from tables.step import Step

_SAID = frozenset({State.INFLIGHT, State.SENT, State.AMBIGUOUS})
WAIT = 2.0
"""Seconds that a change waits for the message that it is about."""


def change(
    step: Step, update: AlertUpdate, payload: bytes, known: Iterable[tuple[str, Message]], now: float, rules: Rules
) -> list[Note]:
    """Apply a change to the messages of its trigger. `known` are those; `payload` is the change's JSON."""
    notes, found = [], False
    for key, row in known:
        found = True
        if row.state is State.CLAIMED:
            notes += _before(step, key, row, update, payload, now, rules)
        elif row.state in _SAID and row.shown is not None:
            notes += _after(step, key, row, update, payload, now, rules)
            if row.state is State.INFLIGHT and update.ends:
                _cancel(step, update, now, rules)
    if not found and update.ends:
        _cancel(step, update, now, rules)
    return notes


def _before(
    step: Step, key: str, row: Message, update: AlertUpdate, payload: bytes, now: float, rules: Rules
) -> list[Note]:
    trigger = trigger_of(row)
    if trigger is None:
        return []
    if update.ends:
        note = settle(step, key, trigger, Verdict(Move.REFUSE, update.reason), now, rules)
        return [note] if note else []
    if update.alert is not None:
        row.payload = encode_json(msgspec.structs.replace(trigger, alert=update.alert))
        step.touch(key)
    if row.shown is not None and (row.shown.changes or update.state is not AlertState.OPEN):
        return _after(step, key, row, update, payload, now, rules)
    return []


def _after(
    step: Step, key: str, row: Message, update: AlertUpdate, payload: bytes, now: float, rules: Rules
) -> list[Note]:
    assert row.shown is not None, "an alert's message"
    new = change_key(key, update.state, update.at, update.event_id)
    if update.state not in rules.shows.get(row.channel, ()) or new in step.rows:
        return []
    row.shown.changes += 1  # the order of the outbox counts: a decision may be about something that happened long ago
    step.touch(key)
    at = now if rules.live else update.at
    claimed = Message(
        State.CLAIMED,
        row.channel,
        0,
        row.customer,
        row.scenario,
        payload,
        at + ledger.KEEP_CHANGE,
        at,
        marketing=False,
        shown=ledger.Shown(row.shown.address, row.shown.locale, changes=row.shown.changes),
    )
    step.put(new, claimed)
    return [Note("claimed", new, row.channel)]


def _cancel(step: Step, update: AlertUpdate, now: float, rules: Rules) -> None:
    at = now if rules.live else update.at
    key = cancel_key(update.trigger_id)
    mark = Cancelled(update.reason, at, at + ledger.KEEP_CANCELLED)
    step.put(key, mark)
    step.wake(key, mark.deadline)


def must_wait(rows: Mapping[str, Any], key: str) -> bool:
    """Whether a change has to wait until the message that it is about has been said, or will not be."""
    row = rows.get(shown_key(key))
    return row is not None and row.state in ledger.UNSETTLED
