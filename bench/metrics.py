"""What metrics cost: their calls against the work that they count, A and B in one run; and a scrape with a million customers.

python -m bench.metrics [--customers 1000000]
"""

import argparse
import asyncio
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

from agents.behaviour import Behaviour
from agents.decide import Decider
from agents.scenarios.load import load_folder
from app import metrics
from app.children import answers
from app.clock import SYSTEM
from app.embedded.state import free_port
from app.engine.provision import provision
from app.model.reasons import BadInput, Reason
from app.model.receipt import Outcome
from app.replay.core import MemoryBatch, MemoryRecord, packed_rows
from app.settings import Settings, environment, load
from app.topics import ALL
from bench.memory import MemorySink
from bench.stream import events
from tables.memory import MemoryTable

BUNDLE = 1000
ROUNDS = 20
BODY = (
    b'{"userId":"c1","event":"Product Viewed","messageId":"m-%d","properties":{"product_id":"p1","name":"Lamp",'
    b'"category":"lamps","price":20.5,"quantity":1},"context":{"page":{"path":"/p/1","title":"Shop"}}}'
)


def calls_of_a_bundle():
    """Everything that the fenced table counts of a bundle and its step."""
    label = "clickstream", "customers"
    applied, skipped = metrics.EVENTS_APPLIED.labels(label[0]), metrics.EVENTS_SKIPPED.labels(label[0])
    size, cpu = metrics.BUNDLE_RECORDS.labels(label[0]), metrics.BUNDLE_CPU.labels(label[1])
    steps, seconds = metrics.STEPS.labels(label[1]), metrics.STEP_SECONDS.labels(label[1])

    def call():
        skipped.inc(0)
        applied.inc(BUNDLE)
        size.observe(BUNDLE)
        cpu.inc(0.015)
        steps.inc()
        seconds.observe(0.004)
        for _ in range(20):
            metrics.LATENESS_SECONDS.observe(0.01)

    return call


def engine():
    """Bundles through the core, with the metric calls and without, in turn."""
    settings = Settings()
    behaviour = Behaviour(Decider(load_folder(settings.scenarios)), stream_time=True, partitions=4)
    table = MemoryTable(lambda _number, _output: None, packed_rows)
    stream, call, offset = events(ROUNDS * BUNDLE * 8, 20_000), calls_of_a_bundle(), 0
    took, counted = [], []
    for turn in range(ROUNDS * 2):
        records = [MemoryRecord(key, value, offset + i, 0) for i, (_, key, value) in enumerate(islice(stream, BUNDLE))]
        offset += BUNDLE
        batch = MemoryBatch("clickstream", 0, records)
        began = time.process_time_ns()
        table.run(0, lambda step, batch=batch: behaviour.on_bundle(step, batch, 0.0))
        took.append(time.process_time_ns() - began)
        began = time.process_time_ns()
        for _ in range(100):
            call()
        counted.append((time.process_time_ns() - began) / 100)
        del turn
    work, cost = statistics.median(took), statistics.median(counted)
    return {
        "what": "engine, a bundle of 1,000",
        "without_us": round(work / 1e3),
        "metrics_us": round(cost / 1e3, 1),
        "share_percent": round(cost / work * 100, 3),
        "target_percent": 3,
    }


async def collector():
    """Requests through the application, with metrics and with what counts nothing in their place, in turn."""
    from app.web.collector.asgi import Collector
    from app.web.collector.dedupe import NoIds
    from app.web.collector.intake import Intake

    intake = Intake(MemorySink(), NoIds())
    app = Collector(load({}, write_keys="server:k", rate_per_key=10_000_000), SYSTEM, intake)
    await intake.start()
    shown = {True: [], False: []}
    number = 0
    real = metrics.Tally.add, metrics.Spread.observe
    for turn in range(ROUNDS * 2):
        counting = turn % 2 == 0
        metrics.Tally.add, metrics.Spread.observe = real if counting else (lambda *_a, **_k: None, lambda *_a: None)
        began = time.process_time_ns()
        for _ in range(10):
            await asyncio.gather(*(request(app, number + i) for i in range(100)))
            number += 100
        shown[counting].append((time.process_time_ns() - began) / 1000)
    metrics.Tally.add, metrics.Spread.observe = real
    began = time.process_time_ns()
    for _ in range(20_000):
        metrics.COLLECTOR_REQUESTS.add("track", "200")
        metrics.COLLECTOR_BODY.observe(300)
        metrics.COLLECTOR_EVENTS.add("accepted")
        metrics.COLLECTOR_EVENT_NAMES.add("Product Viewed")
        metrics.COLLECTOR_ACK.observe(0.01)
    alone = (time.process_time_ns() - began) / 20_000
    await intake.close()
    with_, without = (statistics.median(shown[counting]) for counting in (True, False))
    return {
        "what": "collector, a request (in memory, no sockets)",
        "with_us": round(with_ / 1e3, 2),
        "without_us": round(without / 1e3, 2),
        "metrics_us": round(alone / 1e3, 2),
        "share_percent": round(alone / without * 100, 2),
        "target_percent": 3,
    }


async def request(app, number):
    """One tracked event."""
    body = BODY % number
    scope = {"type": "http", "method": "POST", "path": "/v1/track", "query_string": b"", "client": ("127.0.0.1", 1),
             "headers": [(b"authorization", b"Basic azo=")]}  # fmt: skip

    async def receive():
        return {"type": "http.request", "body": body}

    async def send(message):
        assert message.get("status", 200) == 200

    await app(scope, receive, send)


def scrape(customers):
    """The exposition of a worker that has everything to tell, beside a state of so many customers."""
    rows = packed_rows()
    row = b"\xdc\x00\x1b" + b"\x00" * 400
    for number in range(customers):
        rows.put_packed(f"c{number:07d}", row)
    gc.freeze()
    for number in range(20):
        for reason in Reason:
            metrics.DECISIONS.labels(f"scenario_{number}", reason).inc()
        for outcome in Outcome:
            metrics.RECEIPTS.labels(f"scenario_{number}", outcome).inc()
        metrics.TRIGGERS.labels(f"scenario_{number}").inc()
    for reason in BadInput:
        metrics.DEAD_LETTERS.labels(reason).inc()
    for topic in ALL:
        for metric in (metrics.EVENTS_APPLIED, metrics.EVENTS_SKIPPED, metrics.LAG_RECORDS, metrics.LAG_SECONDS):
            metric.labels(topic.name)
        metrics.BUNDLE_RECORDS.labels(topic.name)
    metrics.introduce("worker", "bench")
    took, text = [], b""
    for _ in range(30):
        metrics.STATE_ROWS.labels("customers").set(len(rows))
        metrics.STATE_BYTES.labels("customers").set(rows.size)
        began = time.process_time_ns()
        text = metrics.render()
        took.append((time.process_time_ns() - began) / 1e6)
    return {
        "what": f"a scrape with {customers:,} customers and 20 scenarios",
        "cpu_ms_median": round(statistics.median(took), 1),
        "cpu_ms_most": round(max(took), 1),
        "kilobytes": round(len(text) / 1000),
        "state_megabytes": round(rows.size / 1e6),
        "target": "50 ms, 300 kB",
    }


def start_to_ready():
    """A worker with an empty state, from its start to the first 200 of /readyz, on a real broker."""
    from tests.servers import running_kafka

    took = []
    with (
        tempfile.TemporaryDirectory(prefix="boomerang-bench-") as folder,
        running_kafka(Path(folder) / "kafka") as kafka,
    ):
        settings = load({}, kafka=f"kafka://{kafka}", data=Path(folder) / "data", worker_port=free_port(), instance="b")
        settings.data.mkdir()
        asyncio.run(provision(settings))
        for _ in range(3):
            began = time.monotonic()
            child = subprocess.Popen(
                [sys.executable, "-m", "app.cli", "worker"],
                env={**os.environ, **environment(settings)},
                stderr=subprocess.DEVNULL,
            )
            while not answers("127.0.0.1", settings.worker_port, "/readyz"):
                assert child.poll() is None
                time.sleep(0.02)
            took.append(time.monotonic() - began)
            child.terminate()
            child.wait(15)
    return {"what": "a worker, start to ready with an empty state", "seconds_median": round(statistics.median(took), 2),
            "seconds": [round(each, 2) for each in took], "target": "5 s"}  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=1_000_000)
    args = parser.parse_args()
    print(json.dumps(engine()), flush=True)
    print(json.dumps(asyncio.run(collector())), flush=True)
    print(json.dumps(start_to_ready()), flush=True)
    print(json.dumps(scrape(args.customers)), flush=True)


if __name__ == "__main__":
    main()
