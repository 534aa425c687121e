"""What carries a short message: a provider over HTTP, or an SMSC over SMPP. The channel in front of it knows texts, prices and pace."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol
from urllib.parse import urlencode

from app.model.receipt import Outcome
from channels.channel import Answer, Irreversible
from channels.egress import Egress, Reply, unusable
from channels.over_egress import OverEgress


class ShortMessage(NamedTuple):
    """`to` is in E.164; `callback` is where the provider may tell what became of it, "" for nowhere; `key` is ours for one message."""

    key: str
    to: str
    text: str
    callback: str = ""

    @property
    def digits(self) -> str:
        """The number as most providers want it, without its plus."""
        return self.to.removeprefix("+")


class Said(NamedTuple):
    """What a provider tells of its own accord over its connection: what became of the message `provider_id`, or that `phone` wrote."""

    provider: str
    outcome: Outcome
    provider_id: str = ""
    phone: str = ""
    detail: str = ""


class Carrier(Protocol):
    """Carries one message at a time, many at once."""

    async def start(self) -> None:
        """Get ready. Does not fail because the provider is away."""
        ...

    async def stop(self) -> None:
        """Close everything, within a second or two."""
        ...

    async def carry(self, message: ShortMessage, irreversible: Irreversible) -> Answer:
        """Hand one message over."""
        ...


class Call(NamedTuple):
    """One POST."""

    url: str
    body: bytes
    headers: Mapping[str, str]


class Gateway(Protocol):
    """A provider's HTTP API: how it is asked, and what its answers mean. Pure."""

    def call(self, message: ShortMessage) -> Call:
        """The request for one message."""
        ...

    def meaning(self, reply: Reply) -> Answer:
        """What an answer means."""
        ...


class OverHttp(OverEgress):
    """Carries over a provider's HTTP API."""

    def __init__(self, gateway: Gateway, egress: Egress) -> None:
        self._gateway, self._egress = gateway, egress

    async def carry(self, message: ShortMessage, irreversible: Irreversible) -> Answer:
        """Hand one message over."""
        url, body, headers = self._gateway.call(message)
        reply = await self._egress.ask(url, body, headers, irreversible)
        return self._gateway.meaning(reply) if isinstance(reply, Reply) else reply


def form(values: Mapping[str, str]) -> bytes:
    """A form's body; empty values are left out."""
    return urlencode({name: value for name, value in values.items() if value}).encode()


def base(api: str, default: str) -> str:
    """The address of an API. Raises ValueError with one line that says what to write."""
    url = (api or default).rstrip("/")
    problem = unusable(url)
    if problem:
        raise ValueError(f"BOOMERANG_SMS_API: {problem}")
    return url


def credential(key: str, looks: str, parts: int = 1) -> list[str]:
    """The parts of BOOMERANG_SMS_KEY, divided by colons. Raises ValueError that says how it looks (`looks`), never the value."""
    found = key.split(":", parts - 1)
    if len(found) != parts or not all(found) or not (key.isascii() and key.isprintable()) or " " in key:
        raise ValueError(f"BOOMERANG_SMS_KEY must be {looks}")
    return found
