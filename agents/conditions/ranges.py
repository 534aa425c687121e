"""What is asked of a number, and counts that fall as time passes. Pure."""

from collections.abc import Callable
from math import ceil, floor, inf
from typing import NamedTuple

from agents.conditions.verdict import NEVER, Verdict


class Range(NamedTuple):
    """`at_least` and `at_most` include their bound, `above` and `below` do not. None: not asked."""

    at_least: float | None = None
    at_most: float | None = None
    above: float | None = None
    below: float | None = None

    def holds(self, number: float) -> bool:
        """Whether the number lies in it."""
        return (
            (self.at_least is None or number >= self.at_least)
            and (self.at_most is None or number <= self.at_most)
            and (self.above is None or number > self.above)
            and (self.below is None or number < self.below)
        )

    def whole(self) -> tuple[int, float]:
        """The least and the largest whole number that lie in it; the largest may be inf."""
        low = max(ceil(self.at_least or 0), floor(self.above) + 1 if self.above is not None else 0, 0)
        high = inf if self.at_most is None else floor(self.at_most)
        if self.below is not None:
            high = min(high, ceil(self.below) - 1)
        return low, high

    @property
    def words(self) -> str:
        """What is asked, in words."""
        asked = (("at least", self.at_least), ("at most", self.at_most), ("above", self.above), ("below", self.below))
        return " and ".join(f"{name} {shown(bound)}" for name, bound in asked if bound is not None)


def shown(number: float) -> str:
    """A number for people: `5,000` or `12.5`."""
    return f"{number:,.0f}" if number == int(number) else f"{number:,.2f}"


def counted(asked: Range, times: list[float], window: float) -> Verdict:
    """Whether so many of `times` (newest first) lie within `window` seconds, given that all of them do now."""
    return falling(asked, len(times), lambda number: times[number - 1] + window)


def falling(asked: Range, count: int, lost: Callable[[int], float]) -> Verdict:
    """Whether a count lies in the range that can only fall as time passes; `lost(n)` is when it falls below n."""
    low, high = asked.whole()
    if count < low or low > high:
        return NEVER
    if count > high:
        return Verdict(False, lost(int(high) + 1))
    return Verdict(True, lost(low) if low > 0 else inf)


def passing(asked: Range, since: float, unit: float, now: float) -> Verdict:
    """Whether the whole units (of `unit` seconds) that have passed since a moment lie in the range."""
    low, high = asked.whole()
    begins, ends = since + low * unit if low > 0 else -inf, since + (high + 1) * unit
    if low > high or now >= ends:
        return NEVER
    return Verdict(True, ends) if now >= begins else Verdict(False, begins)
