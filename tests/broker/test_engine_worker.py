"""`boomerang worker` as a process, on a real broker."""

import json
import socket

import aiohttp
import pytest

from app.catalogue.intake import Intake, Options
from app.catalogue.source import source
from app.clock import SYSTEM, moment
from app.codec import decode_dead_letter, decode_journal, decode_outgoing
from app.engine.provision import provision
from app.model.event import ANONYMOUS
from app.model.reasons import Reason
from app.topics import partition_of
from tests.app.catalogue.samples import yml
from tests.broker.test_catalogue import PACK

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


async def test_a_price_that_fell_begins_journeys_in_every_partition(
    broker, make_settings, process, eventually, tmp_path
):
    now, cheap = SYSTEM.now(), tmp_path / "cheap.xml"
    (tmp_path / "dear.xml").write_text(yml([("p1", 100, True)]))
    cheap.write_text(yml([("p1", 80, True)]))
    folder = tmp_path / "scenarios"
    folder.mkdir()
    (folder / "price_drop.yaml").write_text((PACK / "price_drop.yaml").read_text())
    settings = make_settings(redis="redis://127.0.0.1:1/0", grace=0.1, scenarios=folder)
    await provision(settings)
    people = [f"u{number}" for number in range(40)]
    assert {partition_of(name, 4) for name in people} == {0, 1, 2, 3}
    seen = {"product_id": "p1", "name": "Lamp", "price": 100.0}
    told = {"timestamp": moment(now - 60.0).isoformat(), "event": "Product Viewed", "properties": seen}
    await broker.write("clickstream", [event("track", name, **told) for name in people])
    importer = Intake(settings, SYSTEM)
    await importer.take(source(settings, str(tmp_path / "dear.xml")), Options())
    worker = process.boomerang("worker", settings=settings)

    async def begun():
        lines = [decode_journal(record.value) for record in await broker.read("journal")]
        return sorted(line.customer for line in lines if line.reason == Reason.JOURNEY_BEGUN)

    await eventually(lambda: is_ready(settings), 30, str(worker.log.tail()))
    await importer.take(source(settings, str(cheap)), Options())

    async def is_everybody():
        return await begun() == sorted(people)

    await eventually(is_everybody, 30, str(worker.log.tail()))
    assert await broker.read("dead-letters") == []
    _, text = await answer(settings, "/metrics")
    assert 'boomerang_engine_sweeps_total{what="begun"}' in text
    assert worker.stop() == 0, worker.log.tail()


async def test_after_an_outage_nobody_is_written_to_who_ordered_under_a_key_of_another_partition(
    make_settings, broker, process, eventually
):
    """The visitor's partition has read all of its own long before the user's has come to the link and the order."""
    settings = make_settings(redis="redis://127.0.0.1:1/0", grace=0.0)
    await provision(settings)
    start, visitor = SYSTEM.now() - 70 * 60, ANONYMOUS + "v"
    user, other = (
        next(name for name in (f"{letter}{n}" for n in range(99)) if partition_of(name, 4) not in taken)
        for letter, taken in (("u", {partition_of(visitor, 4)}), ("x", {partition_of(visitor, 4)}))
    )

    def of(type_, who, after, id, **more):
        return event(type_, who, timestamp=moment(start + after).isoformat(), messageId=id, **more)

    def visitors(type_, after, id, **more):
        return of(type_, visitor, after, id, **{"anonymousId": "v", "userId": None, **more})

    traits = {"email": "v@shop.example", "consent": {"email": {"granted": True}}}
    cart, order = {"product_id": "p1", "price": 10.0}, {"order_id": "o1", "total": 10.0}
    await broker.write(
        "clickstream",
        [
            visitors("identify", 0, "v1", traits=traits, source="server"),
            visitors("track", 1, "v2", event="Product Added", properties=cart),
            of("identify", other, 0, "x1", traits={**traits, "email": "x@shop.example"}, source="server"),
            of("track", other, 1, "x2", event="Product Added", properties=cart),
            *(of("page", user, 2, f"p{n}", event="Page Viewed") for n in range(20_000)),
            of("identify", user, 3, "u1", anonymousId="v", traits={"email": "v@shop.example"}, source="server"),
            of("track", user, 4, "u2", event="Order Completed", properties=order),
        ],
    )
    worker = process.boomerang("worker", settings=settings)
    fired = await eventually(lambda: broker.read("outbox"), 40, str(worker.log.tail()))
    assert [decode_outgoing(record.value).customer for record in fired] == [other]
    assert worker.stop() == 0, worker.log.tail()
