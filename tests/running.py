"""The whole product as processes of this test's own, against the run's Kafka and Valkey; any of them can be killed."""

import base64
import os
import signal
from contextlib import asynccontextmanager

import aiohttp
from aiokafka import AIOKafkaConsumer, TopicPartition

from app.codec import decode_outgoing
from app.engine.kafka_client import client_options
from app.engine.provision import provision
from app.model.trigger import Trigger
from app.topics import OUTBOX
from tests.servers import eventually

PORTS = {
    "collector": "collector_port",
    "worker": "worker_port",
    "delivery": "delivery_port",
    "console": "console_port",
    "chat-gateway": "chat_gateway_port",
}


class Product:
    """Processes by name. `start` waits until they are ready."""

    def __init__(self, settings, children, http):
        self.settings, self._children, self.http = settings, children, http
        self.processes = {}

    def url(self, name, path=""):
        return f"http://127.0.0.1:{getattr(self.settings, PORTS[name])}{path}"

    async def start(self, *names, wait=True):
        for name in names:
            self.processes[name] = self._children.boomerang(name, settings=self.settings)
        if wait:
            for name in names:
                await self.ready(name)

    async def ready(self, name):
        async def is_ready():
            assert self.processes[name].status() is None, self.processes[name].log.tail(20)
            async with self.http.get(self.url(name, "/readyz")) as response:
                return response.status == 200

        await eventually(is_ready, 60, f"{name} is ready")

    async def kill(self, name):
        """kill -9, and wait for its end."""
        process = self.processes.pop(name)
        os.kill(process.pid, signal.SIGKILL)
        await eventually(lambda: process.status() is not None, 10)

    async def json(self, name, path):
        async with self.http.get(self.url(name, path)) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def metric(self, name, metric):
        """Sum of a metric's samples whose text begins with `metric`; 0 where there is none."""
        async with self.http.get(self.url(name, "/metrics")) as response:
            lines = (await response.text()).splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(metric))

    async def post(self, path, body, key="demo-server"):
        token = base64.b64encode(f"{key}:".encode()).decode()
        headers = {"Authorization": f"Basic {token}"}
        async with self.http.post(self.url("collector", path), json=body, headers=headers) as response:
            return response.status, await response.text()

    async def track(self, user, event, **properties):
        assert (await self.post("/v1/track", {"userId": user, "event": event, "properties": properties}))[0] == 200

    async def subscribe(self, user):
        traits = {"email": f"{user}@shop.example", "consent": {"email": True}}
        assert (await self.post("/v1/identify", {"userId": user, "traits": traits}))[0] == 200

    async def mails(self):
        """All mails of the dev inbox, by paging through its API."""
        found, before = [], ""
        while True:
            page = await self.json("console", f"/api/inbox?limit=1000{before}")
            found += page
            if len(page) < 1000:
                return found
            before = f"&before={page[-1]['id']}"

    async def outbox(self):
        """What the outbox holds for readers of committed records: all of it, in the order of each partition."""
        topic = self.settings.topic_prefix + OUTBOX.name
        consumer = AIOKafkaConsumer(**client_options(self.settings), isolation_level="read_committed")
        await consumer.start()
        try:
            partitions = [TopicPartition(topic, number) for number in range(self.settings.partitions)]
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            ends, found = await consumer.end_offsets(partitions), []
            while any([await consumer.position(tp) < end for tp, end in ends.items()]):
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    found += [decode_outgoing(record.value) for record in records]
            return found
        finally:
            await consumer.stop()

    async def triggers(self):
        """The triggers among them."""
        return [item for item in await self.outbox() if isinstance(item, Trigger)]


@asynccontextmanager
async def product(settings, children):
    """Topics made, nothing started yet."""
    await provision(settings)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as http:
        yield Product(settings, children, http)
