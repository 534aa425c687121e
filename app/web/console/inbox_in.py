"""What our own sender puts into the dev inbox: messages of channels that have no provider. Nobody else has its token."""

import hmac
from email.message import EmailMessage

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from app import metrics
from app.model.dev_message import DevMessage
from app.tokens import inbox_token, load_secret
from app.web.console.state import Console, console_of

MOST_BODY = 256 * 1024


_decode = msgspec.json.Decoder(DevMessage).decode


async def take(request: Request) -> Response:
    """Keep a message; 201 with its number when it is in the database."""
    console = console_of(request)
    if console.settings.smtp:
        raise HTTPException(404, "there is no dev inbox where BOOMERANG_SMTP names a relay")
    told = request.headers.get("authorization", "").removeprefix("Bearer ")
    if not hmac.compare_digest(told.encode(), inbox_token(load_secret(console.settings)).encode()):
        raise HTTPException(401, "this is not our own sender: it must have the same BOOMERANG_SECRET or data folder")
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BODY:
            raise HTTPException(413, f"a message may have {MOST_BODY} bytes")
    try:
        incoming = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise HTTPException(400, f"not a message: {error}") from None
    number = _keep(console, incoming)
    metrics.INBOX_MESSAGES.inc()
    return Response(msgspec.json.encode({"id": number}), 201, media_type="application/json")


def _keep(console: Console, incoming: DevMessage) -> int:
    message = EmailMessage()
    for name, value in (
        ("Subject", incoming.subject),
        ("X-Boomerang-Channel", incoming.channel),
        ("X-Boomerang-To", incoming.to),
        ("X-Boomerang-Units", str(incoming.units)),
        ("X-Boomerang-Scenario", incoming.scenario),
        ("X-Boomerang-Trigger", incoming.trigger_id),
        ("X-Boomerang-Message", incoming.message_id),
        ("List-Unsubscribe", incoming.unsubscribe),
    ):
        text = " ".join("".join(letter if letter.isprintable() else " " for letter in value).split())
        if text:
            message[name] = text
    message.set_content(incoming.text, charset="utf-8", cte="base64")
    return console.inbox.add(incoming.channel, [incoming.to], message.as_bytes(), incoming.channel)
