"""What the engine is measured against: a plain Faust agent and its table, around the same core. One event at a time.

Each event is a step of its own; the rows that it changes are set in a Faust table, what it sends goes through Faust's topics.
Nothing is exactly once here.
"""

import asyncio
import os
import resource
import sys
import time

import faust
import uvloop

from agents.behaviour import ROW_TYPE, Behaviour
from agents.decide import Decider
from agents.scenarios.load import load_folder
from app.logs import set_up
from app.settings import load
from tables.bundle import Bundle
from tables.changelog import Codec
from tables.packed import PackedRows
from tables.step import Partition, Step


def make(settings, events):
    prefix = settings.topic_prefix
    app = faust.App(
        prefix + "plain",
        broker=settings.kafka,
        topic_partitions=settings.partitions,
        topic_disable_leader=True,
        stream_recovery_delay=0.0,
        store="memory://",
        datadir=settings.data / "plain",
        web_enabled=False,
        consumer_auto_offset_reset="earliest",
    )
    clicks = app.topic(
        prefix + "clickstream", key_serializer="raw", value_serializer="raw", key_type=bytes, value_type=bytes
    )
    outputs = {
        name: app.topic(f"{prefix}plain-{name}", key_serializer="raw", value_serializer="raw")
        for name in ("outbox", "journal", "links", "dead-letters")
    }
    customers = app.Table("customers", key_type=bytes, value_type=bytes, partitions=settings.partitions)
    behaviour = Behaviour(
        Decider(load_folder(settings.scenarios), locale="en"), stream_time=True, partitions=settings.partitions
    )
    codec = Codec(ROW_TYPE)
    parts = {n: Partition(n, PackedRows(codec.encode_row, codec.decode_row)) for n in range(settings.partitions)}
    start = {}

    @app.agent(clicks, name="plain")
    async def plain(stream):
        done = 0
        async for message in stream.events():
            if not done:
                usage = resource.getrusage(resource.RUSAGE_SELF)
                start["cpu"], start["at"] = usage.ru_utime + usage.ru_stime, time.monotonic()
            done += 1
            record = message.message
            part = parts[record.partition]
            step = Step(part)
            behaviour.on_bundle(step, Bundle("clickstream", part.number, (record,), record.offset, record.offset), 0.0)
            for key in step.changed:
                customers[key.encode()] = part.rows.pack(key)
            part.rows.close()
            for output in step.outputs:
                await outputs[output.topic].send(
                    key=output.key.encode(), value=output.value, partition=output.partition
                )
            if done == events:
                usage = resource.getrusage(resource.RUSAGE_SELF)
                cpu = usage.ru_utime + usage.ru_stime - start["cpu"]
                print(f"{cpu / events * 1e6:.2f} {events / (time.monotonic() - start['at']):.0f}", flush=True)
                os._exit(0)

    return app


async def serve(settings, events):
    app = make(settings, events)
    await app.start()
    await app.wait_until_stopped()


if __name__ == "__main__":
    own = load()
    set_up("WARNING")
    own.data.mkdir(parents=True, exist_ok=True)
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.run(serve(own, int(sys.argv[1])))
