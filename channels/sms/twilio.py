"""Twilio: the Messages resource, with a callback for each message."""

import base64
import re

import msgspec

from channels.channel import Answer, Misconfigured, Rejected, Retry, Sent
from channels.egress import Reply
from channels.sms.carrier import Call, ShortMessage, base, credential, form
from channels.statuses import by_status

API = "https://api.twilio.com"
_SERVICE = re.compile(r"MG[0-9a-f]{32}")
_ACCOUNT = re.compile(r"AC[0-9a-f]{32}")
_DEAD = frozenset({21211, 21214, 21217, 21610, 21614})
"""No such number, not a mobile one, or its owner has answered STOP."""
_BUSY = frozenset({20429, 21611})
"""Too many requests; the sender's queue is full."""
_SENDER = frozenset({20003, 21212, 21603, 21606, 21659, 21660})
"""Credentials or a sender that cannot be used."""


class Response(msgspec.Struct):
    """What the API answers: the message, or an error."""

    sid: str = ""
    code: int | None = None
    message: str | None = None


_decode = msgspec.json.Decoder(Response).decode


class Twilio:
    """The gateway. `sender` is a number, a name, or the id of a messaging service. The key is ACCOUNT-SID:AUTH-TOKEN."""

    def __init__(self, *, key: str, sender: str, api: str) -> None:
        looks = "ACCOUNT-SID:AUTH-TOKEN of Twilio's console, AC...:..."
        account, _ = credential(key, looks, 2)
        if not _ACCOUNT.fullmatch(account):
            raise ValueError(f"BOOMERANG_SMS_KEY must be {looks}")
        if not sender:
            raise ValueError(
                "BOOMERANG_SMS_FROM must be the number, name or messaging service (MG...) that Twilio sends from"
            )
        self._url = f"{base(api, API)}/2010-04-01/Accounts/{account}/Messages.json"
        self._sender = {"MessagingServiceSid" if _SERVICE.fullmatch(sender) else "From": sender}
        told = base64.b64encode(key.encode()).decode()
        self._headers = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": f"Basic {told}"}

    def call(self, message: ShortMessage) -> Call:
        """The request for one message."""
        fields = {**self._sender, "To": message.to, "Body": message.text, "StatusCallback": message.callback}
        return Call(self._url, form(fields), self._headers)

    def meaning(self, reply: Reply) -> Answer:
        """What an answer means."""
        try:
            response = _decode(reply.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return by_status(reply, "BOOMERANG_SMS_API")
        if reply.status in (200, 201) and response.sid:
            return Sent(response.sid[:100])
        told = f"{reply.status} {response.code} {response.message}"[:200]
        if response.code in _DEAD:
            return Rejected(told, suppress=True)
        if response.code in _BUSY:
            return Retry(reply.after, told)
        if response.code in _SENDER:
            return Misconfigured(f"{told}: see BOOMERANG_SMS_KEY and BOOMERANG_SMS_FROM")
        return by_status(reply, "BOOMERANG_SMS_KEY")
