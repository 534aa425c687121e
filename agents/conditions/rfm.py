"""Recency, frequency, monetary: scores of 1 to 5, 5 the best, by fixed bounds or by quantiles of the customers. Pure.

By fixed bounds a customer's score depends on himself alone, changes when he does something or when time passes for him, and is the
same in every partition and in a recomputation from the history. By quantiles it says where he stands among the customers of his
partition as they were when these were worked out last (`agents/rankings.py`); of those who are alike none stands above the others.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from math import inf
from typing import Literal, NamedTuple

from agents.conditions.alike import Alike
from agents.conditions.ranges import Range, shown
from agents.conditions.touched import ORDERS, RANKS
from agents.conditions.verdict import ALWAYS, NEVER, Facts, Verdict
from tables.customer import Orders
from tables.ranking import Ranks

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
QUANTILES = Bounds((), (), ())
"""In place of bounds: quantiles of the customers count."""


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


def figures(orders: Orders) -> tuple[float, float, float]:
    """What customers are ranked by: more is better in each."""
    return orders.last_at, float(orders.days or min(orders.count, 1)), orders.total


def ranks_of(values: Sequence[Sequence[float]]) -> Ranks:
    """The quantiles (a fifth, two, three, four) of each figure of at least one customer: of the values themselves, by the nearest rank."""
    return tuple(tuple(sorted(one)[-(-len(one) * part // SCORES) - 1] for part in range(1, SCORES)) for one in values)  # type: ignore[return-value]


def rank(value: float, quantiles: Sequence[float]) -> int:
    """The score of a value: by how many quantiles it lies above."""
    return 1 + bisect_left(quantiles, value)


def scores(orders: Orders, ranks: Ranks) -> tuple[int, ...]:
    """The three scores of a customer."""
    return tuple(rank(value, quantiles) for value, quantiles in zip(figures(orders), ranks, strict=True))


class Ranked(Alike):
    """The same by quantiles: `{rfm: r, at_least: 4}`. Time does not change it, but that others buy does."""

    reads = frozenset({ORDERS, RANKS})
    __slots__ = ("_asked", "_measure")

    def __init__(self, measure: Measure, asked: Range) -> None:
        self._measure, self._asked = measure, asked

    def holds(self, facts: Facts) -> Verdict:
        """Whether the score is as asked; not, as long as no quantiles are known."""
        orders = facts.customer.orders
        if orders is None or facts.ranks is None:
            return NEVER
        return ALWAYS if self._asked.holds(self._score(orders, facts.ranks)) else NEVER

    def told(self, facts: Facts) -> str:
        """In a sentence."""
        orders, name = facts.customer.orders, NAMES[self._measure]
        if orders is None or facts.ranks is None:
            what = "order" if orders is None else "ranking"
            return f"there is no {what}, and the score of {name} is to be {self._asked.words}"
        score = shown(self._score(orders, facts.ranks))
        return f"the score of {name} among the customers is {score}, and is to be {self._asked.words}"

    def _score(self, orders: Orders, ranks: Ranks) -> int:
        number = "rfm".index(self._measure)
        return rank(figures(orders)[number], ranks[number])
