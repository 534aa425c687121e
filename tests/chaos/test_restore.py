"""Backup and restore: a changelog that was lost is put back from a copy, and the worker goes on as if nothing had happened."""

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from app.engine.kafka_client import client_options
from app.engine.provision import provision
from app.topics import CUSTOMERS_CHANGELOG
from tests.running import product
from tests.servers import eventually

pytestmark = [pytest.mark.broker, pytest.mark.slow]


async def test_a_lost_changelog_is_restored_from_a_copy_and_the_armed_cart_fires_once(make_settings, process):
    settings = make_settings(time_scale=120.0, grace=0.3, instance="restore")  # an hour is half a minute
    topic = settings.topic_prefix + CUSTOMERS_CHANGELOG.name
    async with product(settings, process) as shop:
        await shop.start("collector", "worker")
        await shop.subscribe("ann")
        await shop.track("ann", "Product Added", product_id="p1", name="Lamp", price=20)
        await eventually(lambda: _armed(shop), 30, "the cart is armed")
        assert shop.processes["worker"].stop(15) == 0

        copy = await _copied(settings, topic)
        assert copy
        await _deleted(settings, topic)
        await provision(settings)
        await _put_back(settings, topic, copy)

        await shop.track("bob", "Product Added", product_id="p2", name="Chair", price=50)
        await shop.start("worker")
        (trigger,) = await eventually(shop.triggers, 90, "the cart fires")
        assert (trigger.customer, [line.name for line in trigger.content.items]) == ("ann", ["Lamp"])
        await shop.kill("worker")
        await shop.start("worker")
        assert len({item.trigger_id for item in await shop.triggers()}) == len(await shop.triggers()) == 1


async def _armed(shop):
    return await shop.metric("worker", 'boomerang_engine_decisions_total{reason="armed"')


async def _copied(settings, topic):
    """Every record of the topic as (partition, key, value), in order: what any tool for copies keeps."""
    consumer = AIOKafkaConsumer(**client_options(settings), isolation_level="read_committed")
    await consumer.start()
    try:
        tps = [TopicPartition(topic, number) for number in range(settings.partitions)]
        consumer.assign(tps)
        await consumer.seek_to_beginning(*tps)
        ends, found = await consumer.end_offsets(tps), []
        while any([await consumer.position(tp) < end for tp, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += [(record.partition, record.key, record.value) for record in records]
        return found
    finally:
        await consumer.stop()


async def _deleted(settings, topic):
    admin = AIOKafkaAdminClient(**client_options(settings))
    await admin.start()
    try:
        await admin.delete_topics([topic])

        async def gone():
            return topic not in await admin.list_topics()

        await eventually(gone, 30, "the topic is gone")
    finally:
        await admin.close()


async def _put_back(settings, topic, copy):
    producer = AIOKafkaProducer(**client_options(settings), acks="all", enable_idempotence=True)
    await producer.start()
    for partition, key, value in copy:
        await producer.send_and_wait(topic, value, key=key, partition=partition)
    await producer.stop()
