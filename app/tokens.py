"""Signed tokens of public links, and the secret that signs them. The only user of itsdangerous."""

import os
import secrets
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

from itsdangerous import BadData, URLSafeSerializer

from app.errors import SettingsError
from app.settings import Settings

_UNSUBSCRIBE = "unsubscribe"
_SESSION = "console-session"
_RECEIPT = "receipt"
SESSION_LIFE = 12 * 3600.0
"""Seconds that a login to the console holds."""
UNSUBSCRIBE_LIFE = 400 * 86_400.0
"""Seconds that an unsubscribe link works: over a year, longer than any law asks."""
RECEIPT_LIFE = 30 * 86_400.0
"""Seconds that a provider may report on a message: as long as the ledger knows it."""
TOKEN_LIMIT = 2_048
_SHORTEST_SECRET = 16


class BadToken(Exception):  # noqa: N818 - a verdict, not a fault of the program
    """The token is forged, damaged or expired."""


class Unsubscribe(NamedTuple):
    """What an unsubscribe link stands for: this customer, on this channel at this address, from this message."""

    customer: str
    channel: str
    address: str
    message_id: str


class Spoken(NamedTuple):
    """What a receipt, a tracked link or an open pixel speaks of: a message of a scenario to a customer, on a channel."""

    customer: str
    channel: str
    message_id: str
    scenario: str


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
