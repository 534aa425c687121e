"""Schedules: of each scenario that begins at times by the shop's clock every partition has a row with a timer. Pure.

When such a time comes a walk over the partition's customers begins (`agents/sweeps.py`), and the row moves on to the next one, both in
one step. So a time is decided about once, whatever crashes, and one that comes while nothing runs is decided about afterwards:
of several the last, by the scenario's own rules for what is late.
"""

from agents.decide import Decider
from agents.journeys.occurrences import last_until, name_of, next_after, times_of
from agents.journeys.walk import program_of
from agents.scenarios.language import Scenario
from agents.scenarios.program import Planned
from agents.sweeps import Sweeps
from tables.customer import PLAN_PREFIX, Schedule, Sweep
from tables.step import Step

FULL = 60.0
"""Seconds after which a walk is begun that the partition had no room for."""


def _planned(scenario: Scenario) -> Planned:
    planned = program_of(scenario).planned
    assert planned is not None, "only these are asked for"
    return planned


class Schedules:
    """The schedules of all partitions. Nothing of them is in memory beside the rows."""

    def __init__(self, decider: Decider, sweeps: Sweeps) -> None:
        self._decider, self._sweeps = decider, sweeps
        self._is_over = False

    def __bool__(self) -> bool:
        """Whether some scenario has a schedule."""
        return bool(self._decider.planned)

    def keep(self, step: Step, at: float) -> None:
        """Have a row for each schedule; of one that is new, or has other times, the first comes after `at` (epoch seconds).

        The row of a scenario that is gone goes when it comes up.
        """
        planned, zone = self._decider.planned, self._decider.shop_zone
        for scenario in planned.values():
            key, times = PLAN_PREFIX + scenario.id, times_of(_planned(scenario), zone)
            row = step.rows.get(key)
            if type(row) is not Schedule or row.times != times:
                due = next_after(_planned(scenario), zone, at)
                step.put(key, Schedule(scenario.id, times, due))
                step.wake(key, due)

    def end(self) -> None:
        """Begin no walk any more: history is over, and only what has begun comes due."""
        self._is_over = True

    def come(self, step: Step, key: str, row: Schedule, at: float) -> None:
        """The time of a schedule has come; it is `at` (epoch seconds)."""
        scenario, zone = self._decider.planned.get(row.scenario), self._decider.shop_zone
        if scenario is None:
            step.delete(key)
            return
        planned = _planned(scenario)
        times = times_of(planned, zone)
        if self._is_over or row.times != times or row.due > at:
            if row.times != times:
                row.times, row.due = times, next_after(planned, zone, at)
                step.touch(key)
            if not self._is_over:
                step.wake(key, row.due)
            return
        last = max(row.due, last_until(planned, zone, at))
        if not scenario.stopped:
            walk = Sweep(name_of(scenario.id, zone, last), last, [], at, scenario=scenario.id)
            if not self._sweeps.begin_planned(step, walk):
                step.wake(key, at + FULL)
                return
            self._sweeps.counts["missed"] += last > row.due
        row.due = next_after(planned, zone, last)
        step.touch(key)
        step.wake(key, row.due)
