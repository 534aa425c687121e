"""A mailbox over IMAP: every unread mail once. Blocking, for a thread of its own; the only user of imaplib."""

import imaplib
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from app.errors import CommandError, SettingsError
from app.web.receipts.mailreport import MOST_BYTES

MOST_AT_ONCE = 500
"""Mails of one look into the mailbox."""
_FOLDER = "INBOX"


class Mailbox(NamedTuple):
    """Where the mails come: `imaps://user:password@host[:993][/FOLDER]`."""

    host: str
    port: int
    user: str
    password: str
    folder: str


def mailbox(url: str) -> Mailbox:
    """The mailbox of BOOMERANG_BOUNCE_MAILBOX. Raises SettingsError with what to write."""
    try:
        parts = urlsplit(url)
        port = parts.port or 993
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme != "imaps" or not (parts.hostname and parts.username and parts.password):
        raise SettingsError("BOOMERANG_BOUNCE_MAILBOX must look like imaps://user:password@host[:993][/FOLDER]")
    folder = unquote(parts.path.lstrip("/")) or _FOLDER
    texts = unquote(parts.username), unquote(parts.password), folder
    if not all(text.isprintable() for text in texts) or '"' in folder or "\\" in folder:
        raise SettingsError("BOOMERANG_BOUNCE_MAILBOX: a character in it cannot be sent")
    return Mailbox(parts.hostname, port, *texts)


class Unread:
    """The unread mails of an open mailbox."""

    def __init__(self, connection: imaplib.IMAP4) -> None:
        self._connection = connection

    def mails(self) -> Iterator[tuple[str, bytes]]:
        """Uid and text of each (its first megabyte), the oldest first. Raises OSError or imaplib's errors."""
        found = _fine(self._connection.uid("SEARCH", "UNSEEN"))
        uids = found[0].split() if found and isinstance(found[0], bytes) else []
        for uid in uids[:MOST_AT_ONCE]:
            name = uid.decode("ascii", "replace")
            got = _fine(self._connection.uid("FETCH", name, f"(BODY.PEEK[]<0.{MOST_BYTES}>)"))
            text = next((item[1] for item in got if isinstance(item, tuple)), b"")
            yield name, text

    def read(self, uid: str) -> None:
        """It needs no second look."""
        _fine(self._connection.uid("STORE", uid, "+FLAGS.SILENT", r"(\Seen)"))


@contextmanager
def unread(box: Mailbox, *, timeout: float, trust: str = "") -> Iterator[Unread]:
    """Log in, and out. `trust`: file with other CA certificates. Raises CommandError in one line that says what to mend."""
    context = ssl.create_default_context(cafile=trust or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        connection = imaplib.IMAP4_SSL(box.host, box.port, ssl_context=context, timeout=timeout)
        try:
            connection.login(box.user, box.password)
            _fine(connection.select(f'"{box.folder}"'))
            yield Unread(connection)
        finally:
            connection.shutdown()
    except ssl.SSLCertVerificationError as error:
        raise CommandError(f"certificate of {box.host}: {error.verify_message}") from None
    except (OSError, imaplib.IMAP4.error) as error:
        raise CommandError(f"the mailbox on {box.host}: {type(error).__name__}: {_said(error)}") from None


def _fine(answer: tuple[str, Sequence[Any]]) -> Sequence[Any]:
    status, data = answer
    if status != "OK":
        raise imaplib.IMAP4.error(data)
    return data


def _said(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
