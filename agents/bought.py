"""What an order says of messages: which scenarios had fired before it, for recipients and for the control group alike. Pure."""

from agents.allowed import Basis, group_of
from app.model.event import Event
from app.model.journal import JournalLine
from app.model.reasons import Reason
from tables.customer import Customer


def bought_after(basis: Basis, key: str, customer: Customer, event: Event, at: float) -> list[JournalLine]:
    """A line for each scenario that fired within the policy's time before the order: what messages bring is worked out from these."""
    policy, told = basis.policy, event.properties
    lines = []
    for name, fired_at in (customer.fired or {}).items():
        scenario = basis.scenarios.by_id.get(name)
        if scenario is None or not scenario.marketing or not fired_at <= at <= fired_at + policy.goal_within:
            continue
        detail: dict[str, str | float | int] = {
            "fired_at": fired_at,
            "group": group_of(policy, scenario, key) or "recipients",
            "order": ((told.order_id if told is not None else "") or event.messageId)[:200],
            "value": told.total if told is not None else 0.0,
        }
        lines.append(JournalLine(at, key, Reason.BOUGHT_AFTER, name, event_id=event.messageId, detail=detail))
    return lines
