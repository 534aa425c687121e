"""SMSC.ru: `send.php`. Our own id of the message goes along and comes back with its receipts; answers are JSON with HTTP 200."""

import msgspec

from channels.channel import Answer, Misconfigured, Rejected, Retry, Sent
from channels.egress import Reply
from channels.sms.carrier import Call, ShortMessage, base, credential, form
from channels.statuses import by_status

API = "https://smsc.ru"
BUSY_SECONDS = 60.0
"""How long it refuses whom it takes for too fast."""
_MISCONFIGURED = {2: "BOOMERANG_SMS_KEY is wrong, or this address is not on the account's list", 3: "no money left"}
_BUSY = frozenset({4, 9})
"""Blocked for many errors; the same or too many requests within a minute."""
_BAD_NUMBER = 7


class Response(msgspec.Struct):
    """What the API answers."""

    id: str | int = ""
    error: str = ""
    error_code: int = 0


_decode = msgspec.json.Decoder(Response).decode


class Smsc:
    """The gateway. `sender` is a name of the account; "" for the account's own. The key is an API key, or LOGIN:PASSWORD."""

    def __init__(self, *, key: str, sender: str, api: str) -> None:
        if ":" in key:
            login, password = credential(key, "an API key of SMSC.ru, or LOGIN:PASSWORD", 2)
            self._account = {"login": login, "psw": password}
        else:
            self._account = {"apikey": credential(key, "an API key of SMSC.ru, or LOGIN:PASSWORD")[0]}
        self._url = f"{base(api, API)}/sys/send.php"
        self._sender = sender

    def call(self, message: ShortMessage) -> Call:
        """The request for one message."""
        fields = {
            **self._account,
            "phones": message.to,
            "mes": message.text,
            "sender": self._sender,
            "id": message.key,
            "fmt": "3",
            "charset": "utf-8",
        }
        return Call(self._url, form(fields), {"Content-Type": "application/x-www-form-urlencoded"})

    def meaning(self, reply: Reply) -> Answer:
        """What an answer means."""
        try:
            response = _decode(reply.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return by_status(reply, "BOOMERANG_SMS_API")
        code, told = response.error_code, f"{response.error_code} {response.error}"[:200]
        if code in _MISCONFIGURED:
            return Misconfigured(f"{told}: {_MISCONFIGURED[code]}")
        if code in _BUSY:
            return Retry(reply.after if reply.after is not None else BUSY_SECONDS, told)
        if code:
            return Rejected(told, suppress=code == _BAD_NUMBER)
        return Sent(str(response.id)) if response.id and reply.status == 200 else by_status(reply, "BOOMERANG_SMS_API")
