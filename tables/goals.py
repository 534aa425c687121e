"""The orders of a customer that messages may have brought. Pure; what they mean is decided in `agents/worth`."""

from tables.customer import GOALS, Customer
from tables.engagement import Engagement, Goal


def goals_of(customer: Customer) -> list[Goal]:
    """The orders that are known, oldest first. Not to be changed."""
    engagement = customer.engagement
    return [] if engagement is None or engagement.goals is None else engagement.goals


def goal_of(customer: Customer, order: str) -> Goal | None:
    """What is known of an order."""
    return next((goal for goal in goals_of(customer) if goal.order == order), None)


def keep(customer: Customer, goal: Goal) -> None:
    """Remember an order, in place of what was known of it; of too many the oldest go."""
    if customer.engagement is None:
        customer.engagement = Engagement()
    others = [known for known in goals_of(customer) if known.order != goal.order]
    customer.engagement.goals = _bounded([*others, goal])


def join(owner: Customer, alias: Customer) -> None:
    """Both customers' orders become the owner's. What was told of one order under both keys stands once, as the owner has it."""
    known = goals_of(owner)
    names = {goal.order for goal in known}
    found = [goal for goal in goals_of(alias) if goal.order not in names]
    if found:
        if owner.engagement is None:
            owner.engagement = Engagement()
        owner.engagement.goals = _bounded([*known, *found])


def _bounded(goals: list[Goal]) -> list[Goal]:
    """One of which only the refund is known has no place in time: it counts as new, for its order is still to come."""
    return sorted(goals, key=lambda goal: (not goal.at, goal.at, goal.order))[-GOALS:]
