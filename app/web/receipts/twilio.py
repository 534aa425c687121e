"""Twilio: status callbacks of messages, and messages that customers send to the number. Forms, signed over address and fields. Pure."""

import base64
import hmac
from typing import Any

from app.model.receipt import Outcome
from app.web.chat import reading
from app.web.chat.authenticity import Call, Secret, Verdict, live
from app.web.receipts.told import Told, form, heard, phone_of

NAME, CHANNEL = "twilio", "sms"
OK = b"<Response/>"
"""An answer to a message that says nothing: an empty one would be reported as an error in their console."""

_OUTCOMES = {
    "delivered": Outcome.DELIVERED,
    "read": Outcome.OPENED,
    "undelivered": Outcome.FAILED,
    "failed": Outcome.FAILED,
}
_ERRORS = {
    **dict.fromkeys(("21211", "21614", "30005", "30006", "63024"), Outcome.BOUNCED),
    "21610": Outcome.UNSUBSCRIBED,
}
"""Codes that say more of a failure: no such number, or none that takes messages; he has said STOP."""


def verify(call: Call, url: str, secret: Secret, now: float) -> Verdict:
    """`X-Twilio-Signature`: HMAC-SHA1 of the address and all fields in the order of their names. It has no time in it."""
    del now
    told = call.header(b"x-twilio-signature")
    if not told:
        return Verdict.MISSING
    message = url + "".join(name + value for name, value in sorted(form(call.body).items()))
    found = False
    for one in live(secret):
        wanted = base64.b64encode(hmac.digest(one.encode(), message.encode(), "sha1"))
        found |= hmac.compare_digest(told, wanted)
    return Verdict.GENUINE if found else Verdict.WRONG


def read(document: Any) -> list[Told]:
    """The status of one message, or one message of a customer."""
    told = reading.obj(document)
    id_ = reading.ident(told.get("MessageSid")) or reading.ident(told.get("SmsSid"))
    status = reading.name(told.get("MessageStatus")) or reading.name(told.get("SmsStatus"))
    if status == "received":
        return [heard(id_, phone_of(told.get("From")), reading.content(told.get("Body")), None)]
    code = reading.ident(told.get("ErrorCode"))
    outcome = _OUTCOMES.get(status)
    if outcome is Outcome.FAILED:
        outcome = _ERRORS.get(code, outcome)
    return [Told(outcome, None, id_, detail=f"code {code}" if code else "")]
