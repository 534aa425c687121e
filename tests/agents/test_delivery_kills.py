"""The real sender as a process, over real Kafka, Valkey and SMTP, killed with -9 while it speaks."""

import asyncio
import json
import os
import random
import signal
from dataclasses import replace

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from agents.delivery.service import HANDS
from app.clock import SYSTEM
from app.codec import decode_journal, encode_json
from app.engine.kafka_client import client_options
from app.model.reasons import Reason
from app.model.trigger import Cancel
from app.topics import JOURNAL, OUTBOX, partition_of
from tests.agents.ledger_table import trigger
from tests.channels.relays import relay
from tests.running import product
from tests.servers import eventually

pytestmark = [pytest.mark.broker, pytest.mark.slow]

MAILS = 600
KILLS = 4
CONNECTIONS = 4


async def write(settings, items):
    async with AIOKafkaProducer(**client_options(settings), linger_ms=5) as producer:
        futures = [
            await producer.send(
                settings.topic_prefix + OUTBOX.name,
                encode_json(item),
                key=item.customer.encode(),
                partition=partition_of(item.customer, settings.partitions),
            )
            for item in items
        ]
        await asyncio.gather(*futures)


async def journal(settings):
    """Committed lines of the journal."""
    consumer = AIOKafkaConsumer(**client_options(settings), isolation_level="read_committed", fetch_max_wait_ms=50)
    await consumer.start()
    try:
        tps = [TopicPartition(settings.topic_prefix + JOURNAL.name, number) for number in range(settings.partitions)]
        consumer.assign(tps)
        await consumer.seek_to_beginning(*tps)
        ends, lines = await consumer.end_offsets(tps), []
        for tp in tps:
            while await consumer.position(tp) < ends[tp]:
                for batch in (await consumer.getmany(tp, timeout_ms=200)).values():
                    lines += [decode_journal(record.value) for record in batch]
        return lines
    finally:
        await consumer.stop()


def mailed(server):
    return [to[0] for _, to, _ in server.mails]


def id_of(address):
    return f"{int(address[1:].split('@')[0]):032x}"


def in_doubt(ambiguous, taken, times):
    """What a sender that was broken off `times` times may leave in doubt (docs/adr/0003-the-ledger-is-a-fenced-table.md).

    A message that the relay has not taken held a connection. One that it has taken waited for its end to be written: it has arrived, and its
    connection may have gone on to the next.
    """
    assert len(set(ambiguous) - {id_of(address) for address in taken}) <= times * CONNECTIONS
    assert len(ambiguous) <= times * CONNECTIONS * HANDS


async def settled(settings, wanted):
    lines = await journal(settings)
    return len({line.trigger_id for line in lines if line.reason != Reason.RETRY}) == wanted and lines


def triggers(count):
    return [trigger(n, now=SYSTEM.now(), email=f"u{n}@shop.example") for n in range(1, count + 1)]


async def test_every_mail_once_whatever_is_killed_when(make_settings, process):
    chance = random.Random(11)
    async with relay() as server:
        settings = make_settings(
            instance="one", smtp=f"smtp+plain://127.0.0.1:{server.port}", smtp_connections=CONNECTIONS
        )
        async with product(settings, process) as shop:
            items = triggers(MAILS)
            cancelled = {item.trigger_id for item in items if chance.random() < 0.2}
            # the whole backlog is there before the sender is: what is cancelled at its end must not be sent from its beginning
            cancels = [
                Cancel(item.trigger_id, item.customer, Reason.GOAL_REACHED, SYSTEM.now())
                for item in items
                if item.trigger_id in cancelled
            ]
            await write(settings, [*items, *cancels])
            for _ in range(KILLS):
                before = len(server.mails)
                await shop.start("delivery", wait=False)
                wanted = before + chance.randint(20, 90)
                await eventually(lambda wanted=wanted: len(server.mails) >= wanted, 60, "some mails")
                await shop.kill("delivery")
            await shop.start("delivery")
            lines = await eventually(lambda: settled(settings, MAILS), 60, "all are settled")
            taken, reasons = mailed(server), {}
            for line in lines:
                reasons.setdefault(line.reason, set()).add(line.trigger_id)
            assert len(taken) == len(set(taken)), "a mail was sent twice"
            assert not {address for address in taken if id_of(address) in cancelled}
            assert reasons[Reason.GOAL_REACHED] == cancelled
            ambiguous = reasons.get(Reason.AMBIGUOUS, set())
            in_doubt(ambiguous, taken, KILLS)
            assert len(reasons[Reason.SENT]) + len(ambiguous) == MAILS - len(cancelled)
            assert reasons[Reason.SENT] <= {id_of(address) for address in taken}
            assert len([line for line in lines if line.reason == Reason.SENT]) == len(reasons[Reason.SENT])
            print(
                json.dumps(
                    {"sent": len(taken), "ambiguous": len(ambiguous), "cancelled": len(cancelled), "kills": KILLS}
                )
            )


async def test_a_wiped_redis_loses_and_doubles_nothing(make_settings, process):
    from redis import asyncio as aioredis

    async with relay() as server:
        settings = make_settings(instance="one", smtp=f"smtp+plain://127.0.0.1:{server.port}")
        async with product(settings, process) as shop:
            items = triggers(60)
            await write(settings, items[:30])
            await shop.start("delivery")
            await eventually(lambda: settled(settings, 30), 30)
            await shop.kill("delivery")
            async with aioredis.Redis.from_url(settings.redis) as client:
                assert len(await client.keys("*spoken*")) == 30
                await client.flushall()
            await write(settings, items)  # the first thirty once more
            await shop.start("delivery")
            await eventually(lambda: settled(settings, 60), 30)
            assert sorted(mailed(server)) == sorted(f"u{n}@shop.example" for n in range(1, 61))


async def test_a_graceful_stop_leaves_nothing_ambiguous(make_settings, process):
    async with relay() as server:
        settings = make_settings(instance="one", smtp=f"smtp+plain://127.0.0.1:{server.port}")
        async with product(settings, process) as shop:
            await write(settings, triggers(300))
            for _ in range(2):
                before = len(server.mails)
                await shop.start("delivery", wait=False)
                await eventually(lambda before=before: len(server.mails) >= before + 50, 60)
                began = SYSTEM.monotonic()
                stopped = asyncio.to_thread(shop.processes.pop("delivery").stop)  # the relay lives in this loop
                assert await stopped == 0
                assert SYSTEM.monotonic() - began < 8
            await shop.start("delivery")
            lines = await eventually(lambda: settled(settings, 300), 60)
            assert {line.reason for line in lines} == {Reason.SENT} and len(mailed(server)) == 300


async def test_a_sender_that_slept_through_a_takeover_says_nothing_more(make_settings, process, free_port):
    """SIGSTOP while it speaks, until another sender owns its partitions; then it wakes up."""
    async with relay() as server:
        settings = make_settings(
            instance="one", smtp=f"smtp+plain://127.0.0.1:{server.port}", smtp_connections=CONNECTIONS
        )
        other = replace(settings, instance="two", delivery_port=free_port())
        async with product(settings, process) as shop:
            items = triggers(MAILS)
            await write(settings, items)
            await shop.start("delivery", wait=False)
            await eventually(lambda: len(server.mails) >= 60, 60, "some mails")
            first = shop.processes["delivery"]
            os.kill(first.pid, signal.SIGSTOP)
            try:
                second = process.boomerang("delivery", settings=other)
                await eventually(
                    lambda: settled(settings, MAILS), 90, f"the other has settled all; {second.log.tail(5)}"
                )
            finally:
                os.kill(first.pid, signal.SIGCONT)
            more = triggers(MAILS + 60)[MAILS:]
            await write(settings, more)
            await eventually(lambda: settled(settings, MAILS + 60), 60, "both live on")
            lines, taken = await journal(settings), mailed(server)
            assert len(taken) == len(set(taken)), "a mail was sent twice"
            in_doubt([line.trigger_id for line in lines if line.reason == Reason.AMBIGUOUS], taken, 1)
            sent = [line.trigger_id for line in lines if line.reason == Reason.SENT]
            assert len(sent) == len(set(sent)) and set(sent) <= {id_of(to) for to in taken}
