"""Confidence intervals of shares and means, and of the difference of two. Pure; the normal distribution is the standard library's.

Shares: Wilson's score interval, and Newcombe's hybrid of two of them (method 10 of Newcombe 1998, Statistics in Medicine 17, 873-890),
which holds for few customers and for shares near nothing. Means: Welch's, with the normal distribution in place of Student's, which is
for the hundreds of customers that are asked for here the same.
"""

from math import sqrt
from statistics import NormalDist
from typing import NamedTuple

LEVEL = 0.95
"""How often an interval holds the true value."""


class Interval(NamedTuple):
    """A value and between what it lies."""

    value: float
    low: float
    high: float


class Sample(NamedTuple):
    """How many values there are, their sum, and the sum of their squares."""

    size: int
    total: float
    squares: float

    @property
    def mean(self) -> float:
        """Their mean; 0 of none."""
        return self.total / self.size if self.size else 0.0

    @property
    def variance(self) -> float:
        """Their variance, by one less than their number; 0 where there is not more than one."""
        if self.size < 2:
            return 0.0
        return max(0.0, self.squares - self.size * self.mean**2) / (self.size - 1)


def wilson(some: int, size: int, level: float = LEVEL) -> Interval:
    """The share of `some` among `size` customers; of none nothing is known."""
    if not size:
        return Interval(0.0, 0.0, 1.0)
    z2 = _quantile(level) ** 2
    share = some / size
    middle = (share + z2 / (2 * size)) / (1 + z2 / size)
    half = sqrt(z2) / (1 + z2 / size) * sqrt(share * (1 - share) / size + z2 / (4 * size**2))
    low = 0.0 if some == 0 else max(0.0, middle - half)  # exactly so: what is left of rounding is taken off
    high = 1.0 if some == size else min(1.0, middle + half)
    return Interval(share, low, high)


def newcombe(first: Interval, second: Interval) -> Interval:
    """The difference of two shares that are given with their intervals, the first less the second."""
    difference = first.value - second.value
    below = sqrt((first.value - first.low) ** 2 + (second.high - second.value) ** 2)
    above = sqrt((first.high - first.value) ** 2 + (second.value - second.low) ** 2)
    return Interval(difference, difference - below, difference + above)


def welch(first: Sample, second: Sample, level: float = LEVEL) -> Interval:
    """The difference of two means, the first less the second."""
    difference = first.mean - second.mean
    half = _quantile(level) * sqrt(sum(one.variance / one.size for one in (first, second) if one.size))
    return Interval(difference, difference - half, difference + half)


def _quantile(level: float) -> float:
    return NormalDist().inv_cdf(0.5 + level / 2)
