"""Counts that are made often and asked for seldom: kept in plain numbers, moved into the metrics when these are rendered."""

from bisect import bisect_left
from collections import defaultdict
from typing import TYPE_CHECKING, Union

if TYPE_CHECKING:
    from prometheus_client import Counter, Histogram

TALLIES: list[Union["Tally", "Spread"]] = []
"""All of them."""


class Tally:
    """Counts for a counter, moved into it when metrics are asked for: a tenth of the cost. For what runs with each request.

    For one thread, that of the event loop, on which metrics are rendered too.
    """

    __slots__ = ("_counter", "_counts")

    def __init__(self, counter: "Counter") -> None:
        self._counter = counter
        self._counts: defaultdict[tuple[str, ...], int] = defaultdict(int)
        TALLIES.append(self)

    def add(self, *labels: str, count: int = 1) -> None:
        """Count under these labels."""
        self._counts[labels] += count

    def move(self) -> None:
        """Move what was counted."""
        for labels, count in self._counts.items():
            (self._counter.labels(*labels) if labels else self._counter).inc(count)
        self._counts.clear()


class Spread:
    """Observations for a histogram without labels, moved likewise."""

    __slots__ = ("_bounds", "_counts", "_histogram", "_sum")

    def __init__(self, histogram: "Histogram", buckets: tuple[float, ...]) -> None:
        self._histogram, self._bounds = histogram, buckets
        self._counts = [0] * (len(buckets) + 1)
        self._sum = 0.0
        TALLIES.append(self)

    def observe(self, value: float) -> None:
        """Note a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def move(self) -> None:
        """Move what was noted."""
        for bucket, count in zip(self._histogram._buckets, self._counts, strict=True):  # noqa: SLF001 - no public way
            bucket.inc(count)
        self._histogram._sum.inc(self._sum)  # noqa: SLF001
        self._counts = [0] * len(self._counts)
        self._sum = 0.0
