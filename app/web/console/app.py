"""The console: live feed, customers, inbox, and the board of dialogs, for people on the shop's own network.

Everything is read, and nothing is changed but by the board's commands.
"""

import asyncio
import logging
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from app import metrics
from app.clock import Clock
from app.engine.provision import check_partitions
from app.errors import CommandError, JournalDownError
from app.inbox import Inbox, Mail
from app.settings import Settings
from app.web.console import board_api, board_page, journeys_page, pages, scenarios_page
from app.web.console.api import ROUTES, WORTH_DAYS, as_json, number, word
from app.web.console.guard import Guard, mail_policy
from app.web.console.html import SESSION, customer_link, session
from app.web.console.login import Login, user_of
from app.web.console.state import Console, console_of
from app.worth import LONGEST

log = logging.getLogger(__name__)

PAGE_LINES = 200
PAGE_MAILS = 100
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_FILES = Path(__file__).parent / "static"


def create(console: Console) -> ASGIApp:
    """The ASGI application over an open console."""
    app = Starlette(
        routes=[
            Route("/", live),
            Route("/dialogs", dialogs),
            Route("/customers", customers),
            Route("/customers/{customer:path}", customer),
            Route("/scenarios", scenarios),
            Route("/journeys", journeys),
            Route("/inbox", inbox),
            Route("/inbox/{number:int}", mail),
            Route("/inbox/{number:int}/html", mail_html),
            Route("/pages/{name}", file),
            *ROUTES,
            *board_api.ROUTES,
        ],
        exception_handlers={HTTPException: _refused, JournalDownError: _down},
    )
    app.state.console = console
    app.state.files = {path.name: path.read_bytes() for path in _FILES.iterdir() if path.suffix in _TYPES}
    login = Login(app, console.settings, console.clock)
    if login.open:
        log.warning(
            "THE CONSOLE IS OPEN: whoever reaches it sees customers and dialogs; BOOMERANG_CONSOLE_USERS closes it"
        )
    return Guard(login, console.settings.console_host, "" if login.open else console.settings.console_url)


async def serve(settings: Settings, clock: Clock) -> None:
    """Run the console, with the dev inbox where no relay is set, until SIGINT or SIGTERM. Raises CommandError."""
    await check_partitions(settings)
    listener = _listen(settings.console_host, settings.console_port)
    console = Console(settings, clock)
    smtp = None if settings.smtp else Inbox(console.inbox, "127.0.0.1", settings.inbox_port)
    try:
        if smtp is not None:
            try:
                await smtp.start()
            except OSError as error:
                raise CommandError(
                    f"port {settings.inbox_port} of the dev inbox cannot be used ({error.strerror}); set BOOMERANG_INBOX_PORT"
                ) from None
        server = server_of(create(console))

        def stop() -> None:
            console.live.feed.close()
            console.boardroom.close()
            server.should_exit = True

        loop = asyncio.get_running_loop()
        for number_ in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number_, stop)
        metrics.introduce("console", settings.instance)
        metrics.READY.set(1)
        metrics.before_render("board", console.boardroom.show_counts)
        log.info("console on http://%s:%d", settings.console_host, settings.console_port)
        await server.serve(sockets=[listener])
    finally:
        metrics.before_render("board", lambda: None)
        if smtp is not None:
            await smtp.stop()
        await console.close()
        listener.close()


def server_of(app: ASGIApp) -> uvicorn.Server:
    """The HTTP server. The peer stays the peer: what a proxy says of its clients, the login alone judges."""
    return _Server(
        uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=2,
        )
    )


class _Server(uvicorn.Server):
    """Leaves the signals to `serve`, so that the streams end and the files are closed."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=256)
    except OSError as error:
        raise CommandError(
            f"{host}:{port} cannot be used ({error.strerror}); set BOOMERANG_CONSOLE_PORT to a free port"
        ) from None


def _html(request: Request, content: bytes, status: int = 200) -> Response:
    user = user_of(request.scope)
    shown = session(user.name, user.token) if user.name else ""
    return Response(content.replace(SESSION.encode(), shown.encode(), 1), status, media_type="text/html; charset=utf-8")


async def live(request: Request) -> Response:
    """The live feed."""
    return _html(request, pages.live())


async def dialogs(request: Request) -> Response:
    """The board."""
    return _html(request, board_page.board(user_of(request.scope).token))


async def customers(request: Request) -> Response:
    """The search, or the customer that was searched for."""
    key = word(request, "id").strip()
    return RedirectResponse(customer_link(key), 303) if key else _html(request, pages.customers())


async def customer(request: Request) -> Response:
    """A customer's timeline."""
    key = request.path_params["customer"][:300]
    if not key:
        return RedirectResponse("/customers", 303)
    console, scenario = console_of(request), word(request, "scenario")
    before = number(request, "before", 0, 1 << 62)
    stored = await console.story(key, scenario, PAGE_LINES + 1, before)
    keys = await asyncio.to_thread(lambda: console.open_journal().keys_of(key))
    more = len(stored) > PAGE_LINES
    return _html(request, pages.timeline(key, keys, stored[-PAGE_LINES:], scenario, more=more, newest=not before))


async def scenarios(request: Request) -> Response:
    """What scenarios did and brought."""
    days = number(request, "days", WORTH_DAYS, LONGEST)
    console = console_of(request)
    return _html(request, scenarios_page.scenarios(await console.worth(days), days, console.currency))


async def journeys(request: Request) -> Response:
    """Where customers stand in scenarios with steps."""
    days = number(request, "days", WORTH_DAYS, LONGEST)
    console = console_of(request)
    return _html(request, journeys_page.journeys(await console.journeys(days), days, console.clock.now()))


async def inbox(request: Request) -> Response:
    """The list of mails."""
    store = console_of(request).inbox
    filters = {name: word(request, name) for name in ("to", "scenario", "trigger")}
    before = number(request, "before", 0, 1 << 62)
    mails = await asyncio.to_thread(lambda: store.find(**filters, limit=PAGE_MAILS + 1, before=before))
    return _html(request, pages.inbox(mails[:PAGE_MAILS], len(store), filters, more=len(mails) > PAGE_MAILS))


async def mail(request: Request) -> Response:
    """One mail."""
    found = await asyncio.to_thread(console_of(request).inbox.get, request.path_params["number"])
    if found is None:
        raise HTTPException(404, "There is no such mail; the oldest are removed.")
    whom = await asyncio.to_thread(_customer_of, console_of(request), found[0])
    return _html(request, pages.mail(*found, whom))


def _customer_of(console: Console, found: Mail) -> str:
    if not found.trigger_id:
        return ""
    with suppress(CommandError):  # a mail can be read without the journal
        return console.open_journal().customer_of(found.trigger_id, found.sent_at)
    return ""


async def mail_html(request: Request) -> Response:
    """The mail's own HTML, sandboxed by its policy even outside of the frame."""
    console = console_of(request)
    found = await asyncio.to_thread(console.inbox.get, request.path_params["number"])
    if found is None:
        raise HTTPException(404, "There is no such mail; the oldest are removed.")
    answer = Response(pages.mail_html(found[1]), media_type="text/html; charset=utf-8")
    answer.headers["content-security-policy"] = mail_policy(console.settings.shop_url)
    return answer


async def file(request: Request) -> Response:
    """Styles, scripts and the icon."""
    name = request.path_params["name"]
    content: bytes | None = request.app.state.files.get(name)
    if content is None:
        raise HTTPException(404, "There is no such file.")
    tag = f'"{blake2b(content, digest_size=8).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=_TYPES[Path(name).suffix], headers=headers)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if request.url.path.startswith("/api/"):
        answer = as_json({"error": error.detail}, error.status_code)
    else:
        answer = _html(request, pages.problem(error.status_code, error.detail), error.status_code)
    answer.headers.update(error.headers or {})
    return answer


def _down(request: Request, error: Exception) -> Response:
    log.warning("%s", error)
    return _refused(request, HTTPException(503, str(error)))
