"""Makes the state of many customers without sending their events through Kafka: the core's own rows, written to the changelog.

What a bench restores or holds in memory is thus exactly what the engine would have written.
"""

import asyncio
import re
from datetime import UTC, datetime

from aiokafka import AIOKafkaProducer

from agents.behaviour import ROW_TYPE, Behaviour
from agents.decide import Decider
from agents.scenarios.load import load_folder
from app.engine.kafka_client import client_options
from app.engine.provision import provision
from app.replay.core import MemoryBatch, MemoryRecord, packed_rows
from app.topics import CLICKSTREAM, CUSTOMERS_CHANGELOG, CUSTOMERS_INPUTS, LINKS, partition_of
from bench.stream import CATEGORIES
from tables.changelog import FENCE_KEY, Codec
from tables.step import Partition, Step

BUNDLE = 1000
BATCH_BYTES = 512 << 10
TEMPLATES = 1000
NAME = "u%07d"
NAMED = re.compile(rb"u\d{7}")
KNOWN = (
    '{"type":"identify","messageId":"i-%s","userId":"%s","timestamp":"%s","source":"server",'
    '"traits":{"email":"%s@shop.example","first_name":"Ann","consent":{"email":{"granted":true}}}}'
)
SEEN = (
    '{"type":"track","event":"Product Viewed","messageId":"v%d-%s","userId":"%s","timestamp":"%s",'
    '"properties":{"product_id":"p%05d","name":"Product number %d","category":"%s","price":%d,'
    '"url":"https://shop.example/p/%d"}}'
)
SOUGHT = (
    '{"type":"track","event":"Products Searched","messageId":"s-%s","userId":"%s","timestamp":"%s",'
    '"properties":{"query":"%s under %d","results":%d}}'
)
PUT = (
    '{"type":"track","event":"Product Added","messageId":"a-%s","userId":"%s","timestamp":"%s",'
    '"properties":{"product_id":"p%05d","name":"Product number %d","category":"%s","price":%d,"quantity":1,'
    '"url":"https://shop.example/p/%d"}}'
)


def stamp(at):
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def identify(user, at):
    """One event that gives a customer an address and a consent."""
    return (KNOWN % (user, user, stamp(at), user)).encode()


def armed(number, user, at):
    """Events that arm every built-in scenario: three views of one category, a search, an addition, the last one at `at`."""
    moments = (stamp(at - step * 7.3 - step * number % 89 / 10) for step in range(4, -1, -1))
    category, first = CATEGORIES[number % 8], number % 4990
    yield identify(user, at)
    for n in range(3):
        product = first + n
        yield (SEEN % (n, user, user, next(moments), product, product, category, 90 + product, product)).encode()
    yield (SOUGHT % (user, user, next(moments), category, first, first % 90)).encode()
    product = first + 3
    yield (PUT % (user, user, next(moments), product, product, category, 90 + product, product)).encode()


class Maker:
    """Applies events to partitions in this process, as the worker does."""

    def __init__(self, settings):
        scenarios = load_folder(settings.scenarios, time_scale=settings.time_scale)
        self._partitions = settings.partitions
        self._behaviour = Behaviour(Decider(scenarios), stream_time=True, partitions=settings.partitions)
        self.parts = {number: Partition(number, packed_rows()) for number in range(settings.partitions)}
        self._waiting = {number: [] for number in self.parts}
        self._links = {number: [] for number in self.parts}
        self._offset = 0

    def feed(self, user, value):
        number = partition_of(user, self._partitions)
        self._offset += 1
        self._waiting[number].append(MemoryRecord(user.encode(), value, self._offset, 0))
        if len(self._waiting[number]) >= BUNDLE:
            self._apply(number)

    def _apply(self, number):
        for topic, waiting in ((CLICKSTREAM.name, self._waiting), (LINKS.name, self._links)):
            records, waiting[number] = waiting[number], []
            step = Step(self.parts[number])
            self._behaviour.on_bundle(step, MemoryBatch(topic, number, records), 0.0)
            for key in step.changed:
                self.parts[number].rows.pack(key)
            self.parts[number].rows.close()
            for output in step.outputs:
                if output.topic == LINKS.name:  # an address becomes a key of its own, where it belongs
                    self._links[output.partition].append(MemoryRecord(output.key.encode(), output.value, 0, 0))

    def finish(self):
        for number in (*self.parts, *self.parts):  # twice: the first round may leave links for each other
            self._apply(number)
        assert not self._behaviour.dead, f"events of this bench were refused: {self._behaviour.dead}"

    def take(self, number):
        """The packed rows of a partition as changelog records; they are forgotten here."""
        part = self.parts[number]
        self.parts[number] = Partition(number, packed_rows())
        codec = Codec(ROW_TYPE)
        yield from codec.records(part.rows, list(part.rows))
        yield codec.fence(dict.fromkeys(CUSTOMERS_INPUTS, -1), part.clock)


async def write(settings, rows):
    """Write (partition, key, value) to the changelog; returns their number. The topics are made where they are missing.

    A partition's fence is written behind all of its rows, wherever it comes among them: a changelog ends with one.
    """
    await provision(settings)
    producer = AIOKafkaProducer(**client_options(settings), compression_type="zstd", max_batch_size=BATCH_BYTES)
    await producer.start()
    count, topic, batches = 0, settings.topic_prefix + CUSTOMERS_CHANGELOG.name, {}
    try:
        for number, key, value in _rows_then_fences(rows):
            count += 1
            batch = batches.get(number) or batches.setdefault(number, producer.create_batch())
            if batch.append(key=key, value=value, timestamp=None) is None:
                await producer.send_batch(batch, topic, partition=number)
                batch = batches[number] = producer.create_batch()
                batch.append(key=key, value=value, timestamp=None)
        for number, batch in batches.items():
            await (await producer.send_batch(batch, topic, partition=number))
    finally:
        await producer.stop()
    return count


def _rows_then_fences(rows):
    """The rows, and behind them all the last fence of each partition."""
    fences = {}
    for number, key, value in rows:
        if key == FENCE_KEY:
            fences[number] = value
        else:
            yield number, key, value
    yield from ((number, FENCE_KEY, value) for number, value in fences.items())


def state_of(settings, users, events_of):
    """The rows after `events_of(number, user)` of every user, as (partition, key, value)."""
    maker = Maker(settings)
    for number, user in enumerate(users):
        for value in events_of(number, user):
            maker.feed(user, value)
    maker.finish()
    for number in range(settings.partitions):
        for key, value in maker.take(number):
            yield number, key, value


def multiplied(settings, count, at):
    """The rows of `count` customers with everything armed shortly before `at`: those of the first few, made by the core, under other names.

    Names have one length, so a row under another name is as long, and as good, as the one that it was made from.
    """
    few = min(TEMPLATES, count)
    rows = list(
        state_of(
            settings, map(NAME.__mod__, range(few)), lambda number, user: armed(number, user, at - number * 97 % 293)
        )
    )
    yield from rows
    named = [(key, value, found[0]) for _, key, value in rows if (found := NAMED.findall(key))]
    for first in range(few, count, few):
        for key, value, name in named:
            number = int(name[1:]) + first
            if number < count:
                other = (NAME % number).encode()
                assert name in value, "the rows do not name their customer any more: make each by the core"
                renamed = key.replace(name, other)
                yield partition_of(renamed.decode(), settings.partitions), renamed, value.replace(name, other)


def write_rows(settings, rows):
    """Write rows to the changelog; returns their number."""
    return asyncio.run(write(settings, rows))
