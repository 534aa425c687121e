"""The one HTTP client for everything that we send out: bounded, without redirects, and never into the shop's own network.

An address that somebody has written into a setting may resolve to a machine of the inner network, today or at the next look-up.
So the address is judged when the socket for it is made: what was judged is what is connected to. Only it uses
channels/connection.py, which is the only user of aiohttp for requests that leave the house.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from channels.channel import Ambiguous, Answer, Down, Irreversible, Misconfigured, Rejected, Retry
from channels.destination import Network, permitted

if TYPE_CHECKING:
    from channels.connection import ClientSession

MOST_BODY = 64 * 1024
"""Bytes of an answer that are read; the rest is dropped with its connection."""
MOST_URL = 2_048
KEEP = 10.0
"""Seconds that an idle connection is kept: shorter than any server's own patience, so that none closes under a request."""
LONGEST_AFTER = 24 * 3600.0
"""Seconds: a `Retry-After` beyond it is taken as this."""
PIECE = 64 * 1024
"""Bytes of a download that are handed on at once."""


class Reply(NamedTuple):
    """What the server answered. `after`: seconds of its `Retry-After`, if it sent one."""

    status: int
    body: bytes
    after: float | None = None

    def __str__(self) -> str:
        """Status and the beginning of the text, on one line."""
        text = " ".join(self.body[:400].decode("utf-8", "replace").split())
        return f"{self.status} {text}"[:200].strip()


class Unreachable(Exception):  # noqa: N818 - a state, not a programming error
    """No connection: nothing was handed over."""


class Untrusted(Exception):  # noqa: N818 - a state, not a programming error
    """No connection before a person mends something: the address is not allowed, or the certificate does not verify."""


class Lost(Exception):  # noqa: N818 - a state, not a programming error
    """The request was written, at least in part, and there is no answer."""


def unusable(url: str) -> str:
    """What is wrong with the address of a hook; an empty text if a request can go there. Looks nothing up."""
    if not url or len(url) > MOST_URL:
        return "empty or too long"
    if not url.isascii() or not url.isprintable() or set(url) & set(' "<>\\^`{|}'):
        return "blank, control or foreign character in the address"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "not an address"
    if parts.scheme not in ("https", "http") or not parts.hostname:
        return "must begin with https:// and a host"
    if parts.username is not None or parts.password is not None or parts.fragment:
        return "credentials and fragments do not belong into the address"
    return "port 0 cannot be connected to" if port == 0 else ""


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds of a `Retry-After` header (a number, or a date against `now`, epoch seconds); None if there is none to be understood."""
    if not value:
        return None
    text = value.strip()[:64]
    with suppress(ValueError):
        seconds = float(text)
        return min(max(seconds, 0.0), LONGEST_AFTER) if seconds == seconds else None  # noqa: PLR0124 - a NaN
    try:
        moment = parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(moment - now, 0.0), LONGEST_AFTER)


def refused(reply: Reply) -> Answer | None:
    """What a status means to a webhook by the usual conventions; None: it was taken.

    5xx other than 503 may come from something between us and a receiver who has it.
    """
    match reply.status:
        case status if 200 <= status < 300:
            return None
        case 408 | 425 | 429 | 503:
            return Retry(reply.after, str(reply))
        case 401 | 403:
            return Misconfigured(str(reply))
        case 404 | 410:
            return Rejected(str(reply), suppress=True)
        case status if status >= 500:
            return Ambiguous(str(reply))
        case _:
            return Rejected(str(reply), suppress=False)


class _Attempt:
    """One request on its way: what happens between the look-up of the host and the first byte."""

    def __init__(self, irreversible: Irreversible, scope: asyncio.Timeout, timeout: float) -> None:
        self._irreversible, self._scope, self._timeout = irreversible, scope, timeout
        self.granted = False
        self.refused = False
        self.withheld: BaseException | None = None

    def goes_on(self) -> None:
        """Something of the answer has come: what comes next has its own time."""
        self._scope.reschedule(asyncio.get_running_loop().time() + self._timeout)

    @property
    def expired(self) -> bool:
        """Whether the time of the attempt is up."""
        return self._scope.expired()

    async def grant(self) -> None:
        """Ask for the irreversible moment; from then on the answer has its own time."""
        self._scope.reschedule(None)
        try:
            await self._irreversible()
        except BaseException as error:
            self.withheld = error
            raise
        self.granted = True
        self.goes_on()


_ATTEMPT: ContextVar[_Attempt] = ContextVar("egress-attempt")
Take = Callable[[bytes, int], None]
"""Takes a piece of a download, and the whole length in bytes where the server has told it, else 0."""


async def _grant() -> None:
    """Ask for the irreversible moment of the attempt that wants the connection."""
    await _ATTEMPT.get().grant()


class Egress:
    """The client. `allow`: networks besides the public internet, and the only ones for plain `http://`; `trust`: CA file (tests).

    `timeout` (seconds) bounds the connection, and after it the answer. `now` is the wall clock, for dates in `Retry-After`.
    """

    def __init__(
        self, *, timeout: float, now: Callable[[], float], allow: tuple[Network, ...] = (), trust: str = ""
    ) -> None:
        from channels import connection  # a command that checks settings makes no client and need not wait for aiohttp

        self._connection = connection
        self._timeout, self._now, self._allow, self._trust = timeout, now, allow, trust
        self._sessions: dict[str, ClientSession] = {}

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], irreversible: Irreversible) -> Reply:
        """One POST. Raises Unreachable or Untrusted before `irreversible`, Lost after it, and what `irreversible` raises.

        The address has been through `unusable`.
        """
        session = self._session(urlsplit(url).scheme)
        return await self._attempt(lambda _: self._exchange(session, url, body, headers), irreversible)

    async def fetch(self, url: str, take: Take) -> Reply:
        """One GET: the body of a 200 goes to `take` in pieces, each with the whole length (0: unknown). The reply has no body.

        The client's timeout is that of each piece. Raises as `post` does (Lost: cut off within), and what `take` raises.
        """
        session = self._session(urlsplit(url).scheme)
        return await self._attempt(lambda attempt: _download(session, url, take, attempt), _granted)

    async def _attempt(self, work: Callable[[_Attempt], Awaitable[Reply]], irreversible: Irreversible) -> Reply:
        async with asyncio.timeout(None) as scope:
            scope.reschedule(asyncio.get_running_loop().time() + self._timeout)
            attempt = _Attempt(irreversible, scope, self._timeout)
            token = _ATTEMPT.set(attempt)
            try:
                return await work(attempt)
            except BaseException as error:
                meaning = _meaning(error, attempt)
                if meaning is error:
                    raise
                raise meaning from None
            finally:
                _ATTEMPT.reset(token)

    async def ask(
        self, url: str, body: bytes, headers: Mapping[str, str], irreversible: Irreversible
    ) -> Reply | Down | Misconfigured | Ambiguous:
        """The same in the channels' words: a reply, or how it went without one. Only what `irreversible` raises comes out."""
        try:
            return await self.post(url, body, headers, irreversible)
        except Unreachable as error:
            return Down(None, str(error))
        except Untrusted as error:
            return Misconfigured(str(error))
        except Lost as error:
            return Ambiguous(str(error))

    async def close(self) -> None:
        """Close the idle connections."""
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()

    async def _exchange(self, session: "ClientSession", url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        async with session.post(url, data=body, headers=headers, allow_redirects=False) as response:
            read = b""
            while len(read) < MOST_BODY and (piece := await response.content.read(MOST_BODY - len(read))):
                read += piece
            if not response.content.at_eof():
                response.close()
            return Reply(response.status, read, retry_after(response.headers.get("Retry-After"), self._now()))

    def _session(self, scheme: str) -> "ClientSession":
        if scheme not in self._sessions:
            self._sessions[scheme] = self._connection.make_session(
                context=self._context() if scheme == "https" else None,
                keep=KEEP,
                make_socket=lambda info: self._socket(info, public=scheme == "https"),
                grant=_grant,
            )
        return self._sessions[scheme]

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self._trust or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

    def _socket(self, info: Any, *, public: bool) -> socket.socket:
        family, kind, protocol, _, address = info
        if not permitted(str(address[0]), self._allow, public=public):
            _ATTEMPT.get().refused = True
            raise OSError("not an address that we may connect to")
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made


async def _granted() -> None:
    """A GET changes nothing: no moment of it is irreversible."""


async def _download(session: "ClientSession", url: str, take: Take, attempt: _Attempt) -> Reply:
    async with session.get(url, allow_redirects=False) as response:
        if response.status == 200:
            async for piece in response.content.iter_chunked(PIECE):
                try:
                    take(piece, response.content_length or 0)
                except BaseException as error:
                    attempt.withheld = error
                    raise
                attempt.goes_on()
        return Reply(response.status, b"")


def _meaning(error: BaseException, attempt: _Attempt) -> BaseException:
    """What the end of an attempt means to a channel; a cancellation and what `irreversible` raised stay what they are."""
    if attempt.withheld is not None:
        return attempt.withheld
    if isinstance(error, asyncio.CancelledError) and not attempt.expired:
        return error
    from channels.connection import said, untrusted

    text = said(error)
    if attempt.granted:
        return Lost(text)
    if attempt.refused:
        return Untrusted("the address is not one of the public internet; see BOOMERANG_EGRESS_ALLOW")
    if untrusted(error):
        return Untrusted(text)
    return Unreachable(text)
