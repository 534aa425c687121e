"""Talking to the broker beside the worker under test."""

import asyncio
import json
from collections import defaultdict
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from app.engine.provision import provision
from tables.changelog import FENCE_KEY, Codec
from tests.broker.toy import TOPICS, Count, Other, digest


class Broker:
    """Writes to topics and reads them whole, as a reader of committed records."""

    def __init__(self, bootstrap, prefix, partitions):
        self.bootstrap, self.prefix, self.partitions = bootstrap, prefix, partitions

    async def write(self, topic, records, compression=None):
        """Records are (partition, key, value)."""
        async with AIOKafkaProducer(
            bootstrap_servers=self.bootstrap, linger_ms=5, compression_type=compression
        ) as producer:
            futures = [
                await producer.send(self.prefix + topic, value, key=key, partition=partition)
                for partition, key, value in records
            ]
            await asyncio.gather(*futures)

    @asynccontextmanager
    async def _reader(self, topic):
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap,
            isolation_level="read_committed",
            fetch_max_wait_ms=50,
            auto_offset_reset="earliest",
        )
        await consumer.start()
        tps = [TopicPartition(self.prefix + topic, number) for number in range(self.partitions)]
        consumer.assign(tps)
        try:
            yield consumer, tps
        finally:
            await consumer.stop()

    async def read(self, topic):
        """All committed records of a topic, partition by partition."""
        async with asyncio.timeout(20), self._reader(topic) as (consumer, tps):
            ends = await consumer.end_offsets(tps)
            await consumer.seek_to_beginning(*tps)
            records = []
            for tp in tps:
                while await consumer.position(tp) < ends[tp]:
                    for batch in (await consumer.getmany(tp, timeout_ms=200)).values():
                        records += [record for record in batch if record.offset < ends[tp]]
            return records

    async def count(self, topic):
        """Number of committed records."""
        return len(await self.read(topic))

    async def state(self):
        """What the changelog of the toy's table says: rows by key, and the fences by partition."""
        rows, fences, codec = {}, {}, Codec(Count | Other)
        for record in await self.read("counts-changelog"):
            if record.key == FENCE_KEY:
                fences[record.partition] = codec.read_fence(record.value)
            elif record.value is None:
                del rows[record.key.decode()]
            else:
                rows[record.key.decode()] = codec.decode_row(record.value)
        return rows, fences

    async def committed(self, group, topic):
        """What a group has committed for a topic, by partition."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, group_id=group, enable_auto_commit=False)
        await consumer.start()
        try:
            return {
                number: await consumer.committed(TopicPartition(self.prefix + topic, number))
                for number in range(self.partitions)
            }
        finally:
            await consumer.stop()


@pytest.fixture
def broker(kafka, topic_prefix):
    return Broker(kafka, topic_prefix, 4)


@pytest.fixture
async def toy_settings(make_settings):
    settings = make_settings(redis="redis://127.0.0.1:1/0")
    await provision(settings, TOPICS)
    return settings


class Workload:
    """Records over some keys, and what must come of them."""

    def __init__(self, count, keys=60):
        self.records = []
        self.expected = {}
        for number in range(count):
            name = number * 7919 % keys
            value = b"!bad" if number % 500 == 0 else b"value %d" % number
            key = f"k{name}"
            n, old = self.expected.get(key, (0, 0))
            self.expected[key] = (n + 1, digest(old, value))
            self.records.append((name % 4, key.encode(), value))
        self.poisoned = sum(value == b"!bad" for _, _, value in self.records)

    async def check(self, broker):
        """Nothing lost, nothing twice, for readers of committed records and in the state."""
        seen = defaultdict(list)
        for record in await broker.read("out"):
            key, n, _ = json.loads(record.value)
            seen[key].append(n)
        assert {key: list(range(1, n + 1)) for key, (n, _) in self.expected.items()} == dict(seen)
        rows, fences = await broker.state()
        assert {key: (row.n, row.digest) for key, row in rows.items()} == self.expected
        assert await broker.count("dead") == self.poisoned
        assert set(fences) <= {0, 1, 2, 3}


@pytest.fixture
def workload():
    return Workload


def pytest_addoption(parser):
    parser.addoption("--kills", type=int, default=4, help="random kills in the kill test")
