"""The scenarios, found by what starts and what ends them. Pure."""

from collections import defaultdict
from collections.abc import Iterable

from agents.scenarios.evaluate import due_at
from agents.scenarios.language import Scenario
from tables.customer import Customer


class ScenarioIndex:
    """Scenarios by id, by signal and by family."""

    __slots__ = ("by_id", "ending", "families", "named", "starting")

    def __init__(self, scenarios: Iterable[Scenario]) -> None:
        self.by_id = {scenario.id: scenario for scenario in scenarios}
        starting: dict[str, list[Scenario]] = defaultdict(list)
        ending: dict[str, list[Scenario]] = defaultdict(list)
        families: dict[str, list[str]] = defaultdict(list)
        for scenario in self.by_id.values():
            families[scenario.family].append(scenario.id)
            for name in scenario.of:
                starting[name].append(scenario)
            for name in scenario.without:
                ending[name].append(scenario)
        self.starting, self.ending = dict(starting), dict(ending)
        self.families = {name: tuple(ids) for name, ids in families.items()}
        self.named = frozenset(starting) | frozenset(ending)
        """Every signal and event name that some scenario listens to."""

    def wake_of(self, customer: Customer) -> float | None:
        """The customer's earliest deadline, epoch seconds, or None."""
        soonest: float | None = None
        for instance in customer.armed or ():
            scenario = self.by_id.get(instance.scenario)
            due = instance.at if scenario is None else due_at(scenario, instance, customer)
            if soonest is None or due < soonest:
                soonest = due
        return soonest
