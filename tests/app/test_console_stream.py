"""The console as a process, over real Kafka and real SMTP."""

import asyncio
import json
import os
import signal
import smtplib
from contextlib import asynccontextmanager
from email.message import EmailMessage

import httpx
import pytest
from aiokafka import AIOKafkaProducer

from app.codec import encode_json
from app.engine.provision import provision
from app.model.journal import JournalLine
from app.model.reasons import Reason

pytestmark = pytest.mark.broker


@pytest.fixture
async def settings(make_settings):
    settings = make_settings(redis="", partitions=2)
    await provision(settings, create=True)
    return settings


@pytest.fixture
async def console(settings, process, eventually):
    child = process.boomerang("console", settings=settings)
    base = f"http://127.0.0.1:{settings.console_port}"
    async with httpx.AsyncClient(base_url=base, timeout=20) as client:

        async def ready():
            assert child.status() is None, child.log.tail()
            return (await client.get("/readyz")).status_code == 200

        await eventually(ready, 30)
        client.child = child
        yield client


@pytest.fixture
async def producer(settings):
    from app.engine.kafka_client import client_options

    producer = AIOKafkaProducer(**client_options(settings), transactional_id=f"{settings.topic_prefix}tests")
    await producer.start()

    async def send(topic, *values):
        async with producer.transaction():
            for at, value in enumerate(values):
                await producer.send(settings.topic_prefix + topic, value, partition=at % 2)

    yield send
    await producer.stop()


def event(name, customer="anna"):
    return json.dumps(
        {"type": "track", "timestamp": "2026-11-22T12:03:10Z", "event": name, "userId": customer}
    ).encode()


@asynccontextmanager
async def listening(client, last_id=""):
    """A queue of (event, data, id) from the live stream."""
    queue = asyncio.Queue()
    headers = {"Last-Event-ID": last_id} if last_id else {}

    async def read():
        fields = {}
        async with client.stream("GET", "/api/stream", headers=headers) as answer:
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
            async for row in answer.aiter_lines():
                if not row and "event" in fields:
                    queue.put_nowait((fields["event"], json.loads(fields["data"]), fields.get("id", "")))
                if not row:
                    fields = {}
                name, _, value = row.partition(": ")
                fields[name] = value
        queue.put_nowait(("end", {}, ""))

    task = asyncio.create_task(read())
    yield queue
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def until(queue, wanted):
    """The first message for which `wanted(event, data)` holds, and the labels of the lines before it."""
    lines = []
    while True:
        name, data, number = await asyncio.wait_for(queue.get(), 30)
        if wanted(name, data):
            return data, number, lines
        if name == "line":
            lines.append(data["label"])


def labelled(label):
    return lambda name, data: name == "line" and data["label"] == label


async def test_events_decisions_and_sends_appear_as_they_happen(console, producer):
    async with listening(console) as queue:
        await until(queue, lambda name, data: name == "source" and data["connected"])
        await producer("clickstream", event("Product Added"), event("Cart Viewed"))
        await until(queue, labelled("Cart Viewed"))
        line = JournalLine(
            1.0, "anna", Reason.SENT, "abandoned_cart", "t1", channel="email", detail={"to": "anna@shop.example"}
        )
        await producer("journal", b"not json", encode_json(line))
        found, _, _ = await until(queue, labelled("sent"))
        assert found["kind"] == "send"
        assert "a***@shop.example" in found["text"]
        counts, _, _ = await until(queue, lambda name, data: name == "counts" and data["counts"]["events"] >= 2)
        assert counts["counts"]["events"] == 2


async def test_a_page_that_opens_sees_the_last_moments_and_one_that_comes_back_what_it_missed(console, producer):
    await producer("clickstream", event("Before"))
    async with listening(console) as queue:
        _, number, _ = await until(queue, labelled("Before"))
    await producer("clickstream", event("Meanwhile"))
    async with listening(console, number) as queue:
        _, _, lines = await until(queue, labelled("Meanwhile"))
        assert lines == []
        await producer("clickstream", event("After"))
        _, _, lines = await until(queue, labelled("After"))
        assert lines == []


async def test_sigterm_ends_the_console_with_open_streams_quickly_and_well(console, eventually):
    async with listening(console) as queue:
        await until(queue, lambda name, data: name == "hello")
        os.kill(console.child.pid, signal.SIGTERM)
        await until(queue, lambda name, data: name == "end")
        assert await eventually(lambda: console.child.status() is not None, 10)
    assert console.child.status() == 0, console.child.log.tail()


async def test_a_mail_that_was_accepted_is_there_after_kill_9(console, settings, process, eventually):
    def send(number):
        mail = EmailMessage()
        mail["Subject"], mail["X-Boomerang-Trigger"] = str(number), "t1"
        mail.set_content("Teapot")
        with smtplib.SMTP("127.0.0.1", settings.inbox_port, timeout=10) as smtp:
            smtp.send_message(mail, "a@b.example", ["anna@shop.example"])

    for number in range(3):
        await asyncio.to_thread(send, number)
    os.kill(console.child.pid, signal.SIGKILL)
    await eventually(lambda: console.child.status() is not None)
    again = process.boomerang("console", settings=settings)

    async def listed():
        assert again.status() is None, again.log.tail()
        return (await console.get("/api/inbox")).json()

    mails = await eventually(listed, 30)
    assert [mail["subject"] for mail in mails] == ["2", "1", "0"]


async def test_a_taken_port_is_said_in_one_line(settings, process, console, eventually):
    second = process.boomerang("console", settings=settings)
    await eventually(lambda: second.status() is not None, 20)
    assert second.status() == 1
    assert "BOOMERANG_CONSOLE_PORT" in "".join(second.log.tail())


async def test_with_a_relay_there_is_no_dev_inbox(make_settings, process, eventually):
    settings = make_settings(redis="", kafka="kafka://127.0.0.1:1", smtp="smtp://relay.example:587")
    child = process.boomerang("console", settings=settings)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{settings.console_port}") as client:

        async def ready():
            assert child.status() is None, child.log.tail()
            return (await client.get("/healthz")).status_code == 200

        await eventually(ready, 30)
    with pytest.raises(ConnectionRefusedError):
        smtplib.SMTP("127.0.0.1", settings.inbox_port, timeout=5)


async def test_a_feed_without_kafka_says_so_and_the_pages_still_work(make_settings, process, eventually):
    settings = make_settings(redis="", kafka="kafka://127.0.0.1:1")
    child = process.boomerang("console", settings=settings)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{settings.console_port}", timeout=20) as client:

        async def ready():
            assert child.status() is None, child.log.tail()
            return (await client.get("/healthz")).status_code == 200

        await eventually(ready, 30)
        async with listening(client) as queue:
            await until(queue, lambda name, data: name == "source" and not data["connected"])
        assert (await client.get("/inbox")).status_code == 200
