"""Conditions on what the customer did: the cart, orders, windows over events, activity. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from math import inf

from agents.conditions.alike import Alike
from agents.conditions.ranges import Range, counted, falling, passing, shown
from agents.conditions.touched import CART, CATEGORIES, ORDERS, SEARCHES, SEEN, VIEWS, named
from agents.conditions.verdict import ALWAYS, NEVER, Facts, Verdict
from tables.cart import value
from tables.customer import CATEGORIES as MOST_CATEGORIES
from tables.customer import SEARCHES as MOST_SEARCHES
from tables.customer import Customer, Orders
from tables.recent import TIMES
from tables.signals import CATEGORY_VIEWED, ORDERED, PRODUCT_VIEWED, SEARCHED
from tables.views import VIEWS as MOST_VIEWS
from tables.views import ViewRing

NONE = Orders()
"""No order so far."""
Dated = tuple[float, str]
"""When, and of which category."""


class OfCart(Alike):
    """`{cart: value, at_least: 5000}`; an empty cart is 0."""

    reads = frozenset({CART})
    __slots__ = ("_asked", "_field")

    def __init__(self, field: str, asked: Range) -> None:
        self._field, self._asked = field, asked

    def _number(self, customer: Customer) -> float:
        cart = customer.cart
        if cart is None:
            return 0.0
        if self._field == "value":
            return value(cart)
        return float(len(cart.lines)) if self._field == "lines" else sum(line.quantity for line in cart.lines)

    def holds(self, facts: Facts) -> Verdict:
        """Whether the cart is as asked."""
        return ALWAYS if self._asked.holds(self._number(facts.customer)) else NEVER

    def told(self, facts: Facts) -> str:
        """In a sentence."""
        return f"the cart's {self._field} is {shown(self._number(facts.customer))}, and is to be {self._asked.words}"


class OfOrders(Alike):
    """`{orders: count, at_least: 3}`; without an order sums are 0."""

    reads = frozenset({ORDERS})
    __slots__ = ("_asked", "_field")

    def __init__(self, field: str, asked: Range) -> None:
        self._field, self._asked = field, asked

    def _number(self, orders: Orders) -> float:
        if self._field == "average":
            return orders.total / orders.count if orders.count else 0.0
        if self._field == "discounted":
            return orders.discounted / orders.count if orders.count else 0.0
        if self._field == "days":
            return float(orders.days or min(orders.count, 1))
        return float(orders.count) if self._field == "count" else orders.total

    def holds(self, facts: Facts) -> Verdict:
        """Whether the sum of all orders is as asked."""
        return ALWAYS if self._asked.holds(self._number(facts.customer.orders or NONE)) else NEVER

    def told(self, facts: Facts) -> str:
        """In a sentence."""
        number = self._number(facts.customer.orders or NONE)
        return f"the orders' {self._field} is {shown(number)}, and is to be {self._asked.words}"


class SinceOrder(Alike):
    """`{orders: days_since_last, at_least: 30}`: whole days; without an order it does not hold."""

    reads = frozenset({ORDERS})
    __slots__ = ("_asked", "_day", "_first")

    def __init__(self, asked: Range, day: float, *, first: bool) -> None:
        """`day` is the length of a day in seconds."""
        self._asked, self._day, self._first = asked, day, first

    def holds(self, facts: Facts) -> Verdict:
        """Whether so many days have passed."""
        orders = facts.customer.orders
        if orders is None:
            return NEVER
        return passing(self._asked, orders.first_at if self._first else orders.last_at, self._day, facts.now)

    def told(self, facts: Facts) -> str:
        """In a sentence."""
        orders, which = facts.customer.orders, "first" if self._first else "last"
        if orders is None:
            return f"there is no order, and the days since the {which} one are to be {self._asked.words}"
        days = max(0, int((facts.now - (orders.first_at if self._first else orders.last_at)) // self._day))
        return f"the {which} order was {days} days ago, which is to be {self._asked.words}"


class Seen(Alike):
    """`{seen_within: 30d}`: the customer was there within this time."""

    reads = frozenset({SEEN})
    __slots__ = ("window",)

    def __init__(self, window: float) -> None:
        self.window = window

    def holds(self, facts: Facts) -> Verdict:
        """Whether he was."""
        last = facts.customer.last_seen
        until = last + self.window
        return Verdict(True, until) if last and facts.now < until else NEVER

    def told(self, facts: Facts) -> str:
        """In a sentence."""
        last = facts.customer.last_seen
        days = shown(round(max(0.0, facts.now - last) / 86_400.0, 1)) if last else ""
        return f"the customer was {f'last seen {days} days ago' if last else 'never seen'}"


class Happened(Alike):
    """`{happened: product_viewed, at_least: 3, within: 30m, same: category}`: counts what the state remembers."""

    __slots__ = ("_asked", "_category", "_find", "_least", "_same", "_what", "name", "reads", "window")

    def __init__(self, what: str, asked: Range, window: float, *, same: bool, category: str) -> None:
        """`window` in seconds, inf: without end; `same`: of one category; `category`: of this one."""
        self._what, self._asked, self.window, self._same, self._category = what, asked, window, same, category
        self._least = asked.whole()[0]
        source = SOURCES.get(what)
        self._find: Callable[[Customer], Iterable[Dated]] = source[1] if source is not None else _Ring(what)
        self.reads = frozenset({source[0] if source is not None else named(what)})
        self.name = "" if source is not None else what
        """The event of which times have to be kept; empty: the state keeps what it takes."""

    def _times(self, facts: Facts) -> list[list[float]]:
        """Times within the window, newest first, in groups of which one has to be large enough."""
        groups: dict[str, list[float]] = defaultdict(list)
        for at, category in self._find(facts.customer):
            if facts.now < at + self.window and (not self._category or category == self._category):
                groups[category if self._same else ""].append(at)
        return [sorted(times, reverse=True) for group, times in groups.items() if group or not self._same]

    def holds(self, facts: Facts) -> Verdict:
        """Whether it happened as often as asked."""
        if self._what == PRODUCT_VIEWED and self._is_short(facts.customer.views):
            return NEVER
        groups = self._times(facts)
        if len(groups) <= 1:
            return counted(self._asked, groups[0] if groups else [], self.window)

        def lost(number: int) -> float:
            return max((times[number - 1] + self.window for times in groups if len(times) >= number), default=-inf)

        return falling(self._asked, max(map(len, groups)), lost)

    def _is_short(self, views: ViewRing | None) -> bool:
        """Whether too few views are kept for the answer to be yes: known without unpacking them."""
        least = self._least
        return least > 0 and (views is None or len(views) < least or (self._same and views.most_alike() < least))

    def told(self, facts: Facts) -> str:
        """In a sentence."""
        count = max(map(len, self._times(facts)), default=0)
        within = f" within {shown(self.window / 60.0)} minutes" if self.window < inf else ""
        return f"{self._what} happened {count} times{within}, and is to be {self._asked.words}"


class _Ring(Alike):
    """The kept times of a named event."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, customer: Customer) -> Iterable[Dated]:
        engagement = customer.engagement
        kept = (engagement.happened if engagement is not None else None) or {}
        return [(at, "") for at in kept.get(self._name, ())]


def _views(customer: Customer) -> Iterable[Dated]:
    return [(view.at, view.product.category) for view in customer.views or ()]


def _categories(customer: Customer) -> Iterable[Dated]:
    return [(item.at, item.category) for item in customer.categories or ()]


def _searches(customer: Customer) -> Iterable[Dated]:
    return [(item.at, "") for item in customer.searches or ()]


def _orders(customer: Customer) -> Iterable[Dated]:
    return [(customer.orders.last_at, "")] if customer.orders is not None else []


SOURCES: dict[str, tuple[str, Callable[[Customer], Iterable[Dated]], int]] = {
    PRODUCT_VIEWED: (VIEWS, _views, MOST_VIEWS),
    CATEGORY_VIEWED: (CATEGORIES, _categories, MOST_CATEGORIES),
    SEARCHED: (SEARCHES, _searches, MOST_SEARCHES),
    ORDERED: (ORDERS, _orders, 1),
}
"""Signals that the state remembers: the fact that they touch, where they are found, and how many are kept."""


def most_of(name: str) -> int:
    """How often something can be counted at the most."""
    return SOURCES[name][2] if name in SOURCES else TIMES
