"""What a fenced table writes to its changelog. Pure.

A changelog partition holds the rows under their keys and, under a key that no row can have, the fence: up to where each
input has been applied, and the partition's clock.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from tables.packed import PackedRows

FENCE_KEY = b"\xfffence"
"""0xff never occurs in UTF-8, so no row has this key."""

KeyValue = tuple[bytes, bytes | None]


class Fence(msgspec.Struct, array_like=True, gc=False):
    """Up to where the rows reflect each input topic (named without prefix), and the largest event time."""

    applied: dict[str, int]
    clock: float = 0.0


class Codec:
    """Rows and fences as bytes. `row_type` is a msgspec struct, or a union of tagged ones."""

    def __init__(self, row_type: Any) -> None:
        self.encode_row = msgspec.msgpack.Encoder().encode
        self.decode_row = msgspec.msgpack.Decoder(row_type).decode
        self._decode_fence = msgspec.msgpack.Decoder(Fence).decode

    def records(self, rows: Mapping[str, Any], changed: Iterable[str]) -> Iterator[KeyValue]:
        """The changed rows; one that is no longer there becomes a tombstone."""
        if isinstance(rows, PackedRows):
            for key in changed:
                yield key.encode(), rows.pack(key)
            return
        encode, get = self.encode_row, rows.get
        for key in changed:
            row = get(key)
            yield key.encode(), None if row is None else encode(row)

    def fence(self, applied: dict[str, int], clock: float) -> KeyValue:
        """The fence record."""
        return FENCE_KEY, self.encode_row(Fence(applied, clock))

    def read_fence(self, value: bytes) -> Fence:
        """The fence from its record's value."""
        return self._decode_fence(value)
