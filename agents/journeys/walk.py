"""A journey walks from step to step until one has to wait, or it is over. Pure.

Every program jumps forward only (`agents/scenarios/compile_steps.py`), so a walk has at most as many steps as its program.
"""

from hashlib import blake2b
from math import inf

from agents.cascade import take_back
from agents.journeys.clock import next_at
from agents.journeys.moment import Detail, Moment, engagement_of, journeys_of
from agents.scenarios.language import Scenario
from agents.scenarios.program import At, Delay, Draw, Jump, Leave, Listen, Note, Program, Say, Split, Step, Tell
from agents.zones import zone_of
from app.model.reasons import Reason
from tables.customer import Customer
from tables.engagement import AUDIENCES, TAGS, Journey, set_traits

LOOKED_AT_AFTER = 60.0
"""Seconds after which segments that ask for traits or tags see what a step has noted: scenarios that a segment and a note begin in turn
so come round once a minute, and not for ever at one moment."""


def program_of(scenario: Scenario) -> Program:
    """The program of a scenario that has one."""
    assert scenario.program is not None, "journeys are of scenarios with steps"
    return scenario.program


def go(moment: Moment, scenario: Scenario, journey: Journey, position: int) -> None:
    """Walk on from step `position`, counted from 0."""
    steps = program_of(scenario).steps
    while position < len(steps):
        step = steps[position]
        journey.step, journey.since = position + 1, moment.at
        if isinstance(step, Delay):
            return _wait(moment, journey, step, moment.at + step.seconds)
        if isinstance(step, At):
            zone = zone_of(moment.customer, moment.basis.policy)
            return _wait(moment, journey, step, next_at(zone, moment.at, step.minutes, step.days))
        if isinstance(step, Listen):
            return _wait(moment, journey, step, moment.at + step.most)
        if isinstance(step, Say | Tell):  # spoken by a timer, behind the lag gate, like every message
            journey.due = moment.at
            moment.wake(moment.at)
            return None
        if isinstance(step, Leave):
            return leave(moment, journey, Reason.JOURNEY_EXITED, {"step": step.place, "why": step.why})
        position = _pass(moment, scenario, step, position)
    return leave(moment, journey, Reason.JOURNEY_ENDED)


def _wait(moment: Moment, journey: Journey, step: Step, due: float) -> None:
    journey.due = due
    moment.wake(due)
    moment.tell(Reason.JOURNEY_WAITS, journey.scenario, {"step": step.place}, due=due)


def _pass(moment: Moment, scenario: Scenario, step: Step, position: int) -> int:
    """Do what a step that never waits does. Returns where it goes on."""
    if isinstance(step, Jump):
        return step.target
    if isinstance(step, Split):
        for number, (when, target) in enumerate(step.ways, 1):
            holds, saw = moment.holds(when)
            if holds:
                moment.tell(
                    Reason.BRANCH_TAKEN,
                    scenario.id,
                    {"step": step.place, "branch": number, "saw": saw or "none of the others"},
                )
                return target
        moment.tell(Reason.BRANCH_TAKEN, scenario.id, {"step": step.place, "branch": 0, "saw": "none holds"})
        return step.target
    if isinstance(step, Draw):
        arm = drawn(scenario.id, step, moment.key)
        moment.tell(Reason.ARM_DRAWN, scenario.id, {"step": step.place, "experiment": step.name, "arm": arm + 1})
        return step.arms[arm][1]
    assert isinstance(step, Note), "the others wait"
    note(moment, scenario, step)
    return position + 1


def drawn(scenario: str, step: Draw, key: str) -> int:
    """The arm of customer `key`, counted from 0: by his key alone, so that he comes into it again."""
    digest = blake2b(f"{scenario}\x1f{step.name}\x1f{key}".encode(), digest_size=8).digest()
    left = int.from_bytes(digest) % sum(share for share, _ in step.arms)
    for number, (share, _) in enumerate(step.arms):
        if left < share:
            return number
        left -= share
    raise AssertionError("what is left is less than all shares together")


def note(moment: Moment, scenario: Scenario, step: Note) -> None:
    """Note traits, tags and audiences; of too many the oldest are forgotten."""
    engagement = engagement_of(moment.customer)
    detail: Detail = {"step": step.place}
    if step.traits:
        set_traits(engagement, dict(step.traits), moment.at)
        detail |= dict(step.traits)
    if step.tags:
        engagement.tags = _marked(engagement.tags, step.tags, moment.at, TAGS)
        detail["tags"] = _words(step.tags)
    if step.audiences:
        engagement.audiences = _marked(engagement.audiences, step.audiences, moment.at, AUDIENCES)
        detail["audiences"] = _words(step.audiences)
    moment.tell(Reason.NOTED, scenario.id, detail)
    if moment.basis.noted and (step.traits or step.tags):
        engagement.segments_at = min(engagement.segments_at or inf, moment.now + LOOKED_AT_AFTER)
        moment.wake(engagement.segments_at)


def _marked(
    known: dict[str, float] | None, marks: tuple[tuple[str, bool], ...], at: float, most: int
) -> dict[str, float] | None:
    out = dict(known or {})
    for name, is_on in marks:
        if is_on:
            out.setdefault(name, at)
        else:
            out.pop(name, None)
    return dict([*out.items()][-most:]) or None


def _words(marks: tuple[tuple[str, bool], ...]) -> str:
    return " ".join(f"{'+' if is_on else '-'}{name}" for name, is_on in marks)[:200]


def leave(moment: Moment, journey: Journey, reason: Reason, detail: Detail | None = None) -> None:
    """The journey is over: no timer is left of it, and what is with the sender is called back."""
    customer = moment.customer
    engagement_of(customer).journeys = [other for other in journeys_of(customer) if other is not journey] or None
    for item in list(customer.open or ()):
        if item.is_of(journey):
            take_back(moment.decision, moment.key, item, reason, moment.event_id, moment.now)
    moment.tell(reason, journey.scenario, {"began": journey.at, **(detail or {})})


def settle(moment: Moment) -> None:
    """Walk on where a message was waited for and its cascade is over."""
    for journey in journeys_of(moment.customer):
        if journey.due or _is_speaking(moment.customer, journey):
            continue
        scenario = moment.basis.scenarios.of(journey.scenario, journey.version)
        if scenario is None or scenario.program is None:
            leave(moment, journey, Reason.SCENARIO_GONE)
        else:
            go(moment, scenario, journey, journey.step)


def _is_speaking(customer: Customer, journey: Journey) -> bool:
    return any(item.is_of(journey) and item.step == journey.step for item in customer.open or ())
