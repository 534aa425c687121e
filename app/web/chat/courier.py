"""Brings what was said to Kafka: events to `chat`, receipts to `receipts`, what cannot be used to `dead-letters`."""

from hashlib import blake2b
from typing import Any

from app import topics
from app.codec import encode_json
from app.metrics import CHAT_EVENTS, COLLECTOR_REJECTED, DEAD_LETTERS
from app.model.chat import ChatEvent
from app.model.receipt import Receipt
from app.settings import Settings
from app.web.chat import livechat
from app.web.chat.found import Found, Place
from app.web.collector.deadletters import dead_letter, topic_name
from app.web.collector.intake import Intake
from app.web.collector.record import Record
from app.web.collector.refusal import Refused


class Courier:
    """Records of what was found, each with an id by which a repetition is known."""

    def __init__(self, settings: Settings, intake: Intake) -> None:
        self._intake = intake
        self._partitions = settings.partitions
        self._chat = settings.topic_prefix + topics.CHAT.name
        self._receipts = settings.topic_prefix + topics.RECEIPTS.name
        self._dead_letters = topic_name(settings.topic_prefix)

    async def deliver(self, found: Found, place: Place) -> None:
        """Wait until all of it is acknowledged. Raises Unavailable."""
        records = [self.record(event) for event in found.events]
        records += [self._receipt(receipt, place) for receipt in found.receipts]
        records += [self._letter(raw, refused, place) for raw, refused in found.refused]
        duplicates = await self._intake.publish(records)
        for outcome, number in (
            ("accepted", max(0, len(found.events) - duplicates)),
            ("duplicate", duplicates),
            ("refused", len(found.refused)),
            ("receipt", len(found.receipts)),
            ("ignored", found.ignored),
        ):
            if number:
                CHAT_EVENTS.labels(place.provider, place.source, outcome).inc(number)

    def record(self, event: ChatEvent) -> Record:
        """An event as a record; one that comes again has the same id."""
        id_ = _id(event.provider, event.source, _of_its_own(event))
        return self._on(self._chat, event.client, encode_json(event), id_)

    def _receipt(self, receipt: Receipt, place: Place) -> Record:
        id_ = _id(place.provider, place.source, f"{receipt.message_id}:{receipt.outcome}")
        return self._on(self._receipts, receipt.customer, encode_json(receipt), id_)

    def _letter(self, raw: Any, refused: Refused, place: Place) -> Record:
        COLLECTOR_REJECTED.labels(refused.reason).inc()
        DEAD_LETTERS.labels(refused.reason).inc()
        source = f"{place.provider}:{place.source}"
        return dead_letter(raw, refused, source, place.received, self._dead_letters, self._partitions, origin="chat")

    def _on(self, topic: str, key: str, value: bytes, id_: bytes) -> Record:
        return Record(topic, topics.partition_of(key, self._partitions), key.encode(), value, id_)


def _of_its_own(event: ChatEvent) -> str:
    """The event's id among those of its source. Messengers number theirs; a shop's programs may call all their messages alike."""
    return f"{event.client}\0{event.dialog}\0{event.event_id}" if event.provider == livechat.NAME else event.event_id


def _id(provider: str, source: str, event: str) -> bytes:
    return blake2b(f"chat\0{provider}\0{source}\0{event}".encode(errors="replace"), digest_size=16).digest()
