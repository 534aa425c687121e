"""E-mail as bytes, without the standard library's message objects (2-3 ms each). Pure.

Everything that comes from outside goes through `clean`, and into a header only as RFC 2047 words or plain printable ASCII, so
no value can begin a header of its own.
"""

import re
from binascii import b2a_base64
from email.utils import formatdate
from hashlib import blake2b
from typing import NamedTuple

from channels.unseen import seen

_BREAKS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]+")
_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+", re.ASCII)
_PLAIN = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?", re.ASCII)
_WORD = 45
"""Bytes of UTF-8 in one encoded word: with its frame it stays below 75 characters."""
MOST_TEXT = 512
"""Characters of a header's text that are kept."""


class Mail(NamedTuple):
    """What a mail is made of. `headers` are our own further ones: names and values in plain ASCII."""

    sender_name: str
    sender: str
    to_name: str
    to: str
    subject: str
    text: str
    html: str
    message_id: str
    at: float
    headers: tuple[tuple[str, str], ...] = ()


def clean(text: str) -> str:
    """One line without control characters, and nothing that is not seen or turns what follows it, whatever came in; bounded."""
    return _BREAKS.sub(" ", seen(text[: MOST_TEXT * 2])).strip()[:MOST_TEXT]


def words(text: str, used: int = 0) -> str:
    """`text` for an unstructured header: as it is when it is short plain ASCII, else as RFC 2047 words, folded.

    `used` is the length of the header's name and colon.
    """
    text = clean(text)
    if not text or (_PLAIN.fullmatch(text) and "=?" not in text and len(text) + used <= 76):
        return text
    return _encoded(text)


def _encoded(text: str) -> str:
    chunks: list[bytes] = []
    chunk = b""
    for character in text:
        piece = character.encode()
        if len(chunk) + len(piece) > _WORD:
            chunks.append(chunk)
            chunk = b""
        chunk += piece
    chunks.append(chunk)
    return "\r\n ".join("=?utf-8?B?" + b2a_base64(part, newline=False).decode() + "?=" for part in chunks)


def mailbox(name: str, address: str) -> str:
    """`name <address>` for From and To. The address has been through `channels.address.parse`."""
    name = clean(name)
    if not name:
        return address
    if not (_PHRASE.fullmatch(name) and "=?" not in name and len(name) <= 60):
        name = _encoded(name)
    return f"{name} <{address}>"


def _body(text: str) -> bytes:
    raw = b2a_base64(text.encode("utf-8", "replace"), newline=False)
    return b"\r\n".join([raw[at : at + 76] for at in range(0, len(raw), 76)])


def assemble(mail: Mail) -> bytes:
    """The whole message as it goes over the wire: CRLF lines below 998 bytes, none of which begins with a dot.

    Raises ValueError for a header of ours that is not plain ASCII: a mistake in the program.
    """
    boundary = "=_" + blake2b(mail.message_id.encode(), digest_size=12).hexdigest()
    head = [
        f"From: {mailbox(mail.sender_name, mail.sender)}",
        f"To: {mailbox(mail.to_name, mail.to)}",
        f"Subject: {words(mail.subject, 9)}",
        f"Date: {formatdate(mail.at)}",
        f"Message-ID: <{mail.message_id}>",
    ]
    for name, value in mail.headers:
        if not _PLAIN.fullmatch(value):
            raise ValueError(f"header {name} is not plain ASCII")
        head.append(f"{name}: {value}")
    head += ["MIME-Version: 1.0", f'Content-Type: multipart/alternative; boundary="{boundary}"', "", ""]
    part = f'--{boundary}\r\nContent-Type: text/%s; charset="utf-8"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    return b"".join(
        (
            "\r\n".join(head).encode("ascii"),
            (part % "plain").encode(),
            _body(mail.text),
            b"\r\n",
            (part % "html").encode(),
            _body(mail.html),
            b"\r\n",
            f"--{boundary}--\r\n".encode(),
        )
    )
