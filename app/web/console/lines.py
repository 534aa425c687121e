"""Records of Kafka as lines of the live feed: what a person sees of an event, a trigger, a decision. Pure.

The customer's key is shown; e-mail addresses and telephone numbers are masked wherever they stand. A key that is itself an
address is shown masked and is not linked.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from app.codec import decode_event, decode_journal, decode_outgoing
from app.explain import Tone, told
from app.masking import mask
from app.model.alert import AlertUpdate
from app.model.event import CLOCK, Event, Line
from app.model.reasons import Reason
from app.model.trigger import Cancel, Trigger
from app.topics import CLICKSTREAM, JOURNAL, OUTBOX

TEXT_LIMIT = 300
NAMES = 3
"""Product names shown of a list."""

_SENDS = frozenset({Tone.SENT, Tone.FAILED})


class FeedLine(msgspec.Struct, gc=False):
    """One line. `kind` is event, trigger, decision or send; `key` is empty where it must not be linked."""

    kind: str
    tone: Tone
    at: float
    customer: str
    key: str
    label: str
    text: str
    trigger: str = ""

    @property
    def weighty(self) -> bool:
        """Whether a crowded feed keeps it before others."""
        return self.kind in ("trigger", "send")


def line_of(topic: str, value: bytes) -> FeedLine | None:
    """The line of a record of `topic` (without prefix). None for what the feed does not show, or cannot read."""
    read = _READERS.get(topic)
    if read is None:
        return None
    try:
        return read(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _line(kind: str, tone: Tone, at: float, customer: str, label: str, text: str, trigger: str = "") -> FeedLine:
    shown = mask(customer)
    key = customer if shown == customer else ""
    return FeedLine(kind, tone, at, shown[:200], key, mask(label)[:80], mask(text)[:TEXT_LIMIT], trigger)


def _event(value: bytes) -> FeedLine | None:
    event = decode_event(value)
    if event.type == CLOCK:
        return None
    customer = event.userId or ("anon:" + event.anonymousId if event.anonymousId else "")
    label = event.event or event.type.capitalize()
    return _line("event", Tone.INFO, event.timestamp.timestamp(), customer, label, _about(event))


def _about(event: Event) -> str:
    properties = event.properties
    if properties is None:
        return ""
    words = [_names(properties.products)] if properties.products else []
    if properties.name or properties.product_id:
        words.append(properties.name or properties.product_id)
    if properties.query:
        words.append(f"“{properties.query}”")
    if properties.category and not properties.products:
        words.append(f"in {properties.category}")
    amount = properties.total or properties.price
    if amount:
        words.append(f"{amount:,.2f} {properties.currency}".strip())
    return " · ".join(words)


def _names(lines: list[Line]) -> str:
    names = [line.name or line.product_id for line in lines[:NAMES]]
    more = len(lines) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")


def _outgoing(value: bytes) -> FeedLine | None:
    outgoing = decode_outgoing(value)
    if isinstance(outgoing, Cancel):
        text = f"called back before sending: {outgoing.reason.replace('_', ' ')}"
        return _line("trigger", Tone.HELD, outgoing.at, outgoing.customer, "cancel", text, outgoing.trigger_id)
    if isinstance(outgoing, AlertUpdate):
        text = f"the alert is {outgoing.state}: {outgoing.reason.replace('_', ' ')}"
        return _line("trigger", Tone.HELD, outgoing.at, outgoing.customer, "alert", text, outgoing.trigger_id)
    if not isinstance(outgoing, Trigger):
        return None
    return _line(
        "trigger", Tone.FIRED, outgoing.fired_at, outgoing.customer, outgoing.scenario, _content(outgoing),
        outgoing.trigger_id,
    )  # fmt: skip


def _content(trigger: Trigger) -> str:
    content = trigger.content
    words = [_names(content.items)] if content.items else []
    if content.query:
        words.append(f"“{content.query}”")
    if content.category:
        words.append(f"in {content.category}")
    if content.value:
        words.append(f"{content.value:,.2f} {content.currency}".strip())
    channels = ", ".join(stage.channel for stage in trigger.cascade)
    if channels:
        words.append(f"by {channels}")
    return " · ".join(words)


def _decision(value: bytes) -> FeedLine | None:
    line = decode_journal(value)
    if line.reason == Reason.FIRED:
        return None  # the outbox says it, with the items
    sentence = told(line)
    kind = "send" if sentence.tone in _SENDS else "decision"
    label = line.reason.replace("_", " ")
    return _line(kind, sentence.tone, line.at, line.customer, label, sentence.text, line.trigger_id)


_READERS: dict[str, Callable[[bytes], FeedLine | None]] = {
    CLICKSTREAM.name: _event,
    OUTBOX.name: _outgoing,
    JOURNAL.name: _decision,
}


def tally(line: FeedLine) -> str:
    """Which counter of the feed a line belongs to; empty for none."""
    if line.kind == "event":
        return "events"
    if line.kind == "trigger":
        return "triggers" if line.tone is Tone.FIRED else ""
    if line.tone is Tone.SENT:
        return "sent"
    return "held" if line.tone in (Tone.HELD, Tone.FAILED) else ""


def as_data(line: FeedLine) -> dict[str, Any]:
    """The line for JSON."""
    data: dict[str, Any] = msgspec.to_builtins(line)
    return data
