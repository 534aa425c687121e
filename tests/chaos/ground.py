"""The place where things go wrong: processes that are kept running, a relay, a clock, and what has come out so far."""

import asyncio
import os
import signal
from contextlib import asynccontextmanager
from dataclasses import replace

import aiohttp

from app.clock import SYSTEM
from app.engine.provision import provision
from tests.chaos.clock import Ahead
from tests.chaos.log import following
from tests.chaos.shop import Shop
from tests.chaos.sink import sink
from tests.servers import eventually, free_port

PORTS = {"worker": "worker_port", "delivery": "delivery_port"}
LOOK_S = 0.02


class Kept:
    """A process that is started again whenever it has ended, as a supervisor does. `ends`: its statuses so far."""

    def __init__(self, ground, role, settings, environ):
        self.role, self.settings, self.environ = role, settings, environ
        self._ground = ground
        self._next = {}
        self._ended = asyncio.Event()
        self._killed = False
        self.ends = []
        self.unasked = []
        """What the process said last when it ended without being killed or told to."""
        self.process = None
        self._task = None

    @property
    def url(self):
        return f"http://127.0.0.1:{getattr(self.settings, PORTS[self.role])}"

    def start(self, **once):
        """Start and keep it. `once` is added to the environment of the first process only."""
        self._next = once
        self._launch()
        self._task = asyncio.create_task(self._keep())
        return self

    def _launch(self):
        environ, self._next = {**self.environ, **self._next}, {}
        self.process = self._ground.children.start(["-m", "tests.chaos.mortal", self.role], self.settings, **environ)

    async def _keep(self):
        while True:
            while (status := self.process.status()) is None:
                await asyncio.sleep(LOOK_S)
            if status != -signal.SIGKILL:
                await asyncio.to_thread(self.process.log.join)
                self.unasked.append(self.process.log.tail(15))
            self.ends.append(status)
            self._launch()
            self._ended.set()

    async def until_ended(self, timeout):
        """Wait for the end of the process that runs now; False after `timeout` seconds."""
        self._ended.clear()
        try:
            async with asyncio.timeout(timeout):
                await self._ended.wait()
        except TimeoutError:
            return False
        return True

    async def kill(self, **once):
        """kill -9. The process that follows has `once` in its environment."""
        self._next = once
        self._ended.clear()
        self.send(signal.SIGKILL)
        await self._ended.wait()

    def follow(self, **once):
        """The process after this one has `once` in its environment."""
        self._next = once

    def send(self, number):
        os.kill(self.process.pid, number)

    async def stop(self, number=signal.SIGTERM):
        """End it for good; returns its status."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if self.process.status() is None:
            self.send(number)
        await eventually(lambda: self.process.status() is not None, 30, f"{self.role} ends")
        return self.process.status()

    async def ready(self, timeout=90):
        async def is_ready():
            async with self._ground.http.get(f"{self.url}/readyz") as response:
                return response.status == 200

        await eventually(is_ready, timeout, f"{self.role} is ready; {self.process.log.tail(5)}")
        return self

    async def metric(self, name):
        """Sum of the samples whose text begins with `name`; 0 where there is none."""
        async with self._ground.http.get(f"{self.url}/metrics") as response:
            lines = (await response.text()).splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


class Ground:
    """One installation of a worker, a sender and a relay, on a broker and a Valkey that are given."""

    def __init__(self, settings, children, http, relay, clock, follower, shop, say):
        self.settings, self.children, self.http = settings, children, http
        self.sink, self.clock, self.follower, self.shop, self.say = relay, clock, follower, shop, say
        self.kept = []

    def keep(self, role, *, instance=None, once=None, **environ):
        """Start a process of the product and keep it running. An `instance` of its own has ports of its own."""
        settings = self.settings
        if instance is not None:
            settings = replace(settings, instance=instance, **{PORTS[role]: free_port()})
        environ = {"CHAOS_CLOCK": str(self.settings.data / "clock"), **environ}
        kept = Kept(self, role, settings, environ).start(**(once or {}))
        self.kept.append(kept)
        return kept

    async def settled(self, count, timeout, what="every message has its end"):
        """Wait until `count` messages have ended; the wait begins anew with each that does. Returns nothing."""
        deadline, before = SYSTEM.monotonic() + timeout, -1
        while (done := len({end.message_id for end in self.follower.ends})) < count:
            if done > before:
                deadline, before = SYSTEM.monotonic() + timeout, done
            told = {kept.role: kept.process.log.tail(3) for kept in self.kept}
            assert SYSTEM.monotonic() < deadline, f"not within {timeout} s: {what}: {done} of {count}; {told}"
            await asyncio.sleep(0.1)

    async def close(self):
        for kept in self.kept:
            await kept.stop(signal.SIGKILL)


@asynccontextmanager
async def ground(settings, children, say=lambda _text: None):
    """Topics made, a relay listening, somebody following; no process started yet."""
    await provision(settings)
    async with (
        sink() as relay,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as http,
    ):
        settings = replace(settings, smtp=f"smtp+plain://127.0.0.1:{relay.port}")
        clock = Ahead(settings.data / "clock")
        async with following(settings) as follower, Shop(settings, clock) as shop:
            place = Ground(settings, children, http, relay, clock, follower, shop, say)
            try:
                yield place
            finally:
                await place.close()
