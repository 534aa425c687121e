"""What restarts and takeovers cost: the longest time in which a partition got nothing done, under a steady trickle.

    python -m bench.outages [--rate 400] [--rows 20000] [--standbys 0 1] [--manners SIGTERM SIGKILL away]

JSON lines, one a manner of ending. Two workers share four partitions, each with a name of its own, so that a restart within the session
(10 s) moves nothing; each partition gets its share of the events once every 50 ms. A gap is the time between two commits of one partition, from the
timestamps of what the worker has published; the row `quiet` is the longest gap while nobody disturbs, to compare with. `start_s` counts to
`/readyz`: state restored. With standbys each worker keeps copies of the other's partitions.
"""

import argparse
import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from app.embedded.state import free_port
from app.engine.provision import provision
from app.settings import environment, load
from app.topics import partition_of
from tests.servers import running_kafka

PARTITIONS = 4
PAUSE = 0.05
AWAY = "away"
MANNERS = ("SIGTERM", "SIGKILL", AWAY)
"""Each worker ends by this signal and starts again; one is away for 20 s, and joins then."""


class Worker:
    """One `boomerang worker` with a name and a port of its own."""

    def __init__(self, settings, name):
        self.settings = replace(settings, instance=name, worker_port=free_port())
        self.process = None

    def start(self):
        command = [sys.executable, "-m", "app.cli", "worker"]
        self.process = subprocess.Popen(command, env={**os.environ, **environment(self.settings)})

    async def ready(self):
        while not await asyncio.to_thread(self._is_ready):
            assert self.process.poll() is None, "the worker has ended"
            await asyncio.sleep(0.1)

    def _is_ready(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.settings.worker_port}/readyz", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def rebalances(self):
        """How many this worker has taken part in."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.settings.worker_port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return int(
            sum(float(line.split()[-1]) for line in lines if line.startswith("boomerang_engine_rebalances_total"))
        )

    async def end(self, number):
        self.process.send_signal(number)
        await asyncio.to_thread(self.process.wait, 20)


def record(number, key):
    event = {
        "type": "track",
        "event": "Product Added",
        "userId": key,
        "messageId": f"m{number}",
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "properties": {"product_id": f"p{number % 97}", "price": 10.0},
    }
    return key.encode(), json.dumps(event).encode()


def keys_by_partition(rows):
    found = defaultdict(list)
    for number in range(rows):
        found[partition_of(f"u{number}", PARTITIONS)].append(f"u{number}")
    return found


async def trickle(producer, topic, keys, rate, stop):
    number = 0
    while not stop.is_set():
        for partition in range(PARTITIONS):
            for _ in range(max(int(rate * PAUSE / PARTITIONS), 1)):
                number += 1
                key, value = record(number, keys[partition][number % len(keys[partition])])
                await producer.send(topic, value, key=key, partition=partition)
        await asyncio.sleep(PAUSE)


async def commits(settings):
    """Partition -> times (s) at which a committed journal line was appended."""
    topic = settings.topic_prefix + "journal"
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka.removeprefix("kafka://"), isolation_level="read_committed"
    )
    await consumer.start()
    tps = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    consumer.assign(tps)
    await consumer.seek_to_beginning(*tps)
    ends, found = await consumer.end_offsets(tps), defaultdict(list)
    while any([await consumer.position(tp) < end for tp, end in ends.items()]):
        for tp, records in (await consumer.getmany(timeout_ms=500)).items():
            found[tp.partition] += [one.timestamp / 1000 for one in records]
    await consumer.stop()
    return found


def gaps(times, start, end):
    """The longest gap of each partition that begins between the last commits before `start` and `end`, ms."""
    out = []
    for _, partition in sorted(times.items()):
        found = sorted(partition)
        out.append(
            max((b - a for a, b in itertools.pairwise(found) if start - PAUSE * 4 < a < end), default=end - start)
        )
    return [round(gap * 1000) for gap in out]


async def measure(settings, args):
    await provision(settings)
    keys, topic, stop = keys_by_partition(args.rows), settings.topic_prefix + "clickstream", asyncio.Event()
    workers = [Worker(settings, name) for name in ("one", "two")]
    spans = []
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka.removeprefix("kafka://"), linger_ms=2) as producer:
        for partition, names in keys.items():  # state to restore
            for number, name in enumerate(names):
                key, value = record(number, name)
                await producer.send(topic, value, key=key, partition=partition)
        await producer.flush()
        try:
            for worker in workers:
                worker.start()
            for worker in workers:
                await worker.ready()
            running = asyncio.create_task(trickle(producer, topic, keys, args.rate, stop))
            await asyncio.sleep(8)
            spans.append(("quiet", time.time(), time.time() + 6, {}))
            await asyncio.sleep(8)
            await disturb(spans, workers, args.manners)
            stop.set()
            await running
            await asyncio.sleep(3)
        finally:
            for worker in workers:
                if worker.process is not None and worker.process.poll() is None:
                    worker.process.kill()
                    worker.process.wait()
    times = await commits(settings)
    for what, start, end, more in spans:
        found = gaps(times, start, end)
        line = {"what": f"{what}, {told(settings.standbys)}", "longest_gap_ms": max(found)}
        print(json.dumps({**line, "by_partition_ms": " ".join(map(str, found)), **more}), flush=True)


def told(standbys):
    """The number in words."""
    return f"{standbys or 'no'} standby"


async def disturb(spans, workers, manners):
    """End and start the workers in each of these manners."""
    for name in (name for name in manners if name != AWAY):
        for worker, other in (workers, reversed(workers)):
            await restart(spans, worker, other, signal.Signals[name])
    if AWAY not in manners:
        return
    began = time.time()
    await workers[1].end(signal.SIGKILL)
    await asyncio.sleep(20)
    spans.append(("one dies for good, the other takes over", began, time.time(), {}))
    began = time.time()
    workers[1].start()
    await workers[1].ready()
    await asyncio.sleep(5)
    spans.append(("one joins", began, time.time(), {}))


async def restart(spans, worker, other, number):
    """End a worker and start it again under its name."""
    began, rebalances = time.time(), other.rebalances()
    await worker.end(number)
    ended = time.time()
    worker.start()
    await worker.ready()
    ready = time.time()
    await asyncio.sleep(3)
    more = {
        "stop_s": round(ended - began, 1),
        "start_s": round(ready - ended, 1),
        "rebalances": other.rebalances() - rebalances,
    }
    spans.append(
        (f"{worker.settings.instance} ends with {signal.Signals(number).name} and starts", began, time.time(), more)
    )
    await asyncio.sleep(5)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=int, default=400, help="events a second")
    parser.add_argument("--rows", type=int, default=20_000, help="customers whose state is restored")
    parser.add_argument(
        "--standbys", type=int, nargs="+", default=[0, 1], help="copies of a partition, one run each (default: 0 1)"
    )
    parser.add_argument(
        "--manners", nargs="+", default=MANNERS, choices=MANNERS, help=f"how workers end (default: {' '.join(MANNERS)})"
    )
    args = parser.parse_args(argv)
    if not all(0 <= number <= 1 for number in args.standbys):
        parser.error("of two workers one can be a standby: --standbys 0 1")
    with (
        tempfile.TemporaryDirectory(prefix="boomerang-bench-") as folder,
        running_kafka(Path(folder) / "kafka") as bootstrap,
    ):
        for standbys in args.standbys:
            data = Path(folder) / f"data-{standbys}"
            data.mkdir()
            settings = load(
                {},
                kafka=f"kafka://{bootstrap}",
                topic_prefix=f"standbys-{standbys}-",
                data=data,
                log_level="ERROR",
                partitions=PARTITIONS,
                standbys=standbys,
            )
            asyncio.run(measure(settings, args))


if __name__ == "__main__":
    main()
