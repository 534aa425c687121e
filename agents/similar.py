"""Which products a message shows beside its own, and which of all come first for whom. Pure; `rows` gives a row of the partition by its key.

Nothing is shown that the customer has bought (as far back as that is kept), or that cannot be had as the catalogue told.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from agents.scenarios.language import BEGUN, Show
from app.model.event import Line
from app.model.trigger import Bonus, Content
from tables.bought import marks_of
from tables.customer import SHELF_ITEMS, SHELF_PREFIX, Customer, Orders
from tables.engagement import day_of
from tables.offers import offer_of
from tables.related import RELATED_PREFIX, Kind, heaviest
from tables.shelf import cheapest
from tables.views import mark_of

Rows = Callable[[str], Any]

FRESH = 30 * 86_400.0
"""Seconds after which a product that nobody met is no longer offered."""
ROOM = 3
"""So many times as many products as are shown are looked at, for preferences to choose from: those that go best."""
LOVER_ORDERS, LOVER_SHARE = 3, 0.6
"""Who loves discounts: so many orders at least, and this share of them with a discount or a coupon. So says the segment `discount_lovers`."""
BONUS, BONUS_EXPIRES = "bonus", "bonus_expires"
"""Traits that the shop tells: what the bonus is worth, and the day until which it can be used."""
BONUS_SOON = timedelta(days=14)
AHEAD = 14 * 3_600.0
"""Seconds by which the clocks that are furthest ahead are before UTC."""


def complete(show: Show, customer: Customer, out: Content, now: float, rows: Rows) -> None:
    """Add similar products to what a message shows as of `now`, and bring first what the customer prefers."""
    if not show.similar and (not show.prefer or (customer.orders is None and "discounted" not in show.prefer)):
        return  # what is preferred beside what is reduced depends on what was bought
    if "discounted" in show.prefer and not out.order_id:  # what was bought has cost what it cost
        before = _worth(out)
        for line in out.items:
            _repriced(line, rows)
        if show.items in ("cart", BEGUN) and out.value > 0.0:
            out.value = max(0.0, out.value + _worth(out) - before)
    found = _found(show, customer, out, now, rows) if show.similar else []
    average = average_of(customer.orders)
    if "average" in show.prefer and average:
        found.sort(key=lambda line: max(line.price / average, average / line.price))
    if loves_discounts(customer.orders):
        _bring_first(show, customer, out, found, now)
    out.similar = found[: show.similar]


def loves_discounts(orders: Orders | None) -> bool:
    """Whether most orders had a discount."""
    return orders is not None and orders.count >= LOVER_ORDERS and orders.discounted / orders.count >= LOVER_SHARE


def average_of(orders: Orders | None) -> float:
    """What an order comes to on average; 0: nobody knows."""
    return orders.total / orders.count if orders is not None and orders.count and orders.total > 0.0 else 0.0


def _bring_first(show: Show, customer: Customer, out: Content, found: list[Line], now: float) -> None:
    """Of what is preferred the first that there is: what is reduced, or the bonus that expires."""
    for preferred in show.prefer:
        choice = (found,) if out.order_id else (out.items, found)
        if preferred == "discounted" and any(line.old_price for lines in choice for line in lines):
            for lines in choice:
                lines.sort(key=lambda line: not line.old_price)
            return
        if preferred == "bonus":
            out.bonus = bonus_of(customer, now)
            if out.bonus is not None:
                return


def _worth(out: Content) -> float:
    return sum(line.price * line.quantity for line in out.items)


def bonus_of(customer: Customer, now: float) -> Bonus | None:
    """The bonus that expires soon, as the shop's traits tell of it.

    The message knows no place: a bonus counts as over as soon as its last day is over anywhere, and nobody is told of one too late.
    """
    traits = (customer.engagement.traits if customer.engagement is not None else None) or {}
    last, today = day_of(traits.get(BONUS_EXPIRES)), datetime.fromtimestamp(now + AHEAD, UTC).date()
    if last is None or not today <= last <= today + BONUS_SOON:
        return None
    worth = traits.get(BONUS, "")
    return Bonus(last.isoformat(), "" if isinstance(worth, bool) else worth)


def _found(show: Show, customer: Customer, out: Content, now: float, rows: Rows) -> list[Line]:
    """What may be shown, best first: what goes with the items, then what is cheap in their category."""
    most, bought = ROOM * show.similar, marks_of(customer)
    known = {line.product_id for line in (*out.items, *(customer.cart.lines if customer.cart is not None else ()))}
    if show.similar_by != "bought":
        known.update(view.product.product_id for view in customer.views or ())
    found: list[Line] = []
    for line in _candidates(show, out, now, rows):
        if line.product_id in known or mark_of(line.product_id) in bought or not _repriced(line, rows):
            continue
        known.add(line.product_id)
        found.append(line)
        if len(found) == most:
            break
    return found


def _candidates(show: Show, out: Content, now: float, rows: Rows) -> Iterator[Line]:
    if show.similar_by != "category":
        yield from _beside(show.similar_by, out, now, rows)
    category = out.category or next((line.category for line in out.items if line.category), "")
    shelf = rows(SHELF_PREFIX + category[:200]) if category else None
    if shelf is not None:
        yield from cheapest(shelf, "", (), now, SHELF_ITEMS)


def _beside(kind: Kind, out: Content, now: float, rows: Rows) -> Iterator[Line]:
    """What was looked at, or bought, together with the items; what goes with several of them counts for each."""
    weights: dict[str, float] = {}
    for item in out.items:
        row = rows(RELATED_PREFIX + item.product_id)
        for name, weight in heaviest(row, kind, now).items() if row is not None else ():
            weights[name] = weights.get(name, 0.0) + weight
    for name in sorted(weights, key=lambda name: (-weights[name], name)):
        row = rows(RELATED_PREFIX + name)
        if row is not None and row.product.price > 0.0 and now - row.seen_at <= FRESH:
            told = row.product
            yield Line(name, told.name, told.price, 1.0, told.category, "", told.url, told.image_url)


def _repriced(line: Line, rows: Rows) -> bool:
    """Give a line the prices that the catalogue told. False: it cannot be had."""
    offer = offer_of(rows, line.product_id)
    if offer is None:
        return True
    if offer.price > 0.0:
        line.price, line.old_price = offer.price, offer.was
    return offer.price > 0.0
