"""The fenced table on a real broker, in this process."""

import asyncio
import json
import time
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from app import metrics
from app.engine.provision import provision
from tables.changelog import FENCE_KEY, Codec
from tests.broker.toy import TOPICS, Count, Other, toy_app

pytestmark = pytest.mark.broker


@asynccontextmanager
async def running(app):
    starting = asyncio.create_task(app.start())
    try:
        await app.until_ready(20)
        await starting
        yield app
    finally:
        await app.stop()
        starting.cancel()


async def failure_of(process, settings, **environ):
    """Run a worker that must stop by itself; what it says."""
    child = process.start(["-m", "tests.broker.toy"], settings, **environ)
    started = time.monotonic()
    while child.status() is None:
        assert time.monotonic() < started + 20, child.log.tail()
        await asyncio.sleep(0.05)
    child.log.join()
    assert child.status() == 1
    return child.log.tail(1)[0]


def lines(count, keys=10):
    return [(number % keys % 4, b"k%d" % (number % keys), b"v%d" % number) for number in range(count)]


def rows_of(app):
    return {key: row for part in app.fenced[0].parts.values() for key, row in part.rows.items()}


def applied(app):
    return sum(row.n for row in rows_of(app).values())


def triggered(records):
    return sorted(json.loads(record.value)[0] for record in records)


async def test_records_become_rows_and_outputs_and_a_restart_restores_them(broker, toy_settings, eventually):
    await broker.write("in", lines(100))
    async with running(toy_app(toy_settings)) as app:
        await eventually(lambda: applied(app) == 100)
        await eventually(lambda: _read_to_the_end(broker, toy_settings, 100))
    out = [json.loads(record.value) for record in await broker.read("out")]
    assert sorted(n for key, n, _ in out if key == "k1") == list(range(1, 11))

    await broker.write("extra", lines(20))
    async with running(toy_app(toy_settings)) as app:
        await eventually(lambda: applied(app) == 120)
    assert await broker.count("out") == 120


async def _read_to_the_end(broker, settings, records):
    committed = await broker.committed(settings.topic_prefix + "toy", "in")
    return sum(offset or 0 for offset in committed.values()) == records


async def test_a_deleted_row_stays_deleted_after_a_restart(broker, toy_settings, eventually):
    await broker.write("in", [(0, b"gone", b"x"), (0, b"stays", b"x"), (0, b"gone", b"forget")])
    async with running(toy_app(toy_settings)) as app:
        await eventually(lambda: set(rows_of(app)) == {"stays"})
        await eventually(lambda: _count_is(broker, "out", 3))
    async with running(toy_app(toy_settings)) as app:
        assert set(rows_of(app)) == {"stays"}


async def _count_is(broker, topic, count):
    return await broker.count(topic) == count


async def test_the_fence_not_the_groups_offset_says_where_to_go_on(broker, toy_settings, eventually):
    await broker.write("in", lines(50))
    async with running(toy_app(toy_settings)):
        await eventually(lambda: _count_is(broker, "out", 50))
    await broker.write("in", lines(50))
    group = toy_settings.topic_prefix + "toy"
    tps = [TopicPartition(broker.prefix + "in", number) for number in range(4)]
    async with AIOKafkaConsumer(
        bootstrap_servers=broker.bootstrap, group_id=group, enable_auto_commit=False
    ) as consumer:
        consumer.assign(tps)
        ends = await consumer.end_offsets(tps)
        await consumer.commit({tps[0]: 0, tps[1]: ends[tps[1]], tps[2]: 0, tps[3]: ends[tps[3]]})
    async with running(toy_app(toy_settings)) as app:
        await eventually(lambda: applied(app) == 100)
        await eventually(lambda: _count_is(broker, "out", 100))


async def test_the_group_hears_how_far_a_partition_is_though_nothing_new_comes(broker, toy_settings, eventually):
    """Whoever dies between a step and its commit leaves an offset behind by which others would wait for nothing."""
    await broker.write("in", lines(50))
    async with running(toy_app(toy_settings)):
        await eventually(lambda: _count_is(broker, "out", 50))
        await eventually(lambda: _read_to_the_end(broker, toy_settings, 50))
    tps = [TopicPartition(broker.prefix + "in", number) for number in range(4)]
    group = toy_settings.topic_prefix + "toy"
    async with AIOKafkaConsumer(
        bootstrap_servers=broker.bootstrap, group_id=group, enable_auto_commit=False
    ) as consumer:
        consumer.assign(tps)
        await consumer.commit(dict.fromkeys(tps, 1))
    async with running(toy_app(toy_settings)):
        await eventually(lambda: _read_to_the_end(broker, toy_settings, 50))


async def test_a_step_larger_than_a_batch_is_still_one_step(broker, toy_settings, eventually):
    await broker.write(
        "in", [(0, b"k%d" % number, b"pad 4000") for number in range(900)] + [(0, b"big", b"pad 3000000")]
    )
    async with running(toy_app(toy_settings, compression=None)) as app:
        await eventually(lambda: _count_is(broker, "out", 901))
        assert applied(app) == 901
    async with running(toy_app(toy_settings)) as app:
        rows = rows_of(app)
        assert len(rows) == 901
        assert len(rows["big"].pad) == 3_000_000


async def test_a_bundle_that_unpacks_to_more_than_a_step_takes_becomes_several_steps(broker, toy_settings, eventually):
    # 20 MB of records that all come with one fetch, since they are packed to nothing
    await broker.write("in", [(0, b"k%d" % (number % 7), b"x" * 20_000) for number in range(1000)], "gzip")
    async with running(toy_app(toy_settings)) as app:
        await eventually(lambda: applied(app) == 1000, 30)
        await eventually(lambda: _count_is(broker, "out", 1000))
    fences = await _fences(broker)
    assert fences[0] == -1
    assert fences[-1] == 999
    assert len(fences) >= 4
    assert fences == sorted(set(fences))
    async with running(toy_app(toy_settings)) as app:
        assert applied(app) == 1000
    assert await broker.count("out") == 1000


async def test_timers_of_large_rows_fire_in_several_steps_and_once_each(broker, toy_settings, eventually):
    due = time.time() + 1.0
    await broker.write("in", [(0, b"k%d" % number, b"pad 60000") for number in range(300)])
    await broker.write("in", [(0, b"k%d" % number, b"arm %f" % due) for number in range(300)])
    async with running(toy_app(toy_settings, packed=True)):
        await eventually(lambda: _count_is(broker, "triggers", 300), 30)
    assert triggered(await broker.read("triggers")) == sorted(f"k{number}" for number in range(300))
    fences = await _fences(broker)
    assert len(fences) - len(set(fences)) >= 2, "timers alone do not move the fence"


async def _fences(broker):
    """The fences of partition 0 for `in`, one for each step."""
    codec = Codec(Count | Other)
    records = [record for record in await broker.read("counts-changelog") if record.partition == 0]
    return [codec.read_fence(record.value).applied["in"] for record in records if record.key == FENCE_KEY]


async def test_a_row_that_no_topic_accepts_stops_the_worker_and_is_named(broker, toy_settings, process):
    await broker.write("in", [(0, b"huge", b"pad 17000000")])
    reason = await failure_of(process, toy_settings)
    assert "RecordTooLargeError" in reason
    assert "b'huge' has 170000" in reason
    assert await broker.count("out") == 0


async def test_an_exception_stops_the_worker_and_leaves_no_trace_of_the_step(broker, toy_settings, process):
    await broker.write("in", [(0, b"a", b"v"), (0, b"b", b"?"), (0, b"a", b"v")])
    settings = replace(toy_settings, instance="one")
    for _ in range(2):
        assert "ValueError: poison" in await failure_of(process, settings)
    assert await broker.count("out") == 0
    rows, fences = await broker.state()
    assert rows == {}
    assert {offset for fence in fences.values() for offset in fence.applied.values()} == {-1}


async def test_records_that_expired_unread_stop_the_worker(broker, toy_settings, eventually, process):
    await broker.write("in", lines(20, keys=1))
    async with running(toy_app(toy_settings)):
        await eventually(lambda: _count_is(broker, "out", 20))
    await broker.write("in", lines(20, keys=1))
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    await admin.delete_records({TopicPartition(broker.prefix + "in", 0): RecordsToDelete(before_offset=30)})
    await admin.close()
    assert "expired unread" in await failure_of(process, toy_settings)


async def test_an_input_made_anew_stops_the_worker(broker, toy_settings, eventually, process):
    await broker.write("in", lines(20, keys=1))
    async with running(toy_app(toy_settings)):
        await eventually(lambda: _count_is(broker, "out", 20))
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    await admin.delete_topics([broker.prefix + "in"])
    await admin.close()
    await eventually(lambda: _made_again(broker, toy_settings))
    assert "made anew" in await failure_of(process, toy_settings)


async def _made_again(broker, settings):
    made = (await provision(settings, TOPICS)).missing  # at first the old one is still on its way out
    return broker.prefix + "in" in made


async def test_a_delivery_that_was_lost_is_noticed(broker, toy_settings, process):
    await broker.write("in", lines(20, keys=1))
    reason = await failure_of(process, toy_settings, TOY_LOSE="1", TOY_BUNDLE="10")
    assert "HoleError: in[0]: applied up to offset 6, but the next record delivered is 10" in reason
    assert await broker.count("out") == 10


async def test_a_step_outside_a_bundle_is_written_and_refused_for_partitions_of_others(
    broker, toy_settings, eventually
):
    async with running(toy_app(toy_settings)) as app:
        table = app.fenced[0]

        def work(step):
            step.put("outside", Count(n=7))
            step.send("extra", "outside", b"to another partition", 3)

        assert await table.run(1, work)
        assert not await table.run(9, work)
        await eventually(lambda: "outside" in table.parts[3].rows)
    rows, _ = await broker.state()
    assert rows["outside"].n in (1, 7)


async def test_partitions_are_announced_when_they_open_and_close(toy_settings):
    heard = []
    app = toy_app(
        toy_settings,
        on_opened=lambda number: heard.append(("opened", number)),
        on_closed=lambda number: heard.append(("closed", number)),
    )
    async with running(app):
        assert heard == [("opened", number) for number in range(4)]
        heard.clear()
    assert sorted(heard) == [("closed", number) for number in range(4)]


async def test_a_timer_fires_when_its_grace_is_over_and_not_before(broker, toy_settings, eventually):
    settings = replace(toy_settings, grace=0.5)
    due = time.time() + 1.0
    await broker.write("in", [(0, b"a", b"arm %f" % due)])
    async with running(toy_app(settings)):
        record = (await eventually(lambda: broker.read("triggers")))[0]
    key, fired_due, now = json.loads(record.value)
    assert (key, fired_due) == ("a", pytest.approx(due))
    assert now - due >= 0.5


async def test_what_waits_in_the_backlog_disarms_a_timer_that_came_due_meanwhile(broker, toy_settings, eventually):
    due = time.time() + 5.0
    armed = [(number % 4, b"k%d" % number, b"arm %f" % due) for number in range(40)]
    await broker.write("in", armed)
    async with running(toy_app(toy_settings)) as app:
        await eventually(lambda: applied(app) == 40)
        await eventually(lambda: _count_is(broker, "out", 40))
    assert time.time() < due, "too slow a machine for this test"
    bought = [(partition, key, b"disarm") for partition, key, _ in armed[:30]]
    await broker.write("in", lines(8000))
    await broker.write("extra", bought)
    await asyncio.sleep(max(0.0, due + 0.3 - time.time()))  # the worker is down while the timers come due

    async with running(toy_app(toy_settings, max_records=100)):
        await eventually(lambda: _count_is(broker, "triggers", 10), 20)
        await eventually(lambda: _count_is(broker, "out", 40 + 8000 + 30), 20)
    assert triggered(await broker.read("triggers")) == sorted(f"k{number}" for number in range(30, 40))


async def test_timers_are_rebuilt_and_fire_once(broker, toy_settings, eventually):
    due = time.time() + 2.0
    await broker.write("in", [(0, b"a", b"arm %f" % due), (1, b"b", b"arm %f" % due)])
    async with running(toy_app(toy_settings)):
        await eventually(lambda: _count_is(broker, "out", 2))
    async with running(toy_app(toy_settings)):
        await eventually(lambda: _count_is(broker, "triggers", 2))
    async with running(toy_app(toy_settings)) as app:
        assert not any(len(part.timers) for part in app.fenced[0].parts.values())
    assert triggered(await broker.read("triggers")) == ["a", "b"]


async def test_markers_of_an_aborted_transaction_do_not_hold_the_gate(broker, toy_settings, eventually):
    await broker.write("in", [(0, b"a", b"arm %f" % (time.time() + 1.0))])
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, transactional_id=broker.prefix + "other")
    async with producer:
        await producer.begin_transaction()
        await producer.send_and_wait(broker.prefix + "in", b"never", key=b"b", partition=0)
        await producer.send_and_wait(broker.prefix + "extra", b"never", key=b"b", partition=0)
        await producer.abort_transaction()
    async with running(toy_app(toy_settings)) as app:
        await eventually(lambda: _count_is(broker, "triggers", 1))
        assert set(rows_of(app)) == {"a"}
        assert app.fenced[0].parts[0].applied == {"in": 2, "extra": 1}


async def test_a_jump_of_the_clock_is_counted_and_timers_still_fire(broker, toy_settings, eventually):
    class Jumping:
        ahead = 0.0

        def now(self):
            return time.time() + self.ahead

        def monotonic(self):
            return time.monotonic()

    clock = Jumping()
    before = metrics.CLOCK_JUMPS._value.get()
    await broker.write("in", [(0, b"a", b"arm %f" % (time.time() + 3600))])
    async with running(toy_app(toy_settings, clock)) as app:
        await eventually(lambda: applied(app) == 1)
        assert await broker.count("triggers") == 0
        clock.ahead = 4000.0
        await eventually(lambda: _count_is(broker, "triggers", 1))
    assert metrics.CLOCK_JUMPS._value.get() == before + 1


async def test_in_stream_time_the_wall_clock_fires_nothing(broker, toy_settings, eventually):
    await broker.write("in", [(0, b"a", b"arm 1.0"), (0, b"b", b"x")])
    async with running(toy_app(toy_settings, live=False)) as app:
        await eventually(lambda: applied(app) == 2)
        await app.fenced[0].tick()
        await eventually(lambda: _count_is(broker, "out", 2))
    assert await broker.count("triggers") == 0
