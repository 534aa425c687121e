"""CPU per event of the real worker with the real core, transactions on, against a plain Faust agent around the same core.

    python -m bench.engine [--events 300000] [--plain-events 30000] [--kafka HOST:PORT]

JSON lines. CPU is user + system of the whole worker process, from its first applied event to its last.
"""

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path

from aiokafka import AIOKafkaProducer

from app.embedded.state import free_port
from app.engine.provision import provision
from app.settings import environment, load
from app.topics import ALL, Topic
from bench.stream import events

DAY = 86_400_000
EXTRA = tuple(
    Topic(name, "", "", DAY) for name in ("plain-outbox", "plain-journal", "plain-links", "plain-dead-letters")
)
PLAIN_CHANGELOG = Topic("plain-customers-changelog", "", "", -1, True)
TICKS = os.sysconf("SC_CLK_TCK")


async def fill(settings, records, backlog):
    await provision(settings, (*ALL, *EXTRA, PLAIN_CHANGELOG))
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka.removeprefix("kafka://"), max_batch_size=1 << 19)
    await producer.start()
    batches, size = {}, 0
    for partition, key, value in backlog:
        size += len(value)
        batch = batches.get(partition) or batches.setdefault(partition, producer.create_batch())
        if batch.append(key=key, value=value, timestamp=None) is None:
            await producer.send_batch(batch, settings.topic_prefix + "clickstream", partition=partition)
            batch = batches[partition] = producer.create_batch()
            batch.append(key=key, value=value, timestamp=None)
    for partition, batch in batches.items():
        await (await producer.send_batch(batch, settings.topic_prefix + "clickstream", partition=partition))
    await producer.stop()
    return size / records


def cpu_of(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def rss_of(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text()).group(1)) // 1024


def scrape(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        return answer.read().decode()


def total(text, name):
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))


def applied(port):
    try:
        return int(total(scrape(port), 'boomerang_engine_events_applied_total{topic="clickstream"}'))
    except OSError:
        return 0


def worker(settings, count):
    """Run the worker over the backlog; its measurements."""
    command = [sys.executable, "-m", "app.cli", "worker"]
    started = time.monotonic()
    child = subprocess.Popen(command, env={**os.environ, **environment(settings)})
    try:
        while not (done := applied(settings.worker_port)):
            assert child.poll() is None
            time.sleep(0.02)
        first = time.monotonic()
        cpu, before = cpu_of(child.pid), done
        while done < count:
            assert child.poll() is None
            time.sleep(0.25)
            done = applied(settings.worker_port)
        took, cpu = time.monotonic() - first, cpu_of(child.pid) - cpu
        text = scrape(settings.worker_port)
        return {
            "what": "engine",
            "events": done,
            "cpu_us_per_event": round(cpu / (done - before) * 1e6, 2),
            "events_per_s": round((done - before) / took),
            "decide_us_per_event": round(total(text, "boomerang_engine_decide_cpu_seconds_total") / done * 1e6, 2),
            "steps": int(total(text, "boomerang_engine_steps_total")),
            "first_event_s": round(first - started, 2),
            "rss_mb": rss_of(child.pid),
            "rows": int(total(text, "boomerang_engine_state_rows")),
        }
    finally:
        child.terminate()
        child.wait(15)


def plain(settings, count):
    command = [sys.executable, "-m", "bench.plain_faust", str(count)]
    out = subprocess.run(
        command, env={**os.environ, **environment(settings)}, capture_output=True, text=True, timeout=300
    )
    assert out.returncode == 0, out.stderr[-2000:]
    cpu, rate = out.stdout.split()[-2:]
    return {"what": "plain faust", "events": count, "cpu_us_per_event": float(cpu), "events_per_s": int(rate)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--plain-events", type=int, default=30_000)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--kafka", default="")
    args = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="boomerang-bench-")))
        bootstrap = args.kafka
        if not bootstrap:
            from tests.servers import running_kafka

            bootstrap = stack.enter_context(running_kafka(folder / "kafka"))
        settings = load(
            {}, kafka=f"kafka://{bootstrap}", topic_prefix=f"bench{int(time.time())}-", data=folder / "data", time="stream",
            worker_port=free_port(), log_level="WARNING",
        )  # fmt: skip
        bytes_each = asyncio.run(fill(settings, args.events, events(args.events, args.customers)))
        print(json.dumps({"what": "backlog", "events": args.events, "bytes_per_event": round(bytes_each)}), flush=True)
        engine = worker(settings, args.events)
        print(json.dumps(engine), flush=True)
        if args.plain_events:
            other = plain(settings, args.plain_events)
            print(json.dumps(other), flush=True)
            ratio = other["cpu_us_per_event"] / engine["cpu_us_per_event"]
            print(json.dumps({"what": "ratio", "plain_over_engine": round(ratio, 1)}), flush=True)


if __name__ == "__main__":
    main()
