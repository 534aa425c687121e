"""Web push: to a browser over its vendor's push service, encrypted for it alone, signed as ours (VAPID)."""

import secrets
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from app.model.alert import AlertState
from channels.aes128gcm import CURVE, MOST_PLAIN, SALT, Receiver, encrypted, point, receiver
from channels.channel import Answer, Irreversible, Rejected, Rendered, Sent
from channels.egress import Egress, Reply, refused, unusable
from channels.jwt import bytes_of, es256, private_of, text_of
from channels.over_egress import OneUnit, OverEgress
from channels.unseen import plain

NAME = "webpush"
KEEP = 86_400
"""Seconds that a push service keeps a message for a browser that is not there."""
TOKEN_LIFE, TOKEN_USED = 12 * 3600, 6 * 3600
"""Seconds that a token of ours holds, and for how long it is used."""
MOST_SERVICES = 256
HOSTS = ("fcm.googleapis.com", "push.services.mozilla.com", "notify.windows.com", "push.apple.com")
"""Where browsers are subscribed: these hosts and those below them."""
_encode = msgspec.json.Encoder().encode


class Subscription(NamedTuple):
    """What an address says: `endpoint p256dh auth`."""

    endpoint: str
    to: Receiver


class WebPush(OneUnit, OverEgress):
    """The channel. `private_key`, `public_key`: of `boomerang webpush-keys`; `contact`: whom a push service may write to.

    Raises ValueError with one line that says what to mend.
    """

    name = NAME
    workers = 64
    shows = frozenset[AlertState]()

    def __init__(
        self,
        *,
        private_key: str,
        public_key: str,
        contact: str,
        hosts: Sequence[str],
        egress: Egress,
        now: Callable[[], float],
    ) -> None:
        try:
            self._private = private_of(private_key)
        except ValueError:
            raise ValueError("BOOMERANG_WEBPUSH_PRIVATE_KEY: make a pair with `boomerang webpush-keys`") from None
        self._public = text_of(point(self._private))
        if public_key.rstrip("=") != self._public:
            raise ValueError("BOOMERANG_WEBPUSH_PUBLIC_KEY is not that of the private key; both come in a pair")
        if not contact.startswith(("mailto:", "https://")):
            raise ValueError("BOOMERANG_WEBPUSH_CONTACT must look like mailto:push@shop.example or https://...")
        self._contact, self._egress, self._now = contact, egress, now
        self._hosts = tuple(hosts)
        self._tokens: dict[str, tuple[str, float]] = {}

    def usable(self, address: str) -> str:
        """What is wrong with a subscription; an empty text if it can be one."""
        try:
            self._subscription(address)
        except ValueError as error:
            return str(error)
        return ""

    async def send(self, message: Rendered, irreversible: Irreversible) -> Answer:
        """Hand one notification over. A newer one of the same scenario takes the place of one that still waits for the browser."""
        try:
            endpoint, to = self._subscription(message.address)
        except ValueError as error:
            return Rejected(str(error), suppress=False)
        body = encrypted(content(message), to, ec.generate_private_key(CURVE), secrets.token_bytes(SALT))
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Encoding": "aes128gcm",
            "TTL": str(KEEP),
            "Urgency": "normal",
            "Topic": blake2b(message.scenario.encode(), digest_size=16).hexdigest(),
            "Authorization": f"vapid t={self._token(endpoint)}, k={self._public}",
        }
        reply = await self._egress.ask(endpoint, body, headers, irreversible)
        if not isinstance(reply, Reply):
            return reply
        return refused(reply) or Sent()

    def _subscription(self, address: str) -> Subscription:
        endpoint, _, keys = address.partition(" ")
        public, _, secret = keys.partition(" ")
        problem = unusable(endpoint)
        if problem:
            raise ValueError(f"the subscription: {problem}")
        host = urlsplit(endpoint).hostname or ""
        if not any(host == known or host.endswith(f".{known}") for known in self._hosts):
            raise ValueError("the subscription is of no push service that BOOMERANG_WEBPUSH_HOSTS names")
        try:
            return Subscription(endpoint, receiver(bytes_of(public), bytes_of(secret)))
        except ValueError:
            raise ValueError("the subscription's keys are none") from None

    def _token(self, endpoint: str) -> str:
        parts = urlsplit(endpoint)
        service, now = f"{parts.scheme}://{parts.netloc}", self._now()
        token, until = self._tokens.get(service, ("", 0.0))
        if now >= until:
            if len(self._tokens) >= MOST_SERVICES:
                self._tokens.clear()
            token = es256({"aud": service, "exp": int(now) + TOKEN_LIFE, "sub": self._contact}, self._private)
            self._tokens[service] = token, now + TOKEN_USED
        return token


def content(message: Rendered) -> bytes:
    """What the service worker gets: `title`, `body`, `url`, `tag`, `receipt`. A long body is cut until it fits."""
    body = plain(message.text)
    told = {
        "title": plain(message.subject),
        "body": body,
        "url": message.link,
        "tag": message.message_id,
        "receipt": message.receipt_url,
    }
    while len(raw := _encode(told)) > MOST_PLAIN and (told["body"] or told["receipt"]):
        if body:
            body = body[: len(body) // 2]
            told["body"] = f"{body}…" if body else ""
        else:
            told["receipt"] = ""
    return raw
