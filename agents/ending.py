"""What ends scenarios: events, orders, consents that are withdrawn. Pure."""

from collections.abc import Collection

from agents.allowed import Basis
from agents.cascade import take_back
from agents.decision import Decision
from app.model.journal import JournalLine
from app.model.reasons import Reason
from tables.customer import Armed, Customer, Open
from tables.profile import permission
from tables.signals import CART_EMPTIED, ORDERED

_ENDED = {ORDERED: Reason.ENDED_BY_ORDER, CART_EMPTIED: Reason.ENDED_BY_EMPTIED_CART}


def end(
    basis: Basis, decision: Decision, key: str, name: str, ended: Collection[str], event_id: str, at: float
) -> None:
    """End what `name` ends: armed instances, and triggers that are not handed over yet, if not newer than it."""
    customer, reason = decision.customer, _ENDED.get(name, Reason.ENDED_BY_EVENT)
    is_ended = basis.scenarios.is_ended
    if customer.armed is not None:
        going_on = []
        for instance in customer.armed:
            if instance.scenario in ended and instance.at <= at and is_ended(*_version(instance), name):
                line = JournalLine(at, key, reason, instance.scenario, event_id=event_id, detail={"signal": name})
                decision.reasons.append(line)
            else:
                going_on.append(instance)
        customer.armed = going_on or None
    if customer.open is not None:
        found = [
            item
            for item in customer.open
            if item.scenario in ended
            and not item.step
            and is_ended(*_version(item), name)
            and (item.anchor_at <= at or _too_soon(basis, item, name, at))
        ]
        why = Reason.GOAL_REACHED if name == ORDERED else reason
        cancel(decision, key, found, why, event_id, at)


def _too_soon(basis: Basis, item: Open, name: str, at: float) -> bool:
    """Whether a late order would have held the trigger back, had it been known when it fired."""
    scenario = basis.scenarios.of(*_version(item))
    return name == ORDERED and scenario is not None and item.at - at < scenario.order_within


def cancel(decision: Decision, key: str, found: list[Open], reason: Reason, event_id: str, at: float) -> None:
    """No more of these."""
    for item in found:
        if not item.cancelled:
            take_back(decision, key, item, reason, event_id, at)
            decision.reasons.append(
                JournalLine(at, key, reason, item.scenario, item.trigger_id, event_id, item.channel)
            )


def refused(basis: Basis, customer: Customer) -> list[Open]:
    """What the consents, as they are now, do not allow any more."""
    return [
        item
        for item in customer.open or ()
        if item.marketing and any(_is_refused(basis, customer, item, way) for way in (item.channel, *(item.ways or ())))
    ]


def _is_refused(basis: Basis, customer: Customer, item: Open, channel: str) -> bool:
    word = permission(customer, channel, basis.scenarios.topic_of(item.scenario, item.version))
    return word is not None and not word.granted


def bought(basis: Basis, customer: Customer, at: float) -> list[Open]:
    """Open triggers that an order at `at` ends, had it been known when they fired. Journeys see to their own messages."""
    return [
        item
        for item in customer.open or ()
        if not item.step and (item.anchor_at <= at or _too_soon(basis, item, ORDERED, at))
    ]


def _version(item: Armed | Open) -> tuple[str, int]:
    """Under which scenario, and in which version, it goes on."""
    return item.scenario, item.version
