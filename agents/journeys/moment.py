"""What happens at a moment to the journeys of a customer, and what is told of it. Pure."""

from math import inf
from typing import NamedTuple

from agents.allowed import Basis
from agents.conditions.ask import facts_of
from agents.conditions.verdict import Condition
from agents.decision import Decision
from app.model.event import Properties
from app.model.journal import JournalLine
from app.model.reasons import Reason
from tables.customer import Customer
from tables.engagement import Engagement, Journey

MOST_TEXT = 200
"""Characters of what a condition saw."""

Detail = dict[str, str | float | int]


class Moment(NamedTuple):
    """`at` is when it happened, or when it was due; `now` as of when it is decided (both epoch seconds); `told` the event's properties."""

    basis: Basis
    decision: Decision
    key: str
    at: float
    now: float
    event_id: str = ""
    told: Properties | None = None

    @property
    def customer(self) -> Customer:
        """The customer."""
        return self.decision.customer

    def holds(self, condition: Condition | None) -> tuple[bool, str]:
        """Whether a condition holds, and what it saw."""
        if condition is None:
            return True, ""
        facts = facts_of(condition, self.basis.policy, self.customer, self.now, self.told)
        return condition.holds(facts).value, condition.told(facts)[:MOST_TEXT]

    def tell(
        self,
        reason: Reason,
        scenario: str,
        detail: Detail | None = None,
        *,
        trigger_id: str = "",
        channel: str = "",
        due: float = 0.0,
    ) -> None:
        """A line for the journal."""
        line = JournalLine(self.now, self.key, reason, scenario, trigger_id, self.event_id, channel, due, detail or {})
        self.decision.reasons.append(line)

    def wake(self, at: float) -> None:
        """The customer is to be looked at again at `at`, if not sooner."""
        self.decision.wake_at = min(self.decision.wake_at or inf, at)


def engagement_of(customer: Customer) -> Engagement:
    """Where journeys are kept; made where there is none."""
    if customer.engagement is None:
        customer.engagement = Engagement()
    return customer.engagement


def journeys_of(customer: Customer) -> tuple[Journey, ...]:
    """The customer's journeys, as they are now."""
    engagement = customer.engagement
    return tuple(engagement.journeys) if engagement is not None and engagement.journeys is not None else ()


def is_under_way(customer: Customer, journey: Journey) -> bool:
    """Whether the journey is not over yet."""
    return any(other is journey for other in journeys_of(customer))
