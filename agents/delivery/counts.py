"""The sender's counters: what the notes of a step mean for the metrics."""

from typing import Protocol, runtime_checkable

from agents.delivery.reports import TOLD
from agents.delivery.settle import ERASED, Note
from app import metrics
from app.model.reasons import Reason
from channels.channel import Channel
from channels.ledger import State

SETTLED = frozenset({State.SENT.value, State.FAILED.value, State.SKIPPED.value, State.AMBIGUOUS.value})
"""Kinds of notes after which a message is done with."""
GONE = SETTLED | {ERASED}
"""Kinds of notes after which a message is waited for no more."""
_REASONS = frozenset(reason.value for reason in Reason)


class PoolState(Protocol):
    """Connections to a relay."""

    open: int
    most: int
    certificate_expires: float
    """When the relay's certificate expires, epoch seconds; 0.0: it has shown none."""

    @property
    def idle(self) -> int:
        """Of the open ones: those that wait for a mail."""
        ...


@runtime_checkable
class Pooled(Protocol):
    """A channel that keeps connections."""

    @property
    def pool(self) -> PoolState:
        """Its pool."""
        ...


def introduce(channel: str) -> None:
    """Show a channel before anything happens on it: the first failure must not be missed because there was no zero before it."""
    down(channel, False)
    metrics.RENDER_FAILURES.labels(channel)


def down(channel: str, is_down: bool) -> None:
    """Whether anything can be handed over on a channel."""
    metrics.CHANNEL_DOWN.labels(channel).set(is_down)


def connections(channel: Channel) -> None:
    """Show the pool of a channel that has one."""
    if isinstance(channel, Pooled):
        pool = channel.pool
        for state, number in (("busy", pool.open - pool.idle), ("idle", pool.idle), ("limit", pool.most)):
            metrics.POOL_CONNECTIONS.labels(state).set(number)
        if pool.certificate_expires:
            metrics.CREDENTIAL_EXPIRY.labels("smtp_relay").set(pool.certificate_expires)


def count(note: Note, channels: frozenset[str]) -> None:
    """Count a note. Labels are bounded: a name or reason from outside that we do not know is not shown."""
    channel = note.channel if note.channel in channels else "none"
    reason = note.reason if note.reason in _REASONS else "other"
    if note.kind in SETTLED:
        metrics.SENDS.labels(channel, note.kind).inc()
        if note.reason == Reason.RENDER_FAILED:
            metrics.RENDER_FAILURES.labels(channel).inc()
        if note.price or note.by_sms:
            metrics.SPENT.labels(note.scenario, channel).inc(note.price)
            metrics.SPENT_BY_SMS.inc(note.by_sms)
    if note.kind in (State.SKIPPED.value, "duplicate"):
        metrics.REFUSALS.labels(channel, reason).inc()
    elif note.kind in (State.AMBIGUOUS.value, "repeated"):
        metrics.AMBIGUOUS.labels(channel).inc()
    elif note.kind == "postponed":
        metrics.RETRIES.labels(channel).inc()
    elif note.kind == TOLD:
        metrics.TOLD.labels(channel, note.reason).inc()
    elif note.kind == "dead":
        metrics.DEAD_LETTERS.labels(note.reason).inc()
