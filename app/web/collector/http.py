"""The little of HTTP that the collector needs over raw ASGI: one request, one answer, a bounded body."""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from app.web.collector.body import BODY_LIMIT, TooLarge

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

DRAIN_LIMIT = 4 << 20
"""Of a body that is too large this much is read and thrown away, so that the client gets to see the answer."""
READING_LIMIT = 64 << 20
"""Bytes of all bodies that are being read at one time."""

_WANTED = frozenset((
    b"origin", b"authorization", b"content-length", b"x-forwarded-for", b"x-write-key", b"anonymousid", b"sentat",
    b"if-none-match", b"accept-encoding", b"accept-language",
    b"x-telegram-bot-api-secret-token", b"x-hub-signature-256", b"x-chatwoot-signature", b"x-chatwoot-timestamp",
    b"x-twilio-signature", b"webhook-id", b"webhook-timestamp", b"webhook-signature",
    b"user-agent", b"purpose", b"sec-purpose", b"x-purpose", b"x-moz",
))  # fmt: skip

JSON: Headers = [
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
]
TEXT: Headers = [
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
]


class Disconnected(Exception):  # noqa: N818 - the client's business
    """The client went away before its request was complete."""


class Overloaded(Exception):  # noqa: N818 - an answer (503)
    """More bodies are being read than fit into memory."""


class Request:
    """What the collector looks at of a request."""

    __slots__ = ("client", "headers", "method", "path", "query", "receive")

    def __init__(self, scope: MutableMapping[str, Any], receive: Receive) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query: bytes = scope["query_string"]
        self.client: str = scope["client"][0] if scope["client"] else ""
        self.receive = receive
        self.headers: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            if name in _WANTED:
                self.headers[name] = self.headers[name] + b"," + value if name in self.headers else value

    def header(self, name: bytes) -> str:
        """A header's text, or an empty one."""
        value = self.headers.get(name)
        return value.decode("latin-1") if value is not None else ""

    def parameter(self, name: str) -> str:
        """The first value of a query parameter, or an empty one."""
        if not self.query:
            return ""
        return self.parameters().get(name, "")

    def parameters(self) -> dict[str, str]:
        """The first value of each query parameter; none where the query cannot be read."""
        if not self.query:
            return {}
        try:
            return {
                name: values[0] for name, values in parse_qs(self.query.decode("latin-1"), max_num_fields=50).items()
            }
        except ValueError:
            return {}


@dataclass(slots=True)
class Response:
    """One answer."""

    status: int
    body: bytes = b""
    headers: Headers = field(default_factory=lambda: JSON)


async def answer(send: Send, response: Response, extra: Headers) -> None:
    """Send a response, with `extra` headers."""
    headers = [*response.headers, *extra]
    if response.status not in (204, 304):
        headers.append((b"content-length", b"%d" % len(response.body)))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})


class Bodies:
    """Reads bodies, each and all of them within bounds."""

    def __init__(self, limit: int = BODY_LIMIT) -> None:
        """`limit` is the most bytes that a body may have."""
        self._limit = limit
        self._reading = 0

    async def read(self, request: Request) -> bytes:
        """The whole body. Raises TooLarge (413), Overloaded (503), Disconnected."""
        message = await request.receive()
        if message["type"] != "http.request":
            raise Disconnected
        body: bytes = message.get("body", b"")
        if not message.get("more_body", False):
            if len(body) > self._limit:
                raise TooLarge
            return body
        return await self._read_on(request, body)

    async def _read_on(self, request: Request, first: bytes) -> bytes:
        chunks, size, held = [first], len(first), 0
        declared = request.headers.get(b"content-length", b"")
        if declared.isdigit() and int(declared) > DRAIN_LIMIT:
            raise TooLarge
        try:
            while True:
                message = await request.receive()
                if message["type"] != "http.request":
                    raise Disconnected
                chunk = message.get("body", b"")
                size += len(chunk)
                if size > self._limit:
                    chunks.clear()
                    if size > DRAIN_LIMIT:
                        raise TooLarge
                else:
                    chunks.append(chunk)
                    held += len(chunk)
                    self._reading += len(chunk)
                    if self._reading > READING_LIMIT:
                        raise Overloaded
                if not message.get("more_body", False):
                    break
        finally:
            self._reading -= held
        if size > self._limit:
            raise TooLarge
        return b"".join(chunks)
