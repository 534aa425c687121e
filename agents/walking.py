"""The order in which walks come to the customers of a partition: that of a checksum of their keys. Pure.

It names nobody, and is the same in a partition that inherits the rows. A partition may have a million keys: they are put in their places
in parts, and sorted no more than a few hundred at a time, so that no step takes long because of it.
"""

from collections import defaultdict
from collections.abc import Iterator
from zlib import crc32

PART = 20_000
"""Keys that are put in their places at a time."""
_BITS = 20
"""Customers whose checksums agree but for the last so many bits are sorted together: of a million keys 250."""


def order_of(key: str) -> int:
    """Where a customer comes in a walk."""
    return crc32(key.encode())


class Order:
    """The customers of a partition as of `at` (epoch seconds)."""

    def __init__(self, at: float, keys: list[str]) -> None:
        self.at = at
        self._keys = keys
        """Those that have no place yet."""
        self._places: defaultdict[int, list[str]] = defaultdict(list)

    def prepare(self) -> bool:
        """Put the next part of the keys in their places. Whether all are."""
        for key in self._keys[-PART:]:
            self._places[order_of(key) >> _BITS].append(key)
        del self._keys[-PART:]
        return not self._keys

    def after(self, last: int) -> Iterator[tuple[int, str]]:
        """Customers whose checksums are above `last`, each with his own."""
        for place in sorted(place for place in self._places if place >= last >> _BITS):
            yield from sorted((number, key) for key in self._places[place] if (number := order_of(key)) > last)
