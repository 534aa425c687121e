"""The dev inbox: an SMTP server that keeps what it is sent, so that a shop can be tried without a relay.

Everything is stored as it came and nothing is dropped as a duplicate: a message sent twice must be seen twice. A message is
answered with 250 only when it is in the database, so kill -9 loses none that was accepted. Bounded in number and in bytes.
aiosmtpd is used by this file only.
"""

import asyncio
import email
import email.policy
import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from email.message import Message
from pathlib import Path
from typing import Any, NamedTuple

from app import metrics
from app.clock import Clock

MAX_MESSAGES = 10_000
MAX_BYTES = 256 << 20
"""Bytes of raw messages kept; the oldest go first."""
MAX_MESSAGE = 2 << 20
"""Bytes of one message; a larger one is refused with 552."""
MAX_RECIPIENTS = 100
MAX_CONNECTIONS = 500
TEXT_LIMIT = 20_000
"""Characters of the text part shown in lists."""
IDLE = 120.0
"""Seconds after which a silent connection is closed."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS inbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at REAL NOT NULL,
    sender TEXT NOT NULL,
    recipient TEXT NOT NULL COLLATE NOCASE,
    subject TEXT NOT NULL,
    scenario TEXT NOT NULL,
    trigger_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    unsubscribe TEXT NOT NULL,
    text TEXT NOT NULL,
    size INTEGER NOT NULL,
    raw BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS inbox_recipient ON inbox (recipient, id);
CREATE INDEX IF NOT EXISTS inbox_scenario ON inbox (scenario, id);
CREATE INDEX IF NOT EXISTS inbox_trigger ON inbox (trigger_id, id);
"""
_CHANNEL = "ALTER TABLE inbox ADD COLUMN channel TEXT NOT NULL DEFAULT 'email'"
"""For files that were made when there were e-mails only."""
_COLUMNS = (
    "id, received_at, sender, recipient, subject, scenario, trigger_id, message_id, unsubscribe, text, size, channel"
)
EMAIL = "email"


class Mail(NamedTuple):
    """A received message, without its body's raw bytes. `sent_at` is when it arrived, epoch seconds."""

    id: int
    sent_at: float
    sender: str
    to: str
    subject: str
    scenario: str
    trigger_id: str
    message_id: str
    unsubscribe: str
    text: str
    size: int
    channel: str = EMAIL

    def as_json(self) -> dict[str, Any]:
        """The message as the console's API shows it."""
        return self._asdict()


class Body(NamedTuple):
    """A message opened: its headers in order, and its parts."""

    headers: list[tuple[str, str]]
    text: str
    html: str


class InboxStore:
    """Messages in one SQLite file. Methods block for well under a millisecond; only one process may write."""

    def __init__(self, path: Path, clock: Clock, max_messages: int = MAX_MESSAGES, max_bytes: int = MAX_BYTES) -> None:
        """Open the file, creating what is missing."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._clock = clock
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._db = sqlite3.connect(path, timeout=10.0, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA busy_timeout=10000")
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("PRAGMA cache_size=-1024")
        self._db.executescript(_SCHEMA)
        if all(column[1] != "channel" for column in self._db.execute("PRAGMA table_info(inbox)")):
            self._db.execute(_CHANNEL)
        count, size = self._db.execute("SELECT count(*), coalesce(sum(size), 0) FROM inbox").fetchone()
        self._count, self._bytes = int(count), int(size)

    def __len__(self) -> int:
        """Number of messages kept."""
        return self._count

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def add(self, sender: str, recipients: Sequence[str], raw: bytes, channel: str = EMAIL) -> int:
        """Store one message for each of its recipients, durably, in one transaction. Returns the last one's number."""
        parsed = email.message_from_bytes(raw, policy=email.policy.compat32)
        shared = (
            _header(parsed, "Subject"),
            _header(parsed, "X-Boomerang-Scenario"),
            _header(parsed, "X-Boomerang-Trigger"),
            _header(parsed, "Message-ID"),
            _header(parsed, "List-Unsubscribe"),
            _part(parsed, "text/plain")[:TEXT_LIMIT],
            len(raw),
            raw,
            _clean(channel),
        )
        now = self._clock.now()
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany(
                "INSERT INTO inbox (received_at, sender, recipient, subject, scenario, trigger_id, message_id,"
                " unsubscribe, text, size, raw, channel) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [(now, _clean(sender), _clean(recipient), *shared) for recipient in recipients],
            )
            last = int(self._db.execute("SELECT max(id) FROM inbox").fetchone()[0] or 0)
            gone, freed = self._bound(len(recipients), len(recipients) * len(raw))
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._count += len(recipients) - gone
        self._bytes += len(recipients) * len(raw) - freed
        return last

    def find(
        self, to: str = "", scenario: str = "", trigger: str = "", limit: int = 100, before: int = 0
    ) -> list[Mail]:
        """The newest messages, newest first; `to` compares without case, `before` is the number of a message."""
        where, values = ["1"], list[Any]()
        wanted = {"recipient = ?": to, "scenario = ?": scenario, "trigger_id = ?": trigger, "id < ?": before}
        for column, value in wanted.items():
            if value:
                where.append(column)
                values.append(value)
        query = f"SELECT {_COLUMNS} FROM inbox WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT ?"  # noqa: S608 - constants
        with closing(self._reader()) as reader:
            return [Mail(*row) for row in reader.execute(query, (*values, max(1, min(limit, self._max_messages))))]

    def get(self, number: int) -> tuple[Mail, Body] | None:
        """One message with its parts, or None."""
        if number >= 1 << 63:  # more than SQLite can count
            return None
        with closing(self._reader()) as reader:
            row = reader.execute(f"SELECT {_COLUMNS}, raw FROM inbox WHERE id = ?", (number,)).fetchone()  # noqa: S608
        if row is None:
            return None
        parsed = email.message_from_bytes(row[-1], policy=email.policy.compat32)
        headers = [(_clean(name), _clean(_decoded(str(value)))) for name, value in parsed.items()]
        return Mail(*row[:-1]), Body(headers, _part(parsed, "text/plain"), _part(parsed, "text/html"))

    def _reader(self) -> sqlite3.Connection:
        """An own connection for each reading, so that a worker thread never shares the writer's."""
        return sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True, timeout=10.0)

    def _bound(self, count: int, size: int) -> tuple[int, int]:
        """Delete the oldest until both bounds hold; how many, and their bytes."""
        gone = freed = 0
        over_count = self._count + count - self._max_messages
        over_bytes = self._bytes + size - self._max_bytes
        if over_count <= 0 and over_bytes <= 0:
            return 0, 0
        last = 0
        for number, length in self._db.execute("SELECT id, size FROM inbox ORDER BY id"):
            if gone >= over_count and freed >= over_bytes:
                break
            last, gone, freed = number, gone + 1, freed + length
        self._db.execute("DELETE FROM inbox WHERE id <= ?", (last,))
        return gone, freed


class Inbox:
    """The SMTP server over a store, in the running event loop."""

    def __init__(self, store: InboxStore, host: str, port: int) -> None:
        """Port 0 takes a free one; `port` tells which after `start`."""
        self._store = store
        self._host = host
        self.port = port
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.BaseTransport] = set()

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        from aiosmtpd.smtp import SMTP

        inbox = self

        class Protocol(SMTP):  # type: ignore[misc]
            def connection_made(self, transport: Any) -> None:
                inbox._open.add(transport)
                super().connection_made(transport)
                if len(inbox._open) > MAX_CONNECTIONS:
                    transport.write(b"421 4.7.0 too many connections\r\n")
                    transport.close()

            def connection_lost(self, error: Exception | None) -> None:
                inbox._open.discard(self.transport)
                super().connection_lost(error)

        def connect() -> SMTP:
            return Protocol(
                self, hostname="inbox", ident="Boomerang dev inbox", data_size_limit=MAX_MESSAGE, enable_SMTPUTF8=True,
                timeout=IDLE, loop=asyncio.get_running_loop(),
            )  # fmt: skip

        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(connect, self._host, self.port, backlog=256)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and end open connections."""
        if self._server is not None:
            self._server.close()
            for transport in list(self._open):
                transport.close()
            self._server = None

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: list[str]
    ) -> str:
        """Accept a recipient, up to a bound."""
        if len(envelope.rcpt_tos) >= MAX_RECIPIENTS:
            return "452 4.5.3 too many recipients"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Store a message; 250 only when it is in the database."""
        try:
            self._store.add(envelope.mail_from or "", envelope.rcpt_tos, envelope.content)
        except sqlite3.Error as error:
            return f"451 4.3.0 not stored: {_clean(str(error))}"
        metrics.INBOX_MESSAGES.inc(len(envelope.rcpt_tos))
        return "250 OK: kept"


def _header(message: Message, name: str) -> str:
    return _clean(_decoded(str(message.get(name, ""))))


def _decoded(value: str) -> str:
    """An encoded-word header in letters; one that cannot be decoded stays as it is."""
    from email.header import decode_header, make_header

    unfolded = re.sub(r"\r?\n[ \t]", " ", value)
    if "=?" not in unfolded:
        return unfolded
    try:
        return str(make_header(decode_header(unfolded)))
    except (ValueError, LookupError):
        return unfolded


def _clean(text: str) -> str:
    """One line, bounded, with nothing that SQLite or JSON could stumble over."""
    return " ".join(text.encode("utf-8", "replace").decode().split())[:1_000]


def _part(message: Message, content_type: str) -> str:
    """The first part of a type, decoded; empty when there is none."""
    for part in message.walk():
        if part.get_content_type() == content_type and not part.is_multipart():
            payload = part.get_payload(decode=True)
            raw = payload if isinstance(payload, bytes) else b""
            try:
                return raw.decode(part.get_content_charset("utf-8"), "replace")
            except LookupError:
                return raw.decode("utf-8", "replace")
    return ""
