"""The alert of an episode, from its firing to its end: told, escalated, snoozed, ended. Pure; one alert for one episode."""

from collections.abc import Collection

from agents.dialogs.clocks import Clocks, stake
from agents.dialogs.outcome import Matter
from agents.dialogs.showing import message, updates
from agents.dialogs.staff import Staff, Target
from agents.scenarios.dialogs import DialogScenario
from app.model.alert import AlertState, Watch
from app.model.chat import alert_key
from app.model.event import Event
from app.model.link import Claim, Release
from app.model.reasons import Reason
from app.model.trigger import alert_id
from tables.customer import Customer
from tables.dialog import Dialog, LiveAlert

MOST_PRIORITY = 3


class Alarms:
    """Raises alerts and follows them."""

    def __init__(self, clocks: Clocks, staff: Staff) -> None:
        self._by_id = clocks.by_id
        self._staff = staff

    def fire(self, matter: Matter, dialog: Dialog, scenario: DialogScenario, due: float) -> None:
        """The absence became true at `due`: an alert, or the reason why there is none. Either settles the episode."""
        watch, live = scenario.watch, dialog.alert
        anchor, run = dialog.anchor(watch), dialog.running(watch)
        dialog.settle(watch)
        if matter.at - due > scenario.max_lateness:
            matter.journal(Reason.TOO_LATE, dialog, scenario.id, due=due, late=matter.at - due, event=anchor)
        elif watch is Watch.SILENT_CLIENT and _has_bought(matter.customer, dialog):
            matter.journal(Reason.ENDED_BY_ORDER, dialog, scenario.id, due=due)
        elif live is not None and live.live:
            live.priority = min(live.priority + 1, MOST_PRIORITY)
            matter.journal(Reason.JOINED, dialog, scenario.id, live.alert_id, due, by=live.scenario)
            self._update(matter, dialog, live, Reason.JOINED)
        else:
            self.release(matter, dialog)
            since = dialog.asked_at or (run[0] if run is not None else due)
            name = alert_id(scenario.id, scenario.version, dialog.key, anchor, 0)
            live = LiveAlert(name, scenario.id, scenario.version, watch, matter.at, since, priority=scenario.priority)
            dialog.alert = live
            matter.out.claims.append(Claim(alert_key(name), matter.key, matter.at, anchor))
            matter.journal(Reason.FIRED, dialog, scenario.id, name, due, value=stake(matter.customer))
            self._send(matter, dialog, live, self._staff.levels(dialog)[0], due)

    def go_on(self, matter: Matter, dialog: Dialog, due: float) -> None:
        """A snooze is over, or nobody has taken the alert until `due`: tell somebody."""
        live = dialog.alert
        if live is None:
            return
        first = self._staff.levels(dialog)[0]
        if live.state is AlertState.SNOOZED:
            live.state, live.until = AlertState.OPEN, 0.0
            reason, target = Reason.SNOOZE_OVER, self._staff.member(live.by) or first
        else:
            live.level += 1
            reason, target = Reason.ESCALATED, self._staff.next(dialog, live.told or ()) or first
        self._update(matter, dialog, live, reason)
        scenario = self._by_id.get(live.scenario)
        if scenario is None:
            return
        if reason is Reason.ESCALATED and scenario.reassign:
            dialog.taken_by, dialog.taken_name = target.member, target.name
        to = target.member or "team"
        matter.journal(reason, dialog, live.scenario, live.alert_id, due, to=to, level=live.level)
        self._send(matter, dialog, live, target, due)

    def end(self, matter: Matter, dialog: Dialog, watches: Collection[Watch], reason: Reason) -> None:
        """The alert, if it is of one of `watches`, has no more to say."""
        live = dialog.alert
        if live is None or not live.live or live.watch not in watches:
            return
        live.state, live.until, dialog.snoozed_until = AlertState.RESOLVED, 0.0, 0.0
        matter.journal(reason, dialog, live.scenario, live.alert_id)
        self._update(matter, dialog, live, reason)

    def came_back(self, matter: Matter, dialog: Dialog, event: Event) -> bool:
        """The client is on the site while the alert waits: it is worth more, and tells what is looked at. Whether it says so."""
        live, customer = dialog.alert, matter.customer
        if live is None or not live.live or matter.at <= live.fired_at or event.source == "server":
            return False  # a back end is not on the site
        product = event.properties.name if event.event == "Product Viewed" and event.properties is not None else ""
        anew = not live.returned_at or customer.session_started > live.returned_at
        if not anew and (live.note or not product):
            return False
        if anew:
            live.priority, live.note = min(live.priority + 1, MOST_PRIORITY), ""
            live.returned_at = matter.at
            matter.journal(Reason.CLIENT_RETURNED, dialog, live.scenario, live.alert_id, priority=live.priority)
        live.note = product or live.note
        self._update(matter, dialog, live, Reason.CLIENT_RETURNED)
        return True

    def said(self, matter: Matter, dialog: Dialog, reason: Reason, was_live: bool) -> None:
        """Somebody of the team has said something about the dialog. The end of an alert that was over before is not told again."""
        live = dialog.alert
        scenario, alert_id = (live.scenario, live.alert_id) if live is not None else ("", "")
        by = live.by_name or live.by if live is not None else dialog.taken_name or dialog.taken_by
        matter.journal(reason, dialog, scenario, alert_id, by=by)
        if live is not None and was_live:
            self._update(matter, dialog, live, reason)

    def release(self, matter: Matter, dialog: Dialog) -> None:
        """The key of the dialog's alert need not be found any more."""
        if dialog.alert is not None:
            matter.out.releases.append(Release(alert_key(dialog.alert.alert_id), matter.key, matter.at))

    def _update(self, matter: Matter, dialog: Dialog, live: LiveAlert, reason: Reason) -> None:
        matter.out.updates += updates(matter, dialog, live, self._staff, reason)

    def _send(self, matter: Matter, dialog: Dialog, live: LiveAlert, target: Target, due: float) -> None:
        """Tell `target` of the alert. Where no channel reaches anybody the alert stands on the board alone."""
        scenario, live.told_at = self._by_id[live.scenario], matter.at
        live.told = list(dict.fromkeys([*(live.told or ()), target.member]))
        for whom in (target, self._staff.team()):
            trigger = message(matter, scenario, dialog, live, whom, self._staff, due)
            if trigger is not None:
                live.steps += 1
                matter.out.fired.append(trigger)
                return
        to = target.member or "team"
        matter.journal(Reason.NO_ADDRESS, dialog, scenario.id, live.alert_id, due, channel="the team", to=to)


def _has_bought(customer: Customer, dialog: Dialog) -> bool:
    """Whether there was an order since the client's last word."""
    return customer.orders is not None and customer.orders.last_at >= max(dialog.client_at, dialog.opened_at)
