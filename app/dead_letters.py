"""Dead letters: reading them, and sending them again once the cause is mended.

What was replayed is noted in the topic itself: a record whose reason is `replayed` says up to which offset the letters of one
partition and one reason have been sent again. A note lives as long as the letters before it (a consumer group's offsets would
be forgotten after a week), and is written in one Kafka transaction with the records that it speaks of. Events that the
collector had refused go back through the collector; their note follows its answer, and a repetition is dropped by messageId.
"""

import asyncio
import base64
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, Self

import msgspec

from app import topics
from app.codec import decode_dead_letter, encode_json
from app.engine.kafka_client import client_options
from app.errors import CommandError
from app.forgotten_letters import ERASED, Forgotten
from app.model.journal import DeadLetter
from app.settings import Settings

REPLAYED = "replayed"
VALUE_LIMIT = 64 * 1024
"""Bytes at which a letter's value was cut off."""
BATCH = 200
BATCH_BYTES = 300_000
"""Bytes of events in one request to the collector, which takes 500 KB."""
IDLE = 10.0
"""Seconds without a record after which a broker counts as stuck."""
REPLAYABLE = frozenset(
    topic.name for topic in (topics.CLICKSTREAM, topics.CHAT, topics.RECEIPTS, topics.LINKS, topics.OUTBOX)
)

Progress = Callable[[int, int], None]


class Letter(NamedTuple):
    """A dead letter and its own place. `replayed`: it has been sent again already; `erased`: its customer was, since."""

    partition: int
    offset: int
    letter: DeadLetter
    replayed: bool = False
    erased: bool = False


class Produce(NamedTuple):
    """Write the record again where it came from. `partition` of None: wherever its key belongs."""

    topic: str
    partition: int | None


class Submit(NamedTuple):
    """Give the event to the collector again, with a write key of this kind."""

    kind: str


class Hopeless(NamedTuple):
    """It cannot be sent again."""

    why: str


def plan(letter: DeadLetter, partitions: int, prefix: str) -> Produce | Submit | Hopeless:
    """What replaying a letter means. Pure."""
    if not letter.value:
        return Hopeless("its content was not kept")
    if len(letter.value) >= VALUE_LIMIT:
        return Hopeless("it was cut off at 64 KiB")
    if letter.topic:
        name = letter.topic.removeprefix(prefix)
        if name not in REPLAYABLE:
            return Hopeless(f"nothing may be written to {letter.topic}")
        keyless = not letter.key and 0 <= letter.partition < partitions
        return Produce(name, letter.partition if keyless else None)  # a repartition may have moved its customer since
    if letter.source.startswith("chat:"):
        return Hopeless("it is a messenger's, and only the messenger can send it again")
    try:
        event = msgspec.json.decode(letter.value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Hopeless("it is not JSON")
    if not isinstance(event, dict):
        return Hopeless("it is not an event")
    return Submit(letter.source.partition(":")[2] or "browser")


async def read(
    settings: Settings, reason: str = "", progress: Progress = lambda _done, _all: None
) -> AsyncIterator[Letter]:
    """Every letter from the oldest to the end as it is now, with the notes of replays applied. Raises CommandError.

    The topic is read twice, the second time for the letters, so that memory does not grow with it.
    """
    noted: dict[tuple[int, str], int] = {}
    forgotten = Forgotten()
    async with _consumer(settings) as consumer:
        async for record in _to_end(consumer):
            letter = _decoded(record.value)
            if letter is not None and letter.reason == REPLAYED:
                key = letter.partition, letter.detail
                noted[key] = max(noted.get(key, 0), letter.offset)
            elif letter is not None and letter.reason == ERASED:
                forgotten.add(letter)
    async with _consumer(settings) as consumer:
        async for record in _to_end(consumer, progress):
            letter = _decoded(record.value)
            if letter is None or letter.reason in (REPLAYED, ERASED) or (reason and letter.reason != reason):
                continue
            replayed = record.offset < noted.get((record.partition, letter.reason), 0)
            yield Letter(record.partition, record.offset, letter, replayed, letter in forgotten)


class Replay:
    """One run of `dead-letters replay`: gathers letters into batches and sends each batch with its notes."""

    def __init__(self, settings: Settings, now: Callable[[], float], collector: str) -> None:
        """`collector` is the base URL to which refused events go."""
        self._settings = settings
        self._now = now
        self._collector = collector
        self._producer: Any = None
        self._batch: list[tuple[Letter, Produce | Submit]] = []
        self._size = 0
        self.sent = 0

    async def __aenter__(self) -> Self:
        """Connect. A second replay at the same time ends the first one."""
        from aiokafka import AIOKafkaProducer
        from aiokafka.errors import KafkaError

        self._producer = AIOKafkaProducer(
            **client_options(self._settings),
            transactional_id=f"{self._settings.topic_prefix}dead-letters-replay",
            max_request_size=2 << 20,
        )
        try:
            await self._producer.start()
        except KafkaError as error:
            await self._producer.stop()
            raise CommandError(f"Kafka cannot be reached: {error}") from None
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Disconnect."""
        await self._producer.stop()

    async def add(self, letter: Letter, how: Produce | Submit) -> None:
        """Send a letter again, with the next full batch."""
        if len(self._batch) >= BATCH or self._size + len(letter.letter.value) > BATCH_BYTES:
            await self.flush()
        self._batch.append((letter, how))
        self._size += len(letter.letter.value)

    async def flush(self) -> None:
        """Send what waits. Raises CommandError; what was sent before is noted and will not be repeated."""
        from aiokafka.errors import KafkaError, ProducerFenced

        if not self._batch:
            return
        for kind in sorted({how.kind for _, how in self._batch if isinstance(how, Submit)}):
            values = [item.letter.value for item, how in self._batch if how == Submit(kind)]
            await asyncio.to_thread(submit, self._collector, self._write_key(kind), values)
        try:
            async with self._producer.transaction():
                await self._write()
        except ProducerFenced:
            raise CommandError("another replay has begun meanwhile; this one stops") from None
        except KafkaError as error:
            raise CommandError(f"Kafka did not take the records: {error}; run the replay again") from None
        self.sent += len(self._batch)
        self._batch.clear()
        self._size = 0

    async def _write(self) -> None:
        """Records to produce, and the notes. To be called inside the transaction."""
        prefix = self._settings.topic_prefix
        waiting = []
        notes: dict[tuple[int, str], int] = {}
        for item, how in self._batch:
            notes[item.partition, item.letter.reason] = item.offset + 1
            if isinstance(how, Produce):
                partition = how.partition
                if partition is None:
                    partition = topics.partition_of(
                        item.letter.key.decode("utf-8", "replace"), self._settings.partitions
                    )
                waiting.append(
                    await self._producer.send(
                        prefix + how.topic, item.letter.value, key=item.letter.key, partition=partition
                    )
                )
        for (partition, reason), offset in notes.items():
            note = DeadLetter(
                REPLAYED, self._now(), topics.DEAD_LETTERS.name, partition, offset, detail=reason, source="replay"
            )
            waiting.append(
                await self._producer.send(
                    prefix + topics.DEAD_LETTERS.name, encode_json(note), key=b"replay", partition=partition
                )
            )
        await asyncio.gather(*waiting)

    def _write_key(self, kind: str) -> str:
        for key, its_kind in self._settings.write_keys_by_key.items():
            if its_kind == kind:
                return key
        raise CommandError(f"BOOMERANG_WRITE_KEYS has no {kind} key, which the refused events came with")


def submit(collector: str, write_key: str, values: Sequence[bytes]) -> None:
    """Give events to the collector in one batch. Blocks. Raises CommandError unless it answers 200."""
    body = b'{"batch":[' + b",".join(values) + b"]}"
    token = base64.b64encode(f"{write_key}:".encode()).decode()
    headers = {"Content-Type": "application/json", "Authorization": f"Basic {token}"}
    request = urllib.request.Request(f"{collector}/v1/batch", body, headers)  # noqa: S310 - the scheme is checked by the command
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            answer.read(1 << 16)
    except urllib.error.HTTPError as error:
        raise CommandError(f"the collector at {collector} answered {error.code}; run the replay again") from None
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise CommandError(
            f"the collector at {collector} cannot be reached ({reason}); start it, or say --collector"
        ) from None


@asynccontextmanager
async def _consumer(settings: Settings) -> AsyncIterator[Any]:
    from aiokafka import AIOKafkaConsumer
    from aiokafka.errors import KafkaError

    topic = settings.topic_prefix + topics.DEAD_LETTERS.name
    consumer = AIOKafkaConsumer(
        topic,
        **client_options(settings),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    try:
        await consumer.start()
        if not consumer.assignment():
            raise CommandError(f"the broker has no topic {topic}; create it with `boomerang topics --create`")
        yield consumer
    except KafkaError as error:
        raise CommandError(f"Kafka cannot be read ({error}); the embedded one runs while `boomerang up` does") from None
    finally:
        await consumer.stop()


async def _to_end(consumer: Any, progress: Progress = lambda _done, _all: None) -> AsyncIterator[Any]:
    """Records from the beginning to the ends as they are now."""
    partitions = list(consumer.assignment())
    first, last = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
    total = sum(last[partition] - first[partition] for partition in partitions)
    await consumer.seek_to_beginning(*partitions)
    loop = asyncio.get_running_loop()
    moved, before = loop.time(), -1
    while True:
        positions = {partition: await consumer.position(partition) for partition in partitions}
        done = sum(min(positions[p], last[p]) - first[p] for p in partitions)
        progress(done, total)
        if all(positions[p] >= last[p] for p in partitions):
            return
        if done > before:
            moved, before = loop.time(), done
        elif loop.time() - moved > IDLE:
            raise CommandError("Kafka gives no more records, although there should be some; try again")
        for partition, batch in (await consumer.getmany(timeout_ms=500, max_records=2_000)).items():
            for record in batch:
                if record.offset < last[partition]:
                    yield record


def _decoded(value: bytes | None) -> DeadLetter | None:
    try:
        return decode_dead_letter(value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
