"""The scenarios, found by what starts and what ends them, and by version. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from agents.scenarios.evaluate import next_stage, talking_until
from agents.scenarios.language import Scenario
from tables.customer import Armed, Customer, Open

Dues = list[tuple[float, Armed, Scenario | None]]
"""See `ScenarioIndex.dues`."""


class Heard(NamedTuple):
    """What scenarios make of an event with certain signals."""

    ending: tuple[tuple[str, frozenset[str]], ...]
    """(signal or event's name, the scenarios that it ends, in some version)."""
    starting: tuple[tuple[str, tuple[Scenario, ...]], ...]
    signals: frozenset[str]
    words: frozenset[str]
    """The signals, and the event's name."""
    entering: tuple[Scenario, ...]
    """Scenarios with steps that it may begin."""
    awaited: bool
    """Whether some journey may listen to it."""


class ScenarioIndex:
    """Scenarios by id and version, by signal and by family."""

    __slots__ = (
        "_former",
        "_heard",
        "awaited",
        "by_id",
        "changing",
        "dated",
        "ending",
        "entering",
        "families",
        "goals",
        "named",
        "planned",
        "purchases",
        "replenishing",
        "starting",
    )

    def __init__(self, scenarios: Iterable[Scenario], former: Iterable[Scenario] = ()) -> None:
        """`former` are earlier versions, under which what has begun may end. They begin nothing."""
        self.by_id = {scenario.id: scenario for scenario in scenarios}
        self._former = {(old.id, old.version): old for old in former if self._ends_as_begun(old)}
        starting: dict[str, list[Scenario]] = defaultdict(list)
        ending: dict[str, list[Scenario]] = defaultdict(list)
        families: dict[str, list[str]] = defaultdict(list)
        entering: dict[str, list[Scenario]] = defaultdict(list)
        for scenario in self.by_id.values():
            if scenario.program is not None and scenario.program.entry:
                entering[scenario.program.entry].append(scenario)
            for name in scenario.of:
                starting[name].append(scenario)
        for scenario in (*self.by_id.values(), *self._former.values()):
            if scenario.id not in families[scenario.family]:
                families[scenario.family].append(scenario.id)
            for name in scenario.without:
                ending[name].append(scenario)
        self.starting, self.ending = dict(starting), dict(ending)
        self.families = {name: tuple(ids) for name, ids in families.items()}
        goals: dict[str, list[Scenario]] = defaultdict(list)
        for scenario in self.by_id.values():
            if scenario.goal:
                goals[scenario.goal].append(scenario)
        self.goals = {name: tuple(found) for name, found in goals.items()}
        """Event -> the scenarios that it is the goal of; orders, which are those of all others, are not among them."""
        self.entering = {name: tuple(sorted(found, key=_rank)) for name, found in entering.items()}
        stepping = [(s, s.program) for s in self.by_id.values() if s.program is not None]
        self.dated = tuple(s for s, program in stepping if program.dated is not None)
        """Scenarios that begin on a date of the customer."""
        changing = ((s, program.change) for s, program in stepping if program.change is not None and not s.stopped)
        self.changing = tuple(sorted(changing, key=lambda one: _rank(one[0])))
        """Scenarios that begin on a change of the catalogue, with the change."""
        self.planned = {s.id: s for s, program in stepping if program.planned is not None}
        """Scenarios that begin at times by the shop's clock, by id."""
        self.replenishing = tuple((s, program.replenish) for s, program in stepping if program.replenish is not None)
        """Scenarios that begin before something is likely to be bought again."""
        programs = [scenario.program for scenario in self.all() if scenario.program is not None]
        self.awaited = frozenset(name for program in programs for name in program.awaited)
        """Signals and event names that journeys listen to."""
        self.purchases = frozenset(program.replenish.of for program in programs if program.replenish is not None)
        """By what purchases are to be kept: product, category, or neither."""
        self.named = frozenset(starting) | frozenset(ending) | frozenset(goals) | frozenset(entering) | self.awaited
        """Every signal and event name that some scenario listens to."""
        self._heard: dict[tuple[tuple[str, ...], str], Heard] = {}

    def _ends_as_begun(self, old: Scenario) -> bool:
        """Whether something of a former version may still end under it: the scenario says so, or is no longer there itself."""
        new = self.by_id.get(old.id)
        return new is None or (new.finish and old.version != new.version)

    def of(self, name: str, version: int) -> Scenario | None:
        """The scenario under which something of `version` goes on; None: it is gone. A version of 0 is not known: the one of today."""
        if self._former:
            old = self._former.get((name, version))
            if old is not None:
                return old
        return self.by_id.get(name)

    def dues(self, customer: Customer) -> Dues:
        """What is armed: when each is due (as `due_at` tells it, epoch seconds), and under which scenario; None: it is gone.

        What goes on under none is due since it was armed. All timers ask for it, so it is one loop.
        """
        found: Dues = []
        former, by_id = self._former, self.by_id
        seen, dialogs = customer.last_seen, customer.dialogs
        for instance in customer.armed or ():
            name, due = instance.scenario, instance.at
            scenario = by_id.get(name) if not former else former.get((name, instance.version)) or by_id.get(name)
            if scenario is not None:
                if scenario.leaving and due < seen:
                    due = seen
                due += scenario.wait
                if instance.held > due:
                    due = float(instance.held)
                if dialogs is not None:
                    due = max(due, talking_until(scenario, dialogs))
            found.append((due, instance, scenario))
        return found

    def is_ended(self, name: str, version: int, by: str) -> bool:
        """Whether the signal or event `by`, which ends some version of a scenario, ends this one."""
        scenario = self.of(name, version)
        return scenario is None or by in scenario.without

    def all(self) -> tuple[Scenario, ...]:
        """Today's scenarios, and former versions under which something may still end."""
        return (*self.by_id.values(), *self._former.values())

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
                frozenset(words),
                tuple(sorted({s.id: s for word in words for s in self.entering.get(word, ())}.values(), key=_rank)),
                not self.awaited.isdisjoint(words),
            )
        return found

    def saying(self, item: Open) -> Scenario | None:
        """The scenario whose cascade an open trigger is at; of a journey's message that of its step. None: it is gone."""
        scenario = self.of(item.scenario, item.version)
        if not item.step or scenario is None:
            return scenario
        return scenario.program.saying(item.step) if scenario.program is not None else None

    def topic_of(self, scenario: str, version: int = 0) -> str:
        """The topic of a scenario's messages; of one that is gone, none. Of a version that is not known it is the one of today, or else the last."""
        known = self.of(scenario, version)
        if known is None:
            former = [old for (name, _), old in self._former.items() if name == scenario]
            known = max(former, key=lambda old: old.version, default=None)
        return known.topic if known is not None else ""

    def wake_of(self, customer: Customer, dues: Dues | None = None) -> float | None:
        """The customer's earliest deadline, epoch seconds, or None. `dues`: his, where they are known already."""
        soonest: float | None = None
        for due, _, _ in self.dues(customer) if dues is None else dues:
            if soonest is None or due < soonest:
                soonest = due
        if customer.open is not None:
            stage = next_stage(customer)
            soonest = stage if soonest is None or (stage is not None and stage < soonest) else soonest
        if customer.engagement is not None:
            for journey in customer.engagement.journeys or ():
                if journey.due and (soonest is None or journey.due < soonest):
                    soonest = journey.due
        if customer.profile is not None and customer.profile.asked is not None:
            lapses = min((item.until for item in customer.profile.asked.values() if not item.over), default=None)
            return lapses if soonest is None or (lapses is not None and lapses < soonest) else soonest
        return soonest


def _rank(scenario: Scenario) -> tuple[int, str]:
    """The highest priority comes first."""
    return -scenario.priority, scenario.id
