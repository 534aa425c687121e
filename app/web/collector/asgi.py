"""The collector as an ASGI application: paths, CORS, and answers that are never a stack trace.

Raw ASGI: at 8,000 requests a second a framework's request and response objects would cost more than the work itself.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable

from agents.team import TeamError, load_team
from app.clock import Clock
from app.errors import SettingsError
from app.logs import traced
from app.metrics import COLLECTOR_REQUESTS
from app.model.team import Team
from app.settings import Settings, split
from app.tracing import journeys
from app.web.chat import presses, webhooks
from app.web.collector import compat, confirm, unsubscribe
from app.web.collector.auth import Keys
from app.web.collector.cors import Origins
from app.web.collector.declined import Declined
from app.web.collector.http import JSON, TEXT, Disconnected, Message, Receive, Request, Response, Send, answer
from app.web.collector.ingest import Ingest, Route
from app.web.collector.intake import Intake
from app.web.collector.normalise import TYPES
from app.web.collector.script import PUSH, WORKER, Script
from app.web.receipts import endpoint as receipts
from app.web.tracking import endpoint as tracking
from channels.references import References

logger = logging.getLogger(__name__)

_SHORT = {"t": "track", "p": "page", "i": "identify", "a": "alias", "g": "group", "s": "screen"}
_BATCH = Route("batch", batch=True)


def _routes() -> dict[str, Route]:
    routes = {f"/v1/{kind}": Route(kind, kind) for kind in TYPES}
    routes |= {f"/v1/{short}": Route(kind, kind) for short, kind in _SHORT.items()}
    for base in ("/api/s/", "/api/s/s2s/"):
        routes |= {f"{base}{kind}": Route(kind, kind) for kind in TYPES}
        routes[f"{base}batch"] = _BATCH
    routes |= dict.fromkeys(("/v1/batch", "/v1/b", "/beacon/v1/batch"), _BATCH)
    routes["/v1/import"] = Route("import", batch=True, historical=True)
    return routes


ROUTES = _routes()
_NOT_FOUND = Response(404, b'{"success":false,"reason":"not_found","error":"there is nothing at this path"}')


class Collector:
    """The public HTTP side. `intake` and `references` are closed with the application's lifespan; see `Receipts` for the latter."""

    def __init__(self, settings: Settings, clock: Clock, intake: Intake, references: References | None = None) -> None:
        self._intake = intake
        self._origins = Origins(split(settings.cors_origins))
        self._told = journeys(settings, "collector")
        self._ingest = Ingest(settings, clock, intake, self._origins, self._told)
        self._keys = Keys(settings.write_keys_by_key)
        self._script = Script(respect_dnt=settings.respect_dnt)
        self._unsubscribe = unsubscribe.UnsubscribePages(settings, clock, intake)
        self._confirm = confirm.ConfirmPages(settings, clock, intake)
        self._chat = webhooks.ChatWebhooks(settings, clock, intake)
        self._presses = presses.Presses(settings, clock, intake, _team(settings))
        self._receipts = receipts.Receipts(settings, clock, intake, references)
        self._tracked = tracking.TrackedLinks(settings, clock, intake, references)
        self._references = references
        self._failures = 0
        self._public_base = settings.public_base
        self._plain: dict[str, tuple[str, Callable[[Request], Response]]] = {
            "/boomerang.js": ("tracker", self._script.response),
            "/boomerang-push.js": (
                "tracker",
                Script(path=PUSH, push_key=settings.webpush_public_key.rstrip("=")).response,
            ),
            "/boomerang-sw.js": ("tracker", Script(path=WORKER).response),
            "/sourceConfig": ("source_config", self._source_config),
            "/healthz": ("health", lambda _request: Response(200, b"ok\n", TEXT)),
            "/readyz": ("health", self._readiness),
        }

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One ASGI connection."""
        if scope["type"] == "http":
            await self._http(Request(scope, receive), send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _http(self, request: Request, send: Send) -> None:
        label = "other"
        origin = request.headers.get(b"origin")
        try:
            route = ROUTES.get(request.path)
            if route is not None and request.method == "POST":
                label = route.label
                response = await self._ingest.handle(request, route)
            else:
                label, response = await self._other(request)
        except Disconnected:
            return
        except Exception:  # the last resort: one line for the client, the trace for us
            self._failures += 1
            trace = f"request-{os.getpid()}-{self._failures}"
            with traced(trace):
                logger.exception("a request to %s failed", label)
            response = Declined(500, "internal", f"something went wrong here; it has been noted as {trace}").response()
        COLLECTOR_REQUESTS.add(label, str(response.status))
        shared = label in ("tracker", "snippet") or origin is None
        await answer(send, response, [] if shared else self._origins.headers(origin))

    async def _other(self, request: Request) -> tuple[str, Response]:
        path = request.path
        if request.method == "OPTIONS":
            return "preflight", Response(204, b"", self._origins.preflight(request.headers.get(b"origin")))
        if path.startswith(unsubscribe.PREFIX):
            return "unsubscribe", await self._of_customer(request, self._unsubscribe.handle)
        if path.startswith(confirm.PREFIX):
            return "confirm", await self._of_customer(request, self._confirm.handle)
        if path.startswith(tracking.LINKS):
            return "link", await self._of_customer(request, self._tracked.link)
        if path.startswith(tracking.PIXELS):
            return "pixel", await self._of_customer(request, self._tracked.pixel)
        if path.startswith(webhooks.PREFIX):
            return "chat", await self._chat.handle(request)
        if path.startswith(receipts.PREFIX):
            return "receipts", await self._receipts.handle(request)
        if path == presses.PATH:
            return "presses", await self._presses.handle(request)
        if request.method not in ("GET", "HEAD"):
            return "other", _not_allowed("GET") if path.rstrip("/") in self._plain else _NOT_FOUND
        plain = self._plain.get(path.rstrip("/"))
        if plain is not None:
            return plain[0], plain[1](request)
        if path in ROUTES:
            return ROUTES[path].label, _not_allowed("POST")
        return self._with_key(request, path)

    async def _of_customer(self, request: Request, handle: Callable[[Request], Awaitable[Response]]) -> Response:
        if request.method not in ("GET", "HEAD", "POST"):
            return _not_allowed("GET, POST")
        wait = self._ingest.of_address(request)
        if wait:
            return Declined(429, "rate_limited", "too many requests", wait).response()
        return await handle(request)

    def _with_key(self, request: Request, path: str) -> tuple[str, Response]:
        """`/v1/projects/KEY/settings` and `/analytics.js/v1/KEY/analytics.min.js`."""
        if path.startswith("/v1/projects/") and path.endswith("/settings"):
            key = self._keys.of_name(path[len("/v1/projects/") : -len("/settings")])
            return "settings", compat.segment_settings(key.name, self._public_base) if key else _NOT_FOUND
        if path.startswith("/analytics.js/v1/") and path.endswith(("/analytics.min.js", "/analytics.js")):
            key = self._keys.of_name(path[len("/analytics.js/v1/") :].rsplit("/", 1)[0])
            return "snippet", self._script.response(request) if key else _NOT_FOUND
        return "other", _NOT_FOUND

    def _source_config(self, request: Request) -> Response:
        key = self._keys.of_request(request)
        if key is None:
            return Declined(401, "unknown_write_key", "the write key is missing or unknown").response()
        return compat.rudder_source(key.name)

    def _readiness(self, _request: Request) -> Response:
        if self._intake.sink.ready:
            return Response(200, b"ready\n", TEXT)
        return Response(503, b"Kafka does not acknowledge\n", [*TEXT, (b"retry-after", b"5")])

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await self._intake.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._tracked.close()
        await self._intake.close()
        if self._references is not None:
            await self._references.stop()
        if self._told is not None:
            await asyncio.to_thread(self._told.close)
        await send({"type": "lifespan.shutdown.complete"})


def _team(settings: Settings) -> Team | None:
    """The team whose presses of buttons are believed, where a bot takes any. Raises SettingsError."""
    if not settings.telegram_secret:
        return None
    try:
        return load_team(settings.team)
    except TeamError as error:
        raise SettingsError(str(error)) from None


def _not_allowed(methods: str) -> Response:
    declined = Declined(405, "method_not_allowed", f"this path takes {methods}").response()
    return Response(405, declined.body, [*JSON, (b"allow", methods.encode())])
