"""What scenarios mean for one customer. The one place that evaluates them; no scenario is known here by name. Pure."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from agents.scenarios.language import Scenario, Show
from agents.similar import complete
from app.model.event import Line
from app.model.reasons import Reason
from app.model.trigger import Content
from tables.cart import value
from tables.customer import Armed, CartLine, Customer
from tables.dialog import Dialog, last_word_at
from tables.views import View

ShelfOf = Callable[[str], Any]
"""Gives what this partition knows beside its customers, by the key of its row: the shelf of a category, what goes with a product."""


class Refusal(NamedTuple):
    """Why a scenario that came due does not fire, with the values behind it."""

    reason: Reason
    detail: dict[str, str | float | int]


def next_stage(customer: Customer) -> float | None:
    """When the first of the later stages of all cascades is to be decided, epoch seconds; None: none waits."""
    soonest = 0
    for item in customer.open or ():
        if item.next_at and (not soonest or item.next_at < soonest):
            soonest = item.next_at
    return float(soonest) if soonest else None


def due_at(scenario: Scenario, instance: Armed, customer: Customer) -> float:
    """When the absence becomes true, epoch seconds. Postponing is a matter of `last_seen` alone for `leaving`."""
    start = instance.at
    if scenario.leaving and start < customer.last_seen:
        start = customer.last_seen
    due = start + scenario.wait
    if instance.held > due:
        due = float(instance.held)
    return due if customer.dialogs is None else max(due, talking_until(scenario, customer.dialogs))


def talking_until(scenario: Scenario, dialogs: list[Dialog]) -> float:
    """Until when a dialog holds the scenario back: who is being talked to needs no mail. Epoch seconds, 0 for never.

    The last word counts like presence: after one that ended a dialog the scenario's own wait is due again.
    """
    if not scenario.in_dialog:
        return 0.0
    going, over = last_word_at(dialogs)
    return max(going + scenario.in_dialog if going else 0.0, over + scenario.wait if over else 0.0)


def refusal(scenario: Scenario, customer: Customer, due: float, now: float, family: Sequence[str]) -> Refusal | None:
    """The first gate that keeps the scenario from firing at `now`, or None. `family` names its scenarios' ids.

    What concerns channels is asked after it (`reach.py`, `agents/allowed.py`).
    """
    held = stops(scenario, customer, due, now)
    if held is not None:
        return held
    if customer.fired is None:
        return None
    now = as_of(scenario, due, now)
    last = customer.fired.get(scenario.id)
    if last is not None and now - last < scenario.reentry:
        return Refusal(Reason.REENTRY, {"last_fired": last, "window": scenario.reentry})
    for name, at in customer.fired.items():
        if name in family and at >= customer.last_seen:
            return Refusal(Reason.ONE_PER_SILENCE, {"by": name, "at": at})
    return None


def stops(scenario: Scenario, customer: Customer, due: float, now: float) -> Refusal | None:
    """What holds back every stage of a cascade: it is too late, the goal is reached, or the scenario was stopped."""
    if now - due > scenario.max_lateness:
        return Refusal(Reason.TOO_LATE, {"late": now - due, "allowed": scenario.max_lateness})
    orders = customer.orders
    if orders is not None and as_of(scenario, due, now) - orders.last_at < scenario.order_within:
        return Refusal(Reason.RECENT_ORDER, {"last_order": orders.last_at, "window": scenario.order_within})
    return Refusal(Reason.SCENARIO_STOPPED, {}) if scenario.stopped else None


def as_of(scenario: Scenario, due: float, now: float) -> float:
    """The moment that is decided about: `outage: fire` decides as if it had been on time."""
    return now if scenario.recheck else due


def nothing_left(scenario: Scenario) -> Refusal:
    """What a message was to show is gone."""
    return Refusal(Reason.CONDITION, {"nothing_left_of": scenario.show.items if scenario.show is not None else ""})


def content(scenario: Scenario, customer: Customer, now: float, shelf: ShelfOf) -> Content | None:
    """What the message shows as of `now`; None when nothing is left to show."""
    show, since = scenario.show, customer.last_seen - scenario.within
    assert show is not None, "without steps there is something to show"
    out = Content()
    if customer.profile is not None:
        out.name = customer.profile.first_name or customer.profile.name
    if not _FILL[show.items](out, show, customer, since):
        return None
    complete(show, customer, out, now, shelf)
    return out


def _fill_cart(out: Content, show: Show, customer: Customer, _since: float) -> bool:
    cart = customer.cart
    if cart is None:
        return False
    shown = cart.lines
    if len(shown) > show.most:
        newest = sorted(shown, key=lambda line: line.at)[-show.most :]
        shown = [line for line in shown if line in newest]
    out.items = list(map(of_cart, shown))
    out.value, out.currency = value(cart), cart.currency
    for line in reversed(cart.lines):
        if line.category:
            out.category = line.category
            break
    return True


def _fill_views(out: Content, show: Show, customer: Customer, since: float) -> bool:
    left = _left_behind(customer, since)
    out.items = [of_view(view) for view in reversed(left[-show.most :])]
    out.category = next((view.product.category for view in reversed(left) if view.product.category), "")
    return bool(left)


def _fill_category(out: Content, show: Show, customer: Customer, since: float) -> bool:
    seen = [item for item in customer.categories or () if item.at >= since and not _bought_since(customer, item.at)]
    if not seen:
        return False
    out.category = seen[-1].category
    of_it = [view for view in _left_behind(customer, since) if view.product.category == out.category]
    out.items = [of_view(view) for view in reversed(of_it[-show.most :])]
    return bool(of_it)


def _fill_search(out: Content, show: Show, customer: Customer, since: float) -> bool:
    seen = [
        search for search in customer.searches or () if search.at >= since and not _bought_since(customer, search.at)
    ]
    if not seen:
        return False
    last = seen[-1]
    out.query, out.results = last.query, last.results
    after = [view for view in _left_behind(customer, since) if view.at >= last.at]
    out.items = [of_view(view) for view in reversed(after[-show.most :])]
    out.category = next((view.product.category for view in reversed(after) if view.product.category), "")
    return True


_FILL = {"cart": _fill_cart, "views": _fill_views, "category": _fill_category, "search": _fill_search}


def _left_behind(customer: Customer, since: float) -> list[View]:
    return customer.views.left_behind(since) if customer.views is not None else []


def _bought_since(customer: Customer, at: float) -> bool:
    return customer.orders is not None and customer.orders.last_at >= at


def of_cart(line: CartLine) -> Line:
    """A line of the cart, as messages show it."""
    return Line(line.product_id, line.name, line.price, line.quantity, line.category, "", line.url, line.image_url)


def of_view(view: View) -> Line:
    """What was looked at, as messages show it."""
    seen = view.product
    return Line(seen.product_id, seen.name, seen.price, 1.0, seen.category, "", seen.url, seen.image_url)
