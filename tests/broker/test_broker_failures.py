"""The broker dies, hangs past the time-out of transactions, or goes away in the middle of a commit: nothing lost, nothing twice."""

import asyncio
import signal
from contextlib import asynccontextmanager

import pytest

from app.embedded.servers import kafka_server
from app.embedded.state import State
from app.engine.provision import provision
from app.settings import load
from tests import servers
from tests.broker.conftest import Broker
from tests.broker.toy import TOPICS

pytestmark = [pytest.mark.broker, pytest.mark.slow]

WORKER = ["-m", "tests.broker.toy"]


class Fragile:
    """A broker of this test's own, that can be killed, stopped and started again on the same port."""

    def __init__(self, folder):
        self._server, self.address = kafka_server(folder, load().cache, State(folder / "embedded.json"))

    async def start(self):
        await asyncio.to_thread(self._server.start)
        await asyncio.to_thread(self._server.wait_ready)

    @property
    def pid(self):
        return self._server.process.pid

    def signal(self, number):
        self._server.process.signal(number)

    async def restart_when_dead(self):
        while self._server.process.status() is None:
            await asyncio.sleep(0.02)
        await self.start()

    def stop(self):
        self._server.stop()


class Supervised:
    """A worker whose supervisor starts it anew whenever it ends."""

    def __init__(self, process, settings, **environ):
        self.ends = []
        self._start = lambda: process.start(WORKER, settings, **environ)
        self.child = self._start()

    @asynccontextmanager
    async def running(self):
        task = asyncio.create_task(self._run())
        try:
            yield self
        finally:
            task.cancel()
            self.child.stop()

    async def _run(self):
        while True:
            while self.child.status() is None:
                await asyncio.sleep(0.02)
            self.child.log.join()
            self.ends.append((self.child.status(), self.child.log.tail(1)))
            await asyncio.sleep(0.3)
            self.child = self._start()


@pytest.fixture
async def fragile():
    with servers.scratch_folder("fragile") as folder:
        one = Fragile(folder)
        try:
            await one.start()
            yield one
        finally:
            one.stop()


@pytest.fixture
async def settings(fragile, make_settings):
    made = make_settings(kafka=fragile.address, redis="redis://127.0.0.1:1/0", instance="one")
    await provision(made, TOPICS)
    return made


@pytest.fixture
def broker(fragile, topic_prefix):
    return Broker(fragile.address.removeprefix("kafka://"), topic_prefix, 4)


async def _grown(broker, count):
    return await broker.count("out") >= count


async def _finish(broker, load_, worker, eventually):
    await eventually(
        lambda: _grown(broker, len(load_.records)), 90, f"all outputs; {worker.ends} {worker.child.log.tail()}"
    )
    await load_.check(broker)
    for status, _ in worker.ends:
        assert status in (1, -signal.SIGKILL), worker.ends


async def test_a_broker_killed_again_and_again_under_traffic(fragile, broker, settings, process, workload, eventually):
    load_ = workload(3000)
    await broker.write("in", load_.records)
    async with Supervised(process, settings, TOY_BUNDLE="5").running() as worker:
        seen = 0
        for _ in range(2):
            await eventually(lambda: _grown(broker, seen + 30), 60, "progress")  # noqa: B023
            fragile.signal(signal.SIGKILL)
            await fragile.restart_when_dead()
            seen = await broker.count("out")
        assert seen < len(load_.records), "the last kill struck a worker that was busy"
        await _finish(broker, load_, worker, eventually)


async def test_a_broker_lost_in_the_middle_of_a_commit(fragile, broker, settings, process, workload, eventually):
    load_ = workload(600)
    await broker.write("in", load_.records)
    victim = {"TOY_KILLS": str(fragile.pid)}
    async with Supervised(process, settings, TOY_BUNDLE="20", **victim).running() as worker:
        await fragile.restart_when_dead()
        await _finish(broker, load_, worker, eventually)


async def test_a_broker_that_hangs_longer_than_a_transaction_may_take(
    fragile, broker, settings, process, workload, eventually
):
    load_ = workload(1500)
    await broker.write("in", load_.records)
    async with Supervised(process, settings, TOY_BUNDLE="5", TOY_TRANSACTION_MS="2000").running() as worker:
        await eventually(lambda: _grown(broker, 30), 60, "progress")
        fragile.signal(signal.SIGSTOP)
        await asyncio.sleep(8.0)  # past the transaction's time-out and the member's session
        fragile.signal(signal.SIGCONT)
        await _finish(broker, load_, worker, eventually)


async def test_a_commit_later_than_its_transaction_may_be_open_loses_and_repeats_nothing(
    fragile, broker, settings, process, workload, eventually
):
    load_ = workload(300)
    await broker.write("in", load_.records)
    # the broker looks for such transactions every ten seconds: it has given this one up, or is about to
    slow = {"TOY_BUNDLE": "20", "TOY_TRANSACTION_MS": "1000", "TOY_SLEEPS": "13"}
    async with Supervised(process, settings, **slow).running() as worker:
        await _finish(broker, load_, worker, eventually)
        assert (settings.data / "disturbed").exists(), "the commit was late"
