import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.address import BadAddress, digest, parse


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("anna@shop.example", "anna@shop.example"),
        ("Anna.Maria+cart@Shop.Example", "Anna.Maria+cart@shop.example"),
        ("o'neil_x-y@mail.shop.example", "o'neil_x-y@mail.shop.example"),
        ("иван@почта.рф".replace("иван", "ivan"), "ivan@xn--80a1acny.xn--p1ai"),
        ("a@xn--80a1acny.xn--p1ai", "a@xn--80a1acny.xn--p1ai"),
        ("a@b.co", "a@b.co"),
        ("x" * 64 + "@shop.example", "x" * 64 + "@shop.example"),
    ],
)
def test_a_usable_address_has_one_form(text, normal):
    assert str(parse(text)) == normal


BAD = [
    "",
    "anna",
    "@shop.example",
    "anna@",
    "anna@@shop.example",
    "anna@shop@shop.example",
    " anna@shop.example",
    "anna@shop.example ",
    "an na@shop.example",
    '"anna"@shop.example',
    '"a@b"@shop.example',
    "anna(comment)@shop.example",
    "Anna <anna@shop.example>",
    "anna@shop.example,bob@shop.example",
    "anna@shop.example;bob@shop.example",
    ".anna@shop.example",
    "anna.@shop.example",
    "an..na@shop.example",
    "anna@shop",
    "anna@localhost",
    "anna@127.0.0.1",
    "anna@[127.0.0.1]",
    "anna@-shop.example",
    "anna@shop-.example",
    "anna@shop..example",
    "anna@.shop.example",
    "anna@shop.example.",
    "anna@shop.123",
    "x" * 65 + "@shop.example",
    "a@" + "x" * 64 + ".example",
    "a@" + "x." * 130 + "example",
    "anna@shop.example\r\nBcc: all@shop.example",
    "anna@shop.example\n",
    "anna\x00@shop.example",
    "anna@shop\x85.example",
    "anna@shop\u2028.example",
    "anna\u200b@shop.example",
    "anna\uff20shop.example",
    "anna@shop\u3002example",
    "anna@shop\uff0eexample",
    "anna@stra\u00dfe.example",
    "anna@\u210dop.example",
    "иван@shop.example",
    "anna@sh\u00adop.example",
    "anna@sho\u200dp.example",
    "anna@\ufb01sh.example",
    "anna@shop.example\u202e",
    "anna<@shop.example",
    "anna>@shop.example",
    "anna\\@shop.example",
    "anna@shop_.example",
    "mailto:anna@shop.example",
    "anna@shop.example?subject=x",
    "anna@shop.example/..",
]


@pytest.mark.parametrize("text", BAD, ids=[ascii(text)[:40] for text in BAD])
def test_what_can_be_read_in_two_ways_is_refused(text):
    with pytest.raises(BadAddress):
        parse(text)


@given(st.text(max_size=80))
def test_any_text_is_an_address_in_plain_ascii_or_refused(text):
    try:
        address = str(parse(text))
    except BadAddress:
        return
    assert address.isascii() and address.isprintable() and " " not in address and address.count("@") == 1
    assert parse(address) == parse(address.partition("@")[0] + "@" + address.partition("@")[2])


def test_spelling_does_not_make_another_address():
    assert digest("Anna@Shop.Example ") == digest("anna@shop.example") == parse("ANNA@shop.example").digest
    assert digest("anna@shop.example") != digest("bnna@shop.example")
