"""Rows of former formats as rows of this one. Pure.

| format | what changed |
|---|---|
| 1 | |
| 2 | `Customer.engagement`, before its last field |
| 3 | kinds of rows that were not there before: `Sweep`, `Schedule`, `Ranking`, `Related`, `Offers` |
| 4 | fields at the ends of structs (`Orders`, `Engagement`, `Ranking`); whatever is written ends with a fence |

Works on the bytes, since a restore reads millions of rows: one of this format costs a comparison.
"""

import msgspec

_CUSTOMER_1 = b"\xdc\x00\x15\x01"
"""How a customer of format 1 begins: an array of the tag 1 and twenty fields. No other row is as long."""
_HEADER_2 = b"\xdc\x00\x16"
_NIL = 0xC0


def current(packed: bytes) -> bytes:
    """The row as it is written today. One that is broken stays so, or raises MsgspecError."""
    if packed[:4] != _CUSTOMER_1:
        return packed
    if packed[-1] == _NIL:  # without dialogs, as most are: one more field without a value
        return _HEADER_2 + packed[3:] + packed[-1:]
    fields = msgspec.msgpack.decode(packed)
    return msgspec.msgpack.encode([*fields[:-1], None, fields[-1]])
