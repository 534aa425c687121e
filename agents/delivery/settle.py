"""How a message is granted its moment and how its end is written: row, address, receipt and journal line in one step. Pure."""

from typing import Any, NamedTuple

from agents.delivery.rules import Rules
from agents.delivery.spending import may_spend, spend
from app.codec import decode_outgoing, encode_json
from app.model.alert import AlertUpdate
from app.model.journal import JournalLine
from app.model.reasons import Reason
from app.model.receipt import Outcome, Receipt, without_addresses
from app.model.trigger import Content, Stage, Trigger, message_id
from app.topics import JOURNAL, RECEIPTS
from channels import ledger, retry
from channels.alert import TEMPLATE
from channels.ledger import Message, Move, Standing, State, address_key, cancel_key, message_key, shown_key
from channels.pipeline import Job, Verdict, gate
from channels.policy import Facts
from tables.step import Step

_OUTCOMES = {
    Move.ACCEPT: Outcome.SENT,
    Move.FAIL: Outcome.FAILED,
    Move.REFUSE: Outcome.SKIPPED,
    Move.LOSE: Outcome.AMBIGUOUS,
}


ERASED = "erased"
"""Kind of the note about a message that was forgotten on request."""


class Note(NamedTuple):
    """Something that the shell counts or acts upon.

    `kind` is the state of a message that is settled now, or one of claimed, postponed, repeated, duplicate, dead.
    """

    kind: str
    key: str
    channel: str = ""
    reason: str = ""
    due: float = 0.0
    """Of a claimed message: when it came due, epoch seconds."""
    price: float = 0.0
    """Of a message that was said: what it cost, and in `by_sms` what one SMS would have cost, if it is the trigger's first."""
    by_sms: float = 0.0
    scenario: str = ""
    """Of a message that was said: whose it was."""


def suppress(step: Step, key: str, reason: str, everything: bool, at: float) -> None:
    """Suppress an address: for marketing only, or for everything. The order of several reasons does not matter: none weakens another."""
    known = step.rows.get(key) or Standing()
    stronger = (everything, at, str(reason)) > (known.everything, known.suppressed_at, known.suppressed)
    if known.suppressed and not stronger and at <= known.suppressed_at:
        return
    known.suppressed = str(reason) if stronger or not known.suppressed else known.suppressed
    known.suppressed_at = max(at, known.suppressed_at)
    known.everything = known.everything or everything
    known.deadline = 0.0
    step.put(key, known)
    step.wake(key, None)


def reinstate(step: Step, key: str, at: float) -> bool:
    """Take an address off the suppression list, if it has not been put there after `at`. Whether it was on it."""
    known = step.rows.get(key)
    if not isinstance(known, Standing) or not known.suppressed or known.suppressed_at > at:
        return False
    known.suppressed, known.suppressed_at, known.everything = "", 0.0, False
    if not (known.last_marketing or known.last_asked):
        step.delete(key)
        return True
    known.deadline = at + ledger.KEEP_ADDRESS
    step.touch(key)
    step.wake(key, known.deadline)
    return True


def facts(rows: Any, key: str, trigger: Trigger, channel: str, at: float) -> Facts:
    """What the ledger says about the message of row `key` at `at`."""
    standing = rows.get(address_key(channel, trigger.addresses.get(channel, "")))
    shown = shown_key(key)
    if not shown:
        return Facts(trigger, channel, at, rows.get(cancel_key(trigger.trigger_id)), standing)
    first = rows.get(shown)  # a change of an alert is not cancelled with it: it tells of the cancellation
    seen = first is not None and first.shown is not None and first.state not in (State.FAILED, State.SKIPPED)
    own = rows.get(key)
    newer = seen and own is not None and own.shown is not None and first.shown.changes > own.shown.changes
    return Facts(trigger, channel, at, None, standing, not seen or newer)


def grant(
    step: Step, key: str, trigger: Trigger, attempt: int, now: float, rules: Rules, price: float = 0.0
) -> Verdict | bool:
    """Allow the irreversible moment: the gates once more, the budget, then INFLIGHT. False: the message is not ours to send any more.

    `price` is what the message costs.
    """
    row = step.rows.get(key)
    if row is None or row.state is not State.CLAIMED or row.attempt != attempt:
        return False
    at = rules.moment(trigger, now)
    held = gate(facts(step.rows, key, trigger, row.channel, at), rules.policy)
    if held is not None:
        return held
    if not may_spend(step.rows, trigger, price, at, rules):
        return Verdict(Move.REFUSE, Reason.BUDGET)
    row.move(Move.SPEAK, at)
    if trigger.alert is None:
        row.price = price
        spend(step, row.scenario, price, at, rules)
    step.touch(key)
    return True


def end(step: Step, key: str, job: Job, verdict: Verdict, now: float, rules: Rules) -> Note | None:
    """Write the end of our own attempt. None: the partition was somebody else's in between, who has gone on from there.

    Our verdict must not end the attempt of another: what that one has said would be said again.
    """
    row = step.rows.get(key)
    if row is None or row.attempt != job.attempt or (row.state is State.INFLIGHT) != job.spoken:
        return None
    return settle(step, key, job.trigger, verdict, now, rules)


def settle(step: Step, key: str, trigger: Trigger, verdict: Verdict, now: float, rules: Rules) -> Note | None:
    """Write what became of a message: row, address, receipt, journal. None: somebody else has settled it before."""
    row = step.rows.get(key)
    if row is not None and row.state is State.INFLIGHT and row.arrived:
        verdict = Verdict(Move.ACCEPT, Reason.RECEIPT, verdict.detail, provider_id=verdict.provider_id)
    move = verdict.move
    if row is None or move is None or (row.state, move) not in ledger.TRANSITIONS:
        return None
    at = rules.moment(trigger, now)
    if row.price and move in (Move.POSTPONE, Move.FAIL):  # the provider does not have it
        spend(step, row.scenario, -row.price, row.updated_at, rules)
        row.price = 0.0
    detail = _detail(key, row, verdict)
    row.move(move, at, verdict.reason)
    step.touch(key)
    address = trigger.addresses.get(row.channel, "")
    if (trigger.marketing or trigger.confirm_until) and move in (Move.ACCEPT, Move.LOSE):
        _remember_send(step, address_key(row.channel, address), trigger, at)
    if row.shown is not None:  # the team's addresses are mended by a person, and then used again
        verdict = verdict._replace(suppress=False)
        row.shown.ref = verdict.provider_id or row.shown.ref
    if verdict.suppress:
        suppress(step, address_key(row.channel, address), Reason.SUPPRESSED, True, at)
    changed = bool(shown_key(key))
    reason = Reason.ALERT_CHANGED if changed and move is Move.ACCEPT else verdict.reason
    journal(step, at, row, trigger.trigger_id, reason, detail, trigger.due)
    if move is Move.POSTPONE:
        row.attempt, row.next_at = row.attempt + 1, verdict.next_at
        row.put_off += verdict.put_off
        return Note("postponed", key, row.channel, verdict.reason)
    if not changed:
        _send_receipt(step, key, row, trigger, verdict, at, address)
    if move is Move.LOSE and _repeated(row, verdict):
        row.move(Move.REPEAT, at, verdict.reason)
        row.next_at = now + retry.wait(key, row.attempt - row.put_off)
        row.attempt += 1
        return Note("repeated", key, row.channel, verdict.reason)
    row.settle(at)
    step.wake(key, row.deadline)
    said = move in (Move.ACCEPT, Move.LOSE) and trigger.alert is None
    by_sms = rules.policy.by_sms if said and _is_first(step, trigger) else 0.0
    price = row.price if said else 0.0
    return Note(row.state.value, key, row.channel, verdict.reason, 0.0, price, by_sms, row.scenario)


def _is_first(step: Step, trigger: Trigger) -> bool:
    """Whether no stage before this one was said."""
    rows = (step.rows.get(message_key(message_id(trigger.trigger_id, number))) for number in range(trigger.stage))
    return not any(row is not None and row.state in (State.SENT, State.AMBIGUOUS) for row in rows)


def _repeated(row: Message, verdict: Verdict) -> bool:
    """Rather twice than never is true for transactional messages only, and not when somebody is known to have spoken."""
    failed = row.attempt - row.put_off
    return not row.marketing and verdict.reason != Reason.DUPLICATE and failed + 1 < retry.ATTEMPTS


def _detail(key: str, row: Message, verdict: Verdict) -> dict[str, str | float | int]:
    detail: dict[str, str | float | int] = {"message_id": key[2:], "attempt": row.attempt + 1}
    for name, text in (("detail", verdict.detail), ("provider_id", verdict.provider_id)):
        if text:
            detail[name] = without_addresses(text)
    if verdict.next_at:
        detail["next_at"] = verdict.next_at
    if row.price:
        detail["price"] = row.price
    return detail


def _remember_send(step: Step, key: str, trigger: Trigger, at: float) -> None:
    standing = step.rows.get(key) or Standing()
    if trigger.marketing:
        standing.last_marketing = max(standing.last_marketing, trigger.fired_at)
    if trigger.confirm_until:
        standing.last_asked = max(standing.last_asked, trigger.fired_at)
    standing.deadline = (
        0.0 if standing.suppressed else at + max(ledger.KEEP_ADDRESS, trigger.cap, *trigger.caps.values())
    )
    step.put(key, standing)
    step.wake(key, standing.deadline or None)


def _send_receipt(
    step: Step, key: str, row: Message, trigger: Trigger, verdict: Verdict, at: float, address: str
) -> None:
    assert verdict.move is not None, "settled by a move"
    outcome = Outcome.BOUNCED if verdict.suppress else _OUTCOMES[verdict.move]
    step.send(
        RECEIPTS.name,
        row.customer,
        encode_json(
            Receipt(
                outcome,
                row.customer,
                row.channel,
                at,
                key[2:],
                trigger.trigger_id,
                row.scenario,
                verdict.reason,
                without_addresses(verdict.detail),
                address if verdict.suppress else "",
                row.marketing,
            )
        ),
    )


def journal(
    step: Step,
    at: float,
    row: Message,
    trigger_id: str,
    reason: str,
    detail: dict[str, str | float | int],
    due: float = 0.0,
) -> None:
    """Write a line about a message."""
    line = JournalLine(at, row.customer, reason, row.scenario, trigger_id, channel=row.channel, due=due, detail=detail)
    step.send(JOURNAL.name, row.customer, encode_json(line))


def trigger_of(row: Message) -> Trigger | None:
    """The trigger of an unsettled message; a change of an alert is given the form of one."""
    item = decode_outgoing(row.payload) if row.payload else None
    if isinstance(item, AlertUpdate) and row.shown is not None:
        return Trigger(
            item.trigger_id,
            row.scenario,
            0,
            row.customer,
            item.alert_id,
            item.at,
            item.at,
            row.deadline,
            [Stage(row.channel, TEMPLATE)],
            {row.channel: row.shown.address},
            Content(),
            locale=row.shown.locale,
            marketing=False,
            alert=item.alert,
        )
    return item if isinstance(item, Trigger) else None


def change_of(row: Message) -> AlertUpdate | None:
    """The change of an alert that an unsettled message tells of, if it does."""
    item = decode_outgoing(row.payload) if row.payload else None
    return item if isinstance(item, AlertUpdate) else None
