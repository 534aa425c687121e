"""Whether a request is the provider's: secrets and signatures, always compared in constant time. Pure.

Each source may have two live secrets, so that one can be replaced while the provider still uses the other. All of them are
always looked at.
"""

import hmac
from enum import StrEnum
from typing import Annotated, NamedTuple

import msgspec

WINDOW_SECONDS = 300.0
"""A signed time further away from our clock than this is a replay."""


OneSecret = Annotated[str, msgspec.Meta(min_length=8, max_length=256)]
Secret = OneSecret | Annotated[tuple[OneSecret, ...], msgspec.Meta(min_length=1, max_length=2)]
"""One secret, or the two that live while one takes the other's place."""


class SourceConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a provider needs to know of one source. Its secrets are never printed."""

    def __repr__(self) -> str:
        """The name of the class alone."""
        return type(self).__name__


class Verdict(StrEnum):
    """What became of the look at a request's authenticity."""

    GENUINE = "genuine"
    MISSING = "signature_missing"
    WRONG = "signature_wrong"
    STALE = "signature_stale"


class Call(NamedTuple):
    """What a provider's check looks at: headers (names in lower case), parameters of the query, the raw body."""

    headers: dict[bytes, bytes]
    query: dict[str, str]
    body: bytes

    def header(self, name: bytes) -> bytes:
        """A header's value, or an empty one."""
        return self.headers.get(name, b"")


def live(secret: Secret) -> tuple[str, ...]:
    """All secrets that count now."""
    return (secret,) if isinstance(secret, str) else secret


def shared(told: bytes, secret: Secret) -> Verdict:
    """Whether a caller told the secret, or one of the two."""
    if not told:
        return Verdict.MISSING
    found = False
    for one in live(secret):
        found |= hmac.compare_digest(told, one.encode())
    return Verdict.GENUINE if found else Verdict.WRONG


def signed(told: bytes, message: bytes, secret: Secret) -> Verdict:
    """Whether `told` is `sha256=` and the hexadecimal HMAC-SHA256 of the message under the secret, or one of the two."""
    if not told:
        return Verdict.MISSING
    found = False
    for one in live(secret):
        wanted = b"sha256=" + hmac.digest(one.encode(), message, "sha256").hex().encode()
        found |= hmac.compare_digest(told.lower(), wanted)
    return Verdict.GENUINE if found else Verdict.WRONG


def fresh(told: bytes, now: float, window: float = WINDOW_SECONDS) -> Verdict:
    """Whether a signed time (epoch seconds as text) lies within the window around `now`."""
    if not told:
        return Verdict.MISSING
    if not told.isdigit() or len(told) > 12:
        return Verdict.WRONG
    return Verdict.GENUINE if abs(now - int(told)) <= window else Verdict.STALE
