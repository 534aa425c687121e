"""From the start of a worker with much state to its first event; and what that state takes in memory.

    python -m bench.restore [--customers 100000,1000000,3000000] [--partitions 4]

Every customer has an address and all built-in scenarios armed (a cart, three views, a search), as the core itself makes them, and
his visit is over. Each size is written to the changelog, and one worker restores it from there. The time counts from the process's
start to its first applied event, one that was waiting. Memory is what that process holds once it has frozen the rows of customers
who are not there, and, beside it, what it held just restored.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from aiokafka import AIOKafkaProducer

from app.clock import SYSTEM
from app.embedded.state import free_port
from app.engine.cooling import SETTLE
from app.engine.kafka_client import client_options
from app.settings import load
from app.topics import CLICKSTREAM, partition_of
from bench.peers import say
from bench.state import identify, multiplied, write_rows
from bench.workers import Workers, total
from tables.windows import SESSION_GAP
from tests.servers import running_kafka

EMPTY = 1
"""Customers of the run that shows what a worker takes without any state."""
AGO = 60.0 + SESSION_GAP
"""Seconds since the last of them was seen; the first timers come up 24 minutes after the start."""
STILL = SETTLE + 10.0
"""Seconds without a change of the rows' bytes after which they count as frozen."""
LONGEST = 900.0
"""Seconds that freezing may take."""


async def send_first(settings):
    """One event that waits for the worker."""
    producer = AIOKafkaProducer(**client_options(settings))
    await producer.start()
    user = "u0000000"
    number = partition_of(user, settings.partitions)
    value = identify(user, SYSTEM.now())
    await producer.send_and_wait(settings.topic_prefix + CLICKSTREAM.name, value, key=user.encode(), partition=number)
    await producer.stop()


def until_frozen(workers):
    """Seconds until the rows in memory do not become smaller any more, and the metrics then."""
    began = changed = time.monotonic()
    text, size = workers.metrics(), -1.0
    while time.monotonic() - changed < STILL:
        assert time.monotonic() - began < LONGEST, "rows are still being frozen"
        workers.check()
        time.sleep(0.5)
        text = workers.metrics()
        now = total(text, 'boomerang_engine_state_bytes{table="customers"}')
        if now != size:
            size, changed = now, time.monotonic()
    return round(changed - began, 1), text


def measure(bootstrap, folder, customers, partitions):
    settings = load(
        {}, kafka=f"kafka://{bootstrap}", topic_prefix=f"bench{time.time_ns()}-", data=folder / "data",
        partitions=partitions, worker_port=free_port(), log_level="WARNING",
    )  # fmt: skip
    began, now = time.monotonic(), SYSTEM.now()
    rows = write_rows(settings, multiplied(settings, customers, now - AGO))
    made = time.monotonic() - began
    asyncio.run(send_first(settings))
    with Workers(settings, 1, folder) as workers:
        workers.start()
        while not workers.applied():
            workers.check()
            time.sleep(0.05)
        first = time.time() - workers.started
        workers.until_ready()
        restored_mb, cpu = workers.rss_mb(), workers.cpu()
        frozen_in, text = until_frozen(workers)
        timers = int(total(text, 'boomerang_engine_timers_pending{table="customers"}'))
        return {
            "what": f"{customers:,} customers", "customers": customers, "rows": rows, "first_event_s": round(first, 2),
            "recovery_s": round(total(text, 'boomerang_engine_recovery_seconds{table="customers"}'), 2),
            "cpu_s": round(cpu, 1), "restored_rss_mb": restored_mb, "rss_mb": workers.rss_mb(), "frozen_in_s": frozen_in,
            "freezing_cpu_s": round(workers.cpu() - cpu, 1), "timers": timers, "made_in_s": round(made),
        }  # fmt: skip


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", default="100000,1000000,3000000", help="sizes, comma-separated")
    parser.add_argument("--partitions", type=int, default=4)
    args = parser.parse_args(argv)
    base = 0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="boomerang-bench-")))
        bootstrap = stack.enter_context(running_kafka(folder / "kafka"))
        for customers in [EMPTY, *map(int, args.customers.split(","))]:
            say(f"  {customers:,} customers ...")
            line = measure(bootstrap, folder, customers, args.partitions)
            if customers == EMPTY:
                base = line["rss_mb"]
                line["what"] = "no customers"
            else:
                line["restored_gb_per_million"] = round((line["restored_rss_mb"] - base) / 1024 / customers * 1e6, 3)
                line["gb_per_million"] = round((line["rss_mb"] - base) / 1024 / customers * 1e6, 3)
                line["bytes_a_customer"] = round((line["rss_mb"] - base) * 2**20 / customers)
            print(json.dumps(line), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
