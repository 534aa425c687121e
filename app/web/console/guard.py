"""What every answer of the console carries, and whom it answers: security headers, a check of the Host header, errors in words.

The console is for people on the shop's own network. On a loopback address it answers only to loopback names, so that a
hostile page cannot reach it through a name that resolves to 127.0.0.1; with a login also to the host of BOOMERANG_CONSOLE_URL,
which a proxy on the same machine passes on.
"""

from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import SettingsError

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

_ELSEWHERE = (
    "this console answers to 127.0.0.1 and localhost only; with a login also to the host of BOOMERANG_CONSOLE_URL\n"
)


def mail_policy(shop_url: str) -> str:
    """Policy of a mail's HTML: no script, no form, no network but pictures of the shop; its links open in a new tab."""
    parts = urlsplit(shop_url)
    clean = parts.scheme in ("http", "https") and not set(parts.netloc) & set(" ;,'\"\\")
    shop = f" {parts.scheme}://{parts.netloc}" if clean and parts.netloc else ""
    return (
        "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; "
        f"img-src data:{shop}; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )


def origin_of(url: str) -> str:
    """The origin of BOOMERANG_CONSOLE_URL as browsers write it, without the scheme's own port; "" for none. Raises SettingsError."""
    parts = urlsplit(url)
    try:
        told = parts.port
    except ValueError as error:
        raise SettingsError(f"BOOMERANG_CONSOLE_URL: {error}") from None
    if not parts.hostname:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = "" if told in (None, {"https": 443, "http": 80}.get(parts.scheme)) else f":{told}"
    return f"{parts.scheme}://{host}{port}"


class Guard:
    """ASGI middleware around the whole console."""

    def __init__(self, app: ASGIApp, host: str, public: str = "") -> None:
        """`host` is the address that the console listens on, `public` the URL of a proxy before it, where there is a login."""
        self._app = app
        name = urlsplit(public).hostname or ""
        self._hosts = LOOPBACK | {name} - {""} if host in LOOPBACK else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add_headers(MutableHeaders(scope=message))
            await send(message)

        if self._hosts is not None and _host(scope) not in self._hosts:
            answer = PlainTextResponse(_ELSEWHERE, 421)
            await answer(scope, receive, guarded)
            return
        await self._app(scope, receive, guarded)


def _add_headers(headers: MutableHeaders) -> None:
    headers.setdefault("content-security-policy", PAGE_POLICY)
    headers.setdefault("cache-control", "no-store")
    headers["x-content-type-options"] = "nosniff"
    headers["referrer-policy"] = "same-origin"  # with none at all, a form of our own is posted from origin `null`
    headers["cross-origin-resource-policy"] = "same-origin"


def _host(scope: dict[str, Any] | Scope) -> str:
    raw = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1").lower()
    if raw.startswith("["):
        return raw[1:].partition("]")[0]
    return raw.partition(":")[0]
