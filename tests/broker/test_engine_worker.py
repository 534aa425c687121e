"""`boomerang worker` as a process, on a real broker."""

import json
import socket

import aiohttp
import pytest

from app.codec import decode_dead_letter, decode_outgoing
from app.engine.provision import provision
from app.topics import partition_of

pytestmark = pytest.mark.broker


@pytest.fixture
async def settings(make_settings):
    made = make_settings(redis="redis://127.0.0.1:1/0", time_scale=3600.0, grace=0.1)
    await provision(made)
    return made


async def answer(settings, path):
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{settings.worker_port}{path}") as response:
        return response.status, await response.text()


async def is_ready(settings):
    return (await answer(settings, "/readyz"))[0] == 200


def event(type_, user, **more):
    value = {
        "type": type_,
        "userId": user,
        "timestamp": "2026-11-22T07:20:08.123Z",
        "messageId": f"{type_}-{user}",
        **more,
    }
    return partition_of(user, 4), user.encode(), json.dumps(value).encode()


async def test_a_cart_comes_due_and_a_bad_record_hurts_nobody(broker, settings, process, eventually):
    from app.clock import SYSTEM, moment

    now = moment(SYSTEM.now()).isoformat()
    consent = {"email": "anna@shop.example", "consent": {"email": {"granted": True}}}
    cart = {"product_id": "p1", "price": 10.0}
    worker = process.boomerang("worker", settings=settings)
    await broker.write(
        "clickstream",
        [
            event("identify", "anna", timestamp=now, traits=consent, source="server"),
            (partition_of("anna", 4), b"anna", b'{"type": [[[['),
            event("track", "anna", timestamp=now, event="Product Added", properties=cart),
        ],
    )
    [record] = await eventually(lambda: broker.read("outbox"), 20, str(worker.log.tail()))
    trigger = decode_outgoing(record.value)
    assert (trigger.customer, trigger.scenario) == ("anna", "abandoned_cart")
    [letter] = await broker.read("dead-letters")
    assert decode_dead_letter(letter.value).topic == "clickstream"

    assert await is_ready(settings)
    status, text = await answer(settings, "/metrics")
    assert status == 200
    assert 'boomerang_engine_events_applied_total{topic="clickstream"} 3.0' in text
    assert worker.stop() == 0, worker.log.tail()


async def test_without_its_topics_it_says_what_to_do(make_settings, process, eventually):
    settings = make_settings(redis="redis://127.0.0.1:1/0")
    worker = process.boomerang("worker", settings=settings)
    await eventually(lambda: worker.status() is not None)
    worker.log.join()
    assert worker.status() == 1
    assert "run `boomerang topics --create`" in worker.log.tail(1)[0]


async def test_a_taken_port_is_named(settings, process, eventually):
    with socket.create_server(("127.0.0.1", settings.worker_port)):
        worker = process.boomerang("worker", settings=settings)
        await eventually(lambda: worker.status() is not None)
    worker.log.join()
    assert worker.status() == 1
    assert f"port {settings.worker_port} cannot be used" in worker.log.tail(1)[0]
