"""The board's stream, its rows as JSON, and its commands."""

import re
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from app.errors import CommandError
from app.model.chat import CommandKind
from app.web.console.api import as_json, word
from app.web.console.board import row
from app.web.console.boardroom import CLIENTS
from app.web.console.login import body_of, user_of, while_let_in
from app.web.console.state import console_of

LONGEST_SNOOZE = 7 * 86_400.0
_REQUEST = re.compile(r"[0-9A-Za-z-]{8,64}", re.ASCII)


class Command(msgspec.Struct, forbid_unknown_fields=True):
    """What a page asks for. `request` is its own number for this press, so that a repetition of it changes nothing."""

    kind: CommandKind
    dialog: str
    request: str
    seconds: float = 3_600.0


async def stream(request: Request) -> Response:
    """The board as server-sent events; `?member=` shows one member's dialogs."""
    boardroom = console_of(request).boardroom
    if boardroom.clients >= CLIENTS:
        raise HTTPException(503, "too many boards are open", headers={"Retry-After": "30"})
    return StreamingResponse(
        while_let_in(request.scope, boardroom.stream(word(request, "member"))),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


async def rows(request: Request) -> Response:
    """The rows as they are now; `ready` is false until the topic has been read once."""
    boardroom = console_of(request).boardroom
    boardroom.begin()
    shown = [row(view) for view in boardroom.board.shown(word(request, "member"))]
    return as_json({"ready": boardroom.ready, "total": len(boardroom.board), "rows": shown})


async def command(request: Request) -> Response:
    """Take, snooze, dismiss or resolve a dialog. 202: Kafka has the command, and the row follows in a moment."""
    try:
        asked = msgspec.json.decode(body_of(request.scope), type=Command)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise HTTPException(400, str(error)[:200]) from None
    if not _REQUEST.fullmatch(asked.request) or not 60.0 <= asked.seconds <= LONGEST_SNOOZE:
        raise HTTPException(400, "request must be 8 to 64 letters and digits, seconds 60 to 604800")
    told: dict[str, Any] = {"ok": True}
    try:
        await console_of(request).boardroom.command(
            asked.kind, asked.dialog, asked.request, user_of(request.scope).name, asked.seconds
        )
    except LookupError:
        raise HTTPException(404, "this dialog is not on the board any more") from None
    except CommandError as error:
        raise HTTPException(503, str(error)) from None
    return as_json(told, 202)


ROUTES = [
    Route("/api/board", rows),
    Route("/api/board/stream", stream),
    Route("/api/board/commands", command, methods=["POST"]),
]
