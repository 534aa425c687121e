"""What a channel is: one method that hands a message over, and one vocabulary for how that went."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol, runtime_checkable

from app.model.alert import AlertState
from channels.alert import Card


class Rendered(NamedTuple):
    """A message ready to be spoken. `at` is epoch seconds; `unsubscribe` is "" for a message that is not marketing.

    `cards` is set for an alert to the sales team: the same card in several sizes, the full one first. `receipt_url` is where the
    provider may tell what became of the message; "" for an alert, and where the collector has no public address.
    """

    message_id: str
    trigger_id: str
    scenario: str
    address: str
    name: str
    subject: str
    text: str
    html: str
    unsubscribe: str
    at: float
    cards: tuple[Card, ...] = ()
    locale: str = ""
    receipt_url: str = ""
    link: str = ""
    """Where a tap on a notification leads."""
    customer: str = ""
    """The customer's key, for channels that tell it to the shop's own programs or get it back with a receipt."""
    return_code: str = ""
    """What stands for the message in the address that its bounces go to; "": nothing does."""

    @property
    def bundled(self) -> bool:
        """Whether it may go out in a digest: an alert that nobody has seen yet."""
        return bool(self.cards) and not self.cards[0].changed


class Sent(NamedTuple):
    """The provider has it. `provider_id` is what the provider calls it, if anything."""

    provider_id: str = ""


class Retry(NamedTuple):
    """Not this time, and the provider does not have it. `after`: seconds that the provider asked us to wait, if it did."""

    after: float | None
    reason: str


class Rejected(NamedTuple):
    """Never, and the provider does not have it. `suppress`: the address itself is dead."""

    reason: str
    suppress: bool


class Misconfigured(NamedTuple):
    """No message can be sent before a person mends something (credentials, certificate, sender). Nothing was handed over."""

    reason: str


class Down(NamedTuple):
    """The provider cannot be reached or takes nothing at all now. Nothing was handed over, and it is not the message's fault."""

    after: float | None
    reason: str


class Ambiguous(NamedTuple):
    """The irreversible moment has passed and nobody answered: the provider may or may not have it."""

    reason: str


class Later(NamedTuple):
    """Its turn has not come, by our own pace: the provider was not asked. To be tried again in `after` seconds; it was no attempt."""

    after: float


Answer = Sent | Retry | Later | Rejected | Misconfigured | Down | Ambiguous

Irreversible = Callable[[], Awaitable[None]]
"""Awaited by the channel exactly once, right before the moment after which the provider may have the message (SMTP: before the
text is transmitted; HTTP: before the request). If it raises, the channel leaves the message unspoken, cleans up and lets the
exception pass."""


class Channel(Protocol):
    """One way to speak, to customers or to the sales team. A channel never retries and never decides: it tells."""

    name: str
    workers: int
    """How many messages it can speak at the same time."""
    shows: frozenset[AlertState]
    """States of an alert that it can show after the fact, by editing or answering its message; empty for customers' channels."""

    async def start(self) -> None:
        """Get ready. Does not fail because the provider is away."""
        ...

    async def stop(self) -> None:
        """Close everything, within a second or two."""
        ...

    def usable(self, address: str) -> str:
        """What is wrong with the address; an empty text if messages can go there."""
        ...

    def units(self, message: Rendered) -> int:
        """How many units the provider charges for the message: segments of an SMS, 1 elsewhere."""
        ...

    async def send(self, message: Rendered, irreversible: Irreversible) -> Answer:
        """Hand one message over. Every ending is an `Answer`; only what `irreversible` raises comes out as an exception."""
        ...


@runtime_checkable
class Provided(Protocol):
    """A channel of which there are several providers: `provider` names the one in use, and with it the path of its receipts."""

    provider: str


def provider_of(channel: Channel) -> str:
    """Name of the provider whose receipts tell of a channel's messages: the channel's own where there is but one."""
    return channel.provider if isinstance(channel, Provided) else channel.name
