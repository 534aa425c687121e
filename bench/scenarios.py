"""What many scenario files cost: CPU per event with 20 and with 500 of them, `boomerang check` of 100, and a backtest.

    python -m bench.scenarios [--events 60000]

JSON lines. The files are those of a shop with many campaigns: the built-in ones of the site, a few more over the common signals, the
rest each over one of 100 event names of its own. One event in eight has such a name. No Kafka.
"""

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import stream

FEW, MANY, CHECKED = 20, 500, 100
NAMES = 100
COMMON = ("Product Viewed", "Product Added", "cart_changed", "Products Searched", "Order Completed")
BUILT_IN = ("abandoned_cart", "abandoned_product", "abandoned_category", "abandoned_search")
CUSTOM_EVERY = 8
FILE = """\
id: campaign_{number}
version: 1
title: Campaign {number}
family: campaigns_{family}
priority: {priority}
absence:
  of: [{event}]
  without: [{ending}]
  for: {minutes}m
show:
  items: cart
  most: 10
cascade:
  - channel: email
    template: abandoned_cart
"""
CORE_BUNDLE = 4700
"""See `bench/core.py`."""


def write_folder(folder, count, common=0):
    """Fill a folder with `count` scenario files, `common` of them over signals of every shop."""
    import app

    folder.mkdir()
    scenarios = Path(app.__file__).parent / "scenarios"
    for name in BUILT_IN:
        (folder / f"{name}.yaml").write_text((scenarios / f"{name}.yaml").read_text())
    for number in range(count - len(BUILT_IN)):
        event = COMMON[number % len(COMMON)] if number < common else f"Campaign Event {number % NAMES}"
        text = FILE.format(
            number=number,
            family=number % 10,
            priority=1 + number % 30,
            event=event,
            ending="Campaign Left" if event == "Order Completed" else "ordered",
            minutes=30 + number % 60,
        )
        (folder / f"campaign_{number}.yaml").write_text(text)
    return folder


def events(count, partitions):
    """The common backlog; one event in eight is one of the shop's own."""
    for number, (partition, key, value) in enumerate(stream.events(count, partitions=partitions)):
        if number % CUSTOM_EVERY == 0 and b'"event":"Page Viewed"' in value:
            name = b'"event":"Campaign Event %d"' % (number // CUSTOM_EVERY % NAMES)
            own = value.replace(b'"type":"page"', b'"type":"track"', 1).replace(b'"event":"Page Viewed"', name, 1)
            yield partition, key, own
        else:
            yield partition, key, value


def behaviour(count, sizes):
    """CPU per event of the core with each folder, bundles of all folders in turns."""
    from agents.behaviour import ROW_TYPE, Behaviour
    from agents.decide import Decider
    from agents.scenarios.load import load_folder
    from bench.core import PARTITIONS, Record
    from tables.bundle import Bundle
    from tables.changelog import Codec
    from tables.packed import PackedRows
    from tables.step import Partition, Step

    codec = Codec(ROW_TYPE)
    engines = {}
    for name, folder in sizes.items():
        parts = [Partition(n, PackedRows(codec.encode_row, codec.decode_row)) for n in range(PARTITIONS)]
        engines[name] = (Behaviour(Decider(load_folder(folder)), stream_time=True, partitions=PARTITIONS), parts)
    spent, armed = dict.fromkeys(engines, 0.0), dict.fromkeys(engines, 0)
    waiting = [[] for _ in range(PARTITIONS)]

    def apply(partition):
        records, waiting[partition] = waiting[partition], []
        if not records:
            return
        bundle = Bundle("clickstream", partition, records, records[0].offset, records[-1].offset)
        for name, (engine, parts) in engines.items():
            began = time.process_time()
            step = Step(parts[partition])
            for piece in bundle.pieces():
                engine.on_bundle(step, piece, 0.0)
                step.fold()
            for _ in codec.records(step.rows, step.changed):
                pass
            spent[name] += time.process_time() - began
            armed[name] += len(step.outputs)

    gc.collect()
    gc.freeze()
    for offset, (partition, key, value) in enumerate(events(count, PARTITIONS)):
        waiting[partition].append(Record(key, value, offset))
        if len(waiting[partition]) >= CORE_BUNDLE:
            apply(partition)
    for partition in range(PARTITIONS):
        apply(partition)
    for name in engines:
        yield {
            "what": name,
            "us_per_event": round(spent[name] / count * 1e6, 2),
            "lines_per_event": round(armed[name] / count, 2),
        }


def check(folder):
    """CPU seconds of `boomerang check`, interpreter and imports included."""
    command = [sys.executable, "-m", "app.cli", "check", str(folder)]
    before = os.times()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return {"what": f"check of {CHECKED} files", "cpu_s": round(spent, 2)}


def backtest(count):
    """Events a second of CPU: records of the topic, and the same as a file of JSON lines, which the collector's code has to read."""
    from agents.scenarios.load import load_folder
    from app.clock import SYSTEM
    from app.codec import decode_glance
    from app.commands.replay import feed_core
    from app.model.policy import Policy
    from app.replay.backtest import Backtest
    from app.replay.sources import read
    from app.settings import load

    scenarios = load_folder(load({}).scenarios)
    records = [(key.decode(), value) for _, key, value in stream.events(count) if key]
    test = Backtest(scenarios, Policy())
    began = SYSTEM.cpu()
    for key, value in records:
        told = decode_glance(value)
        test.replay.feed(key, value, told.timestamp.timestamp(), told)
    test.replay.flush()
    spent = SYSTEM.cpu() - began
    yield {"what": "backtest of the topic", "events_per_cpu_s": round(count / spent), "digest": test.digest}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "events.jsonl"
        file.write_bytes(b"".join(value + b"\n" for _, value in records))
        test = Backtest(scenarios, Policy())
        began = SYSTEM.cpu()
        feed_core(test.replay, read(file), lambda _: None)
        test.replay.flush()
        spent = SYSTEM.cpu() - began
    yield {"what": "backtest of a file", "events_per_cpu_s": round(count / spent), "digest": test.digest}


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=60_000)
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        sizes = {
            f"{FEW} scenarios": write_folder(Path(folder) / "few", FEW, common=len(COMMON)),
            f"{MANY} scenarios": write_folder(Path(folder) / "many", MANY, common=len(COMMON)),
        }
        rows = [
            *behaviour(args.events, sizes),
            check(write_folder(Path(folder) / "checked", CHECKED)),
            *backtest(args.events),
        ]
    for row in rows:
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
