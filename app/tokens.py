"""Signed tokens of public links, and the secret that signs them. The only user of itsdangerous."""

import hmac
import os
import secrets
from base64 import urlsafe_b64encode
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from itsdangerous import BadData, Signer, URLSafeSerializer
from itsdangerous.encoding import base64_decode, base64_encode
from itsdangerous.signer import SigningAlgorithm

from app.codec import encode_json
from app.errors import SettingsError
from app.model.receipt import Spoken
from app.settings import Settings

_UNSUBSCRIBE = "unsubscribe"
_SESSION = "console-session"
_CONFIRM = "confirm"
_RECEIPT = "receipt"
_LINK = "link"
_PIXEL = "pixel"
SESSION_LIFE = 12 * 3600.0
"""Seconds that a login to the console holds."""
UNSUBSCRIBE_LIFE = 400 * 86_400.0
"""Seconds that an unsubscribe link works: over a year, longer than any law asks."""
RECEIPT_LIFE = 30 * 86_400.0
"""Seconds that a provider may report on a message: as long as the ledger knows it."""
LINK_LIFE = 400 * 86_400.0
"""Seconds that a tracked link works, and an open counts: as long as the unsubscribe link beside it."""
TOKEN_LIMIT = 2_048
LINK_LIMIT = 6_144
"""Characters of a tracked link's token, which holds the address that it leads to."""
_SHORTEST_SECRET = 16


class BadToken(Exception):  # noqa: N818 - a verdict, not a fault of the program
    """The token is forged, damaged or expired."""


class Unsubscribe(NamedTuple):
    """What an unsubscribe link stands for: this customer, on this channel at this address, from this message."""

    customer: str
    channel: str
    address: str
    message_id: str


class Confirming(NamedTuple):
    """What a confirmation link stands for: the consents that this message asks the owner of the address for, until then (epoch seconds)."""

    customer: str
    address: str
    message_id: str
    until: float


class Tracked(NamedTuple):
    """A link of a message: the number of its target in the message, the target, and when the message was made (epoch seconds)."""

    spoken: Spoken
    issued: float
    number: int
    target: str


def load_secret(settings: Settings) -> str:
    """The secret of the settings, else that of `<data>/secret`, made once (mode 0600) and shared by all processes.

    Raises SettingsError when it is too short or the file cannot be used.
    """
    if settings.secret:
        return _long_enough(settings.secret, "BOOMERANG_SECRET")
    path = settings.data / "secret"
    try:
        if not path.exists():
            _create(path)
        return _long_enough(path.read_text(encoding="ascii").strip(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot keep the secret in {path}: {error}; set BOOMERANG_SECRET") from None


def _long_enough(secret: str, where: str) -> str:
    if len(secret) < _SHORTEST_SECRET:
        raise SettingsError(f"{where} must have at least {_SHORTEST_SECRET} characters")
    return secret


def _create(path: Path) -> None:
    """Written aside and linked into place: of two processes one wins, and nobody ever reads half a secret."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".secret.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(aside, path)
        except FileExistsError:
            return
    finally:
        aside.unlink(missing_ok=True)


def session_token(secret: str, user: str, issued: float, proof: str) -> str:
    """Token of a login's cookie. `proof` is what the login was believed for: when that changes, the token ends."""
    token = URLSafeSerializer(secret, salt=_SESSION).dumps([user, int(issued), proof])
    return token.decode() if isinstance(token, bytes) else token


def read_session_token(secret: str, token: str, now: float) -> tuple[str, str]:
    """User and proof of a token at `now` (epoch seconds). Raises BadToken."""
    if len(token) > TOKEN_LIMIT:
        raise BadToken
    try:
        user, issued, proof = URLSafeSerializer(secret, salt=_SESSION).loads(token)
    except (BadData, ValueError, TypeError):
        raise BadToken from None
    if not (isinstance(user, str) and isinstance(issued, int) and isinstance(proof, str)):
        raise BadToken
    if not issued - 60.0 <= now <= issued + SESSION_LIFE:
        raise BadToken
    return user, proof


def mark(secret: str, purpose: str, text: str) -> str:
    """A code that only who knows the secret can make for a text; for tokens that forms carry."""
    return blake2b(f"{purpose}\0{text}".encode(), digest_size=24, key=secret.encode()[:64]).hexdigest()


def inbox_token(secret: str) -> str:
    """By what the console believes that a message for the dev inbox comes from our own sender."""
    return mark(secret, "dev-inbox", "")


def unsubscribe_token(secret: str, what: Unsubscribe, issued: float) -> str:
    """Token for `/u/TOKEN`. `issued` is epoch seconds; kept by the day, so that a retry gets the same token."""
    body = [what.customer, what.channel, what.address, what.message_id, int(issued // 86_400)]
    token = URLSafeSerializer(secret, salt=_UNSUBSCRIBE).dumps(body)
    return token.decode() if isinstance(token, bytes) else token


def read_unsubscribe_token(secret: str, token: str, now: float) -> Unsubscribe:
    """What a token stands for at `now` (epoch seconds). Raises BadToken."""
    if len(token) > TOKEN_LIMIT:
        raise BadToken
    try:
        body = URLSafeSerializer(secret, salt=_UNSUBSCRIBE).loads(token)
        customer, channel, address, message_id, day = body
    except (BadData, ValueError, TypeError):
        raise BadToken from None
    if not all(isinstance(part, str) for part in (customer, channel, address, message_id)) or not isinstance(day, int):
        raise BadToken
    if not customer or not day * 86_400.0 - 86_400.0 <= now <= day * 86_400.0 + 86_400.0 + UNSUBSCRIBE_LIFE:
        raise BadToken
    return Unsubscribe(customer, channel, address, message_id)


def confirm_token(secret: str, what: Confirming) -> str:
    """Token for `/c/TOKEN`, of a salt of its own: no other link of ours confirms anything."""
    return _sign(secret, _CONFIRM, [what.customer, what.address, what.message_id, round(what.until * 10)])


def read_confirm_token(secret: str, token: str, now: float) -> Confirming:
    """What a token stands for at `now` (epoch seconds). Raises BadToken, also when its time is over."""
    customer, address, message_id, tenths = _unsign(secret, _CONFIRM, token, 4)
    told = (customer, address, message_id)
    if not all(isinstance(part, str) and part for part in told) or not isinstance(tenths, int):
        raise BadToken
    if now > tenths / 10:
        raise BadToken
    return Confirming(customer, address, message_id, tenths / 10)


def receipt_token(secret: str, what: Spoken, issued: float) -> str:
    """Token by which a provider's receipt is believed to be of this message. `issued` is epoch seconds, kept by the day."""
    token = URLSafeSerializer(secret, salt=_RECEIPT).dumps([*what, int(issued // 86_400)])
    return token.decode() if isinstance(token, bytes) else token


def read_receipt_token(secret: str, token: str, now: float) -> Spoken:
    """What a token stands for at `now` (epoch seconds). Raises BadToken."""
    *told, day = _loads(secret, _RECEIPT, token, 5)
    spoken = _spoken(told)
    if not isinstance(day, int) or not -86_400.0 <= now - day * 86_400.0 <= RECEIPT_LIFE + 86_400.0:
        raise BadToken
    return spoken


def link_token(secret: str, link: Tracked) -> str:
    """Token for `/r/TOKEN`: what it leads to is signed with it, so it leads nowhere else."""
    return _sign(secret, _LINK, [*link.spoken, round(link.issued * 10), link.number, link.target])


def read_link_token(secret: str, token: str, now: float) -> Tracked:
    """What a tracked link stands for at `now` (epoch seconds). Raises BadToken."""
    *told, tenths, number, target = _unsign(secret, _LINK, token, 7)
    if not (isinstance(number, int) and isinstance(target, str)):
        raise BadToken
    return Tracked(_spoken(told), _since(tenths, now), number, target)


def pixel_token(secret: str, spoken: Spoken, issued: float) -> str:
    """Token for the open pixel of a message that was made at `issued` (epoch seconds)."""
    return _sign(secret, _PIXEL, [*spoken, round(issued * 10)])


def read_pixel_token(secret: str, token: str, now: float) -> tuple[Spoken, float]:
    """The message whose pixel it is, and when that was made, at `now` (epoch seconds). Raises BadToken."""
    *told, tenths = _unsign(secret, _PIXEL, token, 5)
    return _spoken(told), _since(tenths, now)


def short_code(secret: str, message_id: str, number: int) -> str:
    """Eleven letters that stand for a link of a message where every letter is paid for; nobody can guess another one's."""
    raw = blake2b(
        f"{message_id}\0{number}".encode(), digest_size=8, key=secret.encode()[:64], person=b"short-link"
    ).digest()
    return urlsafe_b64encode(raw).decode().rstrip("=")


def return_code(secret: str, message_id: str) -> str:
    """Sixteen hexadecimal digits that stand for a mail in its return path; whoever has not got the mail cannot guess them."""
    key = secret.encode()[:64]
    return blake2b(message_id.encode(), digest_size=8, key=key, person=b"return-path").hexdigest()


def _since(tenths: Any, now: float) -> float:
    """When a token was issued. Raises BadToken when it is too old, or of the future."""
    if not isinstance(tenths, int) or not -60.0 <= now - tenths / 10 <= LINK_LIFE:
        raise BadToken
    return tenths / 10


class _Brief(SigningAlgorithm):
    """The first 128 bits of HMAC-SHA256, made in one call."""

    def get_signature(self, key: bytes, value: bytes) -> bytes:
        """The signature of a value."""
        return hmac.digest(key, value, "sha256")[:16]


@lru_cache(maxsize=16)
def _signer(secret: str, salt: str) -> Signer:
    """Signs for one purpose: each has a key of its own, made of the secret and the salt."""
    key = hmac.digest(secret.encode(), salt.encode(), "sha256")
    return Signer(key, key_derivation="none", algorithm=_Brief())


def _sign(secret: str, salt: str, parts: list[Any]) -> str:
    """A token that is made quickly and is short: a mail has a dozen of them. `URLSafeSerializer` would take six times as long."""
    return _signer(secret, salt).sign(base64_encode(encode_json(parts))).decode()


def _unsign(secret: str, salt: str, token: str, parts: int) -> list[Any]:
    """The parts of such a token. Raises BadToken when it is not ours, or has another number of them."""
    if len(token) > LINK_LIMIT:
        raise BadToken
    try:
        body = msgspec.json.decode(base64_decode(_signer(secret, salt).unsign(token)))
    except (BadData, ValueError, msgspec.DecodeError, RecursionError):
        raise BadToken from None
    if type(body) is not list or len(body) != parts:
        raise BadToken
    return body


def _loads(secret: str, salt: str, token: str, parts: int) -> list[Any]:
    """The parts of a token. Raises BadToken when it is not ours, or has another number of them."""
    if len(token) > TOKEN_LIMIT:
        raise BadToken
    try:
        body = URLSafeSerializer(secret, salt=salt).loads(token)
    except (BadData, ValueError, TypeError, RecursionError):
        raise BadToken from None
    if type(body) is not list or len(body) != parts:
        raise BadToken
    return body


def _spoken(told: list[Any]) -> Spoken:
    if not all(isinstance(part, str) for part in told) or not told[0] or not told[2]:
        raise BadToken
    return Spoken(*told)
