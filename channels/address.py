"""E-mail addresses, strictly: one spelling that every parser reads alike, or none. Pure.

What RFC 5322 allows beyond this (quoted local parts, comments, address literals, folding) is what parsers disagree about,
and nobody signs up to a shop with it.
"""

import re
from encodings import idna
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

MAX_ADDRESS = 254
MAX_LOCAL = 64
MAX_DOMAIN = 253

_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*", re.ASCII)
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_TOP = re.compile(r"(?:[a-z]{2,63}|xn--[a-z0-9-]{1,59})", re.ASCII)
_UNSAFE = re.compile(
    "[\x00-\x20\x7f-\xa0\xad\u034f\u061c\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufe00-\ufe0f\ufeff]"
)


class BadAddress(ValueError):  # noqa: N818 - named after what it says about the address
    """The text is not an address that we would speak to."""


class Address(NamedTuple):
    """A usable address: ASCII local part as given, domain in lower-case ASCII (IDNA)."""

    local: str
    domain: str

    def __str__(self) -> str:
        """The address as it stands in an envelope."""
        return f"{self.local}@{self.domain}"

    @property
    def digest(self) -> str:
        """What the ledger knows the address by: spelled differently in upper and lower case it is the same."""
        return digest(str(self))


def digest(text: str) -> str:
    """Digest of an address in any channel: 32 hexadecimal digits, the same for upper and lower case."""
    return blake2b(text.strip().lower().encode(errors="replace"), digest_size=16).hexdigest()


@lru_cache(maxsize=4096)
def _domain(text: str) -> str:
    labels = [_label(label) for label in text.lower().split(".")]
    domain = ".".join(labels)
    if len(labels) < 2 or len(domain) > MAX_DOMAIN or not _TOP.fullmatch(labels[-1]):
        raise BadAddress("the domain is not one of the internet")
    return domain


def _label(text: str) -> str:
    if text.isascii():
        label = text
    else:
        try:
            label = idna.ToASCII(text).decode("ascii")
            back = idna.ToUnicode(label)
        except UnicodeError:
            raise BadAddress("a label of the domain is not IDNA") from None
        if back != text:  # mapped on the way (full-width letters, sharp s, joiners): reads differently elsewhere
            raise BadAddress("a label of the domain can be read in two ways")
    if not _LABEL.fullmatch(label):
        raise BadAddress("a label of the domain is not allowed")
    return label


def parse(text: str) -> Address:
    """The address, or BadAddress. Nothing is trimmed or mended: what comes with a blank around it was not checked by anybody."""
    if not text or len(text) > MAX_ADDRESS:
        raise BadAddress("empty or too long")
    if _UNSAFE.search(text):
        raise BadAddress("blank, control or invisible character")
    local, at, domain = text.partition("@")
    if not at or "@" in domain:
        raise BadAddress("not exactly one @")
    if len(local) > MAX_LOCAL or not _LOCAL.fullmatch(local):
        raise BadAddress("the part before the @ is not allowed")
    return Address(local, _domain(domain))
