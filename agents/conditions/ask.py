"""Asks a condition about a customer as the policy knows him. Pure."""

from datetime import UTC

from agents.conditions.touched import TIME
from agents.conditions.verdict import Condition, Facts
from agents.zones import zone_of
from app.model.event import Properties
from app.model.policy import Policy
from tables.customer import Customer


def facts_of(
    condition: Condition, policy: Policy, customer: Customer, now: float, event: Properties | None = None
) -> Facts:
    """What the condition may look at; the zone is looked for only where the condition asks for the time."""
    zone = zone_of(customer, policy) if TIME in condition.reads else UTC
    return Facts(customer, now, event, zone)


def holds(
    condition: Condition, policy: Policy, customer: Customer, now: float, event: Properties | None = None
) -> bool:
    """Whether the condition holds at `now` (epoch seconds)."""
    return condition.holds(facts_of(condition, policy, customer, now, event)).value
