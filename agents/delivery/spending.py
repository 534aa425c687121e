"""What messages cost: a ceiling for each scenario and day, kept in the ledger. Pure.

Every partition keeps its own account and may spend its share of the ceiling, the whole divided by the number of partitions: no message
waits for another machine. Where customers of one scenario are few, shares are used unevenly, and less than the whole is spent.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from agents.delivery.rules import Rules
from app.model.trigger import Trigger
from channels.ledger import DAY, Spent, budget_key
from channels.quiet import zone
from tables.step import Step

KEEP = 2 * DAY
"""How long the account of a day is known."""


def may_spend(rows: Mapping[str, Any], trigger: Trigger, price: float, at: float, rules: Rules) -> bool:
    """Whether there is room for one more message of `price` on the day of `at` (epoch seconds), by these rows of the ledger."""
    ceiling = rules.policy.budget_of(trigger.scenario)
    if ceiling is None or price <= 0.0 or trigger.alert is not None or trigger.confirm_until:
        return True
    return spent_today(rows, trigger.scenario, at, rules) + price <= ceiling / rules.partitions


def spent_today(rows: Mapping[str, Any], scenario: str, at: float, rules: Rules) -> float:
    """What the scenario has spent on the day of `at` in the partition of these rows."""
    spent = rows.get(_key(scenario, at, rules))
    return float(spent.amount) if spent is not None else 0.0


def spend(step: Step, scenario: str, amount: float, at: float, rules: Rules) -> None:
    """Note what was spent on the day of `at`; below 0: it was not, after all."""
    if rules.policy.budget_of(scenario) is None or not amount:
        return
    key = _key(scenario, at, rules)
    spent = step.rows.get(key) or Spent(deadline=at + KEEP)
    spent.amount = max(0.0, spent.amount + amount)
    step.put(key, spent)
    step.wake(key, spent.deadline)


def _key(scenario: str, at: float, rules: Rules) -> str:
    day = datetime.fromtimestamp(at, zone(rules.policy.zone) or UTC).date()
    return budget_key(scenario, day.isoformat())
