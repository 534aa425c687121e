"""SMS Aero: the status of a message, sent to the `callbackUrl` that went with it. They sign nothing: our address does. Pure."""

from typing import Any

from app.model.receipt import Outcome
from app.web.chat import reading
from app.web.receipts.told import Told

NAME, CHANNEL = "smsaero", "sms"
OK = b'{"success":true}'

_OUTCOMES = {"1": Outcome.DELIVERED, "2": Outcome.FAILED, "6": Outcome.FAILED}
"""Delivered, not delivered, rejected; the others (queued, handed over, waiting, moderated) are on the way."""
_WORDS = {"delivery": "1", "delivered": "1", "not_delivery": "2", "failed": "2", "reject": "6", "rejected": "6"}


def read(document: Any) -> list[Told]:
    """The status of one message."""
    told = reading.obj(document)
    status = reading.ident(told.get("status")) or _WORDS.get(reading.name(told.get("extendStatus")).lower(), "")
    at = reading.moment(told.get("dateAnswer"))
    detail = "" if status == "1" else reading.name(told.get("extendStatus"))
    return [Told(_OUTCOMES.get(status), at, reading.ident(told.get("id")), detail=detail)]
