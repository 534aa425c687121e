"""All that is stored about one customer, under all keys: read from where it is kept, not from what a process remembers.

State and ledger are read from their changelogs (the last record of a key is the truth), lines from the journal's database,
events from what the topic still holds. `boomerang export` prints it; `boomerang erase` looks again with it.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from agents.erasing import keys_of, pointer_to
from app.codec import decode_chat, decode_event
from app.engine.reading import reader, records
from app.journal_store import MAX_LINES, JournalStore
from app.model.chat import alert_key
from app.model.event import ANONYMOUS, RESERVED_PREFIXES
from app.settings import Settings
from app.topics import CHAT, CLICKSTREAM, CUSTOMERS_CHANGELOG, LEDGER_CHANGELOG, partition_of
from channels import ledger
from tables.changelog import FENCE_KEY, Codec
from tables.customer import Customer, Pointer, Row

MOST_ROUNDS = 4
"""From a visitor to the user, to the user's other keys, and once more."""

Report = Callable[[str], None]


class Known(msgspec.Struct):
    """What was found. Times are epoch seconds."""

    keys: list[str]
    state: dict[str, Any] = {}
    """Key -> the row of the customers' table: a customer, or a pointer to one."""
    messages: dict[str, Any] = {}
    """Message id -> the row of the ledger."""
    journal: list[Any] = []
    events: list[Any] = []
    """What the clickstream still holds; Kafka deletes it after its retention."""
    dialogs: list[Any] = []
    """What topic `chat` still holds: what was said in the customer's dialogs, and what the team did about them."""

    @property
    def nothing_kept(self) -> bool:
        """Whether state, ledger and journal hold nothing. Events pass with their topic's retention."""
        return not self.state and not self.messages and not self.journal


async def known_of(
    settings: Settings,
    customer: str,
    report: Report = lambda _text: None,
    *,
    also: Iterable[str] = (),
    events: bool = True,
) -> Known:
    """Everything stored about a customer, who is named by any of the keys; `also`: further keys. Raises CommandError.

    A bare id of which nothing is known is looked up as an anonymous visitor's too.
    """
    found = await _known(settings, [customer, *also], report, events=events)
    if found.nothing_kept and not found.events and not also and not customer.startswith(RESERVED_PREFIXES):
        visitor = await _known(settings, [ANONYMOUS + customer], report, events=events)
        return visitor if visitor.events or not visitor.nothing_kept else found
    return found


async def _known(settings: Settings, names: list[str], report: Report, *, events: bool) -> Known:
    async with reader(settings) as consumer:
        report("reading customers' state")
        keys, state = await _state(settings, consumer, names)
        report("reading the ledger")
        messages = await _messages(settings, consumer, set(keys))
        report("reading the journal")
        lines = await asyncio.to_thread(_lines, settings, keys)
        if not events:
            return Known(keys, state, messages, lines)
        report("reading the clickstream")
        found = await _records(settings, consumer, CLICKSTREAM.name, keys, decode_event)
        report("reading the dialogs")
        alerts = {
            alert_key(line.trigger_id) for line in lines if line.trigger_id
        }  # commands stand under their alert's key
        said = await _records(settings, consumer, CHAT.name, {*keys, *alerts}, decode_chat)
    return Known(keys, state, messages, lines, found, said)


async def _state(settings: Settings, consumer: Any, names: list[str]) -> tuple[list[str], dict[str, Any]]:
    """Follow pointers, in both directions, and aliases until there is nothing new. Keys, the asked one first, and their rows."""
    decode = Codec(Row).read_row
    keys, rows = list(dict.fromkeys(names)), dict[str, Any]()
    for _ in range(MOST_ROUNDS):
        wanted, pointers = {key.encode() for key in keys}, {pointer_to(key) for key in keys}
        last = dict[bytes, bytes | None]()
        topic = settings.topic_prefix + CUSTOMERS_CHANGELOG.name
        async for record in records(consumer, topic, range(settings.partitions)):
            if record.key in wanted or record.key in last or record.value in pointers:
                last[record.key] = record.value
        rows = {key.decode(): decode(value) for key, value in last.items() if value is not None}
        rows = {
            key: row for key, row in rows.items() if key in keys or (isinstance(row, Pointer) and row.owner in keys)
        }
        more = [key for key in (*rows, *(other for row in rows.values() for other in _others(row))) if key not in keys]
        if not more:
            break
        keys += dict.fromkeys(more)
    return keys, rows


def _others(row: Any) -> list[str]:
    if isinstance(row, Pointer):
        return [row.owner]
    return keys_of(row) if isinstance(row, Customer) else []


async def _messages(settings: Settings, consumer: Any, keys: set[str]) -> dict[str, Any]:
    codec = Codec(ledger.Row)
    found: dict[str, Any] = {}
    topic = settings.topic_prefix + LEDGER_CHANGELOG.name
    numbers = (partition_of(key, settings.partitions) for key in keys)
    async for record in records(consumer, topic, numbers):
        if record.key == FENCE_KEY or not (record.key or b"").startswith(b"m:"):
            continue
        key = record.key.decode()
        row = codec.decode_row(record.value) if record.value is not None else None
        if isinstance(row, ledger.Message) and row.customer in keys:
            found[key] = row
        else:
            found.pop(key, None)
    return found


async def _records(
    settings: Settings, consumer: Any, topic: str, keys: Iterable[str], decode: Callable[[bytes], Any]
) -> list[Any]:
    """What a topic still holds under these keys."""
    wanted, found = {key.encode() for key in keys}, []
    numbers = {partition_of(key, settings.partitions) for key in keys}
    async for record in records(consumer, settings.topic_prefix + topic, numbers):
        if record.key in wanted:
            try:
                found.append(decode(record.value or b""))
            except msgspec.MsgspecError:
                continue  # a dead letter by now
    return found


def _lines(settings: Settings, keys: list[str]) -> list[Any]:
    store = JournalStore(settings.sql_url)
    try:
        return [item.line for key in keys for item in store.lines_of(key, MAX_LINES)]
    finally:
        store.close()
