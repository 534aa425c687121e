"""The console's JSON and its event stream."""

import asyncio
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from app import metrics
from app.errors import JournalDownError
from app.explain import told
from app.model.journal import StoredLine
from app.web.console import inbox_in
from app.web.console.feed import CLIENTS
from app.web.console.live import summary
from app.web.console.login import while_let_in
from app.web.console.state import Console, console_of
from app.worth import LONGEST, as_data

MAX_LIMIT = 1_000
WORTH_DAYS = 30
"""Days of scenarios' worth that are shown if nobody says how many."""
_encode = msgspec.json.Encoder().encode


def as_json(data: Any, status: int = 200) -> Response:
    """An answer in JSON."""
    return Response(_encode(data), status, media_type="application/json")


def number(request: Request, name: str, default: int, most: int) -> int:
    """A whole number of the query, 1 to `most`. Raises 400."""
    text = request.query_params.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise HTTPException(400, f"{name} must be a whole number")
    return max(1, min(int(text), most))


def word(request: Request, name: str) -> str:
    """A text of the query, bounded."""
    return request.query_params.get(name, "")[:300]


def line_json(stored: StoredLine) -> dict[str, Any]:
    """A journal line, every field, with its sentence."""
    sentence, line = told(stored.line), stored.line
    return {
        "id": stored.id,
        "at": line.at,
        "customer": line.customer,
        "reason": line.reason,
        "scenario": line.scenario,
        "trigger_id": line.trigger_id,
        "event_id": line.event_id,
        "channel": line.channel,
        "due": line.due,
        "detail": line.detail,
        "sentence": sentence.text,
    }


async def journal(request: Request) -> Response:
    """Lines about a customer, oldest first; the newest `limit` of them, before line `before`."""
    customer = word(request, "customer")
    if not customer:
        raise HTTPException(400, "say whose journal: ?customer=ID")
    limit, before = number(request, "limit", 200, MAX_LIMIT), number(request, "before", 0, 1 << 62)
    console = console_of(request)
    lines = await console.story(customer, word(request, "scenario"), limit, before)
    return as_json([line_json(line) for line in lines])


async def inbox_list(request: Request) -> Response:
    """Received mails, newest first, with their text."""
    store = console_of(request).inbox
    mails = await asyncio.to_thread(
        store.find,
        word(request, "to"),
        word(request, "scenario"),
        word(request, "trigger"),
        number(request, "limit", 100, 10_000),
        number(request, "before", 0, 1 << 62),
    )
    return as_json([mail.as_json() for mail in mails])


async def inbox_one(request: Request) -> Response:
    """One mail, with headers and HTML."""
    found = await asyncio.to_thread(console_of(request).inbox.get, request.path_params["number"])
    if found is None:
        raise HTTPException(404, "no such mail")
    mail, body = found
    return as_json({**mail.as_json(), "text": body.text, "html": body.html, "headers": body.headers})


async def overview(request: Request) -> Response:
    """Figures of the last 24 hours."""
    console = console_of(request)
    reasons = await asyncio.to_thread(console.live.reasons)
    return as_json({"hours": 24, **summary(reasons), "reasons": reasons, "inbox": len(console.inbox)})


async def scenarios(request: Request) -> Response:
    """What scenarios did and brought in the last `days`."""
    console, days = console_of(request), number(request, "days", WORTH_DAYS, LONGEST)
    found = as_data(await console.worth(days))
    return as_json({"days": days, "currency": console.currency, "scenarios": found})


async def journeys(request: Request) -> Response:
    """Where customers stand in scenarios with steps."""
    days = number(request, "days", WORTH_DAYS, LONGEST)
    found = await console_of(request).journeys(days)
    return as_json(
        {"days": days, "scenarios": [{**msgspec.to_builtins(one), "under_way": one.under_way} for one in found]}
    )


async def stream(request: Request) -> Response:
    """The live feed as server-sent events."""
    live = console_of(request).live
    if live.feed.clients >= CLIENTS:
        raise HTTPException(503, "too many live feeds are open", headers={"Retry-After": "30"})
    client = live.join(request.headers.get("last-event-id", ""))
    return StreamingResponse(
        while_let_in(request.scope, live.feed.stream(client)),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


async def healthz(_request: Request) -> Response:
    """The process answers."""
    return Response("ok\n", media_type="text/plain")


async def readyz(request: Request) -> Response:
    """The journal answers, if anybody has asked for it yet."""
    console: Console = console_of(request)
    try:
        await asyncio.to_thread(console.check)
    except JournalDownError as error:
        return Response(f"not ready: {error}\n", 503, media_type="text/plain")
    return Response("ready\n", media_type="text/plain")


async def exposition(_request: Request) -> Response:
    """Metrics of this process."""
    return Response(metrics.render(), media_type=metrics.CONTENT_TYPE)


ROUTES = [
    Route("/api/journal", journal),
    Route("/api/inbox", inbox_list),
    Route("/api/inbox/messages", inbox_in.take, methods=["POST"]),
    Route("/api/inbox/{number:int}", inbox_one),
    Route("/api/overview", overview),
    Route("/api/scenarios", scenarios),
    Route("/api/journeys", journeys),
    Route("/api/stream", stream),
    Route("/healthz", healthz),
    Route("/readyz", readyz),
    Route("/metrics", exposition),
]
