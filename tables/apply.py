"""One event applied to one customer. Pure: changes the customer in place and answers with signals.

Event time decides what is older and newer, so a late event finds its place; `last_seen` never goes back.
"""

from collections.abc import Callable

from app.model.event import Event
from tables import bounds, cart, devices, profile
from tables.activity import visit
from tables.customer import (
    CATEGORIES,
    ORDER_IDS,
    SEARCHES,
    CategoryView,
    Customer,
    Orders,
    Search,
)
from tables.signals import CATEGORY_VIEWED, ORDERED, PRODUCT_VIEWED, SEARCHED
from tables.views import ViewRing, product_of
from tables.windows import push

CATEGORY_PRODUCTS = 3
CATEGORY_WINDOW = 1800.0
"""A category is viewed after this many different products of it within this many seconds."""

DAY = 86_400.0
"""Seconds of a day, which begins at midnight of UTC."""

NO_VISIT = ("identify", "alias", "group")
"""Types of events that a back end may send without the customer being there."""

Handler = Callable[[Customer, Event, float], tuple[str, ...]]
NOTHING: tuple[str, ...] = ()


def apply(customer: Customer, event: Event, at: float) -> tuple[str, ...]:
    """Apply `event`, which happened at `at` (epoch seconds). Returns the signals, most specific first.

    Raises TooLargeError, and has changed nothing then, for an id that is too long.
    """
    handler = HANDLERS.get(event.event)
    if handler is not None and event.properties is not None:
        bounds.trim(event.properties)  # first of all: what is refused must not have changed anything
    if event.historical:
        return _historical(customer, event, at)
    if at > customer.last_seen and is_activity(event):
        visit(customer, at)
    if event.push:
        return (*_happened(handler, customer, event, at), *devices.told(customer, event, at))
    return _happened(handler, customer, event, at)


def _happened(handler: "Handler | None", customer: Customer, event: Event, at: float) -> tuple[str, ...]:
    if handler is not None:
        return handler(customer, event, at)
    if event.traits is not None:
        return profile.identified(customer, event, at)
    return NOTHING


def is_activity(event: Event) -> bool:
    """Whether the customer did it: a back end that updates a profile says nothing of a visit."""
    return event.source != "server" or event.type not in NO_VISIT


def _historical(customer: Customer, event: Event, at: float) -> tuple[str, ...]:
    """An old or imported event updates orders and profile. An order still ends what it bought; nothing else is said."""
    if event.event == "Order Completed":
        return _ordered(customer, event, at)
    if event.traits is not None:
        return profile.identified(customer, event, at)
    return NOTHING


def _product_viewed(customer: Customer, event: Event, at: float) -> tuple[str, ...]:
    properties = event.properties
    if properties is None or not properties.product_id:
        return NOTHING
    views = customer.views
    if views is None:
        views = customer.views = ViewRing()
    if not views.put(product_of(properties), at, taken=_is_taken(customer, properties.product_id, at)):
        return NOTHING
    if properties.category and _is_category_viewed(customer, properties.category, at):
        return (PRODUCT_VIEWED, CATEGORY_VIEWED)
    return (PRODUCT_VIEWED,)


def _is_taken(customer: Customer, product_id: str, at: float) -> bool:
    """Whether a view at `at` was followed by what it was for: an order, or it lies in the cart."""
    if customer.orders is not None and at <= customer.orders.last_at:
        return True
    return customer.cart is not None and any(line.product_id == product_id for line in customer.cart.lines)


def _is_category_viewed(customer: Customer, category: str, at: float) -> bool:
    views = customer.views
    if views is None or not views.has(CATEGORY_PRODUCTS, category, at - CATEGORY_WINDOW, at):
        return False
    ring, known = [], 0.0
    for item in customer.categories or ():
        if item.category == category:
            known = item.at
        else:
            ring.append(item)
    customer.categories = push(ring, CategoryView(category, max(at, known)), CATEGORIES)
    return True


def _searched(customer: Customer, event: Event, at: float) -> tuple[str, ...]:
    properties = event.properties
    if properties is None or not properties.query:
        return NOTHING
    ring, found = [], Search(properties.query, at, properties.results)
    for item in customer.searches or ():
        if item.query != properties.query:
            ring.append(item)
        elif item.at > at:  # this one is late, and was made again since
            found = item
    customer.searches = push(ring, found, SEARCHES)
    return (SEARCHED,)


def _ordered(customer: Customer, event: Event, at: float) -> tuple[str, ...]:
    properties = event.properties
    orders = customer.orders
    if orders is None:
        orders = customer.orders = Orders(first_at=at)
    order_id = (properties.order_id if properties is not None else "") or event.messageId
    if order_id not in orders.ids:
        orders.ids = [*orders.ids, order_id][-ORDER_IDS:]
        total = properties.total if properties is not None else 0.0
        _count_day(orders, at, total)
        orders.count += 1
        orders.total += total
        if properties is not None and (properties.discount > 0.0 or properties.coupon):
            orders.discounted += 1
    orders.first_at = min(orders.first_at, at)
    orders.last_at = max(orders.last_at, at)
    products = (properties.products or ()) if properties is not None else ()
    cart.bought(customer, at, {line.product_id for line in products})
    if customer.views is not None:
        customer.views.take_until(at)
    return (ORDERED,)


def _count_day(orders: Orders, at: float, total: float) -> None:
    """Count the day of an order that is not counted yet."""
    day, first, last = at // DAY, orders.first_at // DAY, orders.last_at // DAY
    if not orders.count:
        orders.days, orders.first_day = 1, total
        return
    orders.days = max(1, orders.days) + (day not in (first, last))
    if day < first:
        orders.first_day = total
    elif day == first:
        orders.first_day += total


def _returned(_customer: Customer, _event: Event, _at: float) -> tuple[str, ...]:
    """What a message has brought is taken back from it (`agents/worth`); what the customer did otherwise stays as it was."""
    return NOTHING


RETURNS = ("Order Refunded", "Order Cancelled")
"""Events that take an order back."""

HANDLERS: dict[str, Handler] = {
    "Product Viewed": _product_viewed,
    "Product Added": cart.added,
    "Product Removed": cart.removed,
    "Cart Viewed": cart.viewed,
    "Products Searched": _searched,
    "Order Completed": _ordered,
    **dict.fromkeys(RETURNS, _returned),
}
"""Names of E-commerce v2; the collector has mapped older names onto them."""
