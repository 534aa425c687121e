"""What an event means for journeys: it ends them, moves them on, and begins new ones. Pure."""

from agents.journeys.enter import enter
from agents.journeys.moment import Moment, journeys_of
from agents.journeys.walk import go, leave, program_of
from agents.scenarios.index import Heard
from agents.scenarios.language import Scenario
from agents.scenarios.program import Listen
from app.model.reasons import Reason
from tables.engagement import Journey


def on_heard(moment: Moment, heard: Heard, *, historical: bool = False) -> None:
    """An event, or a signal, that some journey listens to. A `historical` one, old or imported, only reaches goals."""
    for journey in journeys_of(moment.customer):
        scenario = moment.basis.scenarios.of(journey.scenario, journey.version)
        if scenario is None or scenario.program is None or moment.event_id == journey.anchor:
            continue
        if moment.at >= journey.at and not _is_over(moment, scenario, journey, heard) and not historical:
            _moved(moment, scenario, journey, heard)
    if not historical:
        for scenario in heard.entering:
            enter(moment, scenario)


def _is_over(moment: Moment, scenario: Scenario, journey: Journey, heard: Heard) -> bool:
    """Whether the event ends the journey."""
    program = program_of(scenario)
    if program.leaving and program.leaving in heard.words:
        leave(moment, journey, Reason.ENDED_BY_SEGMENT)
        return True
    goal = program.goal
    if goal is None or goal.event not in heard.words or moment.at > journey.at + goal.within:
        return False
    if moment.at == journey.at and program.entry in heard.words:
        return False  # of one moment with what began it, and of its kind: it does not follow
    holds, saw = moment.holds(goal.when)
    if not holds:
        return False
    if program.ends_on_goal:
        leave(moment, journey, Reason.GOAL_REACHED, {"goal": goal.event, **({"saw": saw} if saw else {})})
        return True
    if not journey.reached:
        journey.reached = moment.at
        moment.tell(Reason.GOAL_REACHED, scenario.id, {"goal": goal.event, "began": journey.at, "goes_on": 1})
    return False


def _moved(moment: Moment, scenario: Scenario, journey: Journey, heard: Heard) -> None:
    """Whether the event is what the journey waits for; then it walks on."""
    steps = program_of(scenario).steps
    step = steps[journey.step - 1] if 0 < journey.step <= len(steps) else None
    if not isinstance(step, Listen) or moment.at < journey.since:
        return
    for number, heed in enumerate(step.events, 1):
        if heed.event in heard.words:
            holds, saw = moment.holds(heed.when)
            if holds:
                detail: dict[str, str | float | int] = {"step": step.place, "branch": number, "saw": saw or heed.event}
                moment.tell(Reason.BRANCH_TAKEN, scenario.id, detail)
                go(moment, scenario, journey, heed.target)
                return
