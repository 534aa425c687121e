"""Servers of the browser tests: a recording collector and a site whose pages a test writes itself, on two origins."""

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from app.web.collector.script import Script

KEY = "browser-key"


@contextmanager
def served(app: Any, port: int = 0) -> Iterator[int]:
    """Run an ASGI app on a free loopback port in a thread; yields the port."""
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", lifespan="on", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and thread.is_alive() and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    assert server.started
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)


class Recorder:
    """A collector that keeps what it gets. `answers` holds the next statuses; `script_settings` go to the tracker."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.answers: deque[tuple[int, dict[str, str]]] = deque()
        self.respect_dnt = False
        self.changed = threading.Condition()
        self.marks: set[str] = set()
        self.preflights = 0
        self.app = Starlette(routes=[
            Route("/boomerang.js", self._script),
            Route("/analytics.js/v1/{key}/analytics.min.js", self._script),
            Route("/v1/batch", self._batch, methods=["POST"]),
            Route("/v1/batch", self._preflight, methods=["OPTIONS"]),
            Route("/mark/{name}", self._mark),
        ])  # fmt: skip
        self.port = 0

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def events(self) -> list[dict[str, Any]]:
        """Accepted events in the order of their arrival, each message once."""
        with self.changed:
            found = {e["messageId"]: e for r in self.requests if r["status"] == 200 for e in r["body"]["batch"]}
        return list(found.values())

    def tracked(self, name: str) -> list[dict[str, Any]]:
        return [e for e in self.events if e.get("event") == name]

    def wait(self, condition: Callable[[], Any], what: str, timeout: float = 10) -> Any:
        """Wait until `condition` is true; it is asked again after every request."""
        with self.changed:
            if not self.changed.wait_for(condition, timeout):
                raise AssertionError(f"{what} did not come; came: {[(e['type'], e.get('event')) for e in self.events]}")
        return condition()

    def wait_for(self, event: str, count: int = 1) -> list[dict[str, Any]]:
        """The `track` events of this name, or those of this type, as soon as there are `count`."""

        def found() -> list[dict[str, Any]]:
            have = [e for e in self.events if event in (e.get("event"), e["type"])]
            return have if len(have) >= count else []

        return self.wait(found, event)

    def note(self, **request: Any) -> None:
        with self.changed:
            self.requests.append(request)
            self.changed.notify_all()

    async def _script(self, request: Request) -> Response:
        script = Script(respect_dnt=self.respect_dnt)
        script._refresh()
        return Response(script._plain, media_type="text/javascript")

    async def _batch(self, request: Request) -> Response:
        raw = await request.body()
        with self.changed:
            status, headers = self.answers.popleft() if self.answers else (200, {})
        self.note(status=status, body=json.loads(raw), size=len(raw), headers=dict(request.headers))
        cors = {
            "Access-Control-Allow-Origin": request.headers.get("origin", "null"),
            "Vary": "Origin",
            "Access-Control-Allow-Credentials": "true",
            "Access-Control-Expose-Headers": "Retry-After",
        }
        return PlainTextResponse("{}", status, cors | headers)

    async def _preflight(self, request: Request) -> Response:
        self.preflights += 1
        return PlainTextResponse("", 403)

    async def _mark(self, request: Request) -> Response:
        with self.changed:
            self.marks.add(request.path_params["name"])
            self.changed.notify_all()
        return PlainTextResponse("", headers={"Access-Control-Allow-Origin": "*"})


TRAP = """<script>window.errors = [];
addEventListener("error", (event) => errors.push(String(event.message)));
addEventListener("unhandledrejection", (event) => errors.push(String(event.reason)));</script>"""


class Site:
    """Pages as the test wrote them. `TRACKER` in a page stands for the collector's script tag."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.pages: dict[str, str] = {}
        self.app = Starlette(routes=[Route("/{path:path}", self._page)])
        self.port = 0

    def put(self, path: str, body: str = "", *, attributes: str = "", head: str = "", tracker: bool = True) -> None:
        """A page with the tracker before its body's end."""
        tag = f'<script async src="{self.recorder.origin}/boomerang.js" data-key="{KEY}" {attributes}></script>'
        self.pages[path] = (
            f"<!doctype html><html><head><title>Page {path}</title>{TRAP}{head}</head>"
            f"<body>{body}{tag if tracker else ''}</body></html>"
        )

    async def _page(self, request: Request) -> Response:
        page = self.pages.get(request.url.path)
        return HTMLResponse(page, headers={"Cache-Control": "no-store"}) if page else PlainTextResponse("no", 404)
