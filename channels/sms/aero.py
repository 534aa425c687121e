"""SMS Aero: `sms/send` of its API v2, with a callback for each message."""

import base64
from typing import Any

import msgspec

from channels.channel import Answer, Misconfigured, Rejected, Sent
from channels.egress import Reply
from channels.sms.carrier import Call, ShortMessage, base, credential
from channels.statuses import by_status

API = "https://gate.smsaero.ru"
_REFUSED = 6
"""`status` of a message that will not be sent."""

_encode = msgspec.json.Encoder().encode


class Response(msgspec.Struct):
    """What the API answers. `data` is the message, a list of one message, or what is wrong with each field."""

    success: bool
    data: Any = None
    message: str | None = None


_decode = msgspec.json.Decoder(Response).decode


class Aero:
    """The gateway. `sender` is a sign of the account."""

    def __init__(self, *, key: str, sender: str, api: str) -> None:
        credential(key, "EMAIL:API-KEY of the account at SMS Aero", 2)
        self._url = f"{base(api, API)}/v2/sms/send"
        self._sender = sender or "SMS Aero"
        told = base64.b64encode(key.encode()).decode()
        self._headers = {"Content-Type": "application/json", "Authorization": f"Basic {told}"}

    def call(self, message: ShortMessage) -> Call:
        """The request for one message."""
        body = {"number": message.digits, "text": message.text, "sign": self._sender}
        if message.callback:
            body |= {"callbackUrl": message.callback, "callbackFormat": "JSON"}
        return Call(self._url, _encode(body), self._headers)

    def meaning(self, reply: Reply) -> Answer:
        """What an answer means."""
        try:
            response = _decode(reply.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return by_status(reply, "BOOMERANG_SMS_KEY")
        data = response.data[0] if isinstance(response.data, list) and response.data else response.data
        told = data if isinstance(data, dict) else {}
        if reply.status != 200 or not response.success:
            if "number" in told:
                return Rejected(str(reply), suppress=True)
            if "sign" in told:
                return Misconfigured(f"{reply}: see BOOMERANG_SMS_FROM")
            if "money" in (response.message or "").lower():
                return Misconfigured(f"{reply}: the account has no money left")
            return (
                Rejected(str(reply), suppress=False) if reply.status == 200 else by_status(reply, "BOOMERANG_SMS_KEY")
            )
        if told.get("status") == _REFUSED:
            return Rejected(str(reply), suppress=False)
        return Sent(str(told.get("id", ""))[:100])
