"""What happens when a customer's timer comes up: the highest priority that nothing holds back fires. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from agents.cascade import decide_stages, supersede, within_caps
from agents.compose import Saying, skipped, spoken, trigger_of
from agents.decision import Decision
from agents.scenarios.evaluate import Refusal, ShelfOf, as_of, content, due_at, refusal
from agents.scenarios.index import ScenarioIndex
from agents.scenarios.language import Scenario
from agents.scenarios.reach import Skipped, reach
from app.model.journal import JournalLine
from app.model.reasons import Reason
from app.model.trigger import trigger_id
from tables.customer import OPEN_TRIGGERS, Armed, Customer, Open


class Ready(NamedTuple):
    """An armed scenario whose time has come."""

    scenario: Scenario
    instance: Armed
    due: float


def decide_due(
    index: ScenarioIndex, locale: str, key: str, customer: Customer, now: float, shelf: ShelfOf, until: float
) -> Decision:
    """Look at everything of customer `key` that is due at or before `until`; each fires or is refused, as of `now`.

    Both are epoch seconds. Only up to `until` is it known what has happened: a deadline between the two (the timer was an
    older one, postponed since) has neither had its grace nor passed the lag gate, and comes up again by itself.
    """
    decision = Decision(customer)
    ready: list[Ready] = []
    waiting: list[Armed] = []
    soonest: float | None = None
    for instance in customer.armed or ():
        scenario = index.by_id.get(instance.scenario)
        if scenario is None:
            decision.reasons.append(JournalLine(now, key, Reason.SCENARIO_GONE, instance.scenario))
            continue
        due = due_at(scenario, instance, customer)
        if due > until:
            waiting.append(instance)
            soonest = due if soonest is None else min(due, soonest)
        else:
            ready.append(Ready(scenario, instance, due))
    customer.armed = waiting or None
    winners: dict[str, str] = {}
    if len(ready) > 1:
        ready.sort(key=lambda item: (-item.scenario.priority, item.scenario.id))
    for item in ready:
        family = item.scenario.family
        answer = _answer(item, key, customer, now, shelf, winners.get(family), index.families[family])
        if isinstance(answer, Refusal):
            decision.reasons.append(_refused(item, key, now, answer))
        else:
            winners[family] = item.scenario.id
            _fire(decision, item, key, answer, locale)
    if customer.open is not None:
        decide_stages(decision, index, locale, key, now, shelf, until)
        soonest = index.wake_of(customer)
    decision.wake_at = soonest
    return decision


class Answer(NamedTuple):
    """What a scenario that fires says, and the stages that cannot."""

    saying: Saying
    missed: tuple[Skipped, ...]


def _answer(
    item: Ready,
    key: str,
    customer: Customer,
    now: float,
    shelf: ShelfOf,
    winner: str | None,
    family: Sequence[str],
) -> Refusal | Answer:
    """What to say, or why not to fire. `winner`: the scenario of the family that fires just now."""
    scenario = item.scenario
    if winner is not None:
        return Refusal(Reason.OUTRANKED, {"by": winner})
    held = refusal(scenario, customer, item.due, now, family)
    if held is not None:
        return held
    found, missed = reach(scenario, key, customer)
    if found is None:
        return missed[0].why
    shown = content(scenario, customer, now, shelf)
    if shown is None:
        return Refusal(Reason.CONDITION, {"nothing_left_of": scenario.show.items})
    free = within_caps(scenario, customer, found, as_of(scenario, item.due, now))
    if isinstance(free, Refusal):
        return free
    return Answer(Saying(scenario, free, shown, item.due, now, item.instance.anchor), missed)


def _refused(item: Ready, key: str, now: float, why: Refusal) -> JournalLine:
    anchor = item.instance.anchor
    return JournalLine(now, key, why.reason, item.scenario.id, "", anchor, "", item.due, why.detail)


def _fire(decision: Decision, item: Ready, key: str, answer: Answer, locale: str) -> None:
    scenario, instance, customer, now = item.scenario, item.instance, decision.customer, answer.saying.now
    name = trigger_id(scenario.id, scenario.version, key, instance.anchor, 0)
    trigger = trigger_of(answer.saying, name, key, customer, locale)
    decision.reasons += [skipped(one, scenario.id, name, key, now, item.due) for one in answer.missed]
    decision.fired.append(trigger)
    decision.reasons.append(spoken(trigger, Reason.FIRED))
    for old in [old for old in customer.open or () if old.scenario == scenario.id and old.next_at]:
        supersede(decision, key, old, now)
    opened = Open(name, scenario.id, trigger.cascade[0].channel, now, instance.at, trigger.expires_at)
    opened.marketing, opened.stage = scenario.marketing, trigger.stage
    customer.open = [*(customer.open or ()), opened][-OPEN_TRIGGERS:]
    customer.fired = {**(customer.fired or {}), scenario.id: now}
