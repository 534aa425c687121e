"""The scenarios, found by what starts and what ends them. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from agents.scenarios.evaluate import due_at
from agents.scenarios.language import Scenario
from tables.customer import Customer


class Heard(NamedTuple):
    """What scenarios make of an event with certain signals."""

    ending: tuple[tuple[str, frozenset[str]], ...]
    """(signal or event's name, the scenarios that it ends)."""
    starting: tuple[tuple[str, tuple[Scenario, ...]], ...]
    signals: frozenset[str]


class ScenarioIndex:
    """Scenarios by id, by signal and by family."""

    __slots__ = ("_heard", "by_id", "ending", "families", "named", "starting")

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
        self._heard: dict[tuple[tuple[str, ...], str], Heard] = {}

    def heard(self, signals: tuple[str, ...], name: str) -> Heard | None:
        """What scenarios make of an event called `name` that means `signals`; None: nothing.

        Worked out once for each combination, of which there are few: a name that no scenario listens to counts as none.
        """
        if name not in self.named:
            if not signals:
                return None
            name = ""
        found = self._heard.get((signals, name))
        if found is None:
            words = (*signals, name) if name else signals
            found = self._heard[signals, name] = Heard(
                tuple((word, frozenset(s.id for s in self.ending[word])) for word in words if word in self.ending),
                tuple((word, tuple(self.starting[word])) for word in words if word in self.starting),
                frozenset(signals),
            )
        return found

    def topic_of(self, scenario: str) -> str:
        """The topic of a scenario's messages; of one that is gone, none."""
        known = self.by_id.get(scenario)
        return known.topic if known is not None else ""

    def wake_of(self, customer: Customer) -> float | None:
        """The customer's earliest deadline, epoch seconds, or None."""
        soonest: float | None = None
        for instance in customer.armed or ():
            scenario = self.by_id.get(instance.scenario)
            due = instance.at if scenario is None else due_at(scenario, instance, customer)
            if soonest is None or due < soonest:
                soonest = due
        for item in customer.open or ():
            if item.next_at and (soonest is None or item.next_at < soonest):
                soonest = float(item.next_at)
        if customer.profile is not None and customer.profile.asked is not None:
            lapses = min((item.until for item in customer.profile.asked.values() if not item.over), default=None)
            return lapses if soonest is None or (lapses is not None and lapses < soonest) else soonest
        return soonest
