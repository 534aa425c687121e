"""A small pool of SMTP connections: opened when needed, kept while it is worth it, dropped at the first doubt.

The only importer of aiosmtplib.
"""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import aiosmtplib
from aiosmtplib import (
    SMTPConnectError,
    SMTPException,
    SMTPNotSupported,
    SMTPResponseException,
)

IDLE = 25.0
"""Seconds: servers drop silent connections from about 30 s on."""
MOST_MAILS = 500
"""Mails over one connection; then a new one is opened, so that load spreads over a relay's machines."""


class Relay(NamedTuple):
    """Where the mail goes: one of `smtp://` (STARTTLS), `smtps://` (TLS), `smtp+plain://` (no TLS, this machine only)."""

    host: str
    port: int
    tls: str
    username: str | None
    password: str | None


class RelayDown(Exception):  # noqa: N818 - a state, not a programming error
    """No connection: the relay is away, busy or hanging."""


class RelayMisconfigured(Exception):  # noqa: N818 - a state, not a programming error
    """No connection before somebody mends the credentials, the certificate or the address."""


def relay(url: str) -> Relay:
    """The relay of a BOOMERANG_SMTP setting. Raises ValueError with one line that says what to do."""
    parts = urlsplit(url)
    kinds = {"smtp": ("starttls", 587), "smtps": ("tls", 465), "smtp+plain": ("plain", 25)}
    if parts.scheme not in kinds or not parts.hostname:
        raise ValueError(
            "BOOMERANG_SMTP must look like smtp://user:password@host:port, smtps://... or smtp+plain://127.0.0.1:port"
        )
    tls, port = kinds[parts.scheme]
    if tls == "plain" and not _loopback(parts.hostname):
        raise ValueError(
            "BOOMERANG_SMTP: smtp+plain:// is for this machine only (127.0.0.1, ::1, localhost); use smtp:// or smtps://"
        )
    username = unquote(parts.username) if parts.username else None
    return Relay(parts.hostname, parts.port or port, tls, username, unquote(parts.password or "") if username else None)


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class Lost(Exception):  # noqa: N818 - a state, not a programming error
    """The connection broke, timed out or spoke nonsense: whatever was asked last has no answer."""


class Reply(NamedTuple):
    """A relay's answer."""

    code: int
    text: str

    def __str__(self) -> str:
        """Both, on one line."""
        return f"{self.code} {self.text}".replace("\n", " ")[:200]


class Connection:
    """One connection and the phases of one mail on it. Every phase raises Lost when there is no answer."""

    def __init__(self, client: aiosmtplib.SMTP, timeout: float, monotonic: Callable[[], float]) -> None:
        self._client = client
        self._timeout = timeout
        self._monotonic = monotonic
        self.mails = 0
        self.used_at = monotonic()

    @property
    def worth_keeping(self) -> bool:
        """Whether the next mail may go over it."""
        fresh = self._monotonic() - self.used_at < IDLE
        return fresh and self.mails < MOST_MAILS and self._client.is_connected

    async def command(self, *words: str) -> Reply:
        """One command. The words have been checked: ASCII without control characters."""
        try:
            code, text = await self._client.execute_command(*(word.encode("ascii") for word in words))
        except (SMTPException, OSError, ValueError) as error:
            raise Lost(_said(error)) from None
        self.used_at = self._monotonic()
        return Reply(code, text)

    async def transmit(self, prepared: bytes) -> Reply:
        """The text and the final dot: the irreversible part. `prepared` has CRLF lines, none of which begins with a dot."""
        protocol = self._client.protocol
        if protocol is None:
            raise Lost("connection lost")
        try:
            protocol.write(prepared + b".\r\n")
            code, text = await protocol.read_response(timeout=self._timeout)
        except (SMTPException, OSError, ValueError) as error:
            raise Lost(_said(error)) from None
        self.used_at = self._monotonic()
        return Reply(code, text)

    def close(self) -> None:
        """Drop it without a word."""
        self._client.close()

    async def quit(self) -> None:
        """Say good-bye if that is quick."""
        with suppress(OSError, SMTPException, TimeoutError):
            await asyncio.wait_for(self._client.quit(), 1.0)
        self._client.close()


class Pool:
    """At most `most` connections to one relay. `hostname` is what we call ourselves; `trust`: file with other CA certificates."""

    def __init__(
        self,
        target: Relay,
        most: int,
        timeout: float,
        monotonic: Callable[[], float],
        *,
        hostname: str = "localhost",
        trust: str = "",
    ) -> None:
        self._relay = target
        self._hostname = hostname
        self._timeout = timeout
        self._monotonic = monotonic
        self._slots = asyncio.Semaphore(most)
        self._idle: list[Connection] = []
        self._tls: ssl.SSLContext | None = None
        self._trust = trust
        self.open, self.most = 0, most
        self.certificate_expires = 0.0
        """When the relay's certificate expires (epoch seconds), as of the last connection; 0.0: it has shown none."""

    @property
    def idle(self) -> int:
        """Open connections that wait for a mail."""
        return len(self._idle)

    async def acquire(self, *, fresh: bool = False) -> Connection:
        """A connection for one mail, a new one if it must be `fresh`. Raises RelayDown or RelayMisconfigured."""
        await self._slots.acquire()
        try:
            while self._idle and not fresh:
                connection = self._idle.pop()
                if connection.worth_keeping:
                    return connection
                self._drop(connection)
            return await self._connect()
        except BaseException:
            self._slots.release()
            raise

    def release(self, connection: Connection, *, clean: bool) -> None:
        """Give it back; `clean`: nothing is pending on it."""
        if clean and connection.worth_keeping:
            self._idle.append(connection)
        else:
            self._drop(connection)
        self._slots.release()

    def _drop(self, connection: Connection) -> None:
        connection.close()
        self.open -= 1

    async def close(self) -> None:
        """Close the idle ones."""
        idle, self._idle = self._idle, []
        self.open -= len(idle)
        await asyncio.gather(*(connection.quit() for connection in idle))

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context(cafile=self._trust or None)
            self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        return self._tls

    async def _connect(self) -> Connection:
        target = self._relay
        client = aiosmtplib.SMTP(
            hostname=target.host,
            port=target.port,
            username=target.username,
            password=target.password,
            timeout=self._timeout,
            use_tls=target.tls == "tls",
            start_tls=target.tls == "starttls",
            local_hostname=self._hostname,
            tls_context=None if target.tls == "plain" else self._context(),
        )
        try:
            await asyncio.wait_for(_hello(client), self._timeout * 2)
        except (SMTPException, OSError, TimeoutError, ValueError) as error:
            client.close()
            raise _why(error) from None
        except BaseException:
            client.close()
            raise
        self.open += 1
        shown = client.get_transport_info("peercert") or {}
        if "notAfter" in shown:
            self.certificate_expires = ssl.cert_time_to_seconds(shown["notAfter"])
        return Connection(client, self._timeout, self._monotonic)


async def _hello(client: aiosmtplib.SMTP) -> None:
    await client.connect()
    if client.is_ehlo_or_helo_needed:
        await client.ehlo()


def _why(error: BaseException) -> RelayDown | RelayMisconfigured:
    """A certificate that does not verify, a lacking extension and a final "no" need a person; the rest may pass by itself."""
    if isinstance(error, SMTPNotSupported) or type(error) is SMTPException:  # the bare class: no STARTTLS, no AUTH
        return RelayMisconfigured(_said(error))
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return RelayMisconfigured(f"certificate: {cause.verify_message}")
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, SMTPResponseException) and error.code >= 500 and not isinstance(error, SMTPConnectError):
        return RelayMisconfigured(_said(error))
    return RelayDown(_said(error))


def _said(error: BaseException) -> str:
    if isinstance(error, SMTPResponseException):
        return f"{error.code} {error.message}"[:200]
    return f"{type(error).__name__}: {error}"[:200]
