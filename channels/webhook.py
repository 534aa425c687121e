"""The signed webhook for everything else: Standard Webhooks (`webhook-id`, `webhook-timestamp`, `webhook-signature`) with JSON."""

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec

from app.model.alert import AlertState
from channels.channel import Answer, Irreversible, Rejected, Rendered, Sent
from channels.egress import Egress, Reply, refused
from channels.over_egress import OneUnit, OverEgress
from channels.unseen import plain

NAME = "webhook"
_PREFIX = "whsec_"
_SHORTEST_KEY = 24
"""Bytes of a signing key, as the standard asks for."""

_encode = msgspec.json.Encoder().encode


def keys(texts: Sequence[str]) -> tuple[bytes, ...]:
    """The signing keys of BOOMERANG_WEBHOOK_SECRETS. Raises ValueError with one line that says what to write."""
    found = []
    for text in texts:
        try:
            key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) < _SHORTEST_KEY:
            raise ValueError(
                f"BOOMERANG_WEBHOOK_SECRETS: each must be {_PREFIX} and base64 of {_SHORTEST_KEY} bytes or more; "
                "make one with `openssl rand -base64 32`"
            )
        found.append(key)
    return tuple(found)


def signature(signing: Sequence[bytes], message_id: str, at: int, body: bytes) -> str:
    """The value of `webhook-signature`: one signature a key, so that a receiver can change his while both are sent."""
    signed = f"{message_id}.{at}.".encode() + body
    return " ".join("v1," + base64.b64encode(hmac.digest(key, signed, sha256)).decode() for key in signing)


class Webhook(OneUnit, OverEgress):
    """The channel. `urls`: name -> address; addresses of messages are the names, of those to customers `name:customer`.

    Raises ValueError without a signing key.
    """

    name = NAME
    workers = 128
    shows = frozenset(AlertState)

    def __init__(
        self, *, urls: Mapping[str, str], secrets: Sequence[str], egress: Egress, now: Callable[[], float]
    ) -> None:
        self._keys = keys(secrets)
        if not self._keys:
            raise ValueError(
                "BOOMERANG_WEBHOOK_SECRETS must be set where BOOMERANG_WEBHOOK_HOOKS is: webhooks are signed"
            )
        self._urls, self._egress, self._now = urls, egress, now

    def usable(self, address: str) -> str:
        """What is wrong with the name of a hook; an empty text if there is one of that name."""
        return "" if _hook(address) in self._urls else f"no hook {_hook(address)[:40]!r} is in BOOMERANG_WEBHOOK_HOOKS"

    async def send(self, message: Rendered, irreversible: Irreversible) -> Answer:
        """Hand one message over. A repetition has the same `webhook-id`, by which a receiver knows it."""
        problem = self.usable(message.address)
        if problem:
            return Rejected(problem, suppress=False)
        content, at = _encode(body(message)), int(self._now())
        headers = {
            "Content-Type": "application/json",
            "webhook-id": message.message_id,
            "webhook-timestamp": str(at),
            "webhook-signature": signature(self._keys, message.message_id, at, content),
        }
        reply = await self._egress.ask(self._urls[_hook(message.address)], content, headers, irreversible)
        if not isinstance(reply, Reply):
            return reply
        return refused(reply) or Sent()


def _hook(address: str) -> str:
    """The hook of an address, which may say for whom the message is."""
    return address.partition(":")[0]


def body(message: Rendered) -> dict[str, Any]:
    """What the receiver gets: `type`, `timestamp` (epoch seconds) and `data`."""
    common: dict[str, Any] = {
        "message_id": message.message_id,
        "trigger_id": message.trigger_id,
        "scenario": message.scenario,
    }
    if not message.cards:
        data = {
            **common,
            "customer": message.customer,
            "name": message.name,
            "locale": message.locale,
            "subject": message.subject,
            "text": plain(message.text),
            "link": message.link,
            "unsubscribe": message.unsubscribe,
            "receipt_url": message.receipt_url,
        }
        return {"type": "message", "timestamp": message.at, "data": data}
    card = message.cards[0]
    data = {
        **common,
        "alert_id": card.alert_id,
        "state": card.state.value,
        "priority": card.priority,
        "title": card.title,
        "status": card.status,
        "note": card.note,
        "facts": [{"label": label, "text": text} for label, text in card.facts],
        "words": [{"label": label, "text": text} for label, text in card.words],
        "url": card.url,
        "board": card.board,
    }
    return {"type": "alert.changed" if card.changed else "alert.opened", "timestamp": message.at, "data": data}
