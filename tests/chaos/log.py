"""Reading topics as a reader of committed records does."""

import asyncio
from collections import Counter
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition

from app.codec import decode_dead_letter, decode_outgoing, decode_receipt
from app.engine.kafka_client import client_options
from app.model.trigger import Trigger
from app.topics import DEAD_LETTERS, OUTBOX, RECEIPTS
from tables.changelog import FENCE_KEY, Codec

SETTLED = ("sent", "skipped", "failed", "ambiguous", "bounced")
QUIET_S = 30.0


def _consumer(settings):
    return AIOKafkaConsumer(**client_options(settings), isolation_level="read_committed", fetch_max_wait_ms=50)


def _partitions(settings, topic):
    return [TopicPartition(settings.topic_prefix + topic.name, number) for number in range(settings.partitions)]


async def read(settings, topic):
    """All committed records of a topic, those of a partition in their order."""
    consumer, found = _consumer(settings), []
    await consumer.start()
    try:
        partitions = _partitions(settings, topic)
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        async with asyncio.timeout(QUIET_S) as patience:
            while any([await consumer.position(tp) < ends[tp] for tp in partitions]):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += records
                    patience.reschedule(asyncio.get_running_loop().time() + QUIET_S)
        return found
    finally:
        await consumer.stop()


async def rows(settings, topic, row_type):
    """The state that a changelog holds: {key: row}, without the fence."""
    codec, found = Codec(row_type), {}
    for record in await read(settings, topic):
        if record.key == FENCE_KEY:
            continue
        if record.value is None:
            found.pop(record.key.decode(), None)
        else:
            found[record.key.decode()] = codec.decode_row(record.value)
    return found


class Follower:
    """What has come out so far: triggers, cancellations, ends of messages and dead letters, as they are committed."""

    def __init__(self):
        self.triggers, self.cancels, self.letters = [], [], []
        self.ends = []
        """Receipts that end a message."""
        self.other = Counter()

    def take(self, topic, record):
        if topic == OUTBOX.name:
            try:
                item = decode_outgoing(record.value)
            except Exception:
                self.other["outbox"] += 1
            else:
                (self.triggers if isinstance(item, Trigger) else self.cancels).append(item)
        elif topic == RECEIPTS.name:
            try:
                receipt = decode_receipt(record.value)
            except Exception:
                self.other["receipts"] += 1
            else:
                if receipt.outcome in SETTLED:
                    self.ends.append(receipt)
        else:
            self.letters.append(decode_dead_letter(record.value))

    def ended(self, *outcomes):
        """How many messages have ended so."""
        return sum(receipt.outcome in outcomes for receipt in self.ends)


@asynccontextmanager
async def following(settings):
    """A follower of outbox, receipts and dead letters from their beginning on."""
    follower, consumer = Follower(), _consumer(settings)
    topics = (OUTBOX, RECEIPTS, DEAD_LETTERS)
    await consumer.start()
    partitions = [tp for topic in topics for tp in _partitions(settings, topic)]
    consumer.assign(partitions)
    await consumer.seek_to_beginning(*partitions)
    cut = len(settings.topic_prefix)

    async def follow():
        while True:
            for tp, records in (await consumer.getmany(timeout_ms=200)).items():
                for record in records:
                    follower.take(tp.topic[cut:], record)

    task = asyncio.create_task(follow())
    try:
        yield follower
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await consumer.stop()
