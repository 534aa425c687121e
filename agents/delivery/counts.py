"""The sender's counters: what the notes of a step mean for the metrics."""

from agents.delivery.settle import Note
from app import metrics
from app.model.reasons import Reason
from channels.ledger import State

SETTLED = frozenset({State.SENT.value, State.FAILED.value, State.SKIPPED.value, State.AMBIGUOUS.value})
"""Kinds of notes after which a message is done with."""
_REASONS = frozenset(reason.value for reason in Reason)


def down(channel: str, is_down: bool) -> None:
    """Whether anything can be handed over on a channel."""
    metrics.CHANNEL_DOWN.labels(channel).set(is_down)


def count(note: Note, channels: frozenset[str]) -> None:
    """Count a note. Labels are bounded: a name or reason from outside that we do not know is not shown."""
    channel = note.channel if note.channel in channels else "none"
    reason = note.reason if note.reason in _REASONS else "other"
    if note.kind in SETTLED:
        metrics.SENDS.labels(channel, note.kind).inc()
    if note.kind in (State.SKIPPED.value, "duplicate"):
        metrics.REFUSALS.labels(channel, reason).inc()
    elif note.kind in (State.AMBIGUOUS.value, "repeated"):
        metrics.AMBIGUOUS.labels(channel).inc()
    elif note.kind == "postponed":
        metrics.RETRIES.labels(channel).inc()
    elif note.kind == "dead":
        metrics.DEAD_LETTERS.labels(note.reason).inc()
