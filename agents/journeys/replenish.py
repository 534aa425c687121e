"""Journeys that begin before a customer is likely to need the same again: predicted by how often he bought it. Pure.

Nothing is armed: when a product is needed next is worked out from the times at which it was bought, so that each order moves it, and
a scenario that is added later is right at once. What is kept is the last such moment that was decided about.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import inf
from statistics import median
from typing import NamedTuple

from agents.allowed import Basis
from agents.decision import Decision
from agents.journeys.enter import enter
from agents.journeys.moment import Moment, journeys_of
from agents.journeys.walk import leave
from agents.scenarios.evaluate import stops
from agents.scenarios.language import Scenario
from agents.scenarios.program import Replenish
from app.model.event import Event, Properties
from app.model.reasons import Reason
from tables import purchases
from tables.customer import Customer
from tables.engagement import Bought

LEAST_GAPS = 2
"""Times between purchases that have to be known before the next one is predicted."""


class Prediction(NamedTuple):
    """`at` is when it is likely to be bought again (epoch seconds), `every` the median of the times between purchases in seconds."""

    at: float
    every: float
    gaps: int


def predicted(times: Sequence[float], least: float) -> Prediction | None:
    """When something bought at these times (rising) comes next. Of purchases within `least` seconds the first counts for all of them."""
    starts: list[float] = []
    for at in times:
        if not starts or at - starts[-1] >= least:
            starts.append(at)
    gaps = [later - earlier for earlier, later in pairwise(starts)]
    if len(gaps) < LEAST_GAPS:
        return None
    every = median(gaps)
    return Prediction(starts[-1] + every, every, len(gaps))


def next_due(told: Replenish, item: Bought) -> float | None:
    """When a journey about it begins (epoch seconds); None: it is not predicted, or that moment is decided about already.

    Who buys it more often than `ahead` looks ahead cannot be told in time.
    """
    if item.is_category is not (told.of == purchases.CATEGORY):
        return None
    found = predicted(item.times, told.least)
    due = -inf if found is None else found.at - told.ahead
    return due if due > max(item.times[-1], item.decided) else None


def wake_of(basis: Basis, customer: Customer) -> float:
    """The first of these moments; inf: there is none."""
    return min((due for due, _, _ in _dues(basis, customer)), default=inf)


def _dues(basis: Basis, customer: Customer) -> Iterator[tuple[float, Scenario, Bought]]:
    engagement = customer.engagement
    for item in (engagement.bought if engagement is not None else None) or ():
        for scenario, told in basis.scenarios.replenishing:
            due = next_due(told, item)
            if due is not None:
                yield due, scenario, item


def on_order(basis: Basis, decision: Decision, key: str, event: Event, at: float) -> None:
    """An order at `at` moves the predictions. What was begun about one of its products is taken back: it was bought."""
    told = event.properties
    newest = purchases.note(decision.customer, told.lines() if told is not None else (), at, basis.scenarios.purchases)
    moment = Moment(basis, decision, key, at, at, event.messageId, told)
    for journey in journeys_of(decision.customer):
        about = _about(basis, journey.scenario, journey.version)
        if about is not None and any(_is_it(about, journey.key, item) for item in newest):
            leave(moment, journey, Reason.GOAL_REACHED, {"goal": event.event, "bought": journey.key})
    soonest = wake_of(basis, decision.customer)
    if soonest < inf:
        moment.wake(soonest)


def on_merge(moment: Moment) -> None:
    """Two customers are one: what was begun about a product that the other one has bought since is taken back."""
    engagement = moment.customer.engagement
    for journey in journeys_of(moment.customer):
        about = _about(moment.basis, journey.scenario, journey.version)
        for item in (engagement.bought if engagement is not None and about is not None else None) or ():
            if about is not None and _is_it(about, journey.key, item) and _is_moved(about, journey.at, item):
                leave(moment, journey, Reason.GOAL_REACHED, {"goal": "Order Completed", "bought": journey.key})


def _is_moved(told: Replenish, begun: float, item: Bought) -> bool:
    found = predicted(item.times, told.least)
    return item.times[-1] > begun or (found is not None and found.at - told.ahead > begun)


def _about(basis: Basis, scenario: str, version: int) -> Replenish | None:
    known = basis.scenarios.of(scenario, version)
    return known.program.replenish if known is not None and known.program is not None else None


def _is_it(told: Replenish, name: str, item: Bought) -> bool:
    return item.name == name and item.is_category is (told.of == purchases.CATEGORY)


def decide_replenishing(basis: Basis, decision: Decision, key: str, now: float, until: float) -> None:
    """Begin the journeys of customer `key` whose moment came at or before `until`, as of `now` (both epoch seconds)."""
    found = [one for one in _dues(basis, decision.customer) if one[0] <= until]
    for due, scenario, item in sorted(found, key=lambda one: (one[0], -one[1].priority, one[1].id, one[2].name)):
        item.decided = max(item.decided, due)
        anchor = f"replenish:{item.name}:{due:.0f}"
        moment = Moment(basis, decision, key, due, now, anchor, _told(item))
        held = stops(scenario, decision.customer, due, now)
        if held is not None:
            moment.tell(held.reason, scenario.id, {"key": item.name, **held.detail}, due=due)
        else:
            enter(moment, scenario, item.name, _seen(scenario, item))


def _seen(scenario: Scenario, item: Bought) -> dict[str, str | float | int]:
    """What the prediction stands on, for the journal."""
    told = scenario.program.replenish if scenario.program is not None else None
    found = predicted(item.times, told.least) if told is not None else None
    return {} if found is None else {"predicted": found.at, "every": found.every, "gaps": found.gaps}


def _told(item: Bought) -> Properties:
    line = item.line
    told = Properties(line.product_id, line.name, line.price, line.quantity, line.category, line.brand, line.url)
    told.image_url, told.products = line.image_url, [line]
    return told
