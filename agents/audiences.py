"""Customers of a segment, or of an audience that steps add to, as an advertising network takes them: who may be told, and as what. Pure.

| destination | file | e-mail | telephone |
|---|---|---|---|
| `yandex` | CSV `phone,email` | SHA-256 of it in lower case | SHA-256 of its digits: 79876543210 |
| `vk` | one digest a line, of one kind | MD5 of it in lower case | MD5 of its digits |
| `google` | CSV `Email,Phone` | SHA-256 of it in lower case without white space | SHA-256 of it with its plus: +79876543210 |
| `meta` | CSV `email,phone` | SHA-256 of it in lower case | SHA-256 of its digits with the country's code |

A customer is told only who has agreed to that, on a channel of its own (`ads`), and to the segment's topic if it has one. Audiences have none.
"""

from collections.abc import Callable
from hashlib import md5, sha256
from typing import Literal, NamedTuple

from agents.addresses import addresses_of
from tables.customer import Customer, Profile
from tables.profile import SPOKEN, permission

ADS = "ads"
"""The channel under which consent to advertising networks stands."""
Who = Literal["all", "unreachable", "unsubscribed"]
WHOS: tuple[Who, ...] = ("all", "unreachable", "unsubscribed")
Kind = Literal["segment", "audience"]
KINDS: tuple[Kind, ...] = ("segment", "audience")


class Group(NamedTuple):
    """Whose customers are written: a segment, or an audience that steps of scenarios add customers to."""

    kind: Kind
    name: str
    topic: str = ""
    """The topic of consent besides that of the whole channel; empty: none."""

    @property
    def consent(self) -> str:
        """What its customers must have agreed to."""
        return f"{ADS}:{self.topic}" if self.topic else ADS


class Destination(NamedTuple):
    """What a network takes. `least` and `most` rows of a file, as it demands."""

    head: str
    columns: tuple[str, ...]
    digest: Callable[[bytes], str]
    plus: bool
    least: int
    most: int
    squeezed: bool = False
    """White space inside an e-mail address goes too."""


def _sha256(text: bytes) -> str:
    return sha256(text).hexdigest()


def _md5(text: bytes) -> str:
    return md5(text, usedforsecurity=False).hexdigest()


UNBOUNDED = 1 << 60
DESTINATIONS: dict[str, Destination] = {
    "yandex": Destination("phone,email", ("phone", "email"), _sha256, False, 100, UNBOUNDED),
    "vk-email": Destination("", ("email",), _md5, False, 2_000, 5_000_000),
    "vk-phone": Destination("", ("phone",), _md5, False, 2_000, 5_000_000),
    "google": Destination("Email,Phone", ("email", "phone"), _sha256, True, 0, UNBOUNDED, squeezed=True),
    "meta": Destination("email,phone", ("email", "phone"), _sha256, False, 0, UNBOUNDED),
}


def row_of(destination: Destination, customer: Customer) -> str:
    """The customer's line; empty where no address that the network takes is known."""
    known = addresses_of(customer)
    profile = customer.profile or Profile()
    email = "".join(profile.email.split()) if destination.squeezed else profile.email.strip()
    phone = known.get("sms", "") if destination.plus else known.get("sms", "").removeprefix("+")
    values = {"email": email.lower(), "phone": phone}
    cells = [destination.digest(values[name].encode()) if values[name] else "" for name in destination.columns]
    return ",".join(cells) if any(cells) else ""


def is_told(customer: Customer, group: Group, who: Who) -> bool:
    """Whether a customer is written: in the group, agreed, and of those who are asked for."""
    engagement = customer.engagement
    if engagement is None:
        return False
    of = engagement.segments if group.kind == "segment" else engagement.audiences
    if group.name not in (of or ()):
        return False
    word = permission(customer, ADS, group.topic)
    return word is not None and word.granted and _IS[who](customer)


def _is_unreachable(customer: Customer) -> bool:
    """Whether no message of ours would reach him by e-mail or SMS: no address, it bounced, or no consent."""
    known = addresses_of(customer)
    for channel in ("email", "sms"):
        word = permission(customer, channel)
        if channel in known and channel not in (customer.suppressed or ()) and word is not None and word.granted:
            return False
    return True


def _is_unsubscribed(customer: Customer) -> bool:
    """Whether he has refused e-mail himself."""
    word = permission(customer, "email")
    return word is not None and not word.granted and word.source in SPOKEN


_IS: dict[Who, Callable[[Customer], bool]] = {
    "all": lambda _customer: True,
    "unreachable": _is_unreachable,
    "unsubscribed": _is_unsubscribed,
}
