"""SMPP 3.4 as bytes: the few PDUs that a sender of short messages says and hears. Pure.

A PDU is a header of four 32-bit numbers (length, command, status, sequence) and a body of C strings, octets and tagged values (TLVs).
"""

import re
import struct
from enum import IntEnum
from typing import NamedTuple

HEADER = struct.Struct(">IIII")
LONGEST = 64 * 1024
"""Bytes of a PDU: what claims to be longer is not SMPP."""
ANSWER = 0x80000000
"""The bit by which an answer is told from a request."""
VERSION = 0x34
UDHI = 0x40
"""`esm_class`: the text begins with a header of its own."""
RECEIPT_CLASS = 0x3C
"""`esm_class`: bits that are set where a `deliver_sm` is a receipt, and not what somebody wrote."""
GSM, UCS2 = 0, 8
"""`data_coding`."""

_RECEIPTED_ID, _STATE = 0x001E, 0x0427
_SAR_REFERENCE, _SAR_TOTAL, _SAR_NUMBER = 0x020C, 0x020E, 0x020F
_PAYLOAD = 0x0424
_FIELDS = re.compile(r"\b(id|stat|err):(\S*)", re.IGNORECASE)
_STATES = {
    1: "ENROUTE",
    2: "DELIVRD",
    3: "EXPIRED",
    4: "DELETED",
    5: "UNDELIV",
    6: "ACCEPTD",
    7: "UNKNOWN",
    8: "REJECTD",
}


class Command(IntEnum):
    """The requests; the answer to each is the same with `ANSWER`."""

    GENERIC_NACK = 0x00000000
    SUBMIT_SM = 0x00000004
    DELIVER_SM = 0x00000005
    UNBIND = 0x00000006
    BIND_TRANSCEIVER = 0x00000009
    ENQUIRE_LINK = 0x00000015


class Garbled(ValueError):  # noqa: N818 - named after what it says about the bytes
    """Not a PDU as SMPP 3.4 has it."""


class Pdu(NamedTuple):
    """One PDU. `command` is a `Command`, of an answer with the bit of `ANSWER`."""

    command: int
    status: int
    sequence: int
    body: bytes = b""

    @property
    def answers(self) -> bool:
        """Whether it is an answer to one of ours."""
        return bool(self.command & ANSWER)

    def encode(self) -> bytes:
        """Its bytes."""
        return HEADER.pack(HEADER.size + len(self.body), self.command, self.status, self.sequence) + self.body


class Source(NamedTuple):
    """An address with its type of number and numbering plan."""

    ton: int
    npi: int
    address: str


class Delivered(NamedTuple):
    """A `deliver_sm`: a receipt (`id` and `state`, of `DELIVRD`, `UNDELIV` ...), or what a customer wrote (`source`, `text`)."""

    receipt: bool
    id: str
    state: str
    error: str
    source: str
    text: str


def length_of(head: bytes) -> int:
    """The length that a header announces. Raises Garbled."""
    (length,) = struct.unpack_from(">I", head)
    if not HEADER.size <= length <= LONGEST:
        raise Garbled(f"a PDU of {length} bytes")
    return int(length)


def decode(raw: bytes) -> Pdu:
    """The PDU of its bytes."""
    _, command, status, sequence = HEADER.unpack_from(raw)
    return Pdu(command, status, sequence, raw[HEADER.size :])


def bind(system_id: str, password: str, system_type: str, sequence: int) -> Pdu:
    """`bind_transceiver`: to send, and to hear of receipts, over one connection."""
    body = _text(system_id, 15) + _text(password, 8) + _text(system_type, 12) + bytes((VERSION, 0, 0)) + _text("", 40)
    return Pdu(Command.BIND_TRANSCEIVER, 0, sequence, body)


class Piece(NamedTuple):
    """One piece of a text. `number` of `total` counts from 1; `reference` is the same for all pieces of a text."""

    octets: bytes
    coding: int
    number: int = 1
    total: int = 1
    reference: int = 0
    sar: bool = False
    """Numbered by tagged values instead of a header in the text."""


def submit(source: Source, to: str, piece: Piece, sequence: int, *, receipt: bool) -> Pdu:
    """`submit_sm` of one piece to a number (digits); `receipt`: the SMSC shall tell what becomes of it."""
    octets, esm_class, values = piece.octets, 0, b""
    if piece.total > 1 and piece.sar:
        values = (
            _value(_SAR_REFERENCE, struct.pack(">H", piece.reference))
            + _value(_SAR_TOTAL, bytes((piece.total,)))
            + _value(_SAR_NUMBER, bytes((piece.number,)))
        )
    elif piece.total > 1:
        octets = bytes((5, 0, 3, piece.reference & 0xFF, piece.total, piece.number)) + octets
        esm_class = UDHI
    body = (
        _text("", 5)
        + bytes((source.ton, source.npi))
        + _text(source.address, 20)
        + bytes((1, 1))
        + _text(to, 20)
        + bytes((esm_class, 0, 0))
        + _text("", 16)
        + _text("", 16)
        + bytes((int(receipt), 0, piece.coding, 0, len(octets)))
        + octets
        + values
    )
    return Pdu(Command.SUBMIT_SM, 0, sequence, body)


def submitted(pdu: Pdu) -> str:
    """The id that the SMSC has given to a message."""
    return _Reader(pdu.body).text(65) if pdu.body else ""


def delivered(pdu: Pdu) -> Delivered:
    """What a `deliver_sm` says. Raises Garbled."""
    reader = _Reader(pdu.body)
    reader.text(6)
    reader.octets(2)
    source = reader.text(21)
    reader.octets(2)
    reader.text(21)
    esm_class, *_ = reader.octets(3)
    reader.text(17)
    reader.text(17)
    _, _, coding, _, length = reader.octets(5)
    octets = reader.octets(length)
    values = reader.values()
    octets = octets or values.get(_PAYLOAD, b"")
    if esm_class & UDHI and octets:
        octets = octets[octets[0] + 1 :]
    text = octets.decode("utf-16-be" if coding == UCS2 else "latin-1", "replace")
    told = {name.lower(): value for name, value in _FIELDS.findall(text)} if esm_class & RECEIPT_CLASS else {}
    id_ = values.get(_RECEIPTED_ID, b"").rstrip(b"\0").decode("latin-1") or told.get("id", "")
    state = values.get(_STATE, b"")
    named = _STATES.get(state[0], "") if state else told.get("stat", "").upper()
    return Delivered(bool(esm_class & RECEIPT_CLASS), id_[:64], named[:16], told.get("err", "")[:16], source, text)


def _text(text: str, most: int) -> bytes:
    raw = text.encode("ascii")
    if len(raw) > most or b"\0" in raw:
        raise Garbled(f"a text of {len(raw)} bytes where {most} are allowed")
    return raw + b"\0"


def _value(tag: int, octets: bytes) -> bytes:
    return struct.pack(">HH", tag, len(octets)) + octets


class _Reader:
    """Walks through a body."""

    def __init__(self, body: bytes) -> None:
        self._body, self._at = body, 0

    def text(self, most: int) -> str:
        """A C string of at most `most` bytes with its end."""
        end = self._body.find(b"\0", self._at, self._at + most)
        if end < 0:
            raise Garbled("a text without its end")
        found, self._at = self._body[self._at : end], end + 1
        return found.decode("latin-1")

    def octets(self, count: int) -> bytes:
        """So many octets."""
        found = self._body[self._at : self._at + count]
        if len(found) != count:
            raise Garbled("a body that ends too soon")
        self._at += count
        return found

    def values(self) -> dict[int, bytes]:
        """The tagged values of the rest."""
        found = {}
        while self._at < len(self._body):
            tag, length = struct.unpack(">HH", self.octets(4))
            found[tag] = self.octets(length)
        return found
