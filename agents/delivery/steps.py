"""What the sender writes down, as steps over the ledger. Pure: a step, the facts, `now`; returns notes of what happened.

Each function runs inside one atomic step, so a row, its receipt and its journal line are written together or not at all.
"""

import logging
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from agents.deadletter import dead_letter
from agents.delivery.changes import change
from agents.delivery.reports import report
from agents.delivery.rules import Rules
from agents.delivery.settle import ERASED, Note, journal, reinstate, settle, suppress, trigger_of
from app.codec import decode_outgoing, decode_receipt
from app.model.alert import AlertUpdate
from app.model.reasons import BadInput, Reason
from app.model.receipt import Receipt
from app.model.trigger import Cancel, Erasure, Stage, Suppress, Trigger, message_id
from app.topics import DEAD_LETTERS, OUTBOX
from channels import ledger
from channels.ledger import (
    UNSETTLED,
    Cancelled,
    Message,
    Move,
    Shown,
    Standing,
    State,
    cancel_key,
    known_address,
    message_key,
)
from channels.pipeline import Verdict
from channels.policy import Facts, refusal, way_of
from tables.step import Batch, Step

log = logging.getLogger(__name__)

_ADDRESS_KEY = re.compile(r"a:[a-z]{1,20}:[0-9a-f]{32}", re.ASCII)
MOST_PURGED = 1000
"""Rows forgotten with one bundle in stream time."""


def on_bundle(step: Step, batch: Batch, now: float, rules: Rules, room: int) -> list[Note]:
    """Apply a bundle of `outbox` or `receipts`. `room`: how many further marketing messages may wait."""
    notes: list[Note] = []
    decode = decode_outgoing if batch.topic == OUTBOX.name else decode_receipt
    for record in batch.records:
        try:
            item: Any = decode(record.value or b"")
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            notes.append(_dead(step, batch, record, now, BadInput.BAD_RECORD, str(error)))
            continue
        try:
            found = _apply(step, item, record.value or b"", now, rules, room)
        except Exception as error:
            # one record must not stop a partition for ever: it is kept aside with its reason, the first of a bundle loudly
            if not any(note.reason == BadInput.HANDLER_FAILED for note in notes):
                log.exception("%s[%d]@%d could not be handled", batch.topic, batch.partition, record.offset)
            found = [_dead(step, batch, record, now, BadInput.HANDLER_FAILED, repr(error))]
        room -= sum(note.kind == "claimed" for note in found)
        notes += found
    if not rules.live:
        for due, key in list(step.due(step.clock, MOST_PURGED)):
            on_timer(step, due, key, step.clock)
    return notes


def _apply(step: Step, item: Any, payload: bytes, now: float, rules: Rules, room: int) -> list[Note]:
    match item:
        case Trigger():
            step.clock = max(step.clock, item.fired_at)
            return [_claim(step, item, payload, now, rules, room)]
        case Cancel():
            step.clock = max(step.clock, item.at)
            return _cancel(step, item, now, rules)
        case AlertUpdate():
            step.clock = max(step.clock, item.at)
            return change(step, item, payload, _known(step, item.trigger_id), now, rules)
        case Erasure():
            return _erase(step, item)
        case Suppress():
            _suppress(step, item)
        case Receipt():
            return report(step, item, now, rules)
    return []


def _dead(step: Step, batch: Batch, record: Any, now: float, reason: BadInput, text: str) -> Note:
    letter = dead_letter(batch, record, reason, text[:200], now, "delivery")
    step.send(DEAD_LETTERS.name, f"{batch.topic}-{batch.partition}", letter)
    return Note("dead", "", reason=reason)


def _known(step: Step, trigger: str) -> Iterable[tuple[str, Message]]:
    for number in range(ledger.MOST_STAGES):
        key = message_key(message_id(trigger, number))
        row = step.rows.get(key)
        if row is not None:
            yield key, row


def _claim(step: Step, trigger: Trigger, payload: bytes, now: float, rules: Rules, room: int) -> Note:
    """Take a stage of a trigger over: a claimed message, or at once a skipped one. Each stage has one message, whatever comes."""
    key = message_key(message_id(trigger.trigger_id, trigger.stage))
    for known, row in _known(step, trigger.trigger_id):
        if known == key or not trigger.stage:
            return Note("duplicate", known, row.channel, Reason.DUPLICATE)
    at = rules.moment(trigger, now)
    chosen = way_of(trigger, rules.channels)
    stage = chosen if isinstance(chosen, Stage) else trigger.cascade[0] if trigger.cascade else None
    row = Message(
        State.CLAIMED,
        stage.channel if stage else "",
        trigger.stage,
        trigger.customer,
        trigger.scenario,
        payload,
        trigger.expires_at,
        at,
        marketing=trigger.marketing,
    )
    if trigger.alert is not None and stage is not None:
        row.shown = Shown(trigger.addresses.get(stage.channel, ""), trigger.locale)
    else:
        row.to = known_address(trigger.addresses.get(row.channel, ""))
    step.put(key, row)
    cancelled = step.rows.get(cancel_key(trigger.trigger_id))
    reason: str | None = chosen if isinstance(chosen, Reason) else None
    reason = reason or refusal(Facts(trigger, row.channel, at, cancelled, None))
    if reason is None and room <= 0 and trigger.marketing:
        reason = Reason.OVERLOADED
    if reason is not None:
        return settle(step, key, trigger, Verdict(Move.REFUSE, reason), now, rules) or Note(State.SKIPPED.value, key)
    return Note("claimed", key, row.channel, due=trigger.due)


def _cancel(step: Step, cancel: Cancel, now: float, rules: Rules) -> list[Note]:
    """Skip what is still claimed; what is being said, or has not come yet, must still meet the cancellation."""
    at = now if rules.live else cancel.at
    known, notes = list(_known(step, cancel.trigger_id)), []
    keep = not known or any(row.state is State.INFLIGHT for _, row in known)
    for key, row in known:
        if row.state is State.CLAIMED:
            trigger = trigger_of(row)
            if trigger is not None:
                note = settle(step, key, trigger, Verdict(Move.REFUSE, cancel.reason), now, rules)
                notes += [note] if note else []
        elif row.state not in UNSETTLED and key == known[-1][0]:  # of the stages before nobody asks any more
            journal(
                step,
                at,
                row,
                cancel.trigger_id,
                Reason.TOO_LATE_TO_CANCEL,
                {"state": row.state.value, "wanted": cancel.reason[:200]},
            )
    if keep:
        key = cancel_key(cancel.trigger_id)
        mark = Cancelled(cancel.reason, at, at + ledger.KEEP_CANCELLED)
        step.put(key, mark)
        step.wake(key, mark.deadline)
    return notes


def _erase(step: Step, item: Erasure) -> list[Note]:
    """Forget the messages of a customer, whatever their state, and the addresses that are not suppressed.

    A suppression stays: it is a digest, and without it somebody who wanted to hear no more would be written to again.
    """
    found = [key for key, row in step.rows.items() if isinstance(row, Message) and row.customer == item.customer]
    for key in found:
        step.delete(key)
    for key in item.addresses:
        row = step.rows.get(key)
        if isinstance(row, Standing) and not row.suppressed:
            step.delete(key)
    return [Note(ERASED, key) for key in found]


def _suppress(step: Step, item: Suppress) -> None:
    """Take an operator's addresses in, or out. Anything but an address's key would name another row: it is a bad record."""
    if not all(_ADDRESS_KEY.fullmatch(entry.key) for entry in item.entries):
        raise ValueError("a key that is no address's")
    for entry in item.entries:
        if item.lifted:
            reinstate(step, entry.key, entry.at)
        else:
            suppress(step, entry.key, entry.reason, entry.everything, entry.at)


def lost_in_flight(step: Step, keys: Iterable[str], now: float, rules: Rules) -> list[Note]:
    """After a restart: messages that were being said when the sender stopped. Nobody knows whether they were heard."""
    notes = []
    for key in keys:
        row = step.rows.get(key)
        trigger = trigger_of(row) if row is not None and row.state is State.INFLIGHT else None
        if trigger is not None:
            verdict = Verdict(Move.LOSE, Reason.AMBIGUOUS, "the sender stopped while it was speaking")
            note = settle(step, key, trigger, verdict, now, rules)
            notes += [note] if note else []
    return notes


def expire(step: Step, keys: Iterable[str], now: float, rules: Rules) -> list[Note]:
    """Skip claimed messages that have expired while their channel was away."""
    notes = []
    for key in keys:
        row = step.rows.get(key)
        if row is None or row.state is not State.CLAIMED or row.deadline > now:
            continue
        trigger = trigger_of(row)
        note = trigger and settle(step, key, trigger, Verdict(Move.REFUSE, Reason.EXPIRED), now, rules)
        notes += [note] if note else []
    return notes


def on_timer(step: Step, due: float, key: str, now: float) -> None:
    """Forget a row whose time has come; one that got a later deadline comes up again."""
    del now
    row = step.rows.get(key)
    deadline = None if row is None else ledger.deadline_of(row)
    if row is None or deadline is None:
        return
    if deadline <= due:
        step.delete(key)
    else:
        step.wake(key, deadline)
