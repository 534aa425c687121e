"""A schedule on a real broker: taken by a reload, its time comes while nothing runs, and the workers that make up for it are killed."""

import signal
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from app.clock import SYSTEM, moment
from app.codec import decode_journal
from app.engine.provision import provision
from app.model.reasons import Reason
from app.topics import partition_of
from tables.customer import PLAN_PREFIX, SWEEP_PREFIX
from tests.broker.test_engine_worker import event, is_ready

pytestmark = pytest.mark.broker

WORKER = ["-m", "tests.broker.scheduled"]
TEXT = """\
id: ID
version: 1
title: Daily
family: news
priority: 5
unless: {order_within: 0s}
entry: ENTRY
steps: [{tag: {add: [told]}}]
"""
DAILY = TEXT.replace("ID", "daily").replace("ENTRY", '{schedule: {every: day, at: "10:00"}}')
PEOPLE = [f"u{number}" for number in range(60)]


async def test_each_customer_enters_once_though_the_time_came_in_an_outage_and_workers_are_killed_in_the_walk(
    broker, make_settings, process, eventually, tmp_path
):
    folder = tmp_path / "scenarios"
    folder.mkdir()
    (folder / "never.yaml").write_text(TEXT.replace("ID", "never").replace("ENTRY", "{event: Never Seen}"))
    settings = make_settings(redis="redis://127.0.0.1:1/0", grace=0.1, scenarios=folder, reload_seconds=0.2)
    settings = replace(settings, instance="one")
    await provision(settings)
    tomorrow = (moment(SYSTEM.now()) + timedelta(1)).replace(hour=9, minute=0, second=0, microsecond=0)
    told = {"timestamp": tomorrow.isoformat(), "event": "Product Viewed"}
    seen = {"product_id": "p1", "price": 100.0}
    await broker.write("clickstream", [event("track", name, properties=seen, **told) for name in PEOPLE])
    assert {partition_of(name, 4) for name in PEOPLE} == {0, 1, 2, 3}

    def ahead(hours):
        return str((tomorrow + timedelta(hours=hours)).timestamp() - SYSTEM.now())

    async def keys(prefix):
        return [one for one in await broker.read("customers-changelog") if (one.key or b"").startswith(prefix.encode())]

    async def begun():
        lines = [decode_journal(record.value) for record in await broker.read("journal")]
        return Counter(line.customer for line in lines if line.reason == Reason.JOURNEY_BEGUN)

    worker = process.start(WORKER, settings, AHEAD=ahead(0))
    await eventually(lambda: is_ready(settings), 30, str(worker.log.tail()))
    (folder / "daily.yaml").write_text(DAILY)

    async def is_planned():
        return {record.partition for record in await keys(PLAN_PREFIX)} == {0, 1, 2, 3}

    await eventually(is_planned, 30, str(worker.log.tail()))
    assert worker.stop() == 0, worker.log.tail()
    assert await begun() == Counter()
    for slices in ("5", "2"):
        dying = process.start(WORKER, settings, AHEAD=ahead(1.5), DIES=slices)
        await eventually(lambda dying=dying: dying.status() is not None, 60, str(dying.log.tail()))
        assert dying.status() == -signal.SIGKILL, dying.log.tail()
        assert 0 < (await begun()).total() < len(PEOPLE)

    worker = process.start(WORKER, settings, AHEAD=ahead(1.5))

    async def is_over():
        last = {(record.partition, record.key): record.value for record in await keys(SWEEP_PREFIX)}
        return len(last) == 4 and set(last.values()) == {None}

    await eventually(is_over, 60, str(worker.log.tail()))
    assert await begun() == Counter(PEOPLE)
    assert await broker.read("dead-letters") == []
    assert worker.stop() == 0, worker.log.tail()
