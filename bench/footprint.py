"""The embedded system at rest: seconds from start to ready, resident memory of every process, bytes a customer.

python -m bench.footprint [--customers 100000]
"""

import argparse
import gc
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import psutil

from agents.behaviour import Behaviour
from agents.decide import Decider
from agents.scenarios.load import load_folder
from app.commands.replay import feed_core
from app.replay.core import CoreReplay, MemoryBatch, MemoryRecord
from app.replay.sources import read
from app.settings import load
from bench import stream
from tables.customer import SHELF_PREFIX, Row
from tables.packed import PackedRows
from tables.step import Partition, Step
from tests.servers import free_port
from tests.simulation.rees46 import RECORDING

PORTS = (
    "COLLECTOR_PORT",
    "COLLECTOR_METRICS_PORT",
    "CONSOLE_PORT",
    "SHOP_PORT",
    "WORKER_PORT",
    "DELIVERY_PORT",
    "INBOX_PORT",
)
SETTLE_S = 15.0


def up(folder):
    """Start `boomerang up`; (process, seconds until it said that it is ready)."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("BOOMERANG_") or k == "BOOMERANG_CACHE"}
    environ |= {f"BOOMERANG_{name}": str(free_port()) for name in PORTS}
    environ["BOOMERANG_DATA"] = str(folder)
    begin = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "up"],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    for line in process.stdout:
        if re.search(r"\bready in\b", line):
            return process, time.monotonic() - begin
    raise SystemExit(f"boomerang up ended before it was ready: {line}")


def memory(process):
    """Resident and proportional megabytes of the process and its descendants, by name."""
    rows = {}
    for item in [process, *process.children(recursive=True)]:
        info = item.memory_full_info()
        line = item.cmdline()
        name = next(
            (word for word in ("up", "collector", "worker", "delivery", "console") if word in line[2:5]), item.name()
        )
        rows[name] = {"rss_mb": round(info.rss / 2**20, 1), "pss_mb": round(info.pss / 2**20, 1)}
    return rows


def embedded():
    with tempfile.TemporaryDirectory() as folder:
        seconds = []
        for _ in range(2):  # the first start formats the storage and trains the JVM's class archive
            process, ready = up(Path(folder))
            seconds.append(round(ready, 2))
            if len(seconds) == 2:
                time.sleep(SETTLE_S)
                rows = memory(psutil.Process(process.pid))
            process.terminate()
            process.communicate(timeout=30)
    return {
        "bench": "footprint",
        "first_start_s": seconds[0],
        "start_s": seconds[1],
        "rss_mb": round(sum(row["rss_mb"] for row in rows.values()), 1),
        "pss_mb": round(sum(row["pss_mb"] for row in rows.values()), 1),
        "processes": rows,
    }


def object_bytes(parts):
    """(customers, bytes a customer): keys, cells, packed rows, and the shares of dictionary and timers, by `sys.getsizeof`.

    What the customer's addresses and the category shelves take is counted apart.
    """
    customers = own = other = 0
    for part in parts:
        share = (sys.getsizeof(part.packed.cells) + timer_bytes(part.timers)) / max(1, len(part.packed.cells))
        for key, cell in part.packed.cells.items():
            size = share + sys.getsizeof(key) + sys.getsizeof(cell) + sys.getsizeof(cell.packed)
            if key.startswith((SHELF_PREFIX, "email:", "anon:")):
                other += size
            else:
                customers += 1
                own += size + (sys.getsizeof(cell.wake) if cell.wake else 0)
    return customers, round(own / customers), round(other / customers)


def timer_bytes(timers):
    """Of the index alone; each deadline itself lies in its row's cell."""
    slots, entries = timers._slots, timers._open + timers._late  # noqa: SLF001
    return (
        sys.getsizeof(slots)
        + sum(sys.getsizeof(number) + sys.getsizeof(slot) for number, slot in slots.items())
        + sys.getsizeof(timers._order)  # noqa: SLF001
        + sys.getsizeof(entries)
        + len(entries) * 72  # a tuple of two, as the collector of garbage keeps it
    )


def recorded():
    """The real recording, where it lies beside the checkout: bytes a visitor, all of them armed."""
    replay = CoreReplay(Decider(load_folder(load({}).scenarios)), 4, lambda _trigger: None)
    total, _ = feed_core(replay, read(RECORDING, addresses=True), lambda _count: None)
    for part in replay.table.parts.values():
        part.packed.close()
    customers, own, other = object_bytes(replay.table.parts.values())
    return {
        "bench": "state",
        "events": "recording",
        "count": total,
        "customers": customers,
        "bytes_a_customer": own,
        "addresses_and_shelves": other,
    }


def state(customers):
    """Resident memory and objects of customers that a synthetic stream has armed."""
    behaviour = Behaviour(Decider(load_folder(load({}).scenarios)), stream_time=True, partitions=1)
    packed = PackedRows(msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(Row).decode)
    part, process = Partition(0, packed), psutil.Process()
    gc.collect()
    before, events, batch = process.memory_info().rss, 0, []
    for _, key, value in stream.events(customers * 4, customers=customers, partitions=1):
        batch.append(MemoryRecord(key, value, events, 0))
        events += 1
        if len(batch) == 1000:
            step = Step(part)
            behaviour.on_bundle(step, MemoryBatch("clickstream", 0, batch), 0.0)
            for row in step.changed:
                packed.pack(row)
            batch = []
    packed.close()
    gc.collect()
    grown = process.memory_info().rss - before
    found, own, other = object_bytes([part])
    return {
        "bench": "state",
        "events": "synthetic",
        "count": events,
        "customers": found,
        "bytes_a_customer": own,
        "addresses_and_shelves": other,
        "rss_a_customer": round(grown / found),
    }


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=50_000)
    args = parser.parse_args(argv)
    if RECORDING.exists():
        print(json.dumps(recorded()), flush=True)
    print(json.dumps(state(args.customers)), flush=True)
    print(json.dumps(embedded()), flush=True)


if __name__ == "__main__":
    main()
