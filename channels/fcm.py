"""Firebase Cloud Messaging, HTTP v1: to apps. A service account signs for an access token, which is used until shortly before it ends."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec

from app.model.alert import AlertState
from channels.channel import (
    Ambiguous,
    Answer,
    Down,
    Irreversible,
    Misconfigured,
    Rejected,
    Rendered,
    Retry,
    Sent,
)
from channels.egress import Egress, Reply, unusable
from channels.jwt import rs256, rsa_of
from channels.over_egress import OneUnit, OverEgress
from channels.unseen import plain

NAME = "fcm"
KEEP = 86_400
"""Seconds that FCM keeps a message for a device that is not there."""
QUOTA_REST = 60.0
"""Seconds to wait when the quota is used up and FCM does not say how long."""
EARLY = 120.0
"""Seconds before its end that a token is renewed."""
MOST_FILE = 64 * 1024
MOST_TITLE, MOST_BODY = 200, 1_000
_SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_TOKEN = re.compile(r"[A-Za-z0-9_:%.\-]{20,1000}", re.ASCII)
_PROJECT = re.compile(r"[a-z][a-z0-9-]{3,62}", re.ASCII)
_encode = msgspec.json.Encoder().encode


class Account(msgspec.Struct):
    """What is needed of the file of a service account."""

    project_id: str
    client_email: str
    private_key: str
    token_uri: str = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
    private_key_id: str = ""


class AccessToken(msgspec.Struct):
    """What the token's address answers."""

    access_token: str
    expires_in: float = 3600.0


class Details(msgspec.Struct):
    """FCM's own word for an error, among others' details."""

    errorCode: str = ""  # noqa: N815 - Google's name


class Status(msgspec.Struct):
    """An error."""

    status: str = ""
    message: str = ""
    details: list[Details] = []


class Answered(msgspec.Struct):
    """An answer of the API."""

    name: str = ""
    error: Status | None = None


_decode = msgspec.json.Decoder(Answered).decode
_decode_token = msgspec.json.Decoder(AccessToken).decode


def account(path: str) -> Account:
    """The service account of a file. Raises ValueError with one line that says what to mend."""
    try:
        with Path(path).open("rb") as file:
            raw = file.read(MOST_FILE)
        found = msgspec.json.decode(raw, type=Account)
        rsa_of(found.private_key)
    except OSError as error:
        raise ValueError(f"BOOMERANG_FCM_ACCOUNT: cannot read {path}: {error.strerror}") from None
    except (ValueError, msgspec.DecodeError):
        raise ValueError(f"BOOMERANG_FCM_ACCOUNT: {path} is not the key file (JSON) of a service account") from None
    if not _PROJECT.fullmatch(found.project_id) or unusable(found.token_uri):
        raise ValueError(f"BOOMERANG_FCM_ACCOUNT: project_id or token_uri in {path} cannot be used")
    return found


class Fcm(OneUnit, OverEgress):
    """The channel. Addresses are registration tokens. `api`: FCM's address. Raises ValueError (one line that says what to mend)."""

    name = NAME
    workers = 64
    shows = frozenset[AlertState]()

    def __init__(self, *, account_file: str, api: str, egress: Egress, now: Callable[[], float]) -> None:
        self._account = account(account_file)
        self._private = rsa_of(self._account.private_key)
        problem = unusable(api)
        if problem:
            raise ValueError(f"BOOMERANG_FCM_API: {problem}")
        self._url = f"{api.rstrip('/')}/v1/projects/{self._account.project_id}/messages:send"
        self._egress, self._now = egress, now
        self._token, self._until = "", 0.0
        self._renewing = asyncio.Lock()

    def usable(self, address: str) -> str:
        """What is wrong with a token; an empty text if it can be one."""
        return "" if _TOKEN.fullmatch(address) else "not a registration token"

    async def send(self, message: Rendered, irreversible: Irreversible) -> Answer:
        """Hand one notification over."""
        problem = self.usable(message.address)
        if problem:
            return Rejected(problem, suppress=False)
        refused = await self._renew()
        if refused is not None:
            return refused
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"}
        reply = await self._egress.ask(self._url, _encode(request(message)), headers, irreversible)
        if not isinstance(reply, Reply):
            return reply
        if reply.status == 401:
            self._until = 0.0
        return meaning(reply)

    async def _renew(self) -> Answer | None:
        """Get an access token if there is none that holds; None: there is one."""
        async with self._renewing:
            now = self._now()
            if now < self._until:
                return None
            claims: dict[str, str | int] = {
                "iss": self._account.client_email,
                "scope": _SCOPE,
                "aud": self._account.token_uri,
                "iat": int(now),
                "exp": int(now) + 3600,
            }
            body = urlencode({"grant_type": _GRANT, "assertion": rs256(claims, self._private)}).encode()
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            reply = await self._egress.ask(self._account.token_uri, body, headers, _nothing)
            if not isinstance(reply, Reply):
                return Down(None, reply.reason) if isinstance(reply, Ambiguous) else reply
            if reply.status in (400, 401, 403):
                return Misconfigured(f"the service account is refused: {_said(reply)}")
            try:
                token = _decode_token(reply.body)
            except (msgspec.DecodeError, UnicodeDecodeError):
                return Down(reply.after, f"no access token: {reply.status}")
            if reply.status != 200 or not token.access_token.isascii() or not token.access_token.isprintable():
                return Down(reply.after, f"no access token: {reply.status}")
            self._token, self._until = token.access_token, now + max(token.expires_in - EARLY, 1.0)
            return None


async def _nothing() -> None:
    """An access token is nothing irreversible."""


def _said(reply: Reply) -> str:
    return str(reply)[:120]


def request(message: Rendered) -> dict[str, Any]:
    """The body of one message: shown by the system, with `url` and `message_id` for the app."""
    title, body = plain(message.subject)[:MOST_TITLE], plain(message.text)[:MOST_BODY]
    data = {"url": message.link, "message_id": message.message_id, "receipt": message.receipt_url}
    return {
        "message": {
            "token": message.address,
            "notification": {"title": title, "body": body},
            "data": {name: value for name, value in data.items() if value},
            "android": {"ttl": f"{KEEP}s", "collapse_key": message.scenario[:64], "priority": "NORMAL"},
            "apns": {
                "headers": {
                    "apns-expiration": str(int(message.at) + KEEP),
                    "apns-collapse-id": message.scenario[:64],
                }
            },
        }
    }


def meaning(reply: Reply) -> Answer:
    """What an answer of FCM means."""
    try:
        answered = _decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        answered = Answered()
    error = answered.error or Status()
    code = next((item.errorCode for item in error.details if item.errorCode), error.status)
    told = f"{reply.status} {code} {error.message}".strip()[:200]
    if reply.status == 200 and answered.name:
        return Sent(answered.name.rpartition("/")[2])
    if code == "UNREGISTERED" or reply.status == 404 or code == "SENDER_ID_MISMATCH":
        return Rejected(told, suppress=True)
    if reply.status == 429 or code == "QUOTA_EXCEEDED":
        return Retry(reply.after if reply.after is not None else QUOTA_REST, told)
    if reply.status in (401, 403) or code == "THIRD_PARTY_AUTH_ERROR":
        return Misconfigured(told)
    if reply.status == 503:
        return Retry(reply.after, told)
    if reply.status == 200 or reply.status >= 500:
        return Ambiguous(told)
    return Rejected(told, suppress="registration token" in error.message)
