"""What begins a scenario arms it, or moves what is armed. Pure."""

from collections.abc import Sequence

from agents.allowed import Basis
from agents.conditions.ask import holds
from agents.decision import Decision
from agents.scenarios.evaluate import due_at, talking_until
from agents.scenarios.index import ScenarioIndex
from agents.scenarios.language import Scenario
from app.model.event import Properties
from app.model.journal import JournalLine
from app.model.reasons import Reason
from tables.customer import Armed, Customer
from tables.signals import ORDERED


def start(
    basis: Basis,
    decision: Decision,
    key: str,
    name: str,
    starting: Sequence[Scenario],
    event_id: str,
    at: float,
    told: Properties | None = None,
) -> None:
    """Arm what `name` starts, or move what is armed.

    Only what is newly armed needs a timer: what was armed before can only have been postponed, and its own finds that out.
    """
    customer = decision.customer
    bought = customer.orders is not None and customer.orders.last_at >= at
    for scenario in starting:
        if bought and (ORDERED in scenario.without or not name.startswith("segment_")):
            continue  # late: what it began has been bought already
        if scenario.when is not None and not holds(scenario.when, basis.policy, customer, at, told):
            continue
        instance = customer.instance(scenario.id)
        if instance is None:
            instance = Armed(scenario.id, scenario.version, event_id, at)
            customer.armed = [*(customer.armed or ()), instance]
            due, reason = due_at(scenario, instance, customer), Reason.ARMED
            if decision.wake_at is None or due < decision.wake_at:
                decision.wake_at = due
        elif (at, event_id) > (instance.at, instance.anchor):
            began_as, instance.version = instance.version, scenario.version
            instance.at, instance.anchor = at, event_id
            if scenario.leaving and began_as == scenario.version:
                continue
            due, reason = due_at(scenario, instance, customer), Reason.MOVED
            if began_as != scenario.version and (decision.wake_at is None or due < decision.wake_at):
                decision.wake_at = due  # the wait of this version may be a shorter one
        else:
            continue
        line = JournalLine(at, key, reason, scenario.id, "", event_id, "", due, {"signal": name})
        decision.reasons.append(line)


def held_by_dialog(index: ScenarioIndex, key: str, customer: Customer, event_id: str, at: float) -> list[JournalLine]:
    """Lines about what is armed and has to wait, now that the customer is in a dialog."""
    lines = []
    for instance in customer.armed or ():
        scenario = index.of(instance.scenario, instance.version)
        due = due_at(scenario, instance, customer) if scenario is not None else 0.0
        if scenario is not None and due == talking_until(scenario, customer.dialogs or []):
            lines.append(JournalLine(at, key, Reason.HELD_BY_DIALOG, scenario.id, event_id=event_id, due=due))
    return lines
