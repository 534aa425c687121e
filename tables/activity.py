"""Mere activity, the most frequent of all events: moves a customer's `last_seen` on without unpacking the row. Pure.

Works on the bytes of a packed `Customer`: an array of 32 bits' header whose first fields after the tag are the floats
`first_seen`, `last_seen` and `session_started`. A test holds this page to what unpacking and applying would give.
"""

from struct import Struct

from tables.windows import session_start

_ARRAY = 0xDC
_TAG = 1
_HEAD = Struct(">3xB x d x d x d")
"""Tag, first_seen, last_seen, session_started; each float is announced by one byte."""
_NEW = Struct(">d x d")
_LAST = 14
"""Where the bytes of `last_seen` begin."""
_END = 31
_FLOAT = 0xCB
_NIL = 0xC0
"""The last byte of a row without dialogs, whose last field they are."""


def seen_again(packed: bytes, at: float) -> bytes | None:
    """The row after activity at `at` (epoch seconds); None where it has to be unpacked.

    That is so where it is no customer, a new one, or one who has dialogs: whoever comes back to the site may have an alert.
    """
    if len(packed) < _END or packed[0] != _ARRAY or packed[-1] != _NIL:
        return None
    tag, first, last, started = _HEAD.unpack_from(packed)
    if tag != _TAG or not first or packed[4] != _FLOAT or packed[13] != _FLOAT or packed[22] != _FLOAT:
        return None
    if at <= last:
        return packed
    head = bytearray(packed[:_END])
    _NEW.pack_into(head, _LAST, at, session_start(started, last, at))
    head[22] = _FLOAT
    return bytes(head) + packed[_END:]


def last_seen(packed: bytes) -> float | None:
    """When a packed customer was last seen (epoch seconds); None for what is no customer."""
    if len(packed) < _END or packed[0] != _ARRAY or packed[13] != _FLOAT:
        return None
    tag, _, last, _ = _HEAD.unpack_from(packed)
    return last if tag == _TAG else None
