"""uvicorn with the deadlines that it lacks, and a second, loopback-only listener for metrics."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app import metrics
from app.web.collector.http import TEXT, Message, Receive, Response, Send, answer

REQUEST_SECONDS = 20.0
"""A request that is not complete after this long is cut off, and so is a connection that never asks for anything."""
KEEP_ALIVE_SECONDS = 15
CONNECTIONS_LIMIT = 5_000
GRACE_SECONDS = 10


class _Corked:
    """A transport that sends an answer's head together with its body: one system call instead of two (15 us a request)."""

    __slots__ = ("_head", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""

    def write(self, data: bytes) -> None:
        """Send, or keep a head until something follows it."""
        if self._head:
            self._transport.write(self._head + data)
            self._head = b""
        elif data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 100"):
            self._head = data
        else:
            self._transport.write(data)

    def flush(self) -> None:
        """Send a head that has no body."""
        if self._head:
            self._transport.write(self._head)
            self._head = b""

    def close(self) -> None:
        """Send what is kept and close."""
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        """Everything else is the transport's."""
        return getattr(self._transport, name)


class PatientProtocol(HttpToolsProtocol):
    """HTTP/1.1 that does not wait for ever for a request's end."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.waiting_since: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client connected: its first request is due."""
        super().connection_made(_Corked(transport))  # type: ignore[arg-type]
        self.waiting_since = self.loop.time()

    def on_response_complete(self) -> None:
        """An answer is complete: nothing of it may stay behind."""
        self.transport.flush()  # type: ignore[attr-defined]
        super().on_response_complete()

    def on_message_begin(self) -> None:
        """A request begins."""
        self.waiting_since = self.loop.time()
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """A request is complete."""
        self.waiting_since = None
        super().on_message_complete()


class QuietServer(uvicorn.Server):
    """A server that leaves signals to whoever runs it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Hear none."""
        yield


async def cut_off_the_slow(server: uvicorn.Server, patience: float = REQUEST_SECONDS) -> None:
    """Close connections whose request has been incomplete for `patience` seconds; runs until it is cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(min(1.0, patience / 2))
        oldest = loop.time() - patience
        for connection in list(server.server_state.connections):
            since = getattr(connection, "waiting_since", None)
            if since is not None and since < oldest:
                connection.transport.abort()


async def metrics_app(scope: Message, receive: Receive, send: Send) -> None:
    """`GET /metrics` of this process."""
    del receive
    found = scope["path"] == "/metrics" and scope["method"] in ("GET", "HEAD")
    body = metrics.render() if found else b"only /metrics is here\n"
    headers = [(b"content-type", metrics.CONTENT_TYPE.encode())] if found else TEXT
    await answer(send, Response(200 if found else 404, body, headers), [])


def public_config(app: Any, host: str, port: int) -> uvicorn.Config:
    """Of the public listener: no banner, no access log (personal data), bounded in every direction."""
    return uvicorn.Config(
        app, host=host, port=port, http=PatientProtocol, ws="none", loop="uvloop", lifespan="on",
        access_log=False, log_config=None, log_level="warning", server_header=False, proxy_headers=False, backlog=2_048,
        limit_concurrency=CONNECTIONS_LIMIT, timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )  # fmt: skip


def metrics_config(host: str, port: int, app: Any = metrics_app) -> uvicorn.Config:
    """Of the metrics listener: for this host, or the shop's own network, alone."""
    return uvicorn.Config(
        app, host=host, port=port, http="httptools", ws="none", loop="uvloop", lifespan="off",
        access_log=False, log_config=None, log_level="warning", server_header=False, proxy_headers=False,
        limit_concurrency=50,
    )  # fmt: skip
