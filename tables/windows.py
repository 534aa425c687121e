"""Windows over one customer's events: sessions, bounded rings and sliding counts. Pure."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

SESSION_GAP = 1800.0
"""Seconds of silence that end a session."""


class Timed(Protocol):
    """Something that happened at `at` (epoch seconds)."""

    at: float


T = TypeVar("T", bound=Timed)


def session_start(started: float, last_seen: float, at: float) -> float:
    """When the session that an event at `at` belongs to began. Late events never move it back."""
    return at if at - last_seen > SESSION_GAP else started


def push(ring: list[T] | None, item: T, size: int) -> list[T]:
    """Put `item` into a ring kept in order of time (late events find their place); the oldest beyond `size` go."""
    if ring is None:
        return [item]
    position = len(ring)
    while position and ring[position - 1].at > item.at:
        position -= 1
    ring.insert(position, item)
    if len(ring) > size:
        del ring[: len(ring) - size]
    return ring


def within(ring: Iterable[T] | None, at: float, seconds: float) -> list[T]:
    """The items of the window of `seconds` that ends at `at`, both ends included."""
    return [item for item in ring or () if at - seconds <= item.at <= at]
