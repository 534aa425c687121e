"""The core alone over recorded events: no Kafka, no network, stream time. The same Behaviour as in the worker."""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from agents.behaviour import Behaviour
from agents.decide import Decider
from agents.history import History, PastEvent
from app.codec import decode_dead_letter, decode_outgoing, decode_told, encode_json
from app.model.event import CLOCK, Glance
from app.model.journal import DeadLetter, JournalLine
from app.model.receipt import Outcome, Receipt
from app.model.trigger import Trigger, message_id
from app.topics import CLICKSTREAM, DEAD_LETTERS, JOURNAL, LINKS, OUTBOX, RECEIPTS, partition_of
from tables.customer import Row
from tables.memory import MemoryTable
from tables.open_rows import OpenRows
from tables.packed import PackedRows
from tables.step import Output

MOST_DEAD = 100
FLUSH_SECONDS = 7 * 86_400.0
"""How far the flush at the end moves every partition's clock beyond the last event."""


def packed_rows(kind: type[PackedRows] = PackedRows) -> PackedRows:
    """Rows as the worker keeps them, or of another kind."""
    return kind(msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(Row).decode)


def open_rows() -> PackedRows:
    """Rows that stay unpacked."""
    return packed_rows(OpenRows)


class MemoryRecord(NamedTuple):
    """A record that never was in Kafka."""

    key: bytes | None
    value: bytes | None
    offset: int
    timestamp: int


class MemoryBatch(NamedTuple):
    """Records of one partition of one topic."""

    topic: str
    partition: int
    records: Sequence[MemoryRecord | PastEvent]


class CoreReplay:
    """Runs events through the core. Every trigger counts as sent at once, as a quick delivery would have it."""

    def __init__(
        self,
        decider: Decider,
        partitions: int,
        on_trigger: Callable[[Trigger], None],
        *,
        bundle: int = 1,
        on_line: Callable[[JournalLine], None] | None = None,
    ) -> None:
        """`bundle`: so many events of a partition are applied in one step, as in the worker.

        `on_line` gets each line of the journal; then everything is decided as else, without what only a running shop needs
        (`agents/history.py`), and `reasons` stays empty.
        """
        self._history = History(decider, partitions=partitions, on_line=on_line) if on_line is not None else None
        self._behaviour = self._history or Behaviour(decider, stream_time=True, partitions=partitions)
        self._partitions = partitions
        self._on_trigger = on_trigger
        self._table = MemoryTable(self._publish, packed_rows if on_line is None else open_rows)
        self._bundle = bundle
        self._waiting: defaultdict[int, list[MemoryRecord | PastEvent]] = defaultdict(list)
        self._queue: deque[tuple[str, int, str, bytes]] = deque()
        self._offsets: Counter[tuple[str, int]] = Counter()
        self.reasons: Counter[tuple[str, str]] = Counter()
        """(scenario, reason) of every journal line."""
        self.dead: list[DeadLetter] = []
        """Records that could not be used; the first few."""
        self.last_at = 0.0

    @property
    def table(self) -> MemoryTable:
        """The state."""
        return self._table

    def feed(self, key: str, value: bytes, at: float, told: Glance | None = None) -> None:
        """One canonical event of `key`, as JSON, that happened at `at`. `told`: the event at a glance, where it was decoded already."""
        self.last_at = max(self.last_at, at)
        number = partition_of(key, self._partitions)
        waiting = self._waiting[number]
        waiting.append(self._looked_at(number, key, value, told) or self._record(CLICKSTREAM.name, number, key, value))
        if len(waiting) >= self._bundle:
            self._apply(number)

    def _looked_at(self, number: int, key: str, value: bytes, told: Glance | None) -> PastEvent | None:
        """The record of an event that history can be read by; None: it is read as the worker would."""
        if self._history is None:
            return None
        try:
            found = self._history.look(key, value, self._offsets[CLICKSTREAM.name, number], told)
        except (msgspec.MsgspecError, ValueError):
            return None
        if found is not None:
            self._offsets[CLICKSTREAM.name, number] += 1
        return found

    def finish(self) -> None:
        """Apply what still waits for its bundle to be full."""
        for number in list(self._waiting):
            self._apply(number)

    def flush(self) -> None:
        """Move every partition's clock on, so that everything armed comes due. What schedules would begin after the last event does not."""
        self.finish()
        if self._behaviour.upkeep:
            self._advance(self.last_at)  # of all partitions: in some the last event was long before
            self._behaviour.upkeep.end()
        self._advance(self.last_at + FLUSH_SECONDS)

    def _advance(self, at: float) -> None:
        for number in range(self._partitions):
            self._queue.append((CLICKSTREAM.name, number, "", clock_record(at)))
            self._drain()

    def _apply(self, number: int) -> None:
        records = self._waiting.pop(number, [])
        if records:
            self._run(MemoryBatch(CLICKSTREAM.name, number, records))
            self._drain()

    def _drain(self) -> None:
        while self._queue:
            topic, number, key, value = self._queue.popleft()
            self._run(MemoryBatch(topic, number, (self._record(topic, number, key, value),)))

    def _record(self, topic: str, number: int, key: str, value: bytes) -> MemoryRecord:
        offset = self._offsets[topic, number]
        self._offsets[topic, number] += 1
        return MemoryRecord(key.encode() or None, value, offset, 0)

    def _run(self, batch: MemoryBatch) -> None:
        self._table.run(batch.partition, lambda step, batch=batch: self._behaviour.on_bundle(step, batch, 0.0))  # type: ignore[misc]

    def _publish(self, number: int, output: Output) -> None:
        partition = number if output.partition is None else output.partition
        if output.value is None:
            return  # a tombstone: something has left the board
        if output.topic == LINKS.name:
            self._queue.append((LINKS.name, partition, output.key, output.value))
        elif output.topic == JOURNAL.name:
            line = decode_told(output.value)
            self.reasons[line.scenario, line.reason] += 1
        elif output.topic == DEAD_LETTERS.name:
            if len(self.dead) < MOST_DEAD:
                self.dead.append(decode_dead_letter(output.value))
        elif output.topic == OUTBOX.name:
            outgoing = decode_outgoing(output.value)
            if isinstance(outgoing, Trigger):
                self._on_trigger(outgoing)
                self._queue.append((RECEIPTS.name, partition, output.key, encode_json(_sent(outgoing))))


def clock_record(at: float) -> bytes:
    """The value of a record that moves a partition's clock to `at` (epoch seconds)."""
    from app.clock import moment

    return encode_json({"type": CLOCK, "timestamp": moment(at)})


def _sent(trigger: Trigger) -> Receipt:
    return Receipt(
        Outcome.SENT,
        trigger.customer,
        trigger.cascade[0].channel,
        trigger.fired_at,
        message_id(trigger.trigger_id, 0),
        trigger.trigger_id,
        trigger.scenario,
    )
