"""kill -9 at random moments and at the named points of the protocol; rebalances; a worker that sleeps through one."""

import asyncio
import random
import signal
import time

import pytest

pytestmark = pytest.mark.broker

WORKER = ["-m", "tests.broker.toy"]


@pytest.fixture
def stable(toy_settings):
    """Settings with static membership: a restart need not wait for the dead member's session to end."""
    from dataclasses import replace

    return replace(toy_settings, instance="one")


def kills(request):
    return request.config.getoption("--kills", default=4)


def says(child, text):
    if child.status() is not None:
        child.log.join()
    return any(text in line for line in child.log.tail())


async def outputs(broker):
    return await broker.count("out")


async def dead_by_itself(child, timeout=30.0):
    end = time.monotonic() + timeout
    while child.status() is None:
        assert time.monotonic() < end, child.log.tail()
        await asyncio.sleep(0.02)
    return child.status()


async def finish(broker, load, process, settings, eventually, **environ):
    """A worker that nobody kills, until all is done."""
    child = process.start(WORKER, settings, **environ)
    await eventually(lambda: _all_done(broker, load), 40, f"all outputs; {child.log.tail()}")
    assert child.stop() == 0, child.log.tail()


async def _all_done(broker, load):
    return await outputs(broker) >= len(load.records)


@pytest.mark.slow
async def test_random_kills_lose_and_repeat_nothing(broker, stable, process, workload, eventually, request):
    load = workload(750 * kills(request))
    await broker.write("in", load.records)
    seed = random.Random(7)
    for _ in range(kills(request)):
        child = process.start(WORKER, stable, TOY_BUNDLE="20")
        before = await outputs(broker)
        await eventually(lambda: _more_than(broker, before), 20, "progress")  # noqa: B023
        await asyncio.sleep(seed.uniform(0.0, 0.1))
        child.signal(signal.SIGKILL)
        await dead_by_itself(child)
    await finish(broker, load, process, stable, eventually)
    await load.check(broker)


async def _more_than(broker, before):
    return await outputs(broker) > before


@pytest.mark.slow
@pytest.mark.parametrize("point", ["decided", "produced", "committed"])
async def test_a_kill_inside_the_protocol_loses_and_repeats_nothing(
    point, broker, stable, process, workload, eventually
):
    load = workload(600)
    await broker.write("in", load.records)
    for _ in range(2):
        child = process.start(WORKER, stable, TOY_BUNDLE="20", TOY_DIE=f"{point}:0.3")
        assert await dead_by_itself(child) == -signal.SIGKILL, child.log.tail()
    await finish(broker, load, process, stable, eventually)
    await load.check(broker)


@pytest.mark.slow
async def test_a_second_worker_takes_its_share_and_then_everything(broker, toy_settings, process, workload, eventually):
    load = workload(4000)
    await broker.write("in", load.records[:1500])
    first = process.start(WORKER, toy_settings, TOY_BUNDLE="10")
    await eventually(lambda: _more_than(broker, 100), 20)
    second = process.start(WORKER, _beside(toy_settings), TOY_BUNDLE="10")
    await broker.write("in", load.records[1500:3000])
    await eventually(lambda: says(second, "are open"), 20)
    await broker.write("in", load.records[3000:])
    first.signal(signal.SIGKILL)
    await eventually(lambda: _all_done(broker, load), 40, second.log.tail())
    assert second.stop() == 0, second.log.tail()
    await load.check(broker)


def _beside(settings):
    from dataclasses import replace

    from tests.servers import free_port

    return replace(settings, worker_port=free_port())


@pytest.mark.slow
async def test_a_worker_that_slept_through_the_loss_of_its_partitions_cannot_write_any_more(
    broker, toy_settings, process, workload, eventually
):
    load = workload(6000)
    await broker.write("in", load.records)
    sleeper = process.start(WORKER, toy_settings, TOY_BUNDLE="5")
    await eventually(lambda: _more_than(broker, 50), 20)
    sleeper.signal(signal.SIGSTOP)
    asleep_at = await outputs(broker)
    assert asleep_at < len(load.records)
    heir = process.start(WORKER, _beside(toy_settings))
    await eventually(lambda: _all_done(broker, load), 40, heir.log.tail())
    sleeper.signal(signal.SIGCONT)
    assert await dead_by_itself(sleeper) == 1, sleeper.log.tail()
    assert says(sleeper, "Fenced") or says(sleeper, "Epoch"), sleeper.log.tail()
    await eventually(lambda: heir.status() is None)
    assert heir.stop() == 0
    await load.check(broker)
