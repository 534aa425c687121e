"""Shows what scenarios have spent today, and of what: the accounts of the partitions that we have."""

from collections.abc import Mapping

from agents.delivery.desk import Desk
from agents.delivery.rules import Rules
from agents.delivery.settle import Note
from agents.delivery.spending import spent_today
from app import metrics

MOST = 200
"""Scenarios that are shown; further ones are not."""


class Accounts:
    """The accounts, shown as gauges. Of scenarios that only `*` covers, those that have spent something since we began."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._known = dict.fromkeys(name for name in rules.policy.budgets if name != "*")

    def take(self) -> None:
        """The policy is another one. Who had a budget before is shown on, with none."""
        self._known |= dict.fromkeys(name for name in self._rules.policy.budgets if name != "*")

    def note(self, note: Note) -> None:
        """Remember who has spent something."""
        if not note.price or note.scenario in self._known or len(self._known) >= MOST:
            return
        if self._rules.policy.budget_of(note.scenario) is not None:
            self._known[note.scenario] = None

    def show(self, desks: Mapping[int, Desk], now: float) -> None:
        """Bring the gauges up to date; `now` is epoch seconds. All processes' gauges together are the whole."""
        for scenario in self._known:
            ceiling = self._rules.policy.budget_of(scenario) or 0.0
            spent = sum(spent_today(desk.rows, scenario, now, self._rules) for desk in desks.values())
            metrics.BUDGET_SPENT.labels(scenario).set(spent)
            metrics.BUDGET_CEILING.labels(scenario).set(ceiling * len(desks) / self._rules.partitions)
