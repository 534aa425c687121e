"""Mere activity, the most frequent of all events: moves a customer's `last_seen` on without unpacking the row. Pure.

Works on the bytes of a packed `Customer`: an array of 32 bits' header whose first fields after the tag are the floats
`first_seen`, `last_seen` and `session_started`. A test holds this page to what unpacking and applying would give. Of a frozen row
(`tables/frost.py`) the same bytes stand at the same places.
"""

from math import inf
from struct import Struct

import msgspec

from tables.customer import Customer
from tables.frost import MARK, MARK_AT, size_of
from tables.packed import PackedRows
from tables.windows import session_start

_ARRAY = 0xDC
_TAG = 1
_HEAD = Struct(">3xB x d x d x d")
"""Tag, first_seen, last_seen, session_started; each float is announced by one byte."""
_LAST = 14
"""Where the bytes of `last_seen` begin."""
_END = 31
_FLOAT = 0xCB
_NIL = 0xC0
"""The last byte of a row without dialogs, whose last field they are."""
_TIMES = Struct(">dBd")
"""Two floats and what announces the second."""
_THREE_TIMES = Struct(">dBdBd")
_MARK = Struct(">Bd")
_NEVER = Struct(">d").pack(0.0)
_FIRST = slice(5, 13)
"""The bytes of `first_seen`."""
_NO_FLOAT = bytes([_FLOAT + 1])
_NEW = msgspec.msgpack.encode(Customer(1.0, 1.0, 1.0))
"""A customer of whom nothing is known but the times."""
_NEW_HEAD, _NEW_TAIL = _NEW[:5], _NEW[_END:]


def visit(customer: Customer, at: float) -> None:
    """The customer is active at `at` (epoch seconds)."""
    if at > customer.last_seen:
        customer.session_started = session_start(customer.session_started, customer.last_seen, at)
        customer.last_seen = at
        if not customer.first_seen:
            customer.first_seen = at


def note(
    rows: PackedRows, key: str, at: float, gap: float = inf, *, newcomers: bool = False, about: float | None = None
) -> bool:
    """Note that the customer `key`, known or new, is active at `at`. False: nothing is done, the event has to be applied.

    Whoever has dialogs and comes back to the site may have an alert. After a silence of `gap` seconds a segment may be entered
    again; `newcomers`: somebody new may enter one. `about`, where given, is noted instead of `at`; but of one whom a back end has told
    of before he was there, the first moment is noted as it was.
    """
    seen = at if about is None else about
    row = rows.opened.get(key)
    if row is not None:
        if type(row) is not Customer or row.dialogs is not None or (newcomers and not row.first_seen):
            return False
        moment = seen if row.first_seen else at
        if moment - row.last_seen >= gap:
            return False
        visit(row, moment)
        return True
    cell = rows.cells.get(key)
    if cell is None:
        if seen <= 0.0 or newcomers:
            return False
        rows.put_packed(key, first_seen(seen))
        return True
    if cell.packed[_FIRST] == _NEVER:
        if newcomers:
            return False
        seen = at
    packed = seen_again(cell.packed, seen, gap)
    if packed is None:
        return False
    if key not in rows.counted:
        rows.looked_at += len(packed) if packed[MARK_AT] != MARK else size_of(packed)
        rows.counted[key] = False
    cell.packed = packed  # as many bytes as before: the size of all rows stays, and what is frozen stays so
    return True


def was_seen(rows: PackedRows, key: str, at: float) -> bool:
    """Whether `key` is a customer without dialogs who is known to have been there at `at` (epoch seconds) or later."""
    row = rows.opened.get(key)
    if row is not None:
        return type(row) is Customer and row.dialogs is None and row.last_seen >= at
    cell = rows.cells.get(key)
    if cell is None:
        return False
    last = last_seen(cell.packed)
    return last is not None and last >= at and not has_dialogs(cell.packed)


def mark(at: float) -> bytes:
    """What `is_marked` asks by: an instant from the epoch on (seconds) as rows have it, the sooner the less."""
    return _MARK.pack(_FLOAT, at)


def is_marked(packed: bytes, since: bytes) -> bool:
    """Whether a packed customer without dialogs was seen at the instant of a `mark` or later. False: it has to be looked at closer."""
    return packed[:5] == _NEW_HEAD and since <= packed[_LAST - 1 : _LAST + 8] < _NO_FLOAT and packed[-1] == _NIL


def first_seen(at: float) -> bytes:
    """The row of a customer whose first activity is at `at`."""
    return _NEW_HEAD + _THREE_TIMES.pack(at, _FLOAT, at, _FLOAT, at) + _NEW_TAIL


def seen_again(packed: bytes, at: float, gap: float = inf) -> bytes | None:
    """The row after activity at `at` (epoch seconds); None where it has to be unpacked.

    That is so where it is no customer, or one who has dialogs: whoever comes back to the site may have an alert.
    And where the customer was away for `gap` seconds, or never there and there is such a gap.
    """
    if len(packed) < _END or packed[0] != _ARRAY or packed[-1] != _NIL:
        return None
    tag, first, last, started = _HEAD.unpack_from(packed)
    if tag != _TAG or packed[4] != _FLOAT or packed[13] != _FLOAT or packed[22] != _FLOAT:
        return None
    if at <= last:
        return packed
    if at - last >= gap:
        return None
    started = session_start(started, last, at)
    if not first:
        return packed[:5] + _THREE_TIMES.pack(at, _FLOAT, at, _FLOAT, started) + packed[_END:]
    return packed[:_LAST] + _TIMES.pack(at, _FLOAT, started) + packed[_END:]


def has_dialogs(packed: bytes) -> bool:
    """Whether a packed customer has dialogs."""
    return packed[-1] != _NIL


def last_seen(packed: bytes) -> float | None:
    """When a packed customer was last seen (epoch seconds); None for what is no customer."""
    if len(packed) < _END or packed[0] != _ARRAY or packed[13] != _FLOAT:
        return None
    tag, _, last, _ = _HEAD.unpack_from(packed)
    return last if tag == _TAG else None
