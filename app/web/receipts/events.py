"""For everybody else (gateways and mail services of one's own, a browser's push): our own form, signed as Standard Webhooks. Pure.

    {"outcome": "delivered", "at": "2026-11-25T10:00:00Z", "receipt": "..."}      or {"events": [...]}, or a list of them

`receipt` is the `t` of the receipt address (or the address itself); instead of it the query may carry it, or `message_id` and
`customer` may name the message in a request that is signed.
"""

import base64
import hmac
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

from app.model.reasons import BadInput
from app.model.receipt import FROM_PROVIDERS, Outcome
from app.web.chat import reading
from app.web.chat.authenticity import Call, Secret, Verdict, fresh, live
from app.web.collector.refusal import Refused
from app.web.receipts.told import MOST_TOLD, Told

OK = b'{"success":true}'
_LONGEST_TOKEN = 2_048


def verify(call: Call, url: str, secret: Secret, now: float) -> Verdict:
    """`webhook-signature` over `webhook-id`, `webhook-timestamp` and the body; one of several signatures is enough."""
    del url
    id_, at = call.header(b"webhook-id"), call.header(b"webhook-timestamp")
    told = call.header(b"webhook-signature").split()
    if not (id_ and told):
        return Verdict.MISSING
    age = fresh(at, now)
    if age is not Verdict.GENUINE:
        return age
    message = b".".join((id_, at, call.body))
    found = False
    for one in live(secret):
        wanted = b"v1," + base64.b64encode(hmac.digest(_key(one), message, sha256))
        for each in told[:10]:
            found |= hmac.compare_digest(each, wanted)
    return Verdict.GENUINE if found else Verdict.WRONG


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        return secret.encode()


def read(document: Any) -> list[Told]:
    """All events of one request. Raises Refused when there are too many."""
    events = document.get("events", document) if type(document) is dict else document
    if type(events) is list and len(events) > MOST_TOLD:
        raise Refused(BadInput.TOO_MANY_LINES, "events")
    return [_one(event) for event in (reading.items(events) if type(events) is list else [reading.obj(events)])]


def _one(event: dict[str, Any]) -> Told:
    word = (reading.name(event.get("outcome")) or reading.name(event.get("type"))).lower().rpartition(".")[2]
    data = event if "outcome" in event else {**reading.obj(event.get("data")), "at": event.get("timestamp")}
    return Told(
        Outcome(word) if word in FROM_PROVIDERS else None,
        reading.moment(data.get("at")),
        reading.ident(data.get("provider_id")),
        _token(data.get("receipt")),
        reading.ident(data.get("message_id")),
        reading.ident(data.get("customer"), reading.LONG_ID_LIMIT),
        reading.ident(data.get("channel")),
        detail=reading.name(data.get("detail")),
    )


def _token(value: Any) -> str:
    told = reading.ident(value, _LONGEST_TOKEN)
    if not told.startswith(("https://", "http://")):
        return told
    return parse_qs(urlsplit(told).query, max_num_fields=20).get("t", [""])[0]
