"""Rows that are frozen whenever they can be: what happens to a few of them in a day happens to all of them after each step."""

from tables.frost import Frost
from tables.packed import PackedRows

FIRST = 12
"""Rows after which there is a dictionary: few, so that small tests freeze."""


def quick_frost():
    """A frost that has its first dictionary soon."""
    return Frost(FIRST, 16)


class EagerRows(PackedRows):
    """Freezes at the end of a step what that has looked at or written."""

    __slots__ = ("frozen", "written")

    def __init__(self, encode, decode, frost=None):
        super().__init__(encode, decode, frost or quick_frost())
        self.written, self.frozen = set(), 0

    def pack(self, key):
        self.written.add(key)
        return super().pack(key)

    def put_packed(self, key, packed):
        self.written.add(key)
        super().put_packed(key, packed)

    def close(self):
        keys, self.written = [*self.opened, *self.written], set()
        super().close()
        self.frozen += sum(map(self.freeze, keys))
