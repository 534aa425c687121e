"""What aiohttp makes for requests that leave the house. Loaded when the first client is made: it takes longer than all else of ours."""

import ssl
from collections.abc import Awaitable, Callable
from socket import socket
from typing import Any

import aiohttp
from aiohttp import ClientSession

__all__ = ["ClientSession", "make_session", "said", "untrusted"]


class _Connector(aiohttp.TCPConnector):
    """Asks for the irreversible moment once there is a connection and before anything is written to it."""

    def __init__(self, grant: Callable[[], Awaitable[None]], **options: Any) -> None:
        super().__init__(**options)
        self._grant = grant

    async def connect(self, req: Any, traces: Any, timeout: Any) -> Any:  # noqa: ASYNC109 - aiohttp's signature
        connection = await super().connect(req, traces, timeout)
        try:
            await self._grant()
        except BaseException:
            connection.close()
            raise
        return connection


def make_session(
    *,
    context: ssl.SSLContext | None,
    keep: float,
    make_socket: Callable[[Any], socket],
    grant: Callable[[], Awaitable[None]],
) -> ClientSession:
    """A session that sends what it is told and nothing of its own.

    `keep`: seconds that an idle connection is kept; `make_socket` judges the address; `grant` is awaited before anything is written.
    """
    connector = _Connector(
        grant,
        ssl=True if context is None else context,
        limit=0,
        keepalive_timeout=keep,
        use_dns_cache=False,
        socket_factory=make_socket,
    )
    return ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=None),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("Accept-Encoding",),
        headers={"User-Agent": "Boomerang", "Accept-Encoding": "identity"},
        trust_env=False,
    )


def untrusted(error: BaseException) -> bool:
    """Whether a person has to mend something before there can be a connection."""
    return isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.InvalidURL)


def said(error: BaseException) -> str:
    """The failure without the address of the request, which may be a secret itself."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    text = cause.strerror if isinstance(cause, OSError) else ""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        text = getattr(error.certificate_error, "verify_message", "")
    return f"{type(error).__name__}: {text}"[:200] if text else type(error).__name__
