"""Journeys that begin at a time by the shop's clock. Pure."""

from agents.allowed import Basis
from agents.decision import Decision
from agents.journeys.enter import enter, entered_of
from agents.journeys.moment import Moment
from agents.journeys.walk import program_of
from agents.scenarios.evaluate import stops
from agents.scenarios.language import Scenario
from tables.customer import Sweep


def decide_planned(basis: Basis, decision: Decision, key: str, scenario: Scenario, sweep: Sweep, now: float) -> None:
    """Begin the journey of customer `key` whose time has come, as of `now` (epoch seconds); of one time one journey begins."""
    if entered_of(decision.customer).get(scenario.id, 0.0) >= sweep.at:
        return
    moment = Moment(basis, decision, key, sweep.at, now, sweep.id)
    if not moment.holds(program_of(scenario).when)[0]:
        return
    held = stops(scenario, decision.customer, sweep.at, now)
    if held is not None:
        moment.tell(held.reason, scenario.id, held.detail, due=sweep.at)
    else:
        enter(moment, scenario, "")
