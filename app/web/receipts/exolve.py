"""MTS Exolve: events of messages, sent to the address that is entered in the application. They sign nothing. Pure.

So the address has to carry the word of BOOMERANG_RECEIPT_SECRETS (`?key=`). Field names are read as the API writes them and in the
older spelling; a status is known by its last word (`DELIVERED`, `SMS_STATUS_DELIVERED`).
"""

from typing import Any

from app.model.receipt import Outcome
from app.web.chat import reading
from app.web.receipts.told import Told, heard, phone_of

NAME, CHANNEL = "exolve", "sms"
OK = b"{}"

_OUTCOMES = {
    "DELIVERED": Outcome.DELIVERED,
    "READ": Outcome.OPENED,
    "UNDELIVERED": Outcome.FAILED,
    "UNDELIVERABLE": Outcome.FAILED,
    "EXPIRED": Outcome.FAILED,
    "REJECTED": Outcome.FAILED,
    "FAILED": Outcome.FAILED,
}
_INCOMING = frozenset(("INCOMING", "DIRECTION_INCOMING", "2"))


def read(document: Any) -> list[Told]:
    """One event, or several in a list."""
    events = reading.items(document) if type(document) is list else [reading.obj(document)]
    return [_one(event) for event in events]


def _one(event: dict[str, Any]) -> Told:
    id_ = reading.ident(event.get("message_id")) or reading.ident(event.get("messageId"))
    at = reading.moment(event.get("date")) or reading.moment(event.get("timestamp"))
    if (reading.ident(event.get("direction")) or reading.name(event.get("event_type"))).upper() in _INCOMING:
        sender = phone_of(event.get("sender") or event.get("number"))
        return heard(id_, sender, reading.content(event.get("text")), at)
    word = reading.name(event.get("status")) or reading.name(event.get("delivery_status"))
    segments = reading.items(event.get("segments_status"))
    if not word and segments:
        word = _of_segments(segments)
    status = word.upper().rpartition("_")[2]
    outcome = _OUTCOMES.get(status)
    return Told(outcome, at, id_, detail="" if outcome in (None, Outcome.DELIVERED) else status.lower())


def _of_segments(segments: list[dict[str, Any]]) -> str:
    """A long message is delivered when all its parts are, and has failed when one has."""
    words = [reading.name(segment.get("status")) for segment in segments]
    bad = [word for word in words if _OUTCOMES.get(word.upper().rpartition("_")[2]) is Outcome.FAILED]
    return bad[0] if bad else words[0] if len(set(words)) == 1 else ""
