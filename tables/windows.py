"""Windows over one customer's events: sessions and bounded rings. Pure."""

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
