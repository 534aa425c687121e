"""Rows kept as bytes: a customer costs a few hundred bytes instead of a few thousand.

Between steps a row is its msgpack, as the changelog has it. The first look at it in a step unpacks it; a row that the step
has touched is packed once, for the changelog and for memory alike. A row that was changed but not touched forgets the change.

With a `Frost` rows may lie frozen (`tables/frost.py`), those that `freeze` was asked for (`tables/cooling.py`). Reading a row leaves it
so; a row that is written is not frozen any more. Nobody who asks for rows, or for their bytes by `bytes_of`, can tell the difference.
"""

from collections.abc import Callable, Container, Iterator, MutableMapping
from itertools import islice
from math import inf
from typing import Any

import msgspec

from tables.frost import MARK, MARK_AT, Frost

SHARED = "\0"
"""What keys of rows begin with that are no customer's: shelves, neighbours of products, plans and the like."""

RETURNED = 4
"""A step of which more than one row in so many is unpacked again lets go of none any more."""


class Cell(msgspec.Struct, gc=False):
    """A row at rest, and the due time of its live timer entry (0.0: none)."""

    packed: bytes = b""
    """The row's bytes, or what is frozen of them: whoever looks further into them than `tables/activity.py` takes `bytes_of`."""
    wake: float = 0.0


class PackedRows(MutableMapping[str, Any]):
    """A mapping of keys to rows; see the module's text."""

    __slots__ = (
        "_decode",
        "_encode",
        "_frost",
        "_kept",
        "_let_go",
        "_made",
        "_returned",
        "cells",
        "counted",
        "looked_at",
        "opened",
        "settled",
        "settled_for",
        "size",
    )

    def __init__(
        self, encode: Callable[[Any], bytes], decode: Callable[[bytes], Any], frost: Frost | None = None
    ) -> None:
        """`frost`: what freezes rows; none, and none is frozen."""
        self._encode, self._decode, self._frost = encode, decode, frost
        self.opened: dict[str, Any] = {}
        """Rows that this step has unpacked or made."""
        self._made: list[str] = []
        """Keys of those that it has made."""
        self.cells: dict[str, Cell] = {}
        self.size = 0
        """Bytes of all packed rows, frozen ones as they are."""
        self.looked_at = 0
        """Bytes of the rows that this step has unpacked or changed: about what it will write."""
        self.counted: dict[str, bool] = {}
        """Rows that are counted there for good, however often they are unpacked or patched; whether they were let go of."""
        self._let_go = self._returned = self._kept = 0
        """Rows that this step has let go of, how many of them it has unpacked again, and how many it keeps open."""
        self.settled: set[bytes] = set()
        """Keys of packed rows that a reader need not look at again before they are unpacked, set or deleted. He fills it, and bounds it."""
        self.settled_for = -inf
        """What he has settled them for, in his own terms."""

    def get(self, key: str, default: Any = None) -> Any:
        """The row, unpacked for this step."""
        row = self.opened.get(key)
        if row is None:
            cell = self.cells.get(key)
            if cell is None:
                return default
            packed = cell.packed
            if packed[MARK_AT] == MARK:
                packed = self._thawed(packed)
            row = self.opened[key] = self._decode(packed)
            known = self.counted.get(key)
            if known is None:
                self.looked_at += len(packed)
            elif known:
                self._returned += 1
            if self.settled:
                self.settled.discard(key.encode())
        return row

    def _thawed(self, packed: bytes) -> bytes:
        return packed if self._frost is None else self._frost.thaw(packed)

    def bytes_of(self, key: str) -> bytes | None:
        """The row's bytes as they were last packed, b"" for one that was not yet; None: there is no such row."""
        cell = self.cells.get(key)
        return None if cell is None else self._thawed(cell.packed)

    def peek(self, key: str) -> Any:
        """The row for a look at it, which neither keeps it unpacked nor changes it; None: there is none."""
        row = self.opened.get(key)
        if row is None:
            cell = self.cells.get(key)
            row = None if cell is None else self._decode(self._thawed(cell.packed))
        return row

    def __getitem__(self, key: str) -> Any:
        """Get the row, unpacked for this step. Raises KeyError."""
        row = self.get(key)
        if row is None:
            raise KeyError(key)
        return row

    def __setitem__(self, key: str, row: Any) -> None:
        """Set a row for this step; `pack` keeps it."""
        self.opened[key] = row
        if key not in self.cells:
            self.cells[key] = Cell()
            self._made.append(key)
        else:
            self.settled.discard(key.encode())

    def __delitem__(self, key: str) -> None:
        """Forget a row. Raises KeyError."""
        self.opened.pop(key, None)
        self.size -= len(self.cells.pop(key).packed)
        self.settled.discard(key.encode())

    def __iter__(self) -> Iterator[str]:
        """All keys."""
        return iter(self.cells)

    def __len__(self) -> int:
        """Rows held."""
        return len(self.cells)

    def __contains__(self, key: object) -> bool:
        """Whether there is such a row; does not unpack it."""
        return key in self.cells

    def pack(self, key: str) -> bytes | None:
        """Keep what the step made of a row; its bytes, or None when it is gone."""
        cell = self.cells.get(key)
        if cell is None:
            return None
        row = self.opened.get(key)
        if row is not None:
            packed = self._encode(row)
        else:
            packed = cell.packed
            if packed[MARK_AT] != MARK:
                return packed
            packed = self._thawed(packed)  # it was patched
        self.size += len(packed) - len(cell.packed)
        cell.packed = packed
        return packed

    def forget(self, key: str) -> None:
        """Forget what the step has changed of a row since it was last packed."""
        self.opened.pop(key, None)

    def put_packed(self, key: str, packed: bytes) -> None:
        """Set a row from its bytes."""
        cell = self.cells.get(key)
        if cell is None:
            self.cells[key] = Cell(packed)
            self.size += len(packed)
        else:
            self.size += len(packed) - len(cell.packed)
            cell.packed = packed
            self.settled.discard(key.encode())
        self.opened.pop(key, None)

    def freeze(self, key: str) -> bool:
        """Freeze a row, if that gains anything; whether it did. One that is unpacked stays as it is."""
        cell = self.cells.get(key)
        if self._frost is None or cell is None or key in self.opened:
            return False
        frozen = self._frost.freeze(cell.packed)
        gained = len(cell.packed) - len(frozen)
        self.size -= gained
        cell.packed = frozen
        return gained > 0

    def fold(self, changed: Container[str]) -> None:
        """Within a step: pack the rows that it has `changed`, and let go of all that it has unpacked, while the processor has them at hand.

        Nobody may hold on to a row then. A row that was made and not touched yet stays, and so do those that all customers of a partition
        share: they are asked for again and again. Where its customers come again and again too, a step keeps their rows.
        """
        opened, cells = self.opened, self.cells
        if self._returned * RETURNED > self._let_go:
            return
        for key in list(islice(opened, self._kept, None)):
            packed = cells[key].packed
            if key[:1] == SHARED:
                continue
            if key in changed:
                self.pack(key)
                self.counted[key] = True
            elif packed:
                self.looked_at -= len(packed)  # it is not written; one that is frozen was counted for more
            else:
                continue
            del opened[key]
            self._let_go += 1
        self._kept = len(opened)

    def close(self) -> None:
        """The step is over: what was unpacked, or made, and not kept is forgotten."""
        cells = self.cells
        for key in self._made:
            cell = cells.get(key)
            if cell is not None and not cell.packed:
                del cells[key]
        self._made.clear()
        self.opened.clear()
        self.counted.clear()
        self.looked_at = self._let_go = self._returned = self._kept = 0

    def unpacked(self) -> Iterator[tuple[str, Any]]:
        """All rows, unpacked one after the other and not kept so."""
        return ((key, row) for key, _, row in self.unpacked_cells())

    def unpacked_cells(self) -> Iterator[tuple[str, Cell, Any]]:
        """All rows like that, with their cells."""
        decode, thawed = self._decode, self._thawed
        for key, cell in self.cells.items():
            packed = cell.packed
            yield key, cell, decode(thawed(packed) if packed[MARK_AT] == MARK else packed)
