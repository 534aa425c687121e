"""The peers' job through our real worker and through their engines: one stream, one broker, one machine, one after the other.

    python -m bench.sidebyside [--events 1000000] [--workers 2] [--engines bytewax,kafka-streams,...] [--turn 0]

Ours runs twice: with one scenario that means what their job means (`bench/one_scenario`), its triggers compared with an oracle,
and with all built-in scenarios. Everything is on as in production: fenced transactions, changelog, journal, zstd. The customers
and their addresses are there beforehand, restored before the first event. `--turn` rotates the order. What differs between
our job and theirs stands in `bench/oracle.py`. Without the peers' kit this prints why, loudly, and nothing else.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient

from app.embedded.state import free_port
from app.engine.kafka_client import client_options
from app.settings import load
from app.topics import ALL, CLICKSTREAM
from bench.oracle import compare
from bench.peers import Absent, running_kit, say, skipped
from bench.state import identify, state_of, write_rows
from bench.stream import START
from bench.workers import Workers, course_figures, cpu_of, total, triggers

OURS = {"boomerang": Path(__file__).parent / "one_scenario", "boomerang, all scenarios": None}
ENGINES = "bytewax,kafka-streams,kafka-streams-eos,flink,faust"
SLOW = ("faust",)
"""Engines that get fewer events: their cost per event does not depend on it, and nobody wants to wait."""
DAY = 86_400.0


def settings_of(kit, folder, name, **more):
    scenarios = {"scenarios": OURS[name]} if OURS[name] else {}
    return load(
        {}, kafka=f"kafka://{kit.bootstrap}", topic_prefix=f"bench{time.time_ns()}-", data=folder / "data", time="stream",
        partitions=4, worker_port=free_port(), log_level="WARNING", **scenarios, **more,
    )  # fmt: skip


def prepare(kit, settings, events, customers):
    """The stream by the kit, and customers that are known by address."""
    kit.load(settings.topic_prefix + CLICKSTREAM.name, events, customers)
    users = [f"c{number:06d}" for number in range(customers)]
    write_rows(settings, state_of(settings, users, lambda _, user: [identify(user, START.timestamp() - DAY)]))


def forget(settings):
    """Delete the topics of a run."""

    async def delete():
        admin = AIOKafkaAdminClient(**client_options(settings))
        await admin.start()
        try:
            await admin.delete_topics([settings.topic_prefix + topic.name for topic in ALL])
        finally:
            await admin.close()

    asyncio.run(delete())


def ours(kit, folder, name, args):
    """One run of the real worker; its figures."""
    settings = settings_of(kit, folder, name)
    try:
        prepare(kit, settings, args.events, args.customers)
        with Workers(settings, args.workers, folder) as workers:
            broker = cpu_of(kit.broker_pid)
            workers.start()
            course = workers.run(args.events + settings.partitions)
            text = workers.metrics()
            figures = {
                "events": args.events, "workers": args.workers, "status": "ok", **course_figures(course),
                "decide_us_per_event": round(
                    total(text, "boomerang_engine_decide_cpu_seconds_total") / args.events * 1e6, 2
                ),
                "broker_cpu_s": round(cpu_of(kit.broker_pid) - broker, 2),
                "rss_mb": workers.rss_mb(),
                "dead_letters": int(total(text, "boomerang_dead_letters_total")),
            }  # fmt: skip
        found = [item[:3] for item in triggers(settings)]
        checked = {"triggers": len(found)}
        if OURS[name]:
            checked = compare(found, kit.expected(args.events, args.customers))
        return {"what": name, **figures, **checked}
    finally:
        forget(settings)


KEPT = {"events_per_s": "events_per_s", "late_events_per_s": "late_events_per_s", "cpu_us_per_event": "cpu_us_per_event",
        "broker_cpu_s": "broker_cpu_s", "peak_rss_mb": "rss_mb", "missing": "missing", "wrong": "wrong",
        "duplicate": "duplicate", "extra": "extra", "got": "triggers", "version": "version", "status": "status",
        "others_busy_pct": "others_busy_pct"}  # fmt: skip


def theirs(kit, engine, args):
    """One run of a peer by the kit's own runner, in our words."""
    events = min(args.events, args.slow_events) if engine in SLOW else args.events
    found = kit.run(engine, events, args.customers, args.workers)
    figures = {ours: found[name] for name, ours in KEPT.items() if found.get(name) is not None}
    return {"what": engine, "events": events, "workers": args.workers, **figures}


def ratios(lines):
    """CPU per event of each peer over ours."""
    cpu = {line["what"]: line.get("cpu_us_per_event") for line in lines}
    base = cpu.get("boomerang")
    others = {name: value for name, value in cpu.items() if value and name not in OURS}
    return {"what": "ratio to ours", **{name: round(value / base, 2) for name, value in others.items()}} if base else {}


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--slow-events", type=int, default=200_000, help="events for plain Faust")
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--engines", default=ENGINES, help="peers, by the kit's names")
    parser.add_argument("--turn", type=int, default=0, help="begin with another engine each round")
    args = parser.parse_args(argv)
    order = [*OURS, *filter(None, args.engines.split(","))]
    turn = args.turn % len(order)
    lines = []
    try:
        with tempfile.TemporaryDirectory(prefix="boomerang-bench-") as name, running_kit() as kit:
            for engine in order[turn:] + order[:turn]:
                say(f"  {engine} ...")
                run = ours(kit, Path(name), engine, args) if engine in OURS else theirs(kit, engine, args)
                lines.append(run)
                print(json.dumps(run), flush=True)
    except Absent as why:
        return skipped(why)
    print(json.dumps(ratios(lines)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
