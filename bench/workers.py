"""Real workers as processes of a bench: started, watched, killed; what they have applied and what CPU they have used."""

import asyncio
import os
import signal
import sys
import time
import urllib.request
from contextlib import AsyncExitStack
from dataclasses import replace

import psutil
from aiokafka import AIOKafkaConsumer, TopicPartition

from app.codec import decode_outgoing
from app.embedded.state import free_port
from app.engine.kafka_client import client_options
from app.model.trigger import Trigger
from app.topics import OUTBOX
from tests.servers import Children

APPLIED = 'boomerang_engine_events_applied_total{topic="clickstream"}'
LOOK_S = 1.0
"""Between two looks at a worker's metrics while it works, at the most: an answer takes some milliseconds of its CPU."""
CLOSE_S = 0.1
"""Between two looks when it is nearly through, at the least."""
LATE_S = 0.5
"""The stretch between half and 95 % of a course has to be longer than this for a figure of its own."""
STALL_S = 90.0
"""Without any progress for so long a run is given up."""


def cpu_of(pid):
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def total(text, name):
    """Sum of a metric's samples whose text begins with `name`."""
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))


class Workers:
    """`count` workers of one group. Use as a context."""

    def __init__(self, settings, count, folder):
        self._all = [
            replace(settings, instance=f"bench-{number}", worker_port=free_port(), data=settings.data / f"{number}")
            for number in range(count)
        ]
        self._folder, self._children, self.processes = folder, None, []
        self.started = 0.0

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        if self._children is not None:
            self._children.close()

    def start(self):
        self._children = Children(self._folder / f"logs-{time.monotonic_ns()}")
        self.started = time.time()
        for settings in self._all:
            settings.data.mkdir(parents=True, exist_ok=True)
        self.processes = [self._children.boomerang("worker", settings=settings) for settings in self._all]

    def kill(self):
        """kill -9 of all of them at once."""
        for process in self.processes:
            os.kill(process.pid, signal.SIGKILL)
        self._children.close()

    def check(self):
        for process in self.processes:
            if process.status() is not None:
                sys.exit(f"a worker ended with status {process.status()}:\n{process.log.tail(20)}")

    def cpu(self):
        return sum(cpu_of(process.pid) for process in self.processes)

    def rss_mb(self):
        return round(sum(psutil.Process(process.pid).memory_info().rss for process in self.processes) / 2**20)

    def metrics(self):
        """The metrics of all workers that answer, one text after the other."""
        texts = []
        for settings in self._all:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{settings.worker_port}/metrics", timeout=10) as answer:
                    texts.append(answer.read().decode())
            except OSError:
                continue
        return "\n".join(texts)

    def ready(self):
        """How many are ready: partitions restored and open."""
        count = 0
        for settings in self._all:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{settings.worker_port}/readyz", timeout=10):
                    count += 1
            except OSError:
                continue
        return count

    def until_ready(self, seconds=120.0):
        end = time.monotonic() + seconds
        while self.ready() < len(self._all):
            self.check()
            assert time.monotonic() < end, "the workers do not become ready"
            time.sleep(0.05)

    def applied(self):
        return int(total(self.metrics(), APPLIED))

    def run(self, count):
        """Watch them apply `count` records: a course of (time, applied, CPU), from the last look before the first record on."""
        course, moved = [], time.monotonic()
        while not course or course[-1][1] < count:
            self.check()
            done = self.applied()
            point = (time.time(), done, self.cpu())
            if not course or not (done or course[-1][1]):
                course = [point]
            elif done > course[-1][1]:  # a worker that does not answer counts as nothing
                course.append(point)
                moved = time.monotonic()
            if time.monotonic() - moved > STALL_S:
                sys.exit(f"nothing applied for {STALL_S:.0f} s, {done} of {count} done")
            time.sleep(pause(course, count))
        return course


def pause(course, count):
    """Seconds until the next look at a course to `count`: often before the first record; then half of what is left as it went so far,
    and no longer than a quarter of that, since it may go quicker by now.
    """
    (begin, first, _), (now, done, _) = course[0], course[-1]
    if not done:
        return 0.05
    left = (count - done) * (now - begin) / max(done - first, 1)
    return max(min(left / 2, (now - begin) / 4, LOOK_S), CLOSE_S)


def course_figures(course):
    """CPU per event, events a second, and the rate between half and 95 % of a course."""
    (begin, first, cpu), (end, count, cpu_end) = course[0], course[-1]
    half = next(point for point in course if point[1] >= 0.5 * count)
    late = next(point for point in course if point[1] >= 0.95 * count)
    figures = {
        "cpu_us_per_event": round((cpu_end - cpu) / (count - first) * 1e6, 2),
        "events_per_s": round((count - first) / (end - begin)),
    }
    if late[0] - half[0] > LATE_S:
        figures["late_events_per_s"] = round((late[1] - half[1]) / (late[0] - half[0]))
        figures["late_cpu_us_per_event"] = round((late[2] - half[2]) / (late[1] - half[1]) * 1e6, 2)
    return figures


async def read_committed(settings, topic, decode):
    """Every committed record of a topic: `decode(record)`, and how many there are."""
    name = settings.topic_prefix + topic
    async with AsyncExitStack() as stack:
        consumer = AIOKafkaConsumer(**client_options(settings), isolation_level="read_committed")
        await consumer.start()
        stack.push_async_callback(consumer.stop)
        partitions = [TopicPartition(name, number) for number in range(settings.partitions)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends, found = await consumer.end_offsets(partitions), []
        while any([await consumer.position(tp) < end for tp, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += [decode(record) for record in records]
        return found


def triggers(settings):
    """The triggers of the outbox as (customer, due in ms, {product: quantity}, time of the record)."""

    def decode(record):
        item = decode_outgoing(record.value)
        if not isinstance(item, Trigger):
            return None
        items = {line.product_id: int(line.quantity) for line in item.content.items}
        return item.customer, round(item.due * 1000), items, record.timestamp / 1000

    return [item for item in asyncio.run(read_committed(settings, OUTBOX.name, decode)) if item is not None]
