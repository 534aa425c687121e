"""VK: `messages.send` of the community that the customer has written to, and what each error code means; errors come with HTTP 200.

`random_id` follows from the message's id: VK drops a repetition.
"""

import re
from collections.abc import Mapping
from hashlib import blake2b
from urllib.parse import urlencode

import msgspec

from app.model.alert import AlertState
from channels.channel import Answer, Irreversible, Misconfigured, Rejected, Rendered, Retry, Sent
from channels.egress import Egress, Reply, unusable
from channels.over_egress import OneUnit, OverEgress
from channels.rate import Rate
from channels.statuses import by_status
from channels.unseen import plain

NAME = "vk"
VERSION = "5.199"
MOST_TEXT = 4_096
"""Characters of a message; longer ones are cut."""
PER_SECOND = 20.0
"""Messages of one community."""

_BUSY = {1: None, 6: 1.0, 9: 60.0, 10: None, 29: None}
_DEAD = frozenset({18, 900, 901, 902})
"""A page that is gone; on the black list, has not allowed messages, or allows none at all."""
_MISCONFIGURED = frozenset({3, 5, 8, 15, 17, 20, 23, 27, 28})
_TOKEN = re.compile(r"[!-~]{20,400}", re.ASCII)
_ADDRESS = re.compile(r"([a-z0-9][a-z0-9_-]{0,39}):([1-9]\d{0,18})", re.ASCII)


class Failure(msgspec.Struct):
    """VK's error."""

    error_code: int = 0
    error_msg: str = ""


class Response(msgspec.Struct):
    """An answer of the API: the number of the message, or an error."""

    response: int | None = None
    error: Failure | None = None


_decode = msgspec.json.Decoder(Response).decode


class Vk(OneUnit, OverEgress):
    """The channel. `tokens`: source -> token of its community; addresses are `source:id`. Raises ValueError for what cannot be used."""

    name = NAME
    workers = 64
    shows = frozenset[AlertState]()

    def __init__(self, *, tokens: Mapping[str, str], api: str, egress: Egress, rates: Mapping[str, Rate]) -> None:
        for source, token in tokens.items():
            if not _TOKEN.fullmatch(token):
                raise ValueError(f"BOOMERANG_VK_TOKENS: {source}: not an access key of a community")
        problem = unusable(api)
        if problem:
            raise ValueError(f"BOOMERANG_VK_API: {problem}")
        self._url = f"{api.rstrip('/')}/method/messages.send"
        self._tokens, self._egress, self._rates = tokens, egress, rates

    def usable(self, address: str) -> str:
        """What is wrong with the address; an empty text if messages can go there."""
        found = _ADDRESS.fullmatch(address)
        if found is None:
            return "not source:id of somebody in VK"
        return "" if found[1] in self._tokens else "no community of that name is in BOOMERANG_VK_TOKENS"

    async def send(self, message: Rendered, irreversible: Irreversible) -> Answer:
        """Hand one message over."""
        problem, text = self.usable(message.address), plain(message.text) or plain(message.subject)
        if problem or not text:
            return Rejected(problem or "the message has no text", suppress=False)
        source, _, person = message.address.partition(":")
        later = await self._rates[source].turn()
        if later is not None:
            return later
        fields = {
            "access_token": self._tokens[source],
            "v": VERSION,
            "user_id": person,
            "random_id": str(random_id(message.message_id)),
            "message": text[:MOST_TEXT],
            "disable_mentions": "1",
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        reply = await self._egress.ask(self._url, urlencode(fields).encode(), headers, irreversible)
        answer = meaning(reply) if isinstance(reply, Reply) else reply
        if isinstance(answer, Retry):
            self._rates[source].pause(answer.after)
        return answer


def random_id(message_id: str) -> int:
    """The number by which VK knows a repetition: 31 bits, never 0."""
    return (int.from_bytes(blake2b(message_id.encode(), digest_size=4).digest()) & 0x7FFFFFFF) or 1


def meaning(reply: Reply) -> Answer:
    """What an answer of the API means."""
    try:
        response = _decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return by_status(reply, "BOOMERANG_VK_API")
    error = response.error
    if error is None:
        if reply.status == 200 and response.response is not None:
            return Sent(str(response.response))
        return by_status(reply, "BOOMERANG_VK_API")
    told = f"{error.error_code} {error.error_msg}"[:200]
    if error.error_code in _BUSY:
        after = _BUSY[error.error_code]
        return Retry(reply.after if after is None else after, told)
    if error.error_code in _MISCONFIGURED:
        return Misconfigured(f"{told}: see BOOMERANG_VK_TOKENS")
    return Rejected(told, suppress=error.error_code in _DEAD)
