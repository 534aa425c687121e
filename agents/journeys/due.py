"""What happens when a step of a journey comes due: a wait is over, or a message is to be said. Pure."""

from math import ceil

from agents.allowed import Basis, Held, Withheld, allow
from agents.cascade import bound
from agents.compose import Saying, skipped, spoken, trigger_of
from agents.decision import Decision
from agents.journeys.content import shown
from agents.journeys.moment import Moment, is_under_way, journeys_of
from agents.journeys.telling import tell_team
from agents.journeys.walk import go, leave, settle
from agents.scenarios.evaluate import Refusal, ShelfOf, as_of, nothing_left, stops, talking_until
from agents.scenarios.language import Scenario
from agents.scenarios.program import At, Delay, Listen, Say, Tell
from agents.scenarios.reach import Reached, Skipped, reach
from app.model.reasons import Reason
from app.model.trigger import trigger_id
from tables.customer import OPEN_TRIGGERS, Customer, Open
from tables.engagement import Journey


def decide_journeys(basis: Basis, decision: Decision, key: str, now: float, shelf: ShelfOf, until: float) -> None:
    """Decide the steps of customer `key` that are due at or before `until`, as of `now` (both epoch seconds)."""
    customer = decision.customer
    due = [journey for journey in journeys_of(customer) if 0.0 < journey.due <= until]
    for _, _, journey in sorted(((*_rank(basis, item), item) for item in due), key=lambda found: found[:2]):
        if not is_under_way(customer, journey):
            continue
        scenario = basis.scenarios.of(journey.scenario, journey.version)
        moment = Moment(basis, decision, key, journey.due, now)
        steps = () if scenario is None or scenario.program is None else scenario.program.steps
        step = steps[journey.step - 1] if 0 < journey.step <= len(steps) else None
        if scenario is None or not isinstance(step, Delay | At | Listen | Say | Tell):
            leave(moment, journey, Reason.SCENARIO_GONE)  # or today's version has no such step
        elif isinstance(step, Say):
            _say(moment, scenario, journey, step, shelf)
        elif isinstance(step, Tell):
            held = tell_team(moment, scenario, journey, step)
            if held is not None and held.reason is Reason.SCENARIO_STOPPED:
                leave(moment, journey, Reason.SCENARIO_STOPPED)
            else:
                go(moment._replace(at=now), scenario, journey, journey.step)
        elif isinstance(step, Listen):
            moment.tell(Reason.WAITED_IN_VAIN, scenario.id, {"step": step.place}, due=journey.due)
            go(moment, scenario, journey, step.target)
        else:
            go(moment, scenario, journey, journey.step)
    settle(Moment(basis, decision, key, now, now))


def _rank(basis: Basis, journey: Journey) -> tuple[int, str]:
    scenario = basis.scenarios.of(journey.scenario, journey.version)
    return (-scenario.priority if scenario is not None else 0, f"{journey.scenario} {journey.anchor}")


def _say(moment: Moment, scenario: Scenario, journey: Journey, step: Say, shelf: ShelfOf) -> None:
    """Say the first stage of a message, or tell why not; then the journey goes on at once."""
    said, customer, now = step.scenario, moment.customer, moment.now
    name = trigger_id(said.id, said.version, moment.key, journey.anchor, journey.step)
    missed: list[Skipped] = []
    answer = _answer(moment, said, journey, shelf, missed)
    moment.decision.reasons += [skipped(one, said.id, name, moment.key, now, journey.due) for one in missed]
    if isinstance(answer, Held):
        reason = Reason.HELD_BY_DIALOG if talking_until(said, customer.dialogs or []) > now else Reason.QUIET_HOURS
        journey.due = float(ceil(answer.until))
        moment.wake(journey.due)
        moment.tell(reason, said.id, {"step": step.place}, due=journey.due)
        return
    after = moment._replace(at=now)
    if isinstance(answer, Refusal):
        moment.tell(answer.reason, said.id, {"step": step.place, **answer.detail}, trigger_id=name, due=journey.due)
        if answer.reason is Reason.SCENARIO_STOPPED:
            leave(after, journey, Reason.SCENARIO_STOPPED)
        else:
            go(after, scenario, journey, journey.step)
        return
    saying, group = answer
    trigger = trigger_of(moment.basis, saying, name, moment.key, customer)
    customer.fired = {**(customer.fired or {}), said.id: now}
    line = spoken(trigger, Reason.CONTROL_GROUP if group else Reason.FIRED)
    line.detail = {"step": step.place, **line.detail, **({"group": group} if group else {})}
    moment.decision.reasons.append(line)
    if group:  # written down like a recipient, and nothing else
        go(after, scenario, journey, journey.step)
        return
    moment.decision.fired.append(trigger)
    opened = Open(name, said.id, trigger.cascade[0].channel, now, journey.at, trigger.expires_at)
    opened.marketing, opened.stage, opened.version = said.marketing, trigger.stage, said.version
    opened.ways = [way.channel for way in trigger.cascade[1:]] or None
    opened.step, opened.anchor = journey.step, journey.anchor
    journey.due = 0.0
    customer.open = [*(customer.open or ()), opened]
    if len(customer.open) > OPEN_TRIGGERS:
        bound(moment.decision, moment.key, now)


def _answer(
    moment: Moment, said: Scenario, journey: Journey, shelf: ShelfOf, missed: list[Skipped]
) -> Refusal | Held | tuple[Saying, str]:
    """What to say, and the control group that keeps it from being said; or why not. Stages that cannot be spoken go to `missed`."""
    customer, due, now = moment.customer, journey.due, moment.now
    held = stops(said, customer, due, now)
    if held is not None:
        return held
    talking = _talking(said, customer)
    if talking > now:
        return Held(talking)
    found, passed = reach(said, moment.key, customer)
    if found is None:
        return passed[0].why
    what = shown(said, customer, journey, now, shelf)
    if what is None:
        return nothing_left(said)
    free = allow(moment.basis, said, moment.key, customer, found, as_of(said, due, now))
    if isinstance(free, Refusal | Held):
        return free
    missed += passed
    reached = free if isinstance(free, Reached) else found
    saying = Saying(said, reached, what, due, now, journey.anchor, journey.step)
    return saying, free.group if isinstance(free, Withheld) else ""


def _talking(said: Scenario, customer: Customer) -> float:
    return talking_until(said, customer.dialogs) if customer.dialogs is not None else 0.0
