"""The gates: why a message is not sent after all. Pure; asked again at the moment of sending, in this order.

Each gate looks at the same facts and answers with a named reason or None. The first reason counts.
"""

from collections.abc import Callable, Collection
from typing import NamedTuple

from app.model.policy import Policy
from app.model.reasons import Reason
from app.model.trigger import Stage, Trigger
from channels.ledger import Cancelled, Standing
from channels.quiet import quiet_until, zone


class Facts(NamedTuple):
    """What is known at the moment of the question. `now` is epoch seconds."""

    trigger: Trigger
    channel: str
    now: float
    cancelled: Cancelled | None
    standing: Standing | None
    superseded: bool = False
    """A change of an alert that is not the newest any more, or of one that was not sent."""


def hushed(policy: Policy, trigger: Trigger, channel: str, now: float) -> float:
    """Until when quiet hours hold a message back, epoch seconds; 0.0: they do not."""
    home = zone(trigger.timezone) or zone(policy.zone)
    return quiet_until(policy.quiet, channel, home, now) if trigger.quiet and home is not None else 0.0


Gate = Callable[[Facts], str | None]


def cancelled(facts: Facts) -> str | None:
    """The goal was reached or the consent was withdrawn in the meantime: the cancellation says which."""
    return facts.cancelled.reason if facts.cancelled else None


def superseded(facts: Facts) -> str | None:
    """A newer change of the same alert has come, or nobody has seen the alert at all."""
    return Reason.SUPERSEDED if facts.superseded else None


def expired(facts: Facts) -> str | None:
    """Too late to be of use."""
    return Reason.EXPIRED if facts.now > facts.trigger.expires_at else None


def suppressed(facts: Facts) -> str | None:
    """The address bounced, complained or unsubscribed. A consent given after an unsubscribe or a complaint lifts it."""
    standing = facts.standing
    if standing is None or not standing.suppressed:
        return None
    if standing.everything:
        return standing.suppressed
    if not facts.trigger.marketing or facts.trigger.consent_at.get(facts.channel, 0.0) > standing.suppressed_at:
        return None
    return standing.suppressed


def capped(facts: Facts) -> str | None:
    """Another marketing message went to the address within the cap.

    Both moments are those at which the triggers fired, so that a replay decides the same whatever the relay's speed was.
    """
    trigger, standing = facts.trigger, facts.standing
    window = trigger.caps.get(facts.channel, trigger.cap)
    if standing is None or not standing.last_marketing or not trigger.marketing or window <= 0:
        return None
    return Reason.CAP if trigger.fired_at - standing.last_marketing < window else None


def asked_before(facts: Facts) -> str | None:
    """The address was asked for a confirmation within the window, for whichever customer; the same question is no second one."""
    trigger, standing = facts.trigger, facts.standing
    if standing is None or not trigger.confirm_until or standing.last_asked in (0.0, trigger.fired_at):
        return None
    return Reason.ASKED_BEFORE if trigger.fired_at - standing.last_asked < trigger.cap else None


GATES: tuple[Gate, ...] = (cancelled, superseded, expired, suppressed, capped, asked_before)


def refusal(facts: Facts) -> str | None:
    """The first reason not to send, or None."""
    for gate in GATES:
        reason = gate(facts)
        if reason is not None:
            return reason
    return None


def way_of(trigger: Trigger, channels: Collection[str]) -> Stage | Reason:
    """The first way to speak a stage: its channel is on and the customer has an address there."""
    reason = Reason.CHANNEL_DISABLED
    for way in trigger.cascade:
        if way.channel not in channels:
            continue
        if trigger.addresses.get(way.channel):
            return way
        reason = Reason.NO_ADDRESS
    return reason
