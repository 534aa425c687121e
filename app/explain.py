"""From journal lines to sentences: what was decided about a customer, and why. Pure; times are printed in UTC.

One sentence per `Reason`; a test holds this page to the vocabulary. Values of `detail` that a sentence does not name follow
it in brackets, so nothing that was written down is hidden (ids that only repeat the trigger's apart).
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from string import Formatter
from typing import NamedTuple

from app.masking import mask
from app.model.journal import JournalLine
from app.model.reasons import Reason

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Tone(StrEnum):
    """How a sentence is meant: what the timeline colours and counts by."""

    WAIT = "wait"
    ENDED = "ended"
    FIRED = "fired"
    HELD = "held"
    SENT = "sent"
    FAILED = "failed"
    INFO = "info"


class Told(NamedTuple):
    """One sentence of a story. `at` is epoch seconds."""

    at: float
    text: str
    tone: Tone
    line: JournalLine


_SAYING: Mapping[Reason, tuple[Tone, str]] = {
    Reason.ARMED: (Tone.WAIT, "{scenario} armed{event}{due}"),
    Reason.MOVED: (Tone.WAIT, "{scenario} postponed{event}{due}"),
    Reason.ENDED_BY_ORDER: (Tone.ENDED, "{scenario} ended: the customer ordered{event}"),
    Reason.ENDED_BY_EMPTIED_CART: (Tone.ENDED, "{scenario} ended: the cart was emptied{event}"),
    Reason.ENDED_BY_EVENT: (Tone.ENDED, "{scenario} ended: what it waited for happened{event}"),
    Reason.ENDED_BY_MERGE: (Tone.ENDED, "{scenario} ended: {alias} was linked, and it had been bought already"),
    Reason.HISTORICAL: (Tone.INFO, "remembered, but arms nothing: it was older than 24 hours when it arrived{event}"),
    Reason.LINKED: (Tone.INFO, "linked: {alias} belongs to {owner}{event}"),
    Reason.LINK_REFUSED: (Tone.INFO, "link refused{event}: {alias} already belongs to {owner}, and two users stay two"),
    Reason.MOVED_AWAY: (Tone.INFO, "state and live timers moved to {owner}{event}"),
    Reason.FORWARDED: (Tone.INFO, "a late event was forwarded to {owner}{event}"),
    Reason.CONSENT_CHANGED: (Tone.INFO, "consent changed{event}"),
    Reason.CONSENT_ASKED: (Tone.WAIT, "consent to {consents} waits until it is confirmed: a mail asks for it{event}"),
    Reason.CONSENT_CONFIRMED: (Tone.INFO, "consent to {consents} confirmed from the mail: it counts now"),
    Reason.CONSENT_LAPSED: (Tone.ENDED, "consent to {consents} lapsed: nobody has confirmed it in time"),
    Reason.NOT_ASKED: (Tone.HELD, "consent to {consents} does not count, and no mail asks to confirm it: {why}{event}"),
    Reason.ASKED_BEFORE: (Tone.HELD, "no second mail asks to confirm a consent: the address was asked before{event}"),
    Reason.NOTHING_TO_CONFIRM: (
        Tone.INFO,
        "a confirmation came for which no consent waits: confirmed before, lapsed, withdrawn, or of another address",
    ),
    Reason.STATE_BOUNDED: (Tone.INFO, "the cart has reached its bound: its oldest lines are forgotten{event}"),
    Reason.SEGMENT_ENTERED: (Tone.INFO, "entered the segment {segment}: {why}{event}"),
    Reason.SEGMENT_LEFT: (Tone.INFO, "left the segment {segment}: {why}{event}"),
    Reason.ERASED: (Tone.INFO, "everything that was known was erased on request"),
    Reason.FIRED: (Tone.FIRED, "{scenario} fired{due}"),
    Reason.OUTRANKED: (Tone.HELD, "{scenario} held back: {by} goes first"),
    Reason.ONE_PER_SILENCE: (Tone.HELD, "{scenario} held back: {by} has already spoken in this silence"),
    Reason.RECENT_ORDER: (Tone.HELD, "{scenario} held back: the customer ordered at {last_order}, within {window}"),
    Reason.CAP: (Tone.HELD, "{scenario} refused: one message by {channel} per {window}, the last at {last_sent}"),
    Reason.NO_CONSENT: (Tone.HELD, "{scenario} refused: no consent for {channel}"),
    Reason.NO_ADDRESS: (Tone.HELD, "{scenario} refused: no address for {channel}"),
    Reason.SUPPRESSED: (Tone.HELD, "{scenario} refused: {channel} is suppressed for this customer"),
    Reason.REENTRY: (Tone.HELD, "{scenario} held back: it fired at {last_fired} and rests for {window}"),
    Reason.CONDITION: (Tone.HELD, "{scenario} held back: its condition is not met"),
    Reason.TOO_LATE: (Tone.HELD, "{scenario} dropped: {late} late, more than is worth a message"),
    Reason.DECISION_FAILED: (Tone.HELD, "what came due could not be decided, and is looked at again: {error}"),
    Reason.SCENARIO_GONE: (Tone.HELD, "{scenario} dropped: there is no such scenario any more"),
    Reason.CONTROL_GROUP: (Tone.HELD, "{scenario} says nothing: the customer is in the control group{due}"),
    Reason.QUIET_HOURS: (Tone.WAIT, "{scenario} kept quiet: it is night where the customer lives{due}"),
    Reason.BOUGHT_AFTER: (Tone.INFO, "ordered after {scenario} had fired at {fired_at}{event}"),
    Reason.GOAL_AFTER: (Tone.INFO, "reached the goal of {scenario} ({goal}), which had fired at {fired_at}{event}"),
    Reason.GOAL_UNDONE: (Tone.INFO, "an order after {scenario} counts no more: it was refunded or cancelled{event}"),
    Reason.ATTRIBUTED: (
        Tone.INFO,
        "an order is owed to {scenario}: its message by {channel} was the last that touched (touch: {touch} at {touched_at}){event}",
    ),
    Reason.ASSOCIATED: (
        Tone.INFO,
        "{scenario} had a part in an order: its message by {channel} touched too (touch: {touch} at {touched_at}){event}",
    ),
    Reason.GOAL_ATTRIBUTED: (Tone.INFO, "{goal} is owed to {scenario}: its message by {channel} touched last{event}"),
    Reason.GOAL_ASSOCIATED: (Tone.INFO, "{scenario} had a part in {goal}: its message by {channel} touched too{event}"),
    Reason.REATTRIBUTED: (Tone.INFO, "an order is not owed to {scenario} any more: another touch came later{event}"),
    Reason.REFUNDED: (Tone.INFO, "an order that was owed to {scenario} was taken back: refunded or cancelled{event}"),
    Reason.BUDGET: (Tone.HELD, "{scenario} not sent by {channel}: what it may cost today is spent"),
    Reason.SCENARIO_STOPPED: (Tone.HELD, "{scenario} held back: it was stopped"),
    Reason.NEXT_STAGE: (Tone.FIRED, "{scenario} goes on: no reaction, so the next stage follows{due}"),
    Reason.REACTED: (Tone.ENDED, "{scenario} ended: the customer reacted ({reaction}), and no further stage is needed"),
    Reason.CASCADE_ENDED: (Tone.ENDED, "{scenario} ended: no further stage of its cascade reaches the customer"),
    Reason.CASCADE_SUPERSEDED: (Tone.ENDED, "{scenario} goes on no further: it has fired anew"),
    Reason.JOURNEY_BEGUN: (Tone.WAIT, "{scenario} began{event}"),
    Reason.JOURNEY_WAITS: (Tone.WAIT, "{scenario} waits at step {step}{due}"),
    Reason.BRANCH_TAKEN: (Tone.INFO, "{scenario} took branch {branch} of step {step}: {saw}{event}"),
    Reason.WAITED_IN_VAIN: (Tone.INFO, "{scenario} waited at step {step} for what did not happen"),
    Reason.ARM_DRAWN: (Tone.INFO, "{scenario} drew arm {arm} of experiment {experiment} at step {step}"),
    Reason.NOTED: (Tone.INFO, "{scenario} noted something of the customer at step {step}"),
    Reason.TEAM_TOLD: (Tone.FIRED, "{scenario} tells the sales team ({to}) at step {step}"),
    Reason.JOURNEY_EXITED: (Tone.ENDED, "{scenario} ended at step {step}: {why}"),
    Reason.JOURNEY_ENDED: (Tone.ENDED, "{scenario} ended: its last step is done"),
    Reason.ENDED_BY_SEGMENT: (Tone.ENDED, "{scenario} ended: the customer left the segment{event}"),
    Reason.JOURNEYS_FULL: (Tone.HELD, "{scenario} held back: a customer is in {most} scenarios at the most"),
    Reason.ENDED_BY_ANSWER: (Tone.ENDED, "{scenario} ended: the client answered{event}"),
    Reason.ENDED_BY_MANAGER: (Tone.ENDED, "{scenario} ended: a manager wrote{event}"),
    Reason.ENDED_BY_CLOSING: (Tone.ENDED, "{scenario} ended: the dialog was closed{event}"),
    Reason.HELD_BY_DIALOG: (Tone.WAIT, "{scenario} waits: the client is in a dialog{due}"),
    Reason.JOINED: (Tone.HELD, "{scenario} joined the alert of {by}, which is worth more now"),
    Reason.TAKEN: (Tone.INFO, "the alert was taken{event}"),
    Reason.SNOOZED: (Tone.INFO, "the dialog was snoozed{event}"),
    Reason.SNOOZE_OVER: (Tone.FIRED, "{scenario}: the snooze is over, told again to {to}"),
    Reason.DISMISSED: (Tone.ENDED, "the alert was dismissed as not relevant{event}"),
    Reason.ESCALATED: (Tone.FIRED, "{scenario}: nobody took the alert, so {to} is told"),
    Reason.CLIENT_RETURNED: (Tone.INFO, "the client is on the site again while the alert waits{event}"),
    Reason.DIALOG_FORGOTTEN: (Tone.INFO, "a dialog in which nothing happens any more was forgotten"),
    Reason.UNKNOWN_ALERT: (Tone.INFO, "a command named an alert or a dialog that is over or not known any more{event}"),
    Reason.GOAL_REACHED: (Tone.HELD, "{scenario} called back: the customer has done what it asks for{event}"),
    Reason.CONSENT_WITHDRAWN: (Tone.HELD, "{scenario} called back: consent for {channel} was withdrawn{event}"),
    Reason.EXPIRED: (Tone.HELD, "{scenario} not sent: its time was over before it could be handed over"),
    Reason.SENT: (Tone.SENT, "{scenario} sent by {channel}: the relay has taken it"),
    Reason.RETRY: (Tone.FAILED, "{scenario} not taken by the {channel} relay yet: it will be tried again"),
    Reason.REJECTED: (Tone.FAILED, "{scenario} rejected by the {channel} relay for good"),
    Reason.RETRIES_EXHAUSTED: (Tone.FAILED, "{scenario} given up: the {channel} relay never took it"),
    Reason.MISCONFIGURED: (Tone.FAILED, "{scenario} not sent: the channel {channel} is not set up rightly"),
    Reason.RENDER_FAILED: (Tone.FAILED, "{scenario} not sent: its template failed"),
    Reason.AMBIGUOUS: (Tone.FAILED, "{scenario}: nobody knows whether the {channel} relay took it"),
    Reason.DUPLICATE: (Tone.HELD, "{scenario} not sent again: this message was already handled"),
    Reason.CHANNEL_DISABLED: (Tone.HELD, "{scenario} not sent: the channel {channel} is switched off"),
    Reason.OVERLOADED: (Tone.HELD, "{scenario} not sent: too many messages were waiting for {channel} already"),
    Reason.TOO_LATE_TO_CANCEL: (Tone.INFO, "{scenario} could not be cancelled any more"),
    Reason.ALERT_CHANGED: (Tone.INFO, "{scenario}: the alert on {channel} shows what has become of it"),
    Reason.SUPERSEDED: (
        Tone.INFO,
        "{scenario}: a change of the alert was not shown on {channel}, for a newer one has come",
    ),
    Reason.BAD_ADDRESS: (Tone.FAILED, "{scenario} not sent: the {channel} address cannot be used"),
    Reason.UNSUBSCRIBED: (Tone.HELD, "{scenario} not sent: the customer has unsubscribed from {channel}"),
    Reason.RECEIPT: (Tone.INFO, "{scenario}: {channel} reported {outcome}"),
}
_MOMENTS = frozenset(
    {
        "fired_at",
        "last_order",
        "began",
        "last_fired",
        "last_sent",
        "refused_at",
        "next_at",
        "at",
        "asked_at",
        "ordered_at",
        "touched_at",
        "lapsed_at",
        "until",
        "predicted",
    }
)
_SPANS = frozenset({"late", "allowed", "window", "wait", "every"})
_MISSING = {"by": "another", "outcome": "news", "window": "a while", "late": "too"}


def told(line: JournalLine) -> Told:
    """One line as a sentence. A reason that this version does not know is shown as it stands."""
    try:
        tone, pattern = _SAYING[Reason(line.reason)]
    except ValueError:
        tone, pattern = (
            Tone.INFO,
            ("{scenario} " if line.scenario else "") + line.reason.replace("{", "").replace("}", ""),
        )
    detail = _printable(line)
    values = _values(line, detail)
    named = {name for _, name, _, _ in Formatter().parse(pattern) if name}
    text = pattern.format_map({name: values.get(name, "an unknown time") for name in named})
    rest = [
        value if key == "detail" else f"{key.replace('_', ' ')}: {value}"
        for key, value in detail.items()
        if not (key in named and value in values[key]) and not _repeats(key, value, line)
    ]
    if line.trigger_id and tone in (Tone.FIRED, Tone.SENT, Tone.FAILED):
        rest.append(f"trigger {line.trigger_id[:8]}")
    if rest and text.endswith(")"):
        text = f"{text[:-1]}, {', '.join(rest)})"
    elif rest:
        text = f"{text} ({', '.join(rest)})"
    return Told(line.at, mask(text), tone, line)


def meaning(reason: Reason) -> str:
    """The sentence of a reason with its gaps named, for the docs."""
    return _SAYING[reason][1].replace("{event}", "").replace("{due}", "").replace("{", "*").replace("}", "*")


def tone_of(reason: str) -> Tone:
    """How a reason is meant; one that this version does not know is information."""
    try:
        return _SAYING[Reason(reason)][0]
    except ValueError:
        return Tone.INFO


def tell(lines: Iterable[JournalLine]) -> list[Told]:
    """The story of these lines, in their order."""
    return [told(line) for line in lines]


def standing(lines: Iterable[JournalLine]) -> list[str]:
    """How things stand after the last of these lines: a sentence for each scenario that is still open and each segment, by name."""
    last: dict[str, JournalLine] = {}
    members: dict[str, float] = {}
    for line in lines:
        if line.reason == Reason.SEGMENT_ENTERED:
            members[str(line.detail.get("segment", ""))] = line.at
        elif line.reason == Reason.SEGMENT_LEFT:
            members.pop(str(line.detail.get("segment", "")), None)
        after_firing = line.trigger_id and line.reason != Reason.FIRED
        if line.scenario and not after_firing and line.reason != Reason.ENDED_BY_MERGE:
            last[line.scenario] = line
    return [
        f"{name} waits" + (f": due {full_time(line.due)} or later" if line.due else "")
        for name, line in sorted(last.items())
        if line.reason in (Reason.ARMED, Reason.MOVED)
    ] + [f"in segment {name} since {full_time(at)}" for name, at in sorted(members.items())]


def story(lines: Iterable[JournalLine]) -> list[str]:
    """Sentences with their time, under a heading for each day."""
    out: list[str] = []
    day = ""
    for item in tell(lines):
        today = full_time(item.at)[:10]
        if today != day:
            out.append(today)
            day = today
        out.append(f"  {clock_time(item.at)}  {item.text}")
    return out


def full_time(at: float) -> str:
    """Epoch seconds as `2026-11-22 12:03:10`, UTC; a time out of any calendar as its number."""
    try:
        return (_EPOCH + timedelta(seconds=at)).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError):
        return str(at)


def clock_time(at: float) -> str:
    """Epoch seconds as `12:03:10`, UTC."""
    return full_time(at)[11:] or full_time(at)


def _values(line: JournalLine, detail: Mapping[str, str]) -> dict[str, str]:
    return {
        "owner": line.customer,
        "alias": line.customer,
        **_MISSING,
        **detail,
        "scenario": line.scenario or detail.get("scenario", "") or "a message",
        "channel": line.channel or detail.get("channel", "") or "any channel",
        "event": f" by event {_plain(line.event_id)}" if line.event_id else "",
        "due": f" (due {_near(line.due, line.at)})" if line.due else "",
    }


def _repeats(key: str, value: str, line: JournalLine) -> bool:
    """Whether a value says nothing new: a first attempt, or the message's id, which is the trigger's with a number."""
    return (key == "attempt" and value == "1") or (
        key in ("message", "message_id") and bool(line.trigger_id) and value.startswith(line.trigger_id)
    )


def _near(moment: float, at: float) -> str:
    """The moment's time, with its date where that is not the date of `at`."""
    return clock_time(moment) if full_time(moment)[:10] == full_time(at)[:10] else full_time(moment)


def _span(seconds: float) -> str:
    """A duration in the largest unit that tells it apart: 90 s, 16 h, 2.5 d."""
    for unit, size in (("d", 86_400.0), ("h", 3_600.0), ("min", 60.0)):
        if abs(seconds) >= 2 * size or abs(seconds) == size:
            return f"{_plain(seconds / size)} {unit}"
    return f"{_plain(float(seconds))} s"


def _printable(line: JournalLine) -> dict[str, str]:
    """The values of `detail` in words."""
    out = {}
    for key, value in line.detail.items():
        if key in _MOMENTS and not isinstance(value, str):
            out[key] = _near(value, line.at)
        elif key in _SPANS and not isinstance(value, str):
            out[key] = _span(value)
        elif value != "":
            out[key] = _plain(value)
    return out


def _plain(value: str | float) -> str:
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".") if abs(value) < 1e15 else str(value)
    return "".join(letter if letter.isprintable() else " " for letter in str(value))
