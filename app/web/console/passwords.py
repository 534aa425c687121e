"""Passwords of the console's users: hashes by Argon2id. The only user of argon2."""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.errors import SettingsError

MOST_PASSWORD = 256
_hasher = PasswordHasher()


def make_hash(password: str) -> str:
    """The hash of a password, for BOOMERANG_CONSOLE_USERS."""
    return _hasher.hash(password)


def users(text: str) -> dict[str, str]:
    """Name -> hash of a BOOMERANG_CONSOLE_USERS setting. Raises SettingsError."""
    found: dict[str, str] = {}
    for item in text.split():
        name, colon, hashed = item.partition(":")
        if not colon or not name or len(name) > 64 or not name.isprintable() or name in found:
            raise SettingsError("BOOMERANG_CONSOLE_USERS must look like NAME:HASH NAME:HASH, each name once")
        try:
            _hasher.check_needs_rehash(hashed)
        except InvalidHashError:
            raise SettingsError(
                f"BOOMERANG_CONSOLE_USERS: what stands behind {name}: is no Argon2 hash; make one with `boomerang password`"
            ) from None
        found[name] = hashed
    return found


class Passwords:
    """Looks at passwords, one at a time: a look takes 64 MB and a twentieth of a second of a core, which is its purpose."""

    def __init__(self, known: dict[str, str]) -> None:
        self._known = known
        self._one = asyncio.Semaphore(1)

    def hash_of(self, user: str) -> str:
        """The hash of a user; "" for one who does not exist."""
        return self._known.get(user, "")

    async def right(self, user: str, password: str) -> bool:
        """Whether this is the user's password. Takes as long for a user who does not exist."""
        hashed = self._known.get(user)
        looked_at = hashed or next(iter(self._known.values()), "")
        async with self._one:
            fits = await asyncio.to_thread(_verify, looked_at, password[:MOST_PASSWORD])
        return fits and hashed is not None


def _verify(hashed: str, password: str) -> bool:
    try:
        return _hasher.verify(hashed, password)
    except (VerificationError, InvalidHashError):
        return False
