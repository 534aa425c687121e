"""Why scenarios are not armed for a customer: worked out on demand from his state, so that nothing is spent on it per event. Pure.

The state remembers what is left of what happened, not every event: what an answer cannot know it says.
"""

from collections.abc import Iterable, Iterator
from math import inf
from typing import NamedTuple

from agents.conditions.verdict import Facts
from agents.journeys.enter import last_entered
from agents.journeys.occurrences import told_in_words
from agents.journeys.replenish import next_due
from agents.scenarios.evaluate import due_at
from agents.scenarios.language import DAY, Scenario
from agents.scenarios.program import Planned, Replenish, first_message
from agents.scenarios.reach import reach
from tables.customer import Customer
from tables.signals import CART_CHANGED, CATEGORY_VIEWED, CONSENT_CHANGED, ORDERED, PRODUCT_VIEWED, SEARCHED


class Standing(NamedTuple):
    """How a scenario stands with a customer. `at` is the moment that the sentence is about (epoch seconds; 0: none)."""

    scenario: str
    text: str
    at: float = 0.0


def standings(key: str, customer: Customer, scenarios: Iterable[Scenario]) -> list[Standing]:
    """One sentence or two for each scenario: whether it waits and why not, and what would keep its message from being said."""
    found: list[Standing] = []
    for scenario in scenarios:
        if scenario.program is not None and not scenario.of:
            found += _journeys(scenario, customer)
        else:
            found.append(_armed(scenario, customer))
        barrier = _barrier(scenario, key, customer)
        if barrier:
            found.append(Standing(scenario.id, barrier))
    return found


def _journeys(scenario: Scenario, customer: Customer) -> Iterator[Standing]:
    """Where the journeys of a scenario with steps stand, or why there is none."""
    program, engagement = scenario.program, customer.engagement
    assert program is not None, "it has steps"
    mine = [
        one for one in (engagement.journeys if engagement is not None else None) or () if one.scenario == scenario.id
    ]
    for journey in mine:
        place = program.steps[journey.step - 1].place if 0 < journey.step <= len(program.steps) else str(journey.step)
        if journey.due:
            yield Standing(scenario.id, f"is at step {place}, and due at", journey.due)
        else:
            yield Standing(scenario.id, f"is at step {place}, whose message is being said, since", journey.since)
    if mine:
        return
    last = last_entered(customer, scenario.id)
    now = max(customer.last_seen, last)
    if last and scenario.reentry == inf:
        yield Standing(scenario.id, "is over, and is entered once; entered at", last)
    elif last:
        yield Standing(
            scenario.id, f"is over; it may be entered again {_span(scenario.reentry)} after it was, at", last
        )
    elif program.when is not None and not program.when.holds(Facts(customer, now)).value:
        yield Standing(scenario.id, f"was never entered: {program.when.told(Facts(customer, now))}")
    elif program.replenish is not None:
        yield _needed(scenario, program.replenish, customer)
    else:
        how = f"{program.entry} was not seen, or something kept it out; the journal tells" if program.entry else (
            f"the trait {program.dated.trait} is not known, or its day has not come" if program.dated is not None else
            _planned(program.planned) if program.planned is not None else
            "nothing that the catalogue told touched a product of the customer, or something kept it out; the journal tells"
        )  # fmt: skip
        yield Standing(scenario.id, f"was never entered: {how}")


def _planned(planned: Planned) -> str:
    return f"it begins {told_in_words(planned)}, which has not come since it was loaded, or something kept it out; the journal tells"


def _needed(scenario: Scenario, told: Replenish, customer: Customer) -> Standing:
    engagement = customer.engagement
    dues = [next_due(told, item) for item in (engagement.bought if engagement is not None else None) or ()]
    soonest = min((due for due in dues if due is not None), default=None)
    if soonest is not None:
        return Standing(scenario.id, f"was never entered; a {told.of} that was bought repeatedly begins it at", soonest)
    text = f"was never entered: no {told.of} is known to be bought often enough, three times at least, for a next time to be predicted"
    return Standing(scenario.id, text)


def _span(seconds: float) -> str:
    return f"{seconds / DAY:g} days"


def _armed(scenario: Scenario, customer: Customer) -> Standing:
    name = scenario.id
    instance = customer.instance(name)
    if instance is not None:
        return Standing(name, "is armed, and due at", due_at(scenario, instance, customer))
    began, unknown = _began(scenario, customer)
    fired = (customer.fired or {}).get(name, 0.0)
    ordered = customer.orders.last_at if customer.orders is not None else 0.0
    if fired and fired >= began:
        return Standing(name, "is not armed: nothing that begins it is known since it last fired, at", fired)
    if began and ordered >= began and ORDERED in scenario.without:
        return Standing(name, "is not armed: what begins it was followed by an order, at", ordered)
    if began and scenario.when is not None and not scenario.when.holds(Facts(customer, began)).value:
        return Standing(
            name, f"is not armed: {scenario.when.told(Facts(customer, began))}; what begins it was seen at", began
        )
    if began:
        text = "is not armed, though what begins it was seen: it ended, was refused, or came too late; the journal tells. Seen at"
        return Standing(name, text, began)
    if unknown:
        return Standing(name, f"is not armed; whether {unknown} was seen the state does not keep, the clickstream does")
    return Standing(name, f"was never armed, or long ago: nothing is known of {' or '.join(sorted(scenario.of))}")


def _began(scenario: Scenario, customer: Customer) -> tuple[float, str]:
    """When the newest of what begins the scenario is known to have happened (0: never), and the events that no state tells of."""
    times = [_last(name, customer) for name in sorted(scenario.of)]
    unknown = [name for name, at in zip(sorted(scenario.of), times, strict=True) if at is None]
    return max((at for at in times if at is not None), default=0.0), " or ".join(unknown)


def _last(name: str, customer: Customer) -> float | None:
    """When a signal last came, as far as the state tells (0: never); None: the state does not keep it."""
    if name == CART_CHANGED:
        return customer.cart.changed_at if customer.cart is not None else 0.0
    if name == PRODUCT_VIEWED:
        return max((view.at for view in customer.views or ()), default=0.0)
    if name == CATEGORY_VIEWED:
        return max((item.at for item in customer.categories or ()), default=0.0)
    if name == SEARCHED:
        return max((item.at for item in customer.searches or ()), default=0.0)
    if name == ORDERED:
        return customer.orders.last_at if customer.orders is not None else 0.0
    if name == CONSENT_CHANGED:
        return max((item.at for item in (customer.consent or {}).values()), default=0.0)
    return None


def _barrier(scenario: Scenario, key: str, customer: Customer) -> str:
    """What would keep a message of it from being said just now; empty: nothing that the state tells."""
    if scenario.stopped:
        return "would say nothing: it is stopped"
    said = scenario if scenario.program is None else first_message(scenario.program)
    if said is None:
        return ""
    found, passed = reach(said, key, customer)
    if found is not None or not passed:
        return ""
    whys = dict.fromkeys(f"{one.why.reason.value} ({one.why.detail.get('channel', '')})" for one in passed)
    return f"would say nothing: {', '.join(whys)}"
