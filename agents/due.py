"""What happens when a customer's timer comes up: the highest priority that nothing holds back fires. Pure."""

from math import ceil, inf

import msgspec

from agents.allowed import Basis, Held, Withheld, allow
from agents.cascade import bound, decide_stages, supersede
from agents.compose import Saying, skipped, spoken, trigger_of
from agents.conditions.ask import facts_of, holds
from agents.decision import Decision
from agents.journeys.dates import decide_dates, wake_of
from agents.journeys.due import decide_journeys
from agents.journeys.enter import enter, give_way, in_the_way
from agents.journeys.moment import Moment
from agents.journeys.replenish import decide_replenishing
from agents.optin import lapse
from agents.scenarios.evaluate import Refusal, ShelfOf, as_of, content, next_stage, nothing_left, refusal, stops
from agents.scenarios.index import Dues
from agents.scenarios.language import Scenario
from agents.scenarios.reach import Reached, Skipped, reach
from app.model.journal import JournalLine
from app.model.reasons import Reason
from app.model.trigger import trigger_id
from tables.customer import OPEN_TRIGGERS, Armed, Customer, Open


class Ready(msgspec.Struct, frozen=True, gc=False):
    """An armed scenario whose time has come."""

    scenario: Scenario
    instance: Armed
    due: float


def decide_due(
    basis: Basis, key: str, customer: Customer, now: float, shelf: ShelfOf, until: float, dues: Dues | None = None
) -> Decision:
    """Look at everything of customer `key` that is due at or before `until`; each fires or is refused, as of `now`.

    Both are epoch seconds. Only up to `until` is it known what has happened: a deadline between the two (the timer was an
    older one, postponed since) has neither had its grace nor passed the lag gate, and comes up again by itself. `dues`: the
    customer's, where they are known already.
    """
    decision = Decision(customer)
    ready: list[Ready] = []
    waiting: list[Armed] = []
    soonest: float | None = None
    for due, instance, scenario in basis.scenarios.dues(customer) if dues is None else dues:
        if scenario is None:
            decision.reasons.append(JournalLine(now, key, Reason.SCENARIO_GONE, instance.scenario))
        elif due > until:
            waiting.append(instance)
            if soonest is None or due < soonest:
                soonest = due
        else:
            ready.append(Ready(scenario, instance, due))
    soonest = _decide(basis, decision, ready, key, now, shelf, waiting, soonest)
    customer.armed = waiting or None
    decision.wake_at = soonest
    _beside(basis, decision, key, now, shelf, until)
    return decision


def _decide(
    basis: Basis,
    decision: Decision,
    ready: list[Ready],
    key: str,
    now: float,
    shelf: ShelfOf,
    waiting: list[Armed],
    soonest: float | None,
) -> float | None:
    """Fire what is ready, or tell why not; what is held is `waiting` again. Returns when the first of those is due."""
    winners: dict[str, str] = {}
    if len(ready) > 1:
        ready.sort(key=lambda item: (-item.scenario.priority, item.scenario.id))
    for item in ready:
        family = item.scenario.family
        answer: Refusal | Held | Answer | None
        if item.scenario.program is None:
            answer = _answer(basis, decision, item, key, now, shelf, winners.get(family))
        else:
            answer = _begun(basis, decision, item, key, now, winners.get(family))
        if type(answer) is Refusal:
            decision.reasons.append(_refused(item, key, now, item.due, answer))
            continue
        winners[family] = item.scenario.id
        if answer is None:
            continue
        if type(answer) is Held:
            item.instance.held = ceil(answer.until)
            waiting.append(item.instance)
            soonest = min(float(item.instance.held), soonest or inf)
            decision.reasons.append(_refused(item, key, now, answer.until, QUIET))
        elif type(answer) is Answer:
            _fire(basis, decision, item, key, answer)
    return soonest


def _beside(basis: Basis, decision: Decision, key: str, now: float, shelf: ShelfOf, until: float) -> None:
    """What is due beside armed scenarios: later stages, steps of journeys, and consents that nobody has confirmed."""
    customer = decision.customer
    asked = customer.profile is not None and customer.profile.asked is not None
    if customer.open is not None:
        stage = next_stage(customer)
        if stage is not None and stage <= until:
            decide_stages(basis, decision, key, now, shelf, until)
            stage = next_stage(customer)
        if stage is not None and (decision.wake_at is None or stage < decision.wake_at):
            decision.wake_at = stage
    if asked:
        lapse(decision, key, now, until)
    engagement = customer.engagement
    if engagement is not None:
        if engagement.traits is not None and basis.scenarios.dated:
            decide_dates(basis, decision, key, now, until)
        if engagement.bought is not None and basis.scenarios.replenishing:
            decide_replenishing(basis, decision, key, now, until)
        if engagement.journeys is not None:
            decide_journeys(basis, decision, key, now, shelf, until)
    if asked or engagement is not None:
        decision.wake_at = wake_of(basis, customer)


QUIET = Refusal(Reason.QUIET_HOURS, {})


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What a scenario that fires says, the stages that cannot, and the control group that keeps it from being said."""

    saying: Saying
    missed: tuple[Skipped, ...]
    group: str = ""


def _begun(basis: Basis, decision: Decision, item: Ready, key: str, now: float, winner: str | None) -> Refusal | None:
    """Begin the journey that an absence leads to, or tell why not. `winner`: the scenario of the family that fires just now."""
    if winner is not None:
        return Refusal(Reason.OUTRANKED, {"by": winner})
    held = stops(item.scenario, decision.customer, item.due, now)
    if held is None:
        enter(
            Moment(basis, decision, key, as_of(item.scenario, item.due, now), now, item.instance.anchor), item.scenario
        )
    return held


def _answer(
    basis: Basis, decision: Decision, item: Ready, key: str, now: float, shelf: ShelfOf, winner: str | None
) -> Refusal | Held | Answer:
    """What to say, or why not to fire. `winner`: the scenario of the family that fires just now."""
    scenario, customer = item.scenario, decision.customer
    if winner is not None:
        return Refusal(Reason.OUTRANKED, {"by": winner})
    held = refusal(scenario, customer, item.due, now, basis.scenarios.families.get(scenario.family, ()))
    if held is not None:
        return held
    if scenario.still is not None and not holds(scenario.still, basis.policy, customer, now):
        seen = facts_of(scenario.still, basis.policy, customer, now)
        return Refusal(Reason.CONDITION, {"when": scenario.still.told(seen)[:200]})
    found, missed = reach(scenario, key, customer)
    if found is None:
        return missed[0].why
    shown = content(scenario, customer, now, shelf)
    if shown is None:
        return nothing_left(scenario)
    free = allow(basis, scenario, key, customer, found, as_of(scenario, item.due, now))
    if type(free) is Refusal or type(free) is Held:
        return free
    if customer.engagement is not None and customer.engagement.journeys is not None:
        moment = Moment(basis, decision, key, now, now)
        way = in_the_way(moment, scenario)
        if way is not None:
            return way
        give_way(moment, scenario)
    group = free.group if type(free) is Withheld else ""
    reached = free if type(free) is Reached else found
    return Answer(Saying(scenario, reached, shown, item.due, now, item.instance.anchor), missed, group)


def _refused(item: Ready, key: str, now: float, due: float, why: Refusal) -> JournalLine:
    anchor = item.instance.anchor
    return JournalLine(now, key, why.reason, item.scenario.id, "", anchor, "", due, why.detail)


def _fire(basis: Basis, decision: Decision, item: Ready, key: str, answer: Answer) -> None:
    scenario, instance, customer, now = item.scenario, item.instance, decision.customer, answer.saying.now
    name = trigger_id(scenario.id, scenario.version, key, instance.anchor, 0)
    trigger = trigger_of(basis, answer.saying, name, key, customer)
    if answer.missed:
        decision.reasons += [skipped(one, scenario.id, name, key, now, item.due) for one in answer.missed]
    customer.fired = {**(customer.fired or {}), scenario.id: now}
    if answer.group:  # written down like a recipient, and nothing else
        line = spoken(trigger, Reason.CONTROL_GROUP)
        line.detail["group"] = answer.group
        decision.reasons.append(line)
        return
    decision.fired.append(trigger)
    decision.reasons.append(spoken(trigger, Reason.FIRED))
    if customer.open is not None:
        supersede(basis, decision, key, scenario.id, now)
    first, *others = trigger.cascade
    opened = Open(name, scenario.id, first.channel, now, instance.at, trigger.expires_at)
    opened.marketing, opened.stage, opened.version = scenario.marketing, trigger.stage, scenario.version
    if others:
        opened.ways = [way.channel for way in others]
    customer.open = [*(customer.open or ()), opened]
    if len(customer.open) > OPEN_TRIGGERS:
        bound(decision, key, now)
