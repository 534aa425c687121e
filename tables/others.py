"""After a restart or a rebalance: what the other partitions had not read yet. Pure.

Two keys may be one customer, and be on two partitions: what one of them has in its backlog may link them, or be the order that
ends a wait on the other. So after our partitions are opened no timer of theirs fires until every partition has read what
was there at that time. Offsets are those that the next records will get.
"""

from collections.abc import Collection, Iterable, Mapping
from math import inf
from typing import Any

PATIENCE = 300.0
"""Seconds after which timers fire all the same: a partition that nobody reads must not silence the others for ever."""


class Others:
    """What is to be read before the timers of partitions that were just opened may fire. Times are of a monotonic clock."""

    __slots__ = ("_left", "_since", "_topics", "rounds")

    def __init__(self, topics: Collection[str]) -> None:
        """`topics`: none, and nothing is waited for."""
        self._topics = topics
        self._left: dict[Any, int] | None = None if topics else {}
        self._since = inf
        self.rounds = 0
        """Grows with each rebalance: what was asked before one says nothing after it."""

    @property
    def over(self) -> bool:
        """Whether nothing is waited for any more."""
        return self._left is not None and not self._left

    @property
    def left(self) -> Iterable[Any] | None:
        """The partitions that are still behind; None: their ends are to be asked for."""
        return None if self._left is None else list(self._left)

    def again(self) -> None:
        """There was another rebalance. Patience does not begin anew: one who comes and goes must not silence the others for ever."""
        self.rounds += 1
        if self._topics:
            self._since = inf if self.over else self._since
            self._left = None

    def hold(self, begins: Mapping[Any, int], ends: Mapping[Any, int], now: float) -> None:
        """The partitions' ends, asked for after ours were opened. What holds no records is read."""
        self._left = {tp: end for tp, end in ends.items() if end > begins[tp]}
        self._since = min(self._since, now)

    def note(self, read: Mapping[Any, int | None], now: float) -> bool:
        """How far partitions were read by now. False: patience is at an end, and nothing is waited for any more."""
        self._left = {tp: end for tp, end in (self._left or {}).items() if (read.get(tp) or 0) < end}
        if self._left and now - self._since >= PATIENCE:
            self._left = {}
            return False
        return True
