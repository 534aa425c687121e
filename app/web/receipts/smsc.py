"""SMSC.ru: statuses and customers' messages, sent to the handler that is entered in the account; signed with MD5 or SHA-1. Pure.

The signature is made of `id:phone:status:` and a word that is entered beside the handler's address.
"""

import hashlib
import hmac
from typing import Any

from app.model.receipt import Outcome
from app.web.chat import reading
from app.web.chat.authenticity import Call, Secret, Verdict, live
from app.web.receipts.told import Told, form, heard, phone_of

NAME, CHANNEL = "smsc", "sms"
OK = b"OK"

_OUTCOMES = {
    "1": Outcome.DELIVERED,
    "2": Outcome.OPENED,
    "4": Outcome.CLICKED,
    "3": Outcome.FAILED,
    "20": Outcome.FAILED,
    "22": Outcome.BOUNCED,
    "23": Outcome.FAILED,
    "24": Outcome.FAILED,
    "25": Outcome.FAILED,
}
"""Delivered, read, link followed; too late, cannot be delivered, wrong number, forbidden, no funds, number not reachable."""
_DEAD = frozenset(("1", "12"))
"""`err` of a number that does not exist, or is none."""


def verify(call: Call, url: str, secret: Secret, now: float) -> Verdict:
    """`sha1`, else `md5`, over what the request tells. It has no time in it."""
    del url, now
    fields = form(call.body)
    algorithm = "sha1" if fields.get("sha1") else "md5"
    told = fields.get(algorithm, "").lower().encode("utf-8", "replace")
    if not told:
        return Verdict.MISSING
    message = ":".join(fields.get(name, "") for name in ("id", "phone", "status"))
    found = False
    for one in live(secret):
        wanted = hashlib.new(algorithm, f"{message}:{one}".encode(), usedforsecurity=False).hexdigest()
        found |= hmac.compare_digest(told, wanted.encode())
    return Verdict.GENUINE if found else Verdict.WRONG


def read(document: Any) -> list[Told]:
    """The status of one message, or one message of a customer."""
    told = reading.obj(document)
    id_, phone = reading.ident(told.get("id")), phone_of(told.get("phone"))
    at = reading.moment(told.get("ts"))
    if "mes" in told and "status" not in told:
        sms = reading.ident(told.get("sms_id")) or id_
        return [heard(sms, phone, reading.content(told.get("mes")), at)]
    error = reading.ident(told.get("err"))
    outcome = _OUTCOMES.get(reading.ident(told.get("status")))
    if outcome is Outcome.FAILED and error in _DEAD:
        outcome = Outcome.BOUNCED
    return [Told(outcome, at, id_, detail=f"code {error}" if error not in ("", "0") else "")]
