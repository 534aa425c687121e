"""Choices that look random and are not: the same seed and words always give the same choice. Pure."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """A stream of choices, decided by its seed."""

    def __init__(self, *seed: object) -> None:
        """`seed`: anything with a stable `str`."""
        self._seed = "\x1f".join(map(str, seed))
        self._rolls = 0

    def roll(self) -> float:
        """The next number, 0 <= number < 1."""
        self._rolls += 1
        digest = blake2b(f"{self._seed}\x1f{self._rolls}".encode(), digest_size=7).digest()
        return int.from_bytes(digest) / (1 << 56)

    def between(self, low: float, high: float) -> float:
        """A number between two others."""
        return low + (high - low) * self.roll()

    def number(self, low: int, high: int) -> int:
        """A whole number between two others, both included."""
        return low + int(self.roll() * (high - low + 1))

    def pick(self, things: Sequence[T]) -> T:
        """One of the things."""
        return things[int(self.roll() * len(things))]

    def some(self, things: Sequence[T], count: int) -> list[T]:
        """Some different ones of the things, in a random order; all of them when there are not more."""
        left = list(things)
        return [left.pop(int(self.roll() * len(left))) for _ in range(min(count, len(left)))]
