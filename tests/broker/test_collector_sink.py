"""The collector's producer against a real broker that refuses: one refused batch or missing topic stops nothing else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from app import topics
from app.codec import decode_event
from app.settings import Settings
from app.web.collector.app import collector_app
from tests.broker.conftest import Broker

pytestmark = pytest.mark.broker

AUTH = ("server-key", "")


async def make_topics(settings: Settings, names: list[str], **configs: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka.removeprefix("kafka://"))
    await admin.start()
    try:
        new = [NewTopic(settings.topic_prefix + name, settings.partitions, 1, topic_configs=configs) for name in names]
        await admin.create_topics(new)
    finally:
        await admin.close()


@asynccontextmanager
async def running(settings: Settings, eventually: Any, ack_timeout: float = 2.0) -> AsyncIterator[httpx.AsyncClient]:
    app = collector_app(settings, ack_timeout=ack_timeout)
    await app._intake.start()
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://collector", auth=AUTH, timeout=30) as client:
            await eventually(lambda: app._intake.sink.ready)
            yield client
    finally:
        await app._intake.close()


def page(number: int, size: int = 10) -> dict[str, Any]:
    return {"userId": "u", "messageId": f"m{number}", "properties": {"pad": "p" * size}}


async def arrived(settings: Settings) -> list[str]:
    broker = Broker(settings.kafka.removeprefix("kafka://"), settings.topic_prefix, settings.partitions)
    return [decode_event(record.value).messageId for record in await broker.read("clickstream")]


async def test_a_batch_that_kafka_refuses_gets_503_and_the_next_ones_pass(make_settings: Any, eventually: Any) -> None:
    settings = make_settings(write_keys="server:server-key", redis="redis://127.0.0.1:1/0")
    await make_topics(settings, [topics.CLICKSTREAM.name, topics.DEAD_LETTERS.name], **{"max.message.bytes": "3000"})
    async with running(settings, eventually) as client:
        for number in range(3):
            assert (await client.post("/v1/page", json=page(number))).status_code == 200
            assert (await client.post("/v1/page", json=page(100 + number, 5_000))).status_code == 503

            async def recovered(number: int = number) -> bool:
                return (await client.post("/v1/page", json=page(10 + number))).status_code == 200

            await eventually(recovered)
    assert await arrived(settings) == ["m0", "m10", "m1", "m11", "m2", "m12"]


async def test_a_missing_topic_stops_only_what_goes_there(make_settings: Any, eventually: Any) -> None:
    settings = make_settings(write_keys="server:server-key", redis="redis://127.0.0.1:1/0")
    await make_topics(settings, [topics.CLICKSTREAM.name])
    async with running(settings, eventually) as client:
        batch = {"batch": [{"type": "page", **page(1)}, {"type": "nonsense"}]}
        assert (await client.post("/v1/batch", json=batch)).status_code == 503
        assert (await client.post("/v1/page", json=page(2))).status_code == 200
        assert (await client.post("/v1/page", json={})).status_code == 400
    assert sorted(await arrived(settings)) == ["m1", "m2"]


async def test_many_requests_at_once_all_arrive(make_settings: Any, eventually: Any) -> None:
    import asyncio

    settings = make_settings(write_keys="server:server-key", redis="redis://127.0.0.1:1/0")
    await make_topics(settings, [topics.CLICKSTREAM.name])
    async with running(settings, eventually) as client:
        answers = await asyncio.gather(*(client.post("/v1/page", json=page(i)) for i in range(200)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(set(await arrived(settings))) == 200
