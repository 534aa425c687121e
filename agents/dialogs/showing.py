"""Makes what the sales team sees of a dialog: the alert, its messages and their changes, and the board's row. Pure."""

from agents.dialogs.clocks import stake
from agents.dialogs.outcome import Matter
from agents.dialogs.staff import Staff, Target
from agents.scenarios.dialogs import DialogScenario
from agents.scenarios.evaluate import of_cart, of_view
from app.model.alert import Alert, AlertUpdate, Deadline, DialogView, Word
from app.model.chat import DialogStatus, Speaker
from app.model.reasons import Reason
from app.model.trigger import Content, Stage, Trigger
from app.model.trigger import alert_id as id_of_alert
from tables.customer import Customer
from tables.dialog import Dialog, LiveAlert

LINES = 5
"""Lines of the cart, and views, that an alert shows."""
SEARCHES = 3


def message_of(alert_id: str, step: int) -> str:
    """The trigger id of the message number `step` of an alert; the first one's is the alert's own."""
    return alert_id if step == 0 else id_of_alert("alert", 0, alert_id, "", step)


def alert_of(dialog: Dialog, live: LiveAlert, customer: Customer, staff: Staff, to: str = "") -> Alert:
    """What an alert shows now. `to` is the member that it is for."""
    alert = Alert(
        live.alert_id,
        live.watch,
        dialog.key,
        dialog.provider,
        live.since,
        to=to,
        who=who(dialog, customer),
        manager=dialog.manager,
        manager_name=dialog.manager_name,
        url=staff.link(dialog),
        words=words(dialog),
        tags=list(dialog.tags or ()),
        priority=live.priority,
        level=live.level,
        note=live.note,
        returned_at=live.returned_at,
    )
    show_customer(alert, customer)
    return alert


def show_customer(alert: Alert, customer: Customer) -> None:
    """What an alert tells of the customer: the cart and its value, what was looked at and for, orders."""
    cart, orders = customer.cart, customer.orders
    alert.cart = [of_cart(line) for line in cart.lines[-LINES:]] if cart is not None else []
    alert.value = stake(customer)
    alert.currency = cart.currency if cart is not None else ""
    alert.views = [of_view(view) for view in reversed([*(customer.views or ())][-LINES:])]
    alert.searches = [search.query for search in reversed((customer.searches or [])[-SEARCHES:])]
    alert.orders = orders.count if orders is not None else 0
    alert.orders_total = orders.total if orders is not None else 0.0
    alert.last_seen = customer.last_seen


def message(
    matter: Matter,
    scenario: DialogScenario,
    dialog: Dialog,
    live: LiveAlert,
    target: Target,
    staff: Staff,
    due: float,
) -> Trigger | None:
    """The next message of an alert, for `target`; None: none of the scenario's channels reaches it."""
    stages = [Stage(stage.channel, stage.template) for stage in scenario.cascade if target.addresses.get(stage.channel)]
    if not stages:
        return None
    return Trigger(
        trigger_id=message_of(live.alert_id, live.steps),
        scenario=scenario.id,
        version=scenario.version,
        customer=matter.key,
        anchor=dialog.anchor(live.watch),
        due=due,
        fired_at=matter.at,
        expires_at=matter.at + scenario.send_within,
        cascade=stages,
        addresses={stage.channel: target.addresses[stage.channel] for stage in stages},
        content=Content(name=target.name),
        step=live.steps,
        locale=target.locale,
        marketing=False,
        alert=alert_of(dialog, live, matter.customer, staff, target.member),
    )


def updates(matter: Matter, dialog: Dialog, live: LiveAlert, staff: Staff, reason: Reason) -> list[AlertUpdate]:
    """The change of an alert, once for each message that shows it, wherever its customer was at home when it went out."""
    shown = alert_of(dialog, live, matter.customer, staff)
    homes = dict.fromkeys((matter.key, *(live.homes or ())))
    return [
        AlertUpdate(
            message_of(live.alert_id, step),
            home,
            live.alert_id,
            live.state,
            reason,
            matter.at,
            matter.event_id,
            live.by,
            live.by_name,
            live.until,
            shown,
        )
        for home in homes
        for step in range(live.steps)
    ]


def view_of(matter: Matter, dialog: Dialog, staff: Staff, deadlines: list[Deadline]) -> DialogView:
    """The dialog's row on the board."""
    key, customer, at = matter.key, matter.customer, matter.at
    owner, live, cart, orders = staff.owner(dialog), dialog.alert, customer.cart, customer.orders
    awaited, since = _awaited(dialog)
    return DialogView(
        dialog.key,
        key,
        at,
        provider=dialog.provider,
        url=staff.link(dialog),
        who=who(dialog, customer),
        manager=dialog.manager,
        manager_name=dialog.manager_name,
        member=owner.id if owner is not None else "",
        status=dialog.status,
        tags=list(dialog.tags or ()),
        opened_at=dialog.opened_at,
        last_speaker=dialog.last_speaker,
        last_at=dialog.last_word_at,
        waiting=awaited,
        since=since,
        words=words(dialog),
        first_response=dialog.first_response if dialog.first_response >= 0 else None,
        next_response=dialog.next_response if dialog.next_response >= 0 else None,
        deadlines=deadlines,
        alert_id=live.alert_id if live is not None else "",
        alert_watch=live.watch if live is not None else None,
        alert_state=live.state if live is not None else None,
        alerted_at=live.fired_at if live is not None else 0.0,
        level=live.level if live is not None else 0,
        taken_by=dialog.taken_by,
        taken_by_name=dialog.taken_name,
        snoozed_until=dialog.snoozed_until,
        priority=live.priority if live is not None else 0,
        note=live.note if live is not None else "",
        returned_at=live.returned_at if live is not None else 0.0,
        value=stake(customer),
        currency=cart.currency if cart is not None else "",
        items=len(cart.lines) if cart is not None else 0,
        orders=orders.count if orders is not None else 0,
        orders_total=orders.total if orders is not None else 0.0,
        last_seen=customer.last_seen,
    )


def who(dialog: Dialog, customer: Customer) -> str:
    """What the client is called."""
    profile = customer.profile
    return dialog.name or (profile.name or profile.first_name if profile is not None else "")


def words(dialog: Dialog) -> list[Word]:
    """The last words of client and manager, in their order."""
    said = [
        Word(Speaker.CLIENT, dialog.client_at, dialog.client_text),
        Word(Speaker.MANAGER, dialog.manager_at, dialog.manager_text),
    ]
    return sorted((word for word in said if word.at), key=lambda word: word.at)


def _awaited(dialog: Dialog) -> tuple[Speaker | None, float]:
    """Whose word is awaited, and since when."""
    if dialog.asked_at:
        return Speaker.MANAGER, dialog.asked_at
    if dialog.manager_at >= dialog.client_at and dialog.manager_at and dialog.status is not DialogStatus.RESOLVED:
        return Speaker.CLIENT, dialog.manager_at
    return None, 0.0
