"""1, 2 and 4 workers over 8 partitions: CPU per event, the broker's counted apart.

    python -m bench.scaleout [--events 300000] [--workers 1,2,4]

All built-in scenarios, a backlog in stream time. On a machine with fewer cores than workers, the rate cannot grow: what has to
stay flat is what an event costs.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from app.embedded.servers import kafka_server
from app.embedded.state import State, free_port
from app.engine.provision import provision
from app.settings import load
from bench.engine import fill
from bench.peers import say
from bench.stream import events
from bench.workers import Workers, course_figures, cpu_of

PARTITIONS = 8


def measure(kafka, broker_pid, folder, count, args):
    settings = load(
        {}, kafka=kafka, topic_prefix=f"bench{time.time_ns()}-", data=folder / "data", time="stream",
        partitions=PARTITIONS, worker_port=free_port(), log_level="WARNING",
    )  # fmt: skip
    backlog = list(events(args.events, args.customers, partitions=PARTITIONS))  # made before, to be written at once
    asyncio.run(provision(settings))
    with Workers(settings, count, folder) as workers:
        workers.start()
        workers.until_ready()
        broker = cpu_of(broker_pid)
        begin = (time.time(), 0, workers.cpu())
        asyncio.run(fill(settings, args.events, backlog))
        course = [begin, *workers.run(args.events + PARTITIONS)]
        broker = cpu_of(broker_pid) - broker
        figures = course_figures(course)
        return {
            "what": f"{count} worker{'s' * (count > 1)}", "workers": count, "events": args.events, **figures,
            "broker_us_per_event": round(broker / args.events * 1e6, 2), "rss_mb": workers.rss_mb(),
        }  # fmt: skip


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--workers", default="1,2,4", help="numbers of workers, comma-separated")
    parser.add_argument("--turn", type=int, default=0, help="begin with another number each round")
    args = parser.parse_args(argv)
    counts = [int(text) for text in args.workers.split(",")]
    turn = args.turn % len(counts)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="boomerang-bench-")))
        server, address = kafka_server(folder / "kafka", load({}).cache, State(folder / "embedded.json"))
        stack.callback(server.stop)
        pid = server.start().pid
        server.wait_ready()
        for count in counts[turn:] + counts[:turn]:
            say(f"  {count} workers ...")
            print(json.dumps(measure(address, pid, folder, count, args)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
