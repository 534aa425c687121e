"""Where customers stand in scenarios with steps, from the journal's lines to counts. Pure.

The newest line of a customer and a scenario says where he stands. Of journeys that go side by side (`per`) one is seen. A wait that is over, and of which
nothing further was said, is a message that is being said.
"""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from app.model.journal import JournalLine
from app.model.reasons import Reason

STANDING = frozenset({Reason.JOURNEY_BEGUN, Reason.JOURNEY_WAITS})
LEAVING = frozenset({
    Reason.JOURNEY_EXITED, Reason.JOURNEY_ENDED, Reason.GOAL_REACHED, Reason.ENDED_BY_SEGMENT, Reason.ENDED_BY_MERGE,
    Reason.OUTRANKED, Reason.REENTRY, Reason.SCENARIO_GONE, Reason.SCENARIO_STOPPED, Reason.JOURNEYS_FULL,
})  # fmt: skip
"""Reasons that end a journey, in lines that tell when it `began`; the others of that reason are about something else."""
BEGAN, GOES_ON = "began", "goes_on"
SPEAKING = ""
"""The step of whoever is being written to."""


class Seen(NamedTuple):
    """A line about journeys, and the customer's key as it is today."""

    id: int
    customer: str
    line: JournalLine


class StepCount(msgspec.Struct):
    """Customers who stand at a step; `soonest` and `latest` (epoch seconds) are until when they wait; 0: a message is being said."""

    step: str
    customers: int = 0
    soonest: float = 0.0
    latest: float = 0.0


class Journeys(msgspec.Struct):
    """A scenario with steps: customers at each step, how often it was begun, and how often and why it was left."""

    scenario: str
    begun: int
    steps: list[StepCount]
    exits: dict[str, int]

    @property
    def under_way(self) -> int:
        """Customers at any step."""
        return sum(step.customers for step in self.steps)


def journeys_of(seen: Iterable[Seen], now: float) -> list[Journeys]:
    """Every scenario with steps of which anything is known at `now` (epoch seconds), in order of name. `seen` are newest first."""
    begun, exits = Counter[str](), Counter[tuple[str, str]]()
    steps: dict[tuple[str, str], StepCount] = {}
    known: set[tuple[str, str]] = set()
    told: set[int] = set()
    for number, customer, line in seen:
        name, stands = line.scenario, line.reason in STANDING
        if not stands and (BEGAN not in line.detail or line.detail.get(GOES_ON)):
            continue
        if number not in told:
            begun[name] += line.reason == Reason.JOURNEY_BEGUN
            exits[name, line.reason] += not stands
            told.add(number)
        if (customer, name) not in known:
            known.add((customer, name))
            if stands:
                _stand(steps, line, now)
    names = sorted({*begun, *(name for name, _ in exits)})
    return [_scenario(name, begun[name], steps, exits) for name in names]


def _stand(steps: dict[tuple[str, str], StepCount], line: JournalLine, now: float) -> None:
    """Count a customer at his step."""
    waits = line.reason == Reason.JOURNEY_WAITS and line.due > now
    step = str(line.detail.get("step", ""))[:100] if waits else SPEAKING
    count = steps.setdefault((line.scenario, step), StepCount(step))
    count.customers += 1
    if waits:
        count.soonest = min(count.soonest or line.due, line.due)
        count.latest = max(count.latest, line.due)


def _scenario(
    name: str, begun: int, steps: dict[tuple[str, str], StepCount], exits: Counter[tuple[str, str]]
) -> Journeys:
    own = sorted((step for (scenario, _), step in steps.items() if scenario == name), key=_order)
    left = {reason: count for (scenario, reason), count in exits.items() if scenario == name and count}
    return Journeys(name, begun, own, dict(sorted(left.items(), key=lambda item: (-item[1], item[0]))))


def _order(step: StepCount) -> tuple[list[tuple[int, str]], str]:
    """As they stand in the file: numbers by their size."""
    return [(int(part) if part.isdigit() else 0, part) for part in step.step.replace("[", ".").split(".")], step.step
