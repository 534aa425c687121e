"""Short messages as the network counts them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.segments import EXTENSION, GSM, PIECE, PIECE_UCS2, places, segments, septets

ALPHABET = GSM.replace("\x1b", "")


@pytest.mark.parametrize(
    ("text", "unicode", "count"),
    [
        ("", False, 1),
        ("a" * 160, False, 1),
        ("a" * 161, False, 2),
        ("a" * 306, False, 2),
        ("a" * 307, False, 3),
        ("€" * 80, False, 1),
        ("€" * 81, False, 2),
        ("a" * 152 + "€" + "a" * 152, False, 3),
        ("я" * 70, True, 1),
        ("я" * 71, True, 2),
        ("я" * 134, True, 2),
        ("я" * 135, True, 3),
        ("🙂" * 35, True, 1),
        ("🙂" * 36, True, 2),
        ("a" * 69 + "я", True, 1),
        ("a`" * 36, True, 2),
    ],
)
def test_a_text_is_counted_as_operators_do(text, unicode, count):
    made = segments(text)
    assert (made.unicode, made.units) == (unicode, count)


@given(st.one_of(st.text(max_size=1000), st.text(ALPHABET + "".join(EXTENSION), max_size=1000)))
def test_the_pieces_are_the_text_and_each_fits(text):
    made = segments(text)
    assert "".join(made.pieces) == text
    most = PIECE_UCS2 if made.unicode else PIECE
    for piece in made.pieces if made.units > 1 else ():
        assert piece and sum(places(character, unicode=made.unicode) for character in piece) <= most
        if made.unicode:
            assert len(piece.encode("utf-16-be", "surrogatepass")) <= 2 * most
        else:
            assert len(septets(piece)) <= most


def test_the_alphabet_is_that_of_gsm_03_38():
    assert len(GSM) == 128 and len(set(GSM)) == 128
    codes = {
        "@": 0x00,
        "Δ": 0x10,
        " ": 0x20,
        "0": 0x30,
        "¡": 0x40,
        "P": 0x50,
        "¿": 0x60,
        "p": 0x70,
        "à": 0x7F,
        "A": 0x41,
        "_": 0x11,
        "£": 1,
    }
    assert {character: septets(character)[0] for character in codes} == codes
    assert septets("€[") == b"\x1b\x65\x1b\x3c"


def test_a_text_of_more_pieces_than_can_be_numbered_is_refused():
    assert segments("a" * 153 * 255).units == 255
    with pytest.raises(ValueError, match="at most 255"):
        segments("a" * (153 * 255 + 1))
