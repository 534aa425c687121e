"""Recency, frequency, monetary: scores of 1 to 5, 5 the best, by fixed bounds. Pure.

Fixed bounds, and not quantiles of the customers: a customer's score then depends on himself alone, changes when he does something
or when time passes for him, and is the same in every partition and in a recomputation from the history.
"""

from bisect import bisect_right
from math import inf
from typing import Literal, NamedTuple

from agents.conditions.alike import Alike
from agents.conditions.ranges import Range, shown
from agents.conditions.touched import ORDERS
from agents.conditions.verdict import ALWAYS, NEVER, Facts, Verdict
from tables.customer import Orders

SCORES = 5
Measure = Literal["r", "f", "m"]
NAMES = {"r": "recency", "f": "frequency", "m": "monetary"}


class Bounds(NamedTuple):
    """Four bounds each, rising. `recency` in days: below the first is a 5; the others: from the last on is a 5."""

    recency: tuple[float, ...] = (30.0, 90.0, 180.0, 365.0)
    frequency: tuple[float, ...] = (2.0, 3.0, 5.0, 10.0)
    """Days with an order."""
    monetary: tuple[float, ...] = (50.0, 150.0, 500.0, 1_500.0)
    """All orders together, in the shop's currency."""


BOUNDS = Bounds()


def recency(orders: Orders, bounds: Bounds, day: float, now: float) -> tuple[int, float]:
    """The score, and until when it stays. `day` is the length of a day in seconds."""
    ends = [orders.last_at + bound * day for bound in bounds.recency]
    gone = bisect_right(ends, now)
    return SCORES - gone, ends[gone] if gone < len(ends) else inf


def frequency(orders: Orders, bounds: Bounds) -> int:
    """The score of the number of days with an order."""
    return 1 + bisect_right(bounds.frequency, orders.days or min(orders.count, 1))


def monetary(orders: Orders, bounds: Bounds) -> int:
    """The score of what all orders came to."""
    return 1 + bisect_right(bounds.monetary, orders.total)


class Score(Alike):
    """`{rfm: r, at_least: 4}`; without an order it does not hold."""

    reads = frozenset({ORDERS})
    __slots__ = ("_asked", "_bounds", "_day", "_measure")

    def __init__(self, measure: Measure, asked: Range, bounds: Bounds, day: float) -> None:
        self._measure, self._asked, self._bounds, self._day = measure, asked, bounds, day

    def holds(self, facts: Facts) -> Verdict:
        """Whether the score is as asked."""
        orders = facts.customer.orders
        if orders is None:
            return NEVER
        if self._measure == "r":
            score, until = recency(orders, self._bounds, self._day, facts.now)
            return Verdict(self._asked.holds(score), until)
        score = (frequency if self._measure == "f" else monetary)(orders, self._bounds)
        return ALWAYS if self._asked.holds(score) else NEVER

    def told(self, facts: Facts) -> str:
        """In a sentence."""
        orders, name = facts.customer.orders, NAMES[self._measure]
        if orders is None:
            return f"there is no order, and the score of {name} is to be {self._asked.words}"
        score = (
            recency(orders, self._bounds, self._day, facts.now)[0]
            if self._measure == "r"
            else (frequency if self._measure == "f" else monetary)(orders, self._bounds)
        )
        return f"the score of {name} is {shown(score)}, and is to be {self._asked.words}"
