"""What a fenced table writes to its changelog. Pure.

A changelog partition holds the rows under their keys and, under a key that no row can have, the fence: up to where each
input has been applied, and the partition's clock.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from tables.packed import PackedRows
from tables.upcast import current

FENCE_KEY = b"\xfffence"
"""0xff never occurs in UTF-8, so no row has this key."""

FORMAT = 4
"""Format of rows and fences. It goes up with every change of their shape, new fields at an end included: a program of before would
read these, and forget them as soon as it wrote the row. A test holds the shapes to it.

Rows of former formats are read by `tables/upcast.py`.
"""
STEPS_END_WITH_FENCE = 4
"""The format from which on whatever is written to a changelog ends with a fence."""

KeyValue = tuple[bytes, bytes | None]


class FormatError(RuntimeError):
    """The changelog holds what this program cannot read: it does not start on half a state."""


class Fence(msgspec.Struct, array_like=True, gc=False):
    """Up to where the rows reflect each input topic (named without prefix), the largest event time, and the rows' format."""

    applied: dict[str, int]
    clock: float = 0.0
    format: int = FORMAT


class Codec:
    """Rows and fences as bytes. `row_type` is a msgspec struct, or a union of tagged ones."""

    def __init__(self, row_type: Any) -> None:
        self.encode_row = msgspec.msgpack.Encoder().encode
        self.decode_row = msgspec.msgpack.Decoder(row_type).decode
        """For rows of this format; what was read from a topic goes through `read_row`."""
        self._decode_fence = msgspec.msgpack.Decoder(Fence).decode

    def read_row(self, value: bytes) -> Any:
        """A row from its record's value, of whatever format."""
        return self.decode_row(current(value))

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
        """The fence from its record's value. Raises FormatError for one of a newer program, and for one that is none."""
        try:
            fence = self._decode_fence(value)
        except msgspec.MsgspecError as error:
            raise FormatError(f"its fence cannot be read ({error})") from None
        if fence.format > FORMAT:
            raise FormatError(
                f"it was written by a newer version (format {fence.format}, this one knows {FORMAT}): start that version"
            )
        return fence
