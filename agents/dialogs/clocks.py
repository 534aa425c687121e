"""The clocks of dialogs: what is armed, and when what follows from an alert by itself. Pure."""

from collections import defaultdict
from collections.abc import Collection, Iterable

from agents.dialogs.staff import Staff
from agents.scenarios.dialogs import DialogScenario, wait_of
from app.model.alert import AlertState, Watch
from tables import cart
from tables.customer import Customer
from tables.dialog import Dialog

Dues = dict[str, float]
"""Scenario -> when it comes due, epoch seconds."""


def stake(customer: Customer) -> float:
    """What the client's cart is worth."""
    return cart.value(customer.cart) if customer.cart is not None else 0.0


class Situation:
    """What the cases of a scenario look at."""

    def __init__(self, customer: Customer, dialog: Dialog, staff: Staff) -> None:
        self.value = stake(customer)
        self.managers: Collection[str] = staff.managers(dialog)
        self.tags: Collection[str] = dialog.tags or ()


class Clocks:
    """The scenarios by what they watch, over the team's business hours."""

    def __init__(self, scenarios: Iterable[DialogScenario], staff: Staff) -> None:
        self.by_id = {scenario.id: scenario for scenario in scenarios}
        self._by_watch: dict[Watch, list[DialogScenario]] = defaultdict(list)
        for scenario in self.by_id.values():
            self._by_watch[scenario.watch].append(scenario)
        self._staff = staff

    def dues(self, customer: Customer, dialog: Dialog) -> Dues:
        """What is armed in a dialog. An episode that has had its alert arms nothing."""
        found: Dues = {}
        if dialog.over:
            return found
        situation: Situation | None = None
        for watch, scenarios in self._by_watch.items():
            run = dialog.running(watch)
            if run is None or dialog.is_settled(watch):
                continue
            situation = situation or Situation(customer, dialog, self._staff)
            start, spent = run
            for scenario in scenarios:
                due = self._staff.hours.add(start, wait_of(scenario, situation) - spent)
                found[scenario.id] = max(due, dialog.snoozed_until)
        return found

    def alert_due(self, dialog: Dialog) -> float | None:
        """When something follows from the alert by itself: the end of a snooze, or the next in line is told."""
        live = dialog.alert
        if live is None:
            return None
        if live.state is AlertState.SNOOZED:
            return live.until
        scenario = self.by_id.get(live.scenario)
        if live.state is not AlertState.OPEN or scenario is None or not scenario.escalate_after:
            return None
        if self._staff.next(dialog, live.told or ()) is None:
            return None
        return self._staff.hours.add(live.told_at, scenario.escalate_after)

    def wake_of(self, customer: Customer) -> float | None:
        """The earliest deadline of the customer's dialogs, epoch seconds, or None."""
        soonest: float | None = None
        for dialog in customer.dialogs or ():
            for at in (*self.dues(customer, dialog).values(), self.alert_due(dialog), dialog.forget_at):
                if at is not None and (soonest is None or at < soonest):
                    soonest = at
        return soonest
