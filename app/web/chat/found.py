"""What a provider's frame comes to: events, receipts, what cannot be used and why, and how much is none of our business. Pure."""

from collections.abc import Callable
from typing import Any

from app.model.chat import MOST_NAME, MOST_TEXT, MOST_URL, ChatEvent, ChatKind, Speaker, bounded, client_key
from app.model.reasons import BadInput
from app.model.receipt import Receipt
from app.web.chat import reading
from app.web.collector.refusal import Refused


class Found:
    """Filled by a provider while it walks through one frame."""

    __slots__ = ("events", "ignored", "receipts", "refused")

    def __init__(self) -> None:
        self.events: list[ChatEvent] = []
        self.receipts: list[Receipt] = []
        self.refused: list[tuple[Any, Refused]] = []
        self.ignored = 0

    def each(self, raw: Any, read: Callable[..., ChatEvent | None], *arguments: Any, **more: Any) -> None:
        """Read one event of a frame; None is none of our business, and one that cannot be used spoils no other."""
        try:
            event = read(*arguments, **more)
        except Refused as refused:
            self.refused.append((raw, refused))
            return
        if event is None:
            self.ignored += 1
        else:
            self.events.append(event)


class Place:
    """Where a dialog takes place: a source of a provider, and the moment at which its frame arrived (epoch seconds).

    `country`: the shop's, for phone numbers that are told without one.
    """

    __slots__ = ("country", "provider", "received", "source")

    def __init__(self, provider: str, source: str, received: float, country: str = "") -> None:
        self.provider = provider
        self.source = source
        self.received = received
        self.country = country

    def event(
        self,
        kind: ChatKind,
        *,
        dialog: str,
        client: str,
        at: float | None,
        event_id: str,
        customer: str = "",
        speaker: Speaker = Speaker.SYSTEM,
        message_id: str = "",
        text: str = "",
        name: str = "",
        url: str = "",
        **more: Any,
    ) -> ChatEvent:
        """An event with everything bounded; never later than its arrival.

        `customer` is the whole key, as it is, where the site knows the client. Raises Refused when it names no dialog, no client, no
        moment, or has no id of its own.
        """
        for value, reason, field in (
            (dialog, BadInput.MISSING_DIALOG, "dialog"),
            (at, BadInput.MISSING_TIME, "time"),
            (customer or client, BadInput.MISSING_ID, "client"),
            (event_id, BadInput.MISSING_ID, "event"),
        ):
            if not value:
                raise Refused(reason, field)
        return ChatEvent(
            self.provider, self.source, bounded(dialog, MOST_NAME),
            customer or bounded(client_key(self.provider, self.source, client), MOST_NAME), kind,
            min(at or 0.0, self.received), event_id,
            received_at=self.received, speaker=speaker, message_id=message_id, text=bounded(text, MOST_TEXT),
            name=bounded(name, MOST_NAME), url=bounded(url, MOST_URL), **more,
        )  # fmt: skip

    def tags(self, raw: Any) -> list[str] | None:
        """The tags of a dialog, if the provider tells them as a list of texts."""
        if type(raw) is not list:
            return None
        return [tag for tag in map(reading.name, raw[: reading.TAGS_LIMIT]) if tag]
