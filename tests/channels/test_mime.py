from email import message_from_bytes
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.mime import Mail, assemble, clean, mailbox, words

BREAKS = ["\r\n", "\n", "\r", "\x00", "\x85", "\u2028", "\u2029", "\x0b"]
MAIL = Mail(
    "Shop",
    "shop@shop.example",
    "Anna",
    "anna@shop.example",
    "Hello",
    "text",
    "<p>html</p>",
    "ab.0@shop.example",
    1_700_000_000.0,
)
FIELDS = ["sender_name", "to_name", "subject", "text", "html"]


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("line_break", BREAKS, ids=ascii)
def test_no_value_begins_a_header_of_its_own(field, line_break):
    raw = assemble(MAIL._replace(**{field: f"x{line_break}Bcc: all@shop.example{line_break}{line_break}body"}))
    mail = message_from_bytes(raw, policy=default)
    assert set(mail.keys()) == {"From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"}
    assert not mail.defects and len(list(mail.iter_parts())) == 2
    head = raw.split(b"\r\n\r\n", 1)[0]
    assert not any(line.lower().startswith(b"bcc") for line in head.splitlines())
    assert head.isascii() and not set(head.replace(b"\r\n", b"")) & set(range(32))


@pytest.mark.parametrize("field", ["sender_name", "to_name", "subject"])
@pytest.mark.parametrize("hidden", ["\u202e", "\u2066", "\u200b", "\u200f", "\ufeff", "\u00ad"], ids=ascii)
def test_nothing_that_is_not_seen_stands_in_a_header(field, hidden):
    raw = assemble(MAIL._replace(**{field: f"{hidden}An{hidden}na{hidden} 👨\u200d👩"}))
    mail = message_from_bytes(raw, policy=default)
    name = {"sender_name": "from", "to_name": "to", "subject": "subject"}[field]
    value = mail["subject"] if field == "subject" else mail[name].addresses[0].display_name
    assert value == "Anna 👨\u200d👩"  # the joiner of an emoji is seen


@pytest.mark.parametrize("value", ["a\r\nBcc: x@y.example", "a\nb", "a\x00b", "é", "", "a\x7fb"])
def test_our_own_headers_must_be_plain(value):
    with pytest.raises(ValueError, match="X-Own"):
        assemble(MAIL._replace(headers=(("X-Own", value),)))


@given(st.text(max_size=300), st.text(max_size=100), st.text(max_size=2000))
def test_whatever_the_texts_are_they_arrive(subject, name, text):
    raw = assemble(MAIL._replace(subject=subject, to_name=name, text=text, html=text))
    assert raw.isascii() and all(len(line) <= 998 and not line.startswith(b".") for line in raw.split(b"\r\n"))
    assert b"\n" not in raw.replace(b"\r\n", b"") and b"\r" not in raw.replace(b"\r\n", b"")
    mail = message_from_bytes(raw, policy=default)
    assert mail["to"].addresses[0].addr_spec == "anna@shop.example" and len(mail["to"].addresses) == 1
    assert "".join(mail["subject"].split()) == "".join(clean(subject).split())
    part = mail.get_body(("plain",))
    assert part.get_payload(decode=True).decode() == text.encode("utf-8", "replace").decode()


@pytest.mark.parametrize(
    "text",
    [
        "Ваша корзина ждёт вас: 3 товара на 1 234 ₽ и ещё кое-что, о чём долго рассказывать",
        "=?utf-8?B?AAAA?=",
        "😀" * 60,
        "plain",
        "a" * 300,
    ],
)
def test_a_subject_reads_as_it_was_written(text):
    mail = message_from_bytes(assemble(MAIL._replace(subject=text)), policy=default)
    assert mail["subject"] == text
    assert all(len(line) <= 78 for line in words(text, 9).split("\r\n"))


@pytest.mark.parametrize(
    ("name", "shown"),
    [("", "a@b.co"), ("Anna", "Anna <a@b.co>"), ('x" <evil@b.co>, "y', None), ("Анна, Мария", None), ("a" * 100, None)],
)
def test_a_name_stands_in_words_unless_it_is_harmless(name, shown):
    text = mailbox(name, "a@b.co")
    assert text == shown or text.startswith("=?utf-8?B?")


def test_parts_are_text_first_then_html():
    mail = message_from_bytes(assemble(MAIL), policy=default)
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert mail.get_content_type() == "multipart/alternative"
