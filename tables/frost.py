"""Rows of customers who are not there, frozen: pressed by a dictionary of what such rows have in common. In memory alone. Pure.

What is frozen keeps the row's first 31 bytes and its last one where they are, so that all that `tables/activity.py` asks of a row,
and the patch that it makes, hold for a frozen one too:

    header, tag, three times   31 bytes, as in the row
    mark                        1 byte, 0xC1, which msgpack never uses
    dictionary                  1 byte, its number
    size                        3 bytes, of the row
    the rest but its last byte  a zstd frame without magic number
    last byte                   as in the row

Only rows that begin as a customer's do are frozen: the others are short, or few and in use.
"""

from collections.abc import Callable

import msgspec

_END = 31
"""Bytes of a customer's row before its fourth field (`tables/activity.py`)."""
_ARRAY, _FLOATS = 0xDC, b"\xcb\xcb\xcb"
_ANNOUNCE = slice(4, 23, 9)
"""The bytes that announce the three times."""
MARK = b"\xc1"
"""Stands at `MARK_AT` in what is frozen. That alone is no proof: see `is_frozen`."""
MARK_AT = slice(_END, _END + 1)
_NUMBER = _END + 1
_SIZE = slice(_END + 2, _END + 5)
_FRAME = slice(_END + 5, -1)

LEAST = 160
"""Bytes. A shorter row stays as it is."""
_MOST = 1 << 24
FIRST = 512
"""Rows that are looked at before the first dictionary is made."""
GROWTH = 8
"""A further one is made when so many times as many were looked at: the first customers of a shop need not be like the others."""
MOST_DICTIONARIES = 16
SAMPLE = 128
"""Rows that a dictionary is made of."""
LONGEST = 4096
"""Bytes of a row that are looked at for it."""
DICTIONARY = 8192
"""Bytes of a dictionary: one half as long presses worse by a fiftieth, one twice as long better by as much."""
_LEVEL = 1


def is_frozen(packed: bytes) -> bool:
    """Whether a row is frozen."""
    return packed[MARK_AT] == MARK and _is_headed(packed)


def size_of(packed: bytes) -> int:
    """Bytes that a row has when it is not frozen."""
    return int.from_bytes(packed[_SIZE], "little") if is_frozen(packed) else len(packed)


def _is_headed(packed: bytes) -> bool:
    """Whether a row begins as a customer's does, whose fourth field is announced by byte 31."""
    return packed[_ANNOUNCE] == _FLOATS and packed[0] == _ARRAY


class Frost:
    """Freezes rows of a table, and thaws them."""

    __slots__ = ("_left", "_of", "_period", "_press", "_presses", "_sample")

    def __init__(self, first: int = FIRST, sample: int = SAMPLE) -> None:
        """The first dictionary is made when `first` rows were looked at, each of the last `sample` of them."""
        self._presses: list[_Press] = []
        """By their dictionaries' numbers."""
        self._press: _Press | None = None
        """The last of them, which is used for what is frozen from now on."""
        self._sample: list[bytes] = []
        self._left, self._period, self._of = first, first, sample

    def freeze(self, packed: bytes) -> bytes:
        """The row frozen; as it is where it is frozen already, where that gains too little, and as long as there is no dictionary."""
        if not LEAST <= len(packed) < _MOST or packed[MARK_AT] == MARK or not _is_headed(packed):
            return packed
        body = packed[_END:-1]
        if self._left:
            self._look_at(body)
        press = self._press
        if press is None:
            return packed
        frozen = b"".join(
            (packed[:_END], press.mark, len(packed).to_bytes(3, "little"), press.close(body), packed[-1:])
        )
        return frozen if len(frozen) * 4 <= len(packed) * 3 else packed

    def thaw(self, packed: bytes) -> bytes:
        """The row as it was before it was frozen. Raises MsgspecError where that cannot be told."""
        if not is_frozen(packed):
            return packed
        try:
            body = self._presses[packed[_NUMBER]].open(packed[_FRAME])
        except (IndexError, ValueError) as error:
            raise msgspec.DecodeError(f"a frozen row is broken: {error}") from None
        return b"".join((packed[:_END], body, packed[-1:]))

    def _look_at(self, body: bytes) -> None:
        """Count a row; the last ones before the time comes are what a dictionary is made of."""
        self._left -= 1
        if self._left < self._of:
            self._sample.append(body[:LONGEST])
        if not self._left:
            self._press = _Press(len(self._presses), self._sample)
            self._presses.append(self._press)
            self._sample = []
            self._period *= GROWTH
            self._left = self._period if len(self._presses) < MOST_DICTIONARIES else 0


class _Press:
    """A dictionary that was made of some rows, and what presses by it."""

    __slots__ = ("_error", "_open", "close", "mark")

    def __init__(self, number: int, sample: list[bytes]) -> None:
        import zstandard as zstd  # by what has rows enough to freeze, and only then

        try:
            dictionary = zstd.train_dictionary(DICTIONARY, [*sample])
        except zstd.ZstdError:  # they are too much alike, or have too little in common: then some of them as they are
            dictionary = zstd.ZstdCompressionDict(b"".join(sample)[:DICTIONARY], dict_type=zstd.DICT_TYPE_RAWCONTENT)
        how = zstd.ZstdCompressionParameters.from_level(
            _LEVEL, format=zstd.FORMAT_ZSTD1_MAGICLESS, write_dict_id=False, write_checksum=False, write_content_size=True
        )  # fmt: skip
        self.mark = MARK + number.to_bytes(1, "little")
        self.close: Callable[[bytes], bytes] = zstd.ZstdCompressor(
            dict_data=dictionary, compression_params=how
        ).compress
        self._open = zstd.ZstdDecompressor(dict_data=dictionary, format=zstd.FORMAT_ZSTD1_MAGICLESS).decompress
        self._error = zstd.ZstdError

    def open(self, frame: bytes) -> bytes:
        """What was pressed. Raises ValueError for what was not pressed here."""
        try:
            body: bytes = self._open(frame)
        except self._error as error:
            raise ValueError(str(error)) from None
        return body
