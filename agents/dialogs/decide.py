"""What is decided about a customer's dialogs: an event, a command, a visit or a moment in, an Outcome out. Pure.

State is changed in place and is the truth. An episode has one alert: `Dialog.settle` notes the episode, whatever becomes of it.
"""

from collections.abc import Iterable

from agents.dialogs.alarms import Alarms
from agents.dialogs.clocks import Clocks, Dues
from agents.dialogs.commands import done, is_repeated, is_stale
from agents.dialogs.outcome import Matter, Outcome
from agents.dialogs.showing import view_of
from agents.dialogs.staff import Staff
from agents.scenarios.dialogs import DialogScenario
from app.model.alert import Deadline, Watch
from app.model.chat import ChatCommand, ChatEvent, ChatKind, alert_key, dialog_key
from app.model.event import Event
from app.model.journal import JournalLine
from app.model.link import Claim
from app.model.reasons import Reason
from tables.customer import Customer, Permission
from tables.dialog import DIALOGS, Dialog, Episodes, find
from tables.profile import set_consent
from tables.talk import BEGINS, Sign, begin, heard

HISTORICAL = 86_400.0
"""Seconds after which what arrives is history: what it begins alerts nobody, and what goes on without it goes on."""
ORDERED = "Order Completed"
_CART_EVENTS = frozenset({"Product Added", "Product Removed", "Cart Viewed"})
_ALL = frozenset(Watch)
_SILENCE = frozenset({Watch.SILENT_CLIENT})
_ENDS = {
    Sign.CLIENT_SPOKE: (Reason.ENDED_BY_ANSWER, _SILENCE),
    Sign.MANAGER_SPOKE: (Reason.ENDED_BY_MANAGER, _ALL - {Watch.RESOLUTION}),
    Sign.CLOSED: (Reason.ENDED_BY_CLOSING, _ALL),
}
"""Sign -> why, and the watches whose alert it ends."""
_NOT_ANY: frozenset[Watch] = frozenset()


class Dialogs:
    """The scenarios of dialogs and the team that hears of them."""

    def __init__(self, scenarios: Iterable[DialogScenario], staff: Staff) -> None:
        self._staff = staff
        self.take(scenarios)

    def take(self, scenarios: Iterable[DialogScenario], staff: Staff | None = None) -> None:
        """Go on with these scenarios, and this team if one is given; what is armed in dialogs follows from their state, and so from these."""
        self._staff = staff or self._staff
        self._clocks = Clocks(scenarios, self._staff)
        self._alarms = Alarms(self._clocks, self._staff)
        self.wake_of = self._clocks.wake_of
        self.scenarios = frozenset(self._clocks.by_id)

    # -- what happens --------------------------------------------------------------------------------------------

    def on_chat(self, key: str, customer: Customer, event: ChatEvent) -> Outcome:
        """Apply what happened in a messenger. What it means depends on the event's time alone."""
        matter = Matter(key, customer, event.at, event.event_id, Outcome())
        if event.kind is ChatKind.CONSENT:
            _consented(matter, event)
            return self._done(matter)
        name = dialog_key(event.provider, event.source, event.dialog)
        dialog = find(customer.dialogs, name)
        if dialog is None:
            if event.kind not in BEGINS:
                return self._done(matter)
            dialog = begin(event, name)
            self._add(matter, dialog)
        before = self._clocks.dues(customer, dialog)
        episodes = dialog.episodes()
        sign = heard(dialog, event, self._staff.hours)
        if sign is Sign.CLOSED:
            dialog.settle(*Watch)
        elif event.received_at - event.at > HISTORICAL:
            dialog.settle(*_set_going(dialog, episodes, event.received_at - HISTORICAL))
        reason, watches = _ENDS.get(sign, (Reason.ENDED_BY_EVENT, _NOT_ANY))
        self._alarms.end(matter, dialog, watches, reason)
        self._tell(matter, dialog, before, reason)
        self._show(matter, dialog)
        return self._done(matter)

    def on_command(self, key: str, customer: Customer, command: ChatCommand) -> Outcome:
        """Do what somebody of the team has said. One about a dialog or an alert that is not here, or over, is journaled as unknown."""
        matter = Matter(key, customer, command.at, command.event_id, Outcome())
        dialog = find(customer.dialogs, command.dialog) if command.dialog else _with_alert(customer, command.alert)
        if dialog is None or is_stale(dialog, command):
            detail: dict[str, str | float | int] = {"command": command.kind.value, "alert": command.alert[:40]}
            line = JournalLine(command.at, key, Reason.UNKNOWN_ALERT, event_id=command.event_id, detail=detail)
            matter.out.reasons.append(line)
        elif not is_repeated(dialog, command):
            before = self._clocks.dues(customer, dialog)
            was_live = dialog.alert is not None and dialog.alert.live
            reason = done(dialog, command, self._staff.hours)
            self._alarms.said(matter, dialog, reason, was_live)
            self._tell(matter, dialog, before, reason)
            self._show(matter, dialog)
        return self._done(matter)

    def on_visit(self, key: str, customer: Customer, event: Event, at: float) -> Outcome | None:
        """What an event on the site, already applied, means for the customer's dialogs; None: nothing."""
        matter = Matter(key, customer, at, event.messageId, Outcome())
        for dialog in customer.dialogs or ():
            if event.event == ORDERED:
                changed = self._ordered(matter, dialog, at)
            elif event.historical or dialog.over:
                changed = False
            else:
                changed = self._alarms.came_back(matter, dialog, event) or event.event in _CART_EVENTS
            if changed:
                self._show(matter, dialog)
        return self._done(matter) if matter.out.views else None

    def moved(self, key: str, customer: Customer, at: float) -> Outcome:
        """Dialogs have come here with the state of another key: what they are about may have been bought already."""
        matter = Matter(key, customer, at, "", Outcome())
        while len(customer.dialogs or ()) > DIALOGS:
            self._drop(matter, _first_to_go(customer))
        for dialog in customer.dialogs or ():
            if customer.orders is not None:
                self._ordered(matter, dialog, customer.orders.last_at)
            if dialog.alert is not None:
                matter.out.claims.append(Claim(alert_key(dialog.alert.alert_id), key, at))
            self._show(matter, dialog)
        return self._done(matter)

    def on_due(self, key: str, customer: Customer, now: float, until: float) -> Outcome:
        """Look at everything in the customer's dialogs that is due at or before `until`, as of `now` (both epoch seconds)."""
        matter, by_id = Matter(key, customer, now, "", Outcome()), self._clocks.by_id
        for dialog in list(customer.dialogs or ()):
            if dialog.forget_at <= until:
                self._drop(matter, dialog)
                continue
            changed = False
            for name, due in sorted(self._clocks.dues(customer, dialog).items(), key=lambda item: (item[1], item[0])):
                if due <= until and not dialog.is_settled(by_id[name].watch):
                    self._alarms.fire(matter, dialog, by_id[name], due)
                    changed = True
            alert_due = self._clocks.alert_due(dialog)
            if alert_due is not None and alert_due <= until:
                self._alarms.go_on(matter, dialog, alert_due)
                changed = True
            if changed:
                self._show(matter, dialog)
        return self._done(matter)

    def _ordered(self, matter: Matter, dialog: Dialog, at: float) -> bool:
        """An order at `at`: whoever has bought is not silent. Whether it concerns the dialog."""
        if dialog.over or at < max(dialog.client_at, dialog.opened_at):
            return False
        before = self._clocks.dues(matter.customer, dialog)
        self._alarms.end(matter, dialog, _SILENCE, Reason.ENDED_BY_ORDER)
        dialog.settle(Watch.SILENT_CLIENT)
        self._tell(matter, dialog, before, Reason.ENDED_BY_ORDER)
        return True

    # -- keeping -------------------------------------------------------------------------------------------------

    def _add(self, matter: Matter, dialog: Dialog) -> None:
        customer = matter.customer
        customer.dialogs = [*(customer.dialogs or ()), dialog]
        while len(customer.dialogs) > DIALOGS:
            self._drop(matter, _first_to_go(customer, dialog))

    def _drop(self, matter: Matter, dialog: Dialog) -> None:
        """Forget a dialog, with its alert and its row on the board."""
        customer = matter.customer
        if not dialog.over:
            self._alarms.end(matter, dialog, _ALL, Reason.DIALOG_FORGOTTEN)
            matter.journal(Reason.DIALOG_FORGOTTEN, dialog)
        self._alarms.release(matter, dialog)
        customer.dialogs = [item for item in customer.dialogs or () if item is not dialog] or None
        matter.out.views[dialog.key] = None

    def _tell(self, matter: Matter, dialog: Dialog, before: Dues, reason: Reason) -> None:
        """Journal what has been armed, moved and ended since `before`."""
        after = self._clocks.dues(matter.customer, dialog)
        for name in {**before, **after}:
            due = after.get(name, 0.0)
            if due != before.get(name, 0.0):
                why = reason if not due else Reason.MOVED if name in before else Reason.ARMED
                matter.journal(why, dialog, name, due=due)

    def _show(self, matter: Matter, dialog: Dialog) -> None:
        if dialog.over:
            matter.out.views[dialog.key] = None
            return
        dues = sorted(self._clocks.dues(matter.customer, dialog).items(), key=lambda item: item[1])
        deadlines = [Deadline(self._clocks.by_id[name].watch, name, due) for name, due in dues]
        matter.out.views[dialog.key] = view_of(matter, dialog, self._staff, deadlines)

    def _done(self, matter: Matter) -> Outcome:
        matter.out.wake_at = self.wake_of(matter.customer)
        return matter.out


def _set_going(dialog: Dialog, before: Episodes, until: float) -> list[Watch]:
    """The watches whose clock an event has set going at a moment before `until` (epoch seconds); the others are not its concern."""
    now = dialog.episodes().items()
    return [watch for watch, (anchor, run) in now if run and run[0] < until and before[watch] != (anchor, run)]


def _with_alert(customer: Customer, alert: str) -> Dialog | None:
    for item in customer.dialogs or ():
        if item.alert is not None and item.alert.alert_id == alert:
            return item
    return None


def _first_to_go(customer: Customer, but: Dialog | None = None) -> Dialog:
    others = (item for item in customer.dialogs or () if item is not but)
    return min(others, key=lambda item: (not item.over, item.changed_at))


def _consented(matter: Matter, event: ChatEvent) -> None:
    if event.granted is None:
        return
    consent = Permission(event.granted, event.at, f"{event.provider}:{event.source}")
    if set_consent(matter.customer, event.provider, consent):
        detail: dict[str, str | float | int] = {event.provider: "granted" if event.granted else "refused"}
        line = JournalLine(event.at, matter.key, Reason.CONSENT_CHANGED, event_id=event.event_id, detail=detail)
        matter.out.reasons.append(line)
