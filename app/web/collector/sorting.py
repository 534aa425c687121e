"""What the events of one request become: records, dead letters, what is said of dialogs, and what is told of them all. Pure.

Everything here runs through before anybody waits for Kafka, so that a request on its way holds the bytes of its records and nothing of
the document that they were in: what a document takes is free for the next one, and still in the processor's caches.
"""

from collections.abc import Callable
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec
import orjson

from app import topics
from app.model.chat import ChatEvent
from app.model.reasons import BadInput
from app.settings import Settings
from app.web.chat import livechat
from app.web.collector.auth import Key
from app.web.collector.body import Repeated, mend
from app.web.collector.deadletters import dead_letter, topic_name
from app.web.collector.normalise import DEPTH_LIMIT, EVENT_LIMIT, Accepted, Envelope, normalise
from app.web.collector.record import Record
from app.web.collector.refusal import Refused

EVENTS_LIMIT = 2_500
ERRORS_SHOWN = 20


class Document(NamedTuple):
    """A body that was read: what it says, whether its events need `mend`, and whether one of them may be too large."""

    content: Any
    lenient: bool
    large: bool


class Sorted(msgspec.Struct, gc=False):
    """The events of one request, which came at `received` (epoch seconds).

    `taken` are those behind `records` where they are asked for, `names` theirs, `stripped` counts what their key may not set. `refused`
    says why (the reason, and with its field) of each of the `letters`, `errors` what the answer shows of that.
    """

    received: float
    records: list[Record] = []
    letters: list[Record] = []
    spoken: list[Record] = []
    taken: list[Accepted] = []
    names: list[str] = []
    refused: list[tuple[BadInput, str]] = []
    errors: list[dict[str, Any]] = []
    stripped: int = 0


class Sorter:
    """Sorts the events of requests. `chat` makes the record of what an event says of a dialog; `keep` also what was `taken`."""

    def __init__(self, settings: Settings, chat: Callable[[ChatEvent], Record], *, keep: bool) -> None:
        self._partitions = settings.partitions
        self._clickstream = settings.topic_prefix + topics.CLICKSTREAM.name
        self._dead_letters = topic_name(settings.topic_prefix)
        self._chat = chat
        self._keep = keep

    def one(self, document: Document, kind: str, key: Key, envelope: Envelope) -> Sorted:
        """The single event of a request; `kind` is its type, as the path says."""
        found = Sorted(envelope.received)
        raw = document.content
        try:
            self._take(found, mend(raw, DEPTH_LIMIT) if document.lenient else raw, kind, key, envelope)
        except Refused as refused:
            self._refuse(found, {"type": kind, **raw} if isinstance(raw, dict) else raw, refused, envelope)
        return found

    def many(self, events: list[Any], document: Document, key: Key, envelope: Envelope) -> Sorted:
        """The events of a batch."""
        found = Sorted(envelope.received)
        lenient, large = document.lenient, document.large
        for index, raw in enumerate(events):
            try:
                told = mend(raw, DEPTH_LIMIT) if lenient else raw
                if large and size_of(told) > EVENT_LIMIT:
                    raise Refused(BadInput.TOO_LARGE, "event")  # noqa: TRY301 - as normalise does
                self._take(found, told, "", key, envelope)
            except Refused as refused:
                self._refuse(found, raw, refused, envelope)
                if len(found.errors) < ERRORS_SHOWN:
                    found.errors.append({"index": index, "reason": refused.reason, "detail": refused.detail})
        return found

    def _take(self, found: Sorted, raw: Any, kind: str, key: Key, envelope: Envelope) -> None:
        """Make the record of one event. Raises Refused."""
        accepted = normalise(raw, kind, envelope)
        customer, name = accepted.customer, accepted.name
        if name in livechat.NAMES and key.kind == "server" and not envelope.historical:
            found.spoken.append(self._chat(livechat.event(orjson.loads(accepted.value), customer, envelope.received)))
        # Of one customer and one name: a client that gives the same messageId to everything loses nobody else's events.
        told = f"{key.name}\0{customer}\0{name}\0{accepted.message_id}"
        id_ = blake2b(told.encode(), digest_size=16).digest()
        partition = topics.partition_of(customer, self._partitions)
        found.records.append(Record(self._clickstream, partition, customer.encode(), accepted.value, id_))
        found.names.append(name)
        if accepted.stripped:
            found.stripped += accepted.stripped
        if self._keep:
            found.taken.append(accepted)

    def _refuse(self, found: Sorted, raw: Any, refused: Refused, envelope: Envelope) -> None:
        letter = dead_letter(raw, refused, envelope.source, envelope.received, self._dead_letters, self._partitions)
        found.letters.append(letter)
        found.refused.append((refused.reason, str(refused)))


def size_of(told: Any) -> int:
    """Bytes of a value's JSON. Raises Refused for one that is deeper than orjson writes."""
    try:
        return len(orjson.dumps(told))
    except TypeError:
        raise Refused(BadInput.TOO_DEEP, "event") from None


def events_of(document: Any) -> tuple[list[Any], dict[str, Any]]:
    """The events of a batch and what stands around them. Raises Refused."""
    if type(document) is Repeated:
        raise Refused(BadInput.DUPLICATE_KEYS)
    head = document if type(document) is dict else {}
    events = document if type(document) is list else head.get("batch")
    if type(events) is not list:
        raise Refused(BadInput.WRONG_TYPE, "batch")
    if len(events) > EVENTS_LIMIT:
        raise Refused(BadInput.TOO_LARGE, f"a batch may have {EVENTS_LIMIT} events")
    return events, {name: head[name] for name in ("context", "sentAt") if name in head}
