"""WhatsApp's Cloud API: messages from templates that Meta has approved, and what each error code means.

What identifies the message goes along as `biz_opaque_callback_data` and comes back with its statuses (app/web/chat/whatsapp.py).
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from app.model.alert import AlertState
from app.model.event import is_e164
from app.model.receipt import callback_data
from channels.channel import Answer, Irreversible, Misconfigured, Rejected, Rendered, Retry, Sent
from channels.egress import Egress, Reply, unusable
from channels.over_egress import OneUnit, OverEgress
from channels.pace import Pace, Pacing
from channels.rate import Rate
from channels.statuses import by_status
from channels.whatsapp_template import as_json, read

NAME = "whatsapp"
PER_SECOND = 80.0
EVERY_PAIR = 6.0
"""Seconds between two messages to one person."""
TOMORROW = 24 * 3600.0
"""Meta has decided that the person gets enough for now."""
MOST_CALLBACK = 512

_BUSY = {
    4: None,
    80007: None,
    130429: None,
    131000: None,
    131016: None,
    131048: None,
    131057: None,
    131056: EVERY_PAIR,
    131049: TOMORROW,
}
_DEAD = frozenset({131026})
"""No WhatsApp at the number, or one that takes no such messages."""
_MISCONFIGURED = frozenset({0, 3, 10, 33, 190, 368, 131005, 131031, 131042, 131045, 133010, *range(200, 300)})
_NUMBER = re.compile(r"\d{5,25}", re.ASCII)
_TOKEN = re.compile(r"[!-~]{20,1000}", re.ASCII)


class Failure(msgspec.Struct):
    """Meta's error."""

    code: int = -1
    message: str = ""


class Named(msgspec.Struct):
    """A message that was taken."""

    id: str = ""


class Response(msgspec.Struct):
    """An answer of the API."""

    messages: list[Named] = []
    error: Failure | None = None


_decode = msgspec.json.Decoder(Response).decode
_encode = msgspec.json.Encoder().encode


class WhatsApp(OneUnit, OverEgress):
    """The channel. `number` is the id of the business number. Raises ValueError for settings that cannot be used."""

    name = NAME
    workers = 128
    shows = frozenset[AlertState]()

    def __init__(
        self,
        *,
        token: str,
        number: str,
        api: str,
        egress: Egress,
        rate: Rate,
        monotonic: Callable[[], float],
        pace: float = 1.0,
    ) -> None:
        if not _TOKEN.fullmatch(token):
            raise ValueError(
                "BOOMERANG_WHATSAPP_TOKEN must be a token of a system user, as the business settings give it"
            )
        if not _NUMBER.fullmatch(number):
            raise ValueError(
                "BOOMERANG_WHATSAPP_NUMBER must be the id of the business number (Phone number ID), digits only"
            )
        problem = unusable(api)
        if problem:
            raise ValueError(f"BOOMERANG_WHATSAPP_API: {problem}")
        self._url = f"{api.rstrip('/')}/{number}/messages"
        self._headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        self._egress, self._rate = egress, rate
        self._pacing = Pacing(lambda _: Pace(EVERY_PAIR * pace, together=1), self._hand, monotonic)

    def usable(self, address: str) -> str:
        """What is wrong with the number; an empty text if messages can go there."""
        return "" if is_e164(address) else "not a phone number in E.164"

    async def send(self, message: Rendered, irreversible: Irreversible) -> Answer:
        """Hand one message over, in the turn of its pair of numbers."""
        problem = self.usable(message.address) or _problem(message.text)
        if problem:
            return Rejected(problem, suppress=False)
        return await self._rate.turn() or await self._pacing.speak(message.address, message, irreversible)

    async def _hand(self, number: str, messages: Sequence[Rendered], irreversible: Irreversible) -> Answer:
        reply = await self._egress.ask(self._url, _encode(body(number, messages[0])), self._headers, irreversible)
        return meaning(reply) if isinstance(reply, Reply) else reply


def _problem(text: str) -> str:
    try:
        read(text)
    except ValueError as error:
        return f"the template for WhatsApp: {error}"
    return ""


def body(number: str, message: Rendered) -> dict[str, Any]:
    """The request for one message."""
    told = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": number.removeprefix("+"),
        "type": "template",
        "template": as_json(read(message.text)),
    }
    ours = callback_data(message.message_id, message.customer)
    return {**told, "biz_opaque_callback_data": ours} if message.customer and len(ours) <= MOST_CALLBACK else told


def meaning(reply: Reply) -> Answer:
    """What an answer of the API means. Errors of a template or of its parameters concern its own messages alone."""
    try:
        response = _decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return by_status(reply, "BOOMERANG_WHATSAPP_TOKEN and BOOMERANG_WHATSAPP_NUMBER")
    error = response.error
    if error is None:
        if reply.status == 200 and response.messages and response.messages[0].id:
            return Sent(response.messages[0].id[:200])
        return by_status(reply, "BOOMERANG_WHATSAPP_TOKEN and BOOMERANG_WHATSAPP_NUMBER")
    told = f"{reply.status} {error.code} {error.message}"[:200]
    if error.code in _BUSY:
        after = _BUSY[error.code]
        return Retry(reply.after if after is None else after, told)
    if error.code in _MISCONFIGURED:
        return Misconfigured(f"{told}: see BOOMERANG_WHATSAPP_TOKEN and the account in the business settings")
    if error.code < 0:
        return by_status(reply, "BOOMERANG_WHATSAPP_TOKEN and BOOMERANG_WHATSAPP_NUMBER")
    return Rejected(told, suppress=error.code in _DEAD)
