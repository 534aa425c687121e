"""How a customer enters a scenario with steps, and what keeps him out. Pure."""

from collections.abc import Mapping, Sequence
from math import inf

from agents.cascade import take_back
from agents.journeys.content import about, key_of
from agents.journeys.moment import Moment, engagement_of, is_under_way, journeys_of
from agents.journeys.walk import go, leave, program_of
from agents.scenarios.evaluate import Refusal
from agents.scenarios.language import Scenario
from agents.scenarios.program import Program
from app.model.reasons import Reason
from tables.customer import Customer, Orders
from tables.engagement import JOURNEYS, KEY, Journey, bounded_entered
from tables.signals import ORDERED

ORDERS = (ORDERED, "Order Completed")


def enter(
    moment: Moment, scenario: Scenario, key: str | None = None, seen: Mapping[str, str | float | int] | None = None
) -> Refusal | None:
    """Begin a journey, if nothing keeps the customer out; why not goes to the journal, apart from what happens all the time.

    That is a condition that does not hold, and a journey that is under way. `key`: what tells journeys of one scenario apart; `seen`:
    what it stands on, for the journal.
    """
    program, customer = program_of(scenario), moment.customer
    key = key_of(program.per, moment.told) if key is None else key
    name = name_of(scenario.id, key)
    last = entered_of(customer).get(name)
    if last is not None and moment.at <= last:
        return None  # late, or the same event again
    if any(item.scenario == scenario.id and item.key == key for item in journeys_of(customer)):
        return None
    if not moment.holds(program.when)[0]:
        return None
    why = _kept_out(moment, scenario, last) or _outranked(moment, scenario) or _full(moment, scenario)
    if why is not None:
        moment.tell(why.reason, scenario.id, why.detail)
        return why
    engagement = engagement_of(customer)
    journey = Journey(scenario.id, scenario.version, moment.event_id, moment.at, key=key)
    journey.about = about(moment.told)
    engagement.journeys = [*(engagement.journeys or ()), journey]
    kept = {known: at for known, at in (engagement.entered or {}).items() if known != name}
    engagement.entered = bounded_entered({**kept, name: moment.at})
    moment.tell(Reason.JOURNEY_BEGUN, scenario.id, {**({"key": key} if key else {}), **(seen or {})})
    go(moment, scenario, journey, 0)
    return None


def _kept_out(moment: Moment, scenario: Scenario, last: float | None) -> Refusal | None:
    program, orders = program_of(scenario), moment.customer.orders
    if scenario.stopped:
        return Refusal(Reason.SCENARIO_STOPPED, {})
    if last is not None and moment.at - last < scenario.reentry:
        return Refusal(Reason.REENTRY, {"last_fired": last, "window": min(scenario.reentry, 1e9)})
    if orders is not None and _is_for_orders(program) and orders.last_at > moment.at:  # late: it is reached already
        window = orders.last_at - moment.at
        return Refusal(Reason.RECENT_ORDER, {"last_order": orders.last_at, "window": window})
    return _ordered(scenario, orders, moment.at)


def _is_for_orders(program: Program) -> bool:
    """Whether any order that follows its beginning ends it."""
    goal = program.goal
    return (
        goal is not None
        and program.ends_on_goal
        and goal.event in ORDERS
        and goal.when is None
        and program.entry not in ORDERS
    )


def _ordered(scenario: Scenario, orders: Orders | None, at: float) -> Refusal | None:
    if orders is None or at - orders.last_at >= scenario.order_within:
        return None
    return Refusal(Reason.RECENT_ORDER, {"last_order": orders.last_at, "window": scenario.order_within})


def _outranked(moment: Moment, scenario: Scenario) -> Refusal | None:
    """One scenario of a family at a time: of a lower priority than ours gives way."""
    index, customer = moment.basis.scenarios, moment.customer
    for journey in journeys_of(customer):
        other = index.of(journey.scenario, journey.version)
        if other is None or other.id == scenario.id or other.family != scenario.family:
            continue
        if other.priority >= scenario.priority:
            return Refusal(Reason.OUTRANKED, {"by": other.id})
    speaking = [item for item in customer.open or () if not item.step and not item.cancelled]
    for item in speaking:
        other = index.of(item.scenario, item.version)
        if other is not None and other.family == scenario.family and other.priority >= scenario.priority:
            return Refusal(Reason.OUTRANKED, {"by": other.id})
    give_way(moment, scenario)
    for item in speaking:
        other = index.of(item.scenario, item.version)
        if other is not None and other.family == scenario.family:
            take_back(moment.decision, moment.key, item, Reason.OUTRANKED, moment.event_id, moment.now)
            moment.tell(
                Reason.OUTRANKED, other.id, {"by": scenario.id}, trigger_id=item.trigger_id, channel=item.channel
            )
    return None


def give_way(moment: Moment, scenario: Scenario) -> None:
    """End the journeys of other scenarios of the family."""
    for journey in journeys_of(moment.customer):
        other = moment.basis.scenarios.of(journey.scenario, journey.version)
        if other is not None and other.id != scenario.id and other.family == scenario.family:
            leave(moment, journey, Reason.OUTRANKED, {"by": scenario.id})


def in_the_way(moment: Moment, scenario: Scenario) -> Refusal | None:
    """The journey of its family that keeps a scenario without steps from firing."""
    for journey in journeys_of(moment.customer):
        other = moment.basis.scenarios.of(journey.scenario, journey.version)
        if other is not None and other.family == scenario.family and other.priority >= scenario.priority:
            return Refusal(Reason.OUTRANKED, {"by": other.id})
    return None


def _full(moment: Moment, scenario: Scenario) -> Refusal | None:
    """Make room: the oldest of the lowest priority goes, unless ours is lower still."""
    while len(journeys_of(moment.customer)) >= JOURNEYS:
        if bound(moment, scenario.priority) is not None:
            return Refusal(Reason.JOURNEYS_FULL, {"most": JOURNEYS})
    return None


def bound(moment: Moment, priority: int) -> Journey | None:
    """End the oldest journey of the lowest priority; where that is above `priority` it stays, and is returned."""
    index = moment.basis.scenarios

    def rank(journey: Journey) -> tuple[int, float, str]:
        known = index.of(journey.scenario, journey.version)
        return (known.priority if known is not None else -1, journey.at, journey.anchor)

    lowest = min(journeys_of(moment.customer), key=rank)
    if rank(lowest)[0] > priority:
        return lowest
    leave(moment, lowest, Reason.JOURNEYS_FULL, {"most": JOURNEYS})
    return None


def entered_of(customer: Customer) -> Mapping[str, float]:
    """Scenario, and what tells journeys of it apart -> when the customer last entered."""
    return (customer.engagement.entered if customer.engagement is not None else None) or {}


def name_of(scenario: str, key: str) -> str:
    """What an entry is remembered under; `key` tells journeys of one scenario apart."""
    return f"{scenario}{KEY}{key}" if key else scenario


def joined(moment: Moment, entered: Sequence[Mapping[str, float]]) -> None:
    """Two customers are one: of one scenario and key one journey goes on, of one family one scenario, and no more than there is room for.

    `entered` is when each of the two had entered what, before they were one: `reentry` holds for both together.
    """
    customer, index = moment.customer, moment.basis.scenarios
    for journey in sorted(journeys_of(customer), key=lambda item: (item.at, item.anchor)):
        if not is_under_way(customer, journey):
            continue
        scenario = index.of(journey.scenario, journey.version)
        if scenario is None or scenario.program is None:
            leave(moment, journey, Reason.SCENARIO_GONE)
            continue
        before = [at for side in entered if (at := side.get(name_of(journey.scenario, journey.key), inf)) < journey.at]
        if before and journey.at - max(before) < scenario.reentry:
            leave(moment, journey, Reason.REENTRY, {"last_fired": max(before), "window": min(scenario.reentry, 1e9)})
            continue
        goal, orders = scenario.program.goal, customer.orders
        if (
            orders is not None
            and goal is not None
            and _is_for_orders(scenario.program)
            and journey.at <= orders.last_at <= journey.at + goal.within
        ):
            leave(moment, journey, Reason.GOAL_REACHED, {"goal": goal.event})
            continue
        for other in journeys_of(customer):
            known = index.of(other.scenario, other.version)
            if other is journey or known is None:
                continue
            if (other.scenario, other.key) == (journey.scenario, journey.key):
                leave(moment, other, Reason.ENDED_BY_MERGE, {"alias": "another key"})
            elif known.id != scenario.id and known.family == scenario.family:
                loser, winner = (other, journey) if known.priority <= scenario.priority else (journey, other)
                leave(moment, loser, Reason.OUTRANKED, {"by": winner.scenario})
                if loser is journey:
                    break
    while len(journeys_of(customer)) > JOURNEYS:
        bound(moment, 1_000)


def last_entered(customer: Customer, scenario: str) -> float:
    """When the customer last entered the scenario, under whatever key; 0: never, as far as is known."""
    known = entered_of(customer)
    return max((at for name, at in known.items() if name.partition(KEY)[0] == scenario), default=0.0)
