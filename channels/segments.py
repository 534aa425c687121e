"""A short message as the mobile network counts and carries it: GSM 03.38 or UCS-2, in one piece or in several. Pure.

One piece holds 160 characters of the GSM alphabet or 70 of UCS-2. A longer text is cut into pieces that begin with a header
(six octets: reference, number of pieces, number of this one), which leaves 153 or 67. A character of the extension table takes two
places, and neither it nor a surrogate pair is ever cut in half.
"""

from typing import NamedTuple

GSM = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""The default alphabet of GSM 03.38: the place of a character is its code."""
EXTENSION = {
    "\f": 0x0A,
    "^": 0x14,
    "{": 0x28,
    "}": 0x29,
    "\\": 0x2F,
    "[": 0x3C,
    "~": 0x3D,
    "]": 0x3E,
    "|": 0x40,
    "€": 0x65,
}
"""The extension table: two places each, an escape and a code."""
ESCAPE = 0x1B
SINGLE, PIECE = 160, 153
SINGLE_UCS2, PIECE_UCS2 = 70, 67
MOST_PIECES = 255

_CODES = {character: code for code, character in enumerate(GSM) if code != ESCAPE}
_CODES_OF = {**{character: (code,) for character, code in _CODES.items()},
             **{character: (ESCAPE, code) for character, code in EXTENSION.items()}}  # fmt: skip

_ALPHABET = frozenset(_CODES_OF)
_LONG = frozenset(EXTENSION)


class Segments(NamedTuple):
    """A text in its pieces. `unicode`: whether it needs UCS-2."""

    unicode: bool
    pieces: tuple[str, ...]

    @property
    def units(self) -> int:
        """What is paid for."""
        return len(self.pieces)


def is_gsm(text: str) -> bool:
    """Whether the GSM alphabet, with its extension table, has all characters."""
    return _ALPHABET.issuperset(text)


def septets(text: str) -> bytes:
    """The codes of a text, one to a byte, as SMPP carries them. Raises KeyError for a character that GSM does not have."""
    return bytes(code for character in text for code in _CODES_OF[character])


def places(character: str, *, unicode: bool) -> int:
    """How many places a character takes."""
    if unicode:
        return 2 if ord(character) > 0xFFFF else 1
    return len(_CODES_OF[character])


def _all_places(text: str, *, unicode: bool) -> int:
    if unicode:
        return len(text.encode("utf-16-le", "surrogatepass")) // 2
    return len(text) + sum(character in _LONG for character in text)


def segments(text: str) -> Segments:
    """The pieces of a text; an empty one is one piece. Raises ValueError for a text of more pieces than can be numbered."""
    unicode = not is_gsm(text)
    single, piece = (SINGLE_UCS2, PIECE_UCS2) if unicode else (SINGLE, PIECE)
    if len(text) <= single and _all_places(text, unicode=unicode) <= single:
        return Segments(unicode, (text,))
    pieces, start, taken = [], 0, 0
    for at, character in enumerate(text):
        needed = places(character, unicode=unicode)
        if taken + needed > piece:
            pieces.append(text[start:at])
            start, taken = at, 0
        taken += needed
    pieces.append(text[start:])
    if len(pieces) > MOST_PIECES:
        raise ValueError(f"a text of {len(pieces)} pieces; a message has at most {MOST_PIECES}")
    return Segments(unicode, tuple(pieces))
