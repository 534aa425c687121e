"""Links in texts: found, led elsewhere, and nothing else touched."""

from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.rewrite import MOST_LINKS, in_html, in_text, targets, with_parameters, with_pixel

A, B = "https://shop.example/a?x=1&y=2", "https://shop.example/b"


def leave(target):
    return target.startswith("https://c.example/u/")


def test_links_of_both_parts_are_found_once_and_in_their_order():
    html = f'<a href="{escape(B)}">b</a> <A style="x" HREF=\'{escape(A)}\'>a</A> <a href="{escape(B)}">again</a>'
    text = f"See {A}, or ({B}). Unsubscribe: https://c.example/u/token"
    assert targets(html, text, leave) == [B, A]


@pytest.mark.parametrize(
    "html",
    [
        '<a href="mailto:a@shop.example">x</a>',
        '<a href="tel:+79161234567">x</a>',
        '<a href="#top">x</a>',
        '<a href="javascript:alert(1)">x</a>',
        '<a href="">x</a>',
        '<a name="https://shop.example/">x</a>',
        '<img src="https://shop.example/picture.png">',
        '<link href="https://shop.example/style.css">',
        '<a href="https://c.example/u/token">Unsubscribe</a>',
        '<a href="https://user@evil.example/">x</a>',
        '<abbr href="https://shop.example/">x</abbr>',
    ],
)
def test_what_is_no_link_to_a_page_stays_as_it_is(html):
    assert targets(html, "", leave) == []
    assert in_html(html, {B: "https://c.example/r/1"}) == html


def test_a_link_is_led_elsewhere_and_the_rest_stays():
    html = f'<p>Look: <a class="btn" href="{escape(A)}" style="x">a &amp; b</a> {escape(A)}</p>'
    led = {A: "https://c.example/r/1?a=1&b=2"}
    expected = '<p>Look: <a class="btn" href="https://c.example/r/1?a=1&amp;b=2" style="x">a &amp; b</a> '
    assert in_html(html, led) == expected + escape(A) + "</p>"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"See {B}.", "See R."),
        (f"({B})", "(R)"),
        (f"{B}, and", "R, and"),
        (f"«{B}»", "«R»"),
        (f"{B}\nnext", "R\nnext"),
        (f"{B}?!", "R?!"),
        (f"x {B}/c", f"x {B}/c"),
    ],
)
def test_a_sentence_around_an_address_is_no_part_of_it(text, expected):
    assert in_text(text, {B: "R"}) == expected


def test_an_address_with_brackets_of_its_own_is_whole():
    url = "https://shop.example/sofa_(red)"
    assert targets("", f"see {url}", leave) == [url]


def test_the_number_of_links_is_bounded():
    text = " ".join(f"https://shop.example/{number}" for number in range(MOST_LINKS * 2))
    assert len(targets("", text, leave)) == MOST_LINKS


def test_the_picture_stands_before_the_end_of_the_body():
    made = with_pixel("<html><body>x</BODY></html>", "https://c.example/o/t?a=1&b=2")
    assert made.index('src="https://c.example/o/t?a=1&amp;b=2"') < made.index("</BODY>")
    assert with_pixel("x", "https://c.example/o/t").startswith("x<img ")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (B, B + "?utm_source=b&utm_campaign=a%20b"),
        (A, A + "&utm_source=b&utm_campaign=a%20b"),
        (B + "#top", B + "?utm_source=b&utm_campaign=a%20b#top"),
        (B + "?utm_source=own", B + "?utm_source=own&utm_campaign=a%20b"),
        (B + "?utm_campaign=&utm_source=x", B + "?utm_campaign=&utm_source=x"),
    ],
)
def test_parameters_are_added_to_what_is_there(target, expected):
    assert with_parameters(target, (("utm_source", "b"), ("utm_campaign", "a b"))) == expected
    assert with_parameters(target, ()) == target


@given(st.text(max_size=300), st.text(max_size=40))
def test_texts_without_links_are_never_changed(text, there):
    led = {"https://shop.example/never-in-the-text": there}
    assert in_text(text, led) == text
    assert in_html(text, led) == text


@given(st.lists(st.sampled_from([A, B, "word", "<b>", "&amp;", ".", "\n", '"']), max_size=30))
def test_every_link_that_is_found_is_led_and_then_no_more_is_found(words):
    html = " ".join(f'<a href="{escape(word)}">x</a>' if word in (A, B) else word for word in words)
    text = " ".join(words)
    led = {target: f"https://c.example/r/{number}" for number, target in enumerate(targets(html, text, leave))}
    after = targets(in_html(html, led), in_text(text, led), leave)
    assert set(after) == set(led.values())
