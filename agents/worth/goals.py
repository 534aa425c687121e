"""What happens to attribution when a customer orders, reacts to a message, or gives an order back. Pure.

Each order is noted for every scenario that had fired before it, of recipients and of the control group alike (`bought_after`), and is owed
to one message at the most: the last that touched (`attributed`); others that touched are `associated`. What comes late changes both as
if it had come in time. docs/attribution.md tells it in full.
"""

from collections.abc import Iterable

from agents.allowed import Basis, group_of
from agents.cascade import stage_of
from agents.conditions.ask import holds
from agents.scenarios.language import Scenario
from agents.worth.touches import Touch, is_touch, note, touches
from app.model.event import Event, Properties
from app.model.journal import JournalLine
from app.model.reasons import Reason
from app.model.receipt import Outcome, Receipt
from tables.customer import ENTERED, Customer
from tables.engagement import Entered, Goal
from tables.goals import goal_of, goals_of, keep

RECIPIENTS = "recipients"
"""Group of those who may be written to."""
CANCELLED = "Order Cancelled"
MOST_ASSOCIATED = 8
"""Messages, the last that touched, that are told of one order beside the one that it is owed to."""
_ALMOST = 0.005
"""Half of the smallest coin: what is left of an order then is nothing."""
Detail = dict[str, str | float | int]


def on_order(basis: Basis, key: str, customer: Customer, event: Event, at: float) -> list[JournalLine]:
    """An order of customer `key` at `at`. One that is told twice counts once."""
    after = _entered(basis, key, customer, at)
    if not after and not customer.sends:
        return []
    told = event.properties
    order = ((told.order_id if told is not None else "") or event.messageId)[:200]
    goal = goal_of(customer, order) or Goal(order)
    if goal.at:
        return []
    goal.at, goal.after = at, after or None
    if told is not None:
        goal.value, goal.currency = told.total, _currency(told, basis)
    goal.gone = goal.gone or (goal.back > 0.0 and goal.back >= goal.value - _ALMOST)
    keep(customer, goal)
    if goal.gone:  # its refund has come before it
        return []
    lines = [_noted(goal, entered, Reason.BOUGHT_AFTER, key, event.messageId, at) for entered in after]
    found = touches(customer.sends, at, basis.policy)
    return lines + _owe(goal, key, found, {touch.message for touch in found}, event.messageId, at)


def on_goal(
    basis: Basis, key: str, customer: Customer, event: Event, scenarios: Iterable[Scenario], at: float
) -> list[JournalLine]:
    """An event at `at` that is the goal of these `scenarios`: noted for each that had fired, and owed to the last touch of their messages."""
    told = event.properties
    what: Detail = {"goal": event.event, "order": event.messageId[:200]}
    if told is not None and told.total:
        what |= {"value": told.total, "currency": _currency(told, basis)}
    lines, names = [], set()
    for scenario in scenarios:
        if not _counts(basis, customer, scenario, told, at):
            continue
        names.add(scenario.id)
        entered = _entry(basis, key, customer, scenario, at)
        if entered is not None:
            detail = {**_of(entered), **what}
            lines.append(JournalLine(at, key, Reason.GOAL_AFTER, scenario.id, event_id=event.messageId, detail=detail))
    found = touches((sent for sent in customer.sends or () if sent.scenario in names), at, basis.policy)
    for touch in found[: 1 + MOST_ASSOCIATED]:
        reason = Reason.GOAL_ATTRIBUTED if touch is found[0] else Reason.GOAL_ASSOCIATED
        lines.append(_line_of(touch, reason, key, event.messageId, at, what))
    return lines


def _counts(basis: Basis, customer: Customer, scenario: Scenario, told: Properties | None, at: float) -> bool:
    """Whether the event is the scenario's goal by the condition that its file asks of it, if any."""
    goal = scenario.program.goal if scenario.program is not None else None
    return goal is None or goal.when is None or holds(goal.when, basis.policy, customer, at, told)


def on_return(key: str, customer: Customer, event: Event, at: float) -> list[JournalLine]:
    """An order, or part of one, was given back or cancelled: nothing that it was noted for keeps it."""
    told = event.properties
    order = told.order_id[:200] if told is not None else ""
    if told is None or not order or (customer.sends is None and customer.fired is None and not goals_of(customer)):
        return []
    goal = goal_of(customer, order) or Goal(order)
    if goal.gone or event.messageId in (goal.returns or ()):
        return []
    left, part = goal.value - goal.back, None if event.event == CANCELLED else _part(told)
    goal.gone = part is None or (goal.at > 0.0 and part >= left - _ALMOST)
    amount = left if goal.gone or part is None else part
    goal.back += max(amount, 0.0)
    if not goal.gone:
        goal.returns = [*(goal.returns or ()), event.messageId][-8:]
    keep(customer, goal)
    if not goal.at:
        return []
    lines = [
        _noted(goal, entered, Reason.GOAL_UNDONE, key, event.messageId, at, amount) for entered in goal.after or ()
    ]
    return lines + ([_taken(goal, Reason.REFUNDED, key, event.messageId, at, amount)] if goal.trigger_id else [])


def on_reaction(basis: Basis, key: str, customer: Customer, receipt: Receipt, trigger_id: str) -> list[JournalLine]:
    """A touch by a message of `trigger_id` is told; orders that it was known too late for are owed anew."""
    if not is_touch(receipt.outcome) or not customer.sends:
        return []
    number = stage_of(receipt.message_id, -1)
    of_trigger = [sent for sent in customer.sends if sent.trigger_id == trigger_id]
    meant = [sent for sent in of_trigger if sent.stage == number] if number >= 0 else of_trigger[-1:]
    if not meant:
        return []
    first = not (meant[0].sent_at or meant[0].delivered_at or meant[0].opened_at or meant[0].clicked_at)
    others = [sent for sent in customer.sends if not first or sent is not meant[0]]
    since = 0.0 if receipt.outcome in (Outcome.SENT, Outcome.AMBIGUOUS) else int(receipt.at)
    concerned = [goal for goal in goals_of(customer) if goal.at and goal.at >= since and not goal.gone]
    before = [{touch.message for touch in touches(others, goal.at, basis.policy)} for goal in concerned]
    if not note(meant[0], receipt.outcome, receipt.at):
        return []
    lines: list[JournalLine] = []
    for goal, known in zip(concerned, before, strict=True):
        found = touches(customer.sends, goal.at, basis.policy)
        news = {touch.message for touch in found} - known
        lines += _owe(goal, key, found, news, receipt.message_id, receipt.at)
    return lines


def _owe(
    goal: Goal, key: str, found: list[Touch], news: set[tuple[str, int]], event_id: str, at: float
) -> list[JournalLine]:
    """Owe the order to the last touch; `news` are the messages of which nothing was said about this order yet."""
    if not found:
        return []
    last, former = found[0], (goal.trigger_id, goal.stage)
    lines = []
    if last.message != former:
        if goal.trigger_id:
            lines.append(_taken(goal, Reason.REATTRIBUTED, key, event_id, at, goal.value - goal.back))
            news = news | {former}
        goal.trigger_id, goal.stage = last.message
        goal.scenario, goal.channel = last.sent.scenario, last.sent.channel
        lines.append(_touched(goal, last, Reason.ATTRIBUTED, key, event_id, at))
    others = [touch for touch in found[1:] if touch.message in news]
    return lines + [_touched(goal, touch, Reason.ASSOCIATED, key, event_id, at) for touch in others[:MOST_ASSOCIATED]]


def _touched(goal: Goal, touch: Touch, reason: Reason, key: str, event_id: str, at: float) -> JournalLine:
    """The line about a message that touched before an order."""
    ordered: Detail = {"ordered_at": goal.at} if goal.at != at else {}
    return _line_of(touch, reason, key, event_id, at, {**_money(goal, goal.value - goal.back), **ordered})


def _line_of(touch: Touch, reason: Reason, key: str, event_id: str, at: float, what: Detail) -> JournalLine:
    """The line about a message that touched before something."""
    sent, detail = touch.sent, {"touch": touch.by, "touched_at": touch.at, **what}
    if sent.stage:
        detail["stage"] = sent.stage + 1
    return JournalLine(at, key, reason, sent.scenario, sent.trigger_id, event_id, sent.channel, detail=detail)


def _taken(goal: Goal, reason: Reason, key: str, event_id: str, at: float, amount: float) -> JournalLine:
    """The line about a message that an order, or `amount` of it, is not owed to any more."""
    whole = reason is Reason.REATTRIBUTED or goal.gone
    detail: Detail = {**_money(goal, amount), "whole": int(whole)}
    if goal.stage:
        detail["stage"] = goal.stage + 1
    return JournalLine(at, key, reason, goal.scenario, goal.trigger_id, event_id, goal.channel, detail=detail)


def _noted(
    goal: Goal, entered: Entered, reason: Reason, key: str, event_id: str, at: float, amount: float | None = None
) -> JournalLine:
    """The line about a scenario that had fired before an order; `amount` of it is taken back."""
    detail = {**_of(entered), **_money(goal, goal.value - goal.back if amount is None else amount)}
    if amount is not None:
        detail["whole"] = int(goal.gone)
    return JournalLine(at, key, reason, entered.scenario, event_id=event_id, detail=detail)


def _of(entered: Entered) -> Detail:
    return {"fired_at": entered.at, "group": entered.group or RECIPIENTS}


def _money(goal: Goal, value: float) -> Detail:
    return {"order": goal.order, "value": value, "currency": goal.currency}


def _currency(told: Properties, basis: Basis) -> str:
    """The order's currency by its three letters; where it says none that can be one, the shop's."""
    name = told.currency.strip().upper()
    return name if len(name) == 3 and name.isascii() and name.isalpha() else basis.policy.currency


def _part(told: Properties) -> float | None:
    """How much of an order is given back; None: all of it, for nothing says that it is less."""
    if told.products:
        return sum(line.price * line.quantity for line in told.products) or None
    return told.total or None


def _entered(basis: Basis, key: str, customer: Customer, at: float) -> list[Entered]:
    """The scenarios whose goal an order at `at` is, the newest of them if there are too many."""
    found = []
    for name in customer.fired or ():
        scenario = basis.scenarios.by_id.get(name)
        entered = _entry(basis, key, customer, scenario, at) if scenario is not None and not scenario.goal else None
        if entered is not None:
            found.append(entered)
    return found if len(found) <= ENTERED else sorted(found, key=lambda entered: entered.at)[-ENTERED:]


def _entry(basis: Basis, key: str, customer: Customer, scenario: Scenario, at: float) -> Entered | None:
    """When the scenario had fired, if a goal at `at` counts for it."""
    policy, fired_at = basis.policy, (customer.fired or {}).get(scenario.id)
    within = policy.goal_within if scenario.goal_within is None else scenario.goal_within
    if fired_at is None or not scenario.marketing or not fired_at <= at <= fired_at + within:
        return None
    return Entered(scenario.id, fired_at, group_of(policy, scenario, key))
