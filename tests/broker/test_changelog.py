"""A changelog that cannot be trusted: the worker says why and does not start on half a state."""

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from app.engine.provision import provision
from tables.changelog import FENCE_KEY, FORMAT, Codec
from tests.broker.test_store import _count_is, applied, failure_of, lines, running
from tests.broker.toy import TOPICS, Count, Other, toy_app

pytestmark = pytest.mark.broker

CHANGELOG = "counts-changelog"


@pytest.fixture
async def used(broker, toy_settings, eventually):
    """Settings of a table that has state."""
    await broker.write("in", lines(40))
    async with running(toy_app(toy_settings)):
        await eventually(lambda: _count_is(broker, "out", 40))
        await eventually(lambda: _committed(broker, toy_settings, 40))
    return toy_settings


async def _committed(broker, settings, records):
    committed = await broker.committed(settings.topic_prefix + "toy", "in")
    return sum(offset or 0 for offset in committed.values()) == records


async def test_a_partition_has_a_fence_before_it_has_read_anything(broker, toy_settings):
    async with running(toy_app(toy_settings)):
        _, fences = await broker.state()
    assert {number: fence.applied for number, fence in fences.items()} == {
        number: {"in": -1, "extra": -1} for number in range(4)
    }
    assert {fence.format for fence in fences.values()} == {FORMAT}


async def test_a_changelog_whose_first_records_were_deleted_is_refused(broker, used, process):
    topic = ConfigResource(ConfigResourceType.TOPIC, broker.prefix + CHANGELOG, {"cleanup.policy": "delete"})
    async with _admin(broker) as admin:
        await admin.alter_configs([topic])
        await admin.delete_records({TopicPartition(broker.prefix + CHANGELOG, 2): RecordsToDelete(before_offset=3)})
    reason = await failure_of(process, used)
    assert "LostStateError" in reason
    assert f"{CHANGELOG}[2] begins at offset 3" in reason
    assert await broker.count("out") == 40


async def test_a_changelog_made_anew_is_refused_until_the_group_begins_anew_too(broker, used, process, eventually):
    async with _admin(broker) as admin:
        await admin.delete_topics([broker.prefix + CHANGELOG])
    await eventually(lambda: _made_again(broker, used))
    reason = await failure_of(process, used)
    assert f"{CHANGELOG}[0] is empty, but in has been read up to offset" in reason
    assert f"delete the topic {broker.prefix}{CHANGELOG} and the consumer group {broker.prefix}toy" in reason
    await eventually(lambda: _forgotten(broker, used.topic_prefix + "toy"))
    async with running(toy_app(used)) as app:
        await eventually(lambda: applied(app) == 40)


async def _made_again(broker, settings):
    made = (await provision(settings, TOPICS)).missing  # at first the old one is still on its way out
    return broker.prefix + CHANGELOG in made


async def _forgotten(broker, group):
    """Once the failed member's session has ended."""
    tps = [TopicPartition(broker.prefix + "in", number) for number in range(4)]
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap, group_id=group, enable_auto_commit=False)
    async with consumer:
        consumer.assign(tps)
        await consumer.commit(dict.fromkeys(tps, 0))
    return True


async def test_a_changelog_of_a_newer_version_is_refused_with_the_version_to_start(broker, used, process):
    fence = msgspec.msgpack.encode([{"in": 9, "extra": -1}, 0.0, FORMAT + 1, "and what we do not know"])
    await broker.write(CHANGELOG, [(1, FENCE_KEY, fence)])
    reason = await failure_of(process, used)
    assert f"FormatError: changelog <Bundle {CHANGELOG}[1]" in reason
    assert f"a newer version (format {FORMAT + 1}, this one knows {FORMAT})" in reason


@pytest.mark.parametrize("value", [b"\xc1 no msgpack", msgspec.msgpack.encode(["unheard of", 1])])
async def test_a_row_that_cannot_be_read_is_refused(value, broker, used, process):
    await broker.write(CHANGELOG, [(1, b"k1", value)])
    reason = await failure_of(process, used)
    assert "FormatError" in reason
    assert "a row cannot be read" in reason


async def test_rows_without_a_fence_are_refused(broker, toy_settings, process):
    row = Codec(Count | Other).encode_row(Count(n=3))
    await broker.write(CHANGELOG, [(3, b"k3", row)])
    assert f"{CHANGELOG}[3] has rows and no fence" in await failure_of(process, toy_settings)


async def test_a_changelog_of_before_formats_were_told_is_read(broker, toy_settings, eventually):
    row = Codec(Count | Other).encode_row(Count(n=3))
    fence = msgspec.msgpack.encode([{"in": -1, "extra": -1}, 0.0])
    await broker.write(CHANGELOG, [(3, b"k3", row), (3, FENCE_KEY, fence)])
    async with running(toy_app(toy_settings)) as app:
        assert app.fenced[0].parts[3].rows["k3"].n == 3


class _admin:
    """An admin client, started and closed."""

    def __init__(self, broker):
        self._client = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)

    async def __aenter__(self):
        await self._client.start()
        return self._client

    async def __aexit__(self, *_):
        await self._client.close()
