"""Who may see the console: a session cookie after a password, or a proxy's header; and a token on every POST.

    console on a loopback address, nothing set    open, said loudly at the start
    BOOMERANG_CONSOLE_USERS                        a password, then a signed cookie for twelve hours
    BOOMERANG_CONSOLE_PROXY_HEADER                 the user that a trusted proxy names
    anything else                                  the console does not start

`/healthz`, `/readyz`, `/metrics`, the login itself and the styles are open. A POST needs the token that the session's own pages
carry, in `X-CSRF-Token` or in the form, and must not come from another origin.
"""

import hmac
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from http.cookies import CookieError, SimpleCookie
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote, urlsplit

from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.clock import Clock
from app.errors import CommandError
from app.settings import Settings, split
from app.tokens import SESSION_LIFE, BadToken, load_secret, mark, read_session_token, session_token
from app.web.collector.limits import Buckets, Proxies
from app.web.console import login_page
from app.web.console.guard import LOOPBACK, origin_of
from app.web.console.passwords import Passwords, users

COOKIE = "boomerang_session"
VISIT = "boomerang_visit"
MOST_BODY = 64 << 10
MOST_ENDED = 10_000
"""Sessions remembered as logged out, by this run of the console; the oldest are forgotten."""
PACES = ((1 / 20, 3.0), (1.0, 10.0), (0.2, 20.0))
"""Passwords tried a second, and at once: for one name from one address, from one address, and for one name from everywhere.

The first is slower than the last, so that nobody can keep another one out from a single address.
"""
OPEN = frozenset({"/healthz", "/readyz", "/metrics", "/pages/console.css", "/pages/icon.svg"})

SENDER = ("POST", "/api/inbox/messages")
"""What our own sender asks: it has a token of its own (app/web/console/inbox_in.py)."""


class User(NamedTuple):
    """Who asks. `name` is "" where there is no login; `token` goes into his pages and comes back with each POST."""

    name: str
    token: str


def user_of(scope: Scope) -> User:
    """The user of a request that has been let in."""
    found: User = scope["boomerang.user"]
    return found


def form_of(scope: Scope) -> dict[str, str]:
    """The fields of a form that was posted."""
    found: dict[str, str] = scope.get("boomerang.form", {})
    return found


def body_of(scope: Scope) -> bytes:
    """The body of a POST."""
    found: bytes = scope.get("boomerang.body", b"")
    return found


async def while_let_in(scope: Scope, blocks: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
    """A stream until its user logs out or his session ends: looked at before each block, so at each sign of life too."""
    still: Callable[[], bool] = scope["boomerang.still"]
    async with aclosing(blocks):
        async for block in blocks:
            if not still():
                return
            yield block


class Login:
    """ASGI middleware between the guard and the pages. Raises CommandError or SettingsError when nobody would be kept out."""

    def __init__(self, app: ASGIApp, settings: Settings, clock: Clock) -> None:
        self._app, self._clock = app, clock
        self._known = users(settings.console_users)
        self._passwords = Passwords(self._known)
        self._header = settings.console_proxy_header.lower().encode("latin-1", "replace")
        trusted = split(settings.trusted_proxies)
        self._proxies = Proxies(trusted)
        self._paces = [Buckets(rate, burst=burst) for rate, burst in PACES]
        self.open = not self._known and not self._header
        if self._header and not trusted:
            raise CommandError(
                "BOOMERANG_CONSOLE_PROXY_HEADER needs BOOMERANG_TRUSTED_PROXIES: whose header is believed"
            )
        if self.open and not settings.console_open and settings.console_host not in LOOPBACK:
            raise CommandError(
                f"the console on {settings.console_host} would be open to everybody: set BOOMERANG_CONSOLE_USERS or "
                "BOOMERANG_CONSOLE_PROXY_HEADER, or BOOMERANG_CONSOLE_OPEN=yes where only trusted people reach it"
            )
        self._secret = load_secret(settings)
        self._ended: dict[str, None] = {}
        self._public = "" if self.open else origin_of(settings.console_url)
        self._always_secure = settings.console_url.startswith("https://")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let in, ask for a login, or refuse."""
        if scope["type"] != "http" or scope["path"] in OPEN or (scope["method"], scope["path"]) == SENDER:
            await self._app(scope, receive, send)
            return
        answer = await self._answer(scope, receive)
        if answer is not None:
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Response | None:
        """The login's own answer, or None: the request goes on to the pages."""
        cookies = _cookies(scope)
        if scope["path"] == "/login":
            return await self._login(scope, receive, cookies)
        user = self._user(scope, cookies)
        if user is None:
            return _turned_away(scope)
        scope["boomerang.user"] = user
        scope["boomerang.still"] = lambda: self._user(scope, cookies) == user
        if scope["method"] in ("GET", "HEAD"):
            return None
        refused = await self._read(scope, receive, user.token)
        if refused is not None:
            return refused
        return self._out(scope, user) if scope["path"] == "/logout" else None

    def _user(self, scope: Scope, cookies: dict[str, str]) -> User | None:
        if self.open:
            return User("", mark(self._secret, "csrf", ""))
        name = self._named_by_proxy(scope)
        if name:
            return User(name, mark(self._secret, "csrf", f"proxy\0{name}"))
        try:
            name, proof = read_session_token(self._secret, cookies.get(COOKIE, ""), self._clock.now())
        except BadToken:
            return None
        hashed = self._passwords.hash_of(name)
        if not hashed or not hmac.compare_digest(proof, self._proof(hashed)):
            return None
        token = mark(self._secret, "csrf", cookies[COOKIE])
        return None if token in self._ended else User(name, token)

    def _named_by_proxy(self, scope: Scope) -> str:
        if not self._header or not self._proxies.trusts(_peer(scope)):
            return ""
        told = [value for name, value in scope["headers"] if name == self._header]
        name = told[0].decode("utf-8", "replace").strip() if len(told) == 1 else ""
        return name if name.isprintable() and len(name) <= 200 else ""

    def _proof(self, hashed: str) -> str:
        """A new password ends the sessions of the old one."""
        return mark(self._secret, "proof", hashed)[:16]

    async def _read(self, scope: Scope, receive: Receive, token: str) -> Response | None:
        """Read a POST's body and look at its token and origin."""
        headers = dict(scope["headers"])
        body = await _whole(receive)
        if body is None:
            return _problem(scope, 413, f"a body may have {MOST_BODY} bytes")
        scope["boomerang.body"] = body
        if headers.get(b"content-type", b"").startswith(b"application/x-www-form-urlencoded"):
            fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=20)
            scope["boomerang.form"] = {name: values[0] for name, values in fields.items()}
        told = headers.get(b"x-csrf-token", b"").decode("latin-1") or form_of(scope).get("csrf", "")
        origin = headers.get(b"origin", b"").decode("latin-1")
        own = urlsplit(origin).netloc == headers.get(b"host", b"").decode("latin-1") or origin == self._public
        if (origin and not own) or not hmac.compare_digest(told.encode(), token.encode()):
            return _problem(
                scope, 403, "this did not come from a page of this console, or the page is too old: load it again"
            )
        return None

    # -- the login itself

    async def _login(self, scope: Scope, receive: Receive, cookies: dict[str, str]) -> Response:
        following = _following(scope)
        if self.open or self._named_by_proxy(scope):
            return RedirectResponse(following, 303)
        if scope["method"] in ("GET", "HEAD"):
            return self._form(scope, following, "", 200)
        visit = cookies.get(VISIT, "")
        refused = await self._read(scope, receive, mark(self._secret, "login", visit))
        if refused is not None or not visit:
            return refused or self._form(scope, following, "Cookies are needed to log in.", 403)
        form = form_of(scope)
        name = form.get("name", "")[:64]
        wait = self._pace(name, self._proxies.client(_peer(scope), _forwarded(scope)))
        if wait:
            return self._form(scope, following, f"Too many tries. Come back in {wait} seconds.", 429)
        if not await self._passwords.right(name, form.get("password", "")):
            return self._form(scope, following, "Name or password is wrong.", 401)
        answer = RedirectResponse(following, 303)
        token = session_token(self._secret, name, self._clock.now(), self._proof(self._passwords.hash_of(name)))
        self._set(scope, answer, COOKIE, token, int(SESSION_LIFE), "lax")
        return answer

    def _pace(self, name: str, address: str) -> int:
        """0, or the seconds to wait. Who is held back by one pace takes nothing from the next ones, which are others' too."""
        now, whose = self._clock.monotonic(), (f"{address} {name}", address, name)
        return next((wait for pace, of in zip(self._paces, whose, strict=True) if (wait := pace.take(of, now))), 0)

    def _form(self, scope: Scope, following: str, told: str, status: int) -> Response:
        visit = secrets.token_urlsafe(16)
        page = login_page.form(mark(self._secret, "login", visit), following, told)
        answer = Response(page, status, media_type="text/html; charset=utf-8")
        self._set(scope, answer, VISIT, visit, 3600, "strict")
        return answer

    def _out(self, scope: Scope, user: User) -> Response:
        self._ended[user.token] = None
        if len(self._ended) > MOST_ENDED:
            del self._ended[next(iter(self._ended))]
        answer = RedirectResponse("/login", 303)
        self._set(scope, answer, COOKIE, "", 0, "lax")
        return answer

    def _set(self, scope: Scope, answer: Response, name: str, value: str, age: int, same_site: Any) -> None:
        told = dict(scope["headers"]).get(b"x-forwarded-proto", b"")
        proxied = told == b"https" and self._proxies.trusts(_peer(scope))
        secure = self._always_secure or scope.get("scheme") == "https" or proxied
        answer.set_cookie(name, value, max_age=age, path="/", secure=secure, httponly=True, samesite=same_site)


def _peer(scope: Scope) -> str:
    """The address at the other end of the connection: a browser's, or a proxy's."""
    return scope["client"][0] if scope["client"] else ""


def _forwarded(scope: Scope) -> str:
    return ",".join(value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for")


def _cookies(scope: Scope) -> dict[str, str]:
    raw = b"; ".join(value for name, value in scope["headers"] if name == b"cookie").decode("latin-1")
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(raw[:8192]).items()}
    except CookieError:
        return {}


def _following(scope: Scope) -> str:
    """Where to go after the login: a path of this console, never another site."""
    wanted = parse_qs(scope["query_string"].decode("latin-1")).get("next", ["/"])[0][:500]
    fine = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable()
    return wanted if fine else "/"


def _turned_away(scope: Scope) -> Response:
    if scope["path"].startswith("/api/") or scope["method"] not in ("GET", "HEAD"):
        return JSONResponse({"error": "log in at /login first"}, 401)
    query = scope["query_string"].decode("latin-1")
    here = scope["path"] + (f"?{query}" if query else "")
    return RedirectResponse("/login" + ("" if here == "/" else f"?next={quote(here, safe='/')}"), 303)


def _problem(scope: Scope, status: int, text: str) -> Response:
    if scope["path"].startswith("/api/"):
        return JSONResponse({"error": text}, status)
    return PlainTextResponse(text + "\n", status)


async def _whole(receive: Receive) -> bytes | None:
    """The whole body; None when it is too large."""
    body = b""
    while True:
        message: Message = await receive()
        body += bytes(message.get("body", b""))
        if len(body) > MOST_BODY:
            return None
        if message["type"] != "http.request" or not message.get("more_body", False):
            return body
