"""The lag gate: when may the timers of a partition fire? Pure.

A trigger says that something did not happen. That is known only once everything has been read that was there when the
timer came due. So: (1) a timer is due and its grace is over, by the wall clock; (2) only then the ends of all input
partitions are asked for; (3) what was due when they were asked fires as soon as everything up to those ends is applied.
A purchase that waits in a backlog disarms its timer before that.

A jump of the wall clock makes "due" doubtful. Whatever waits then has to go through (1) to (3) again.
"""

from collections.abc import Mapping

JUMP = 30.0
"""Seconds by which the wall clock may part from the monotonic clock between two looks."""


class Gate:
    """The lag gate of one partition. Times are epoch seconds; ends are the offsets that the next records will get."""

    __slots__ = ("_ends", "_grace", "_limit")

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._limit = 0.0
        self._ends: Mapping[str, int] | None = None

    @property
    def waiting(self) -> bool:
        """Whether ends are known that have to be reached."""
        return self._ends is not None

    def wants_ends(self, next_due: float | None, now: float) -> bool:
        """Whether something is due that no ends were asked for yet."""
        return self._ends is None and next_due is not None and next_due + self._grace <= now

    def hold(self, asked_at: float, ends: Mapping[str, int]) -> None:
        """The `ends` of all inputs, asked for no earlier than `asked_at`."""
        self._limit = asked_at - self._grace
        self._ends = ends

    def limit(self, applied: Mapping[str, int]) -> float | None:
        """Up to which deadline timers may fire, given the last applied offsets; None: not yet."""
        if self._ends is None:
            return None
        for topic, end in self._ends.items():
            if applied.get(topic, -1) + 1 < end:
                return None
        return self._limit

    def reset(self) -> None:
        """Forget the ends: all that was due has fired, or the clock has jumped."""
        self._ends = None

    def pause(self, next_due: float | None, now: float, longest: float, poll: float) -> float:
        """Seconds until there may be something to do."""
        if self._ends is not None:
            return poll
        if next_due is None:
            return longest
        return min(max(next_due + self._grace - now, 0.0), longest)


class ClockWatch:
    """Notices when the wall clock jumps against the monotonic clock."""

    __slots__ = ("_last",)

    def __init__(self, now: float, monotonic: float) -> None:
        self._last = now - monotonic

    def jumped(self, now: float, monotonic: float) -> bool:
        """Whether the wall clock has jumped by more than `JUMP` seconds since the last call."""
        offset = now - monotonic
        last, self._last = self._last, offset
        return abs(offset - last) > JUMP
