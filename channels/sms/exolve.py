"""MTS Exolve: `SendSMS` of its messaging API. Receipts come to the callback that its console has for the application."""

import msgspec

from channels.channel import Answer, Rejected, Sent
from channels.egress import Reply
from channels.sms.carrier import Call, ShortMessage, base, credential
from channels.statuses import by_status

API = "https://api.exolve.ru"

_encode = msgspec.json.Encoder().encode


class Response(msgspec.Struct):
    """What the API answers: an id, or an error. Ids come as text or as number."""

    message_id: str | int = ""
    error: msgspec.Raw = msgspec.Raw(b"")


_decode = msgspec.json.Decoder(Response).decode


class Exolve:
    """The gateway. `sender` is a number of the account or a name that it has registered."""

    def __init__(self, *, key: str, sender: str, api: str) -> None:
        (token,) = credential(key, "the API key of the application in Exolve's console")
        if not sender:
            raise ValueError("BOOMERANG_SMS_FROM must be the number or the name that Exolve sends from")
        self._url = f"{base(api, API)}/messaging/v1/SendSMS"
        self._sender = sender
        self._headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}

    def call(self, message: ShortMessage) -> Call:
        """The request for one message."""
        body = {"number": self._sender, "destination": message.digits, "text": message.text}
        return Call(self._url, _encode(body), self._headers)

    def meaning(self, reply: Reply) -> Answer:
        """What an answer means."""
        if reply.status != 200:
            told = str(reply).lower()
            if reply.status in (400, 422) and "destination" in told:
                return Rejected(str(reply), suppress=True)
            return by_status(reply, "BOOMERANG_SMS_KEY and BOOMERANG_SMS_FROM")
        try:
            response = _decode(reply.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return by_status(reply, "BOOMERANG_SMS_API")
        if response.message_id:
            return Sent(str(response.message_id))
        return Rejected(str(reply), suppress=False) if bytes(response.error) else by_status(reply, "BOOMERANG_SMS_API")
