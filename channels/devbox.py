"""The dev inbox in the place of providers that are not there yet: a shop can be tried with all its channels and without one account.

Stands in for every channel of customers that no setting turns on, under its name, and hands its messages to the console over loopback.
"""

import msgspec

from app.model.alert import AlertState
from app.model.dev_message import DevMessage
from channels.channel import Answer, Irreversible, Rejected, Rendered, Sent
from channels.egress import Egress, Reply, refused
from channels.over_egress import OverEgress
from channels.segments import segments
from channels.unseen import plain

STANDS_IN_FOR = ("sms", "whatsapp", "telegram", "vk", "webpush", "fcm", "webhook")
LONGEST_ADDRESS = 2_048
MOST_TEXT = 20_000
"""Characters of a text that are handed over."""

_encode = msgspec.json.Encoder().encode


class Kept(msgspec.Struct):
    """The answer: the message's number in the inbox."""

    id: int


_decode = msgspec.json.Decoder(Kept).decode


class DevBox(OverEgress):
    """A channel of any name. `url` is the console's, `token` what it believes us by."""

    workers = 8
    shows = frozenset[AlertState]()

    def __init__(self, name: str, *, url: str, token: str, egress: Egress) -> None:
        self.name = name
        self._url, self._egress = url, egress
        self._headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}

    def usable(self, address: str) -> str:
        """What is wrong with the address; an empty text if it is one at all."""
        return (
            "" if address.isprintable() and 0 < len(address) <= LONGEST_ADDRESS else "empty, too long, or not printable"
        )

    def units(self, message: Rendered) -> int:
        """Segments of an SMS, 1 elsewhere."""
        return segments(plain(message.text)[:MOST_TEXT]).units if self.name == "sms" else 1

    async def send(self, message: Rendered, irreversible: Irreversible) -> Answer:
        """Hand one message over."""
        problem = self.usable(message.address)
        if problem:
            return Rejected(problem, suppress=False)
        told = DevMessage(
            self.name,
            message.address,
            plain(message.subject)[:MOST_TEXT],
            plain(message.text)[:MOST_TEXT],
            message.scenario,
            message.trigger_id,
            message.message_id,
            message.unsubscribe,
            self.units(message),
        )
        reply = await self._egress.ask(self._url, _encode(told), self._headers, irreversible)
        if not isinstance(reply, Reply):
            return reply
        return refused(reply) or Sent(_number(reply))


def _number(reply: Reply) -> str:
    try:
        return f"inbox {_decode(reply.body).id}"
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
