"""Ten thousand carts come due within one second, and again at one moment, while a million wait and events keep coming.

    python -m bench.burst [--pending 1000000] [--due 10000] [--rate 5000]

Wall clock, the real worker on real Kafka. Lateness counts from due + grace to the moment at which a reader of committed records
in another process has the trigger: a little more than the acknowledgement. The drain is the rate of the second burst, from
its one moment to its last trigger.
"""

import argparse
import asyncio
import json
import multiprocessing
import sys
import tempfile
import time
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from app.clock import SYSTEM
from app.codec import decode_outgoing
from app.embedded.state import free_port
from app.engine.kafka_client import client_options
from app.settings import load
from app.topics import CLICKSTREAM, OUTBOX, partition_of
from bench.peers import say
from bench.state import NAME, armed, multiplied, stamp, state_of, write_rows
from bench.workers import Workers
from tests.servers import running_kafka

WAIT_S = 3600.0
"""The cart scenario's wait: when a cart was left decides when it comes due."""
APART_S = 12.0
"""Between the two bursts."""
WARM_S = 8.0
"""Of background events before the first burst."""
PAGE = (
    '{"type":"page","messageId":"b-%s-%d","userId":"%s","timestamp":"%s",'
    '"properties":{"url":"https://shop.example/catalog/shoes?page=%d","title":"Catalog of goods"}}'
)
TICK_S = 0.02


async def background(settings, rate, pending, end):
    """`rate` page views a second by waiting customers, written straight to Kafka, until `end` (epoch seconds)."""
    producer = AIOKafkaProducer(**client_options(settings), linger_ms=0)
    await producer.start()
    topic, sent, begin = settings.topic_prefix + CLICKSTREAM.name, 0, SYSTEM.now()
    places = [
        (user, partition_of(user, settings.partitions)) for user in map(NAME.__mod__, range(min(pending, 50_000)))
    ]
    while (now := SYSTEM.now()) < end:
        batches, text = {}, stamp(now)
        for _ in range(int((now - begin) * rate) - sent):
            user, number = places[sent * 7919 % len(places)]
            batch = batches.get(number) or batches.setdefault(number, producer.create_batch())
            value = (PAGE % (text, sent, user, text, sent % 40)).encode()
            if batch.append(key=user.encode(), value=value, timestamp=int(now * 1000)) is not None:
                sent += 1
        for number, batch in batches.items():
            await producer.send_batch(batch, topic, partition=number)
        await asyncio.sleep(max(0.0, now + TICK_S - SYSTEM.now()))
    await producer.stop()
    return sent


def run_background(settings, rate, pending, end, out):
    out.put(asyncio.run(background(settings, rate, pending, end)))


async def watch(settings, count, end):
    """(due, seen) of the triggers, in the order in which they are seen; until there are `count`, or the time is up."""
    topic = settings.topic_prefix + OUTBOX.name
    consumer = AIOKafkaConsumer(
        **client_options(settings), isolation_level="read_committed", fetch_max_wait_ms=10, max_poll_records=1000
    )
    await consumer.start()
    consumer.assign([TopicPartition(topic, number) for number in range(settings.partitions)])
    await consumer.seek_to_beginning()
    found = []
    while len(found) < count and SYSTEM.now() < end:
        records = await consumer.getmany(timeout_ms=200)
        now = SYSTEM.now()
        found += [(record.value, now) for some in records.values() for record in some]
    await consumer.stop()
    return [(decode_outgoing(value).due, at) for value, at in found]


def leavers(settings, count, first_due, spread, name):
    """Customers whose carts come due between `first_due` and `spread` seconds later."""

    def events(number, user):
        return armed(number, user, first_due - WAIT_S + spread * number / count)

    return state_of(settings, [f"{name}{number:06d}" for number in range(count)], events)


def quantile(values, share):
    return values[min(len(values) - 1, int(len(values) * share))]


def measure(bootstrap, folder, args):
    settings = load(
        {}, kafka=f"kafka://{bootstrap}", topic_prefix=f"bench{time.time_ns()}-", data=folder / "data",
        worker_port=free_port(), log_level="WARNING",
    )  # fmt: skip
    write_rows(settings, multiplied(settings, args.pending, SYSTEM.now()))
    # restored once, to know how long that takes here: the bursts must come after it
    with Workers(settings, 1, folder) as workers:
        workers.start()
        workers.until_ready(600)
        restored = time.time() - workers.started
    first = SYSTEM.now() + args.due * 2e-3 + 1.5 * restored + WARM_S + 5.0
    second = first + APART_S
    rows = chain(leavers(settings, args.due, first, 1.0, "early"), leavers(settings, args.due, second, 0.0, "late"))
    write_rows(settings, (row for row in rows if not row[1].startswith(b"\0")))
    out, end = multiprocessing.Queue(), second + 20.0
    with Workers(settings, 1, folder) as workers:
        workers.start()
        load_process = multiprocessing.Process(
            target=run_background, args=(settings, args.rate, args.pending, end, out)
        )
        load_process.start()
        workers.until_ready(600)
        spare = first - SYSTEM.now()
        seen = asyncio.run(watch(settings, 2 * args.due, end))
        sent = out.get()
        load_process.join()
    grace = settings.grace
    early = sorted((at - due - grace) * 1000 for due, at in seen if due < second - 1)
    late = sorted((at - due - grace) for due, at in seen if due >= second - 1)
    return {
        "what": f"{args.due:,} due", "pending": args.pending, "background_events": sent, "ready_before_s": round(spare, 1),
        "triggers": len(seen), "p50_ms": round(quantile(early, 0.5)), "p99_ms": round(quantile(early, 0.99)),
        "max_ms": round(early[-1]), "drain_s": round(late[-1], 2), "drained_per_s": round(len(late) / late[-1]),
        "complete": len(early) == len(late) == args.due, "early": early[0] < 0,
    }  # fmt: skip


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pending", type=int, default=1_000_000)
    parser.add_argument("--due", type=int, default=10_000)
    parser.add_argument("--rate", type=int, default=5000, help="background events a second")
    args = parser.parse_args(argv)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="boomerang-bench-")))
        bootstrap = stack.enter_context(running_kafka(folder / "kafka"))
        say(f"  {args.pending:,} pending, {args.rate:,} events/s beside them, {args.due:,} come due ...")
        print(json.dumps(measure(bootstrap, folder, args)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
