"""What the one on call relies on: no personal data in logs and metrics, levels that change, a stop that finishes its work."""

import json
import signal

import pytest
from aiokafka import AIOKafkaProducer

from app.engine.kafka_client import client_options
from tests.channels.relays import relay
from tests.running import product
from tests.servers import eventually

pytestmark = [pytest.mark.broker, pytest.mark.slow]

CANARIES = ("Zebedia", "Quuxley", "zebedia.q", "9161234567", "17 Canary Wharf")
ALL = ("collector", "worker", "delivery", "console")


async def test_no_personal_data_is_in_any_log_or_metric_and_a_stop_finishes_what_is_being_said(make_settings, process):
    async with relay({"rcpt": "451 4.2.0 <zebedia.q@shop.example> (Zebedia Quuxley) try later"}, once=True) as handler:
        settings = make_settings(
            time_scale=1800.0,
            grace=0.3,
            instance="night",
            log_format="json",
            smtp=f"smtp+plain://127.0.0.1:{handler.port}",
        )
        async with product(settings, process) as shop:
            await shop.start(*ALL)
            for name in ("worker", "delivery"):
                shop.processes[name].signal(signal.SIGUSR1)
            await _seed(shop, settings)
            await eventually(
                lambda: _counted(shop, "delivery", "boomerang_send_retries_total"), 60, "the relay was asked"
            )
            handler.faults["after"] = "hang"  # takes the mail, and then thinks
            handler.once, handler.reached = False, type(handler.reached)()
            await eventually(handler.reached.is_set, 60, "a message is being said")
            metrics = [await _text(shop, name) for name in ("worker", "delivery", "console")]
            assert await eventually(lambda: _says(shop, "worker", "records to read"), 20, "the worker tells everything")

            shop.processes["delivery"].signal(signal.SIGTERM)
            handler.faults.clear()
            handler.release.set()
            for name in ALL:
                shop.processes[name].signal(signal.SIGTERM)
            for name in ALL:
                await eventually(lambda name=name: shop.processes[name].status() is not None, 30, f"{name} has ended")
            assert {name: shop.processes[name].status() for name in ALL} == dict.fromkeys(ALL, 0)
            logs = {name: shop.processes[name].log.path.read_text() for name in ALL}
    for name, text in (*logs.items(), *zip(("metrics",) * 3, metrics, strict=True)):
        assert [word for word in CANARIES if word in text] == [], name
    for name in ALL:
        lines = [json.loads(line) for line in logs[name].splitlines()]
        assert all({"at", "level", "logger", "text"} <= set(line) for line in lines), name
        assert not [line for line in lines if "error" in line and "Traceback" in line["error"] and name != "worker"]


async def _seed(shop, settings):
    """A customer, and everything that a person's data can be mistaken for."""
    traits = {"email": "zebedia.q@shop.example", "phone": "+79161234567", "firstName": "Zebedia", "lastName": "Quuxley",
              "address": {"street": "17 Canary Wharf"}, "consent": {"email": True}}  # fmt: skip
    assert (await shop.post("/v1/identify", {"userId": "Zebedia", "traits": traits}))[0] == 200
    await shop.track("Zebedia", "Product Added", product_id="p1", name="17 Canary Wharf", price=20)
    for bad in ({"userId": "Zebedia", "event": ["Quuxley"]}, {"userId": "\n17 Canary Wharf", "event": 3}, ["Quuxley"]):
        assert (await shop.post("/v1/track", bad))[0] in (200, 400)
    assert (await shop.post("/v1/Quuxley", {}))[0] == 404
    producer = AIOKafkaProducer(**client_options(settings))
    await producer.start()
    for topic in ("clickstream", "links", "receipts", "outbox", "journal"):
        for value in (
            b'{"Zebedia Quuxley": "+79161234567"',
            b'{"kind": "Quuxley", "customer": "zebedia.q@shop.example"}',
        ):
            await producer.send_and_wait(settings.topic_prefix + topic, value, key=b"Zebedia", partition=0)
    await producer.stop()
    await eventually(lambda: _counted(shop, "worker", "boomerang_dead_letters_total"), 30, "the worker has read them")


async def _counted(shop, name, metric):
    return await shop.metric(name, metric) > 0


async def _text(shop, name):
    async with shop.http.get(shop.url(name, "/metrics")) as response:
        return await response.text()


def _says(shop, name, words):
    return words in shop.processes[name].log.path.read_text()
