"""A worker that stands by: it holds a copy of the state, and takes over by reading the rest of the changelog only."""

import signal
import urllib.request
from dataclasses import replace

import pytest

from tests.broker.test_kills import WORKER, _all_done, says
from tests.servers import free_port

pytestmark = [pytest.mark.broker, pytest.mark.slow]

KEYS = 2000


def metric(settings, name):
    with urllib.request.urlopen(f"http://127.0.0.1:{settings.worker_port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"boomerang_{name}"))


def status(settings):
    with urllib.request.urlopen(f"http://127.0.0.1:{settings.worker_port}/readyz", timeout=5) as answer:
        return answer.status


async def test_the_one_who_stood_by_takes_over_without_restoring_what_it_knows(
    broker, toy_settings, process, workload, eventually
):
    load = workload(3 * KEYS, keys=KEYS)
    one, two = (replace(toy_settings, instance=name, standbys=1, worker_port=free_port()) for name in ("one", "two"))
    first, second = process.start(WORKER, one), process.start(WORKER, two)
    for settings in (one, two):
        await eventually(lambda: status(settings) == 200, 120)  # noqa: B023
    await broker.write("in", load.records[: 2 * KEYS])
    for settings in (one, two):  # each holds the state of all four partitions
        await eventually(lambda: metric(settings, "engine_state_rows") == KEYS, 60)  # noqa: B023
    read = metric(two, "engine_recovered_records_total")
    first.signal(signal.SIGKILL)
    await broker.write("in", load.records[2 * KEYS :])
    await eventually(lambda: _all_done(broker, load), 60, second.log.tail())
    assert says(second, "partitions [0, 1, 2, 3] are open")
    assert metric(two, "engine_recovered_records_total") - read < KEYS, "the rows of two partitions were not read again"
    assert second.stop() == 0, second.log.tail()
    await load.check(broker)


async def test_an_owner_that_comes_back_stands_by_and_is_exact(broker, toy_settings, process, workload, eventually):
    load = workload(1500, keys=60)
    one, two = (replace(toy_settings, instance=name, standbys=1, worker_port=free_port()) for name in ("one", "two"))
    first, second = process.start(WORKER, one, TOY_BUNDLE="10"), process.start(WORKER, two, TOY_BUNDLE="10")
    await broker.write("in", load.records[:500])
    await eventually(lambda: status(two) == 200, 120)
    first.stop()
    await broker.write("in", load.records[500:1000])
    first = process.start(WORKER, one, TOY_BUNDLE="10")
    await eventually(lambda: status(one) == 200, 120)
    second.signal(signal.SIGKILL)
    await broker.write("in", load.records[1000:])
    await eventually(lambda: _all_done(broker, load), 120, first.log.tail())
    assert first.stop() == 0, first.log.tail()
    await load.check(broker)


async def test_a_worker_that_comes_back_under_its_name_in_time_causes_no_rebalance(
    broker, toy_settings, process, workload, eventually
):
    load = workload(1000, keys=60)
    # a session that no slow machine outlasts
    one, two = (replace(toy_settings, instance=name, worker_port=free_port()) for name in ("one", "two"))
    first = process.start(WORKER, one, TOY_SESSION="60")
    process.start(WORKER, two, TOY_SESSION="60")
    for settings in (one, two):
        await eventually(lambda: status(settings) == 200, 120)  # noqa: B023
    await broker.write("in", load.records[:500])
    await eventually(lambda: _outputs(broker, 500), 120)
    before = metric(two, "engine_rebalances_total")
    for number in (signal.SIGTERM, signal.SIGKILL):
        first.signal(number)
        await eventually(lambda: first.status() is not None, 20)  # noqa: B023
        first = process.start(WORKER, one, TOY_SESSION="60")
        await eventually(lambda: _is_back(first, one), 120)  # noqa: B023
    await broker.write("in", load.records[500:])
    await eventually(lambda: _all_done(broker, load), 120, first.log.tail())
    assert metric(two, "engine_rebalances_total") == before
    await load.check(broker)


def _is_back(worker, settings):
    assert worker.status() is None, worker.log.tail(5)
    return status(settings) == 200


async def _outputs(broker, count):
    return await broker.count("out") >= count
