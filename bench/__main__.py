"""`make bench [ARGS="NAME... --rounds N quick"]`: runs the benches in interleaved rounds and writes `bench/RESULTS.md`.

Each bench is a module with a `main(argv)` that prints JSON lines, one a row (`what` names it), and runs alone too:
`python -m bench.NAME --help`. A round runs every bench once; engines that are compared run inside one bench, next to each other,
and begin with another one each round. CPU and ratios count; wall time on a shared machine is a remark.
"""

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import psutil

from bench import results, yardstick


class Bench(NamedTuple):
    """What a bench measures, how often in a round-based run, and its arguments for the quick cut."""

    text: str
    rounds: int
    quick: tuple[str, ...] = ()
    turns: bool = False
    """It compares: each round begins with another one of those compared."""


BENCHES = {
    "sidebyside": Bench(
        "The peers' job through the real worker and through other engines, on one broker: CPU per event, checked by an oracle",
        3,
        ("--events", "100000", "--slow-events", "30000"),
        turns=True,
    ),
    "recovery": Bench("kill -9 in that job: what is missing, wrong or twice, and when all is caught up", 3,
                      ("--events", "100000"), turns=True),
    "restore": Bench("A worker restores the state of many customers: time to its first event, memory", 1,
                     ("--customers", "100000")),
    "timers": Bench("The timer index alone: schedule, postpone, fire", 3, ("--counts", "1000000")),
    "burst": Bench("Carts come due all at once beside a million waiting ones and background load", 3,
                   ("--pending", "50000", "--due", "2000")),
    "scaleout": Bench("1, 2 and 4 workers over 8 partitions, the broker's CPU apart", 3, ("--events", "60000"), turns=True),
    "engine": Bench("CPU per event with all built-in scenarios, against a plain Faust agent and table around the same core", 3,
                    ("--events", "100000", "--plain-events", "10000")),
    "lateness": Bench("From due + grace to the SMTP server, the whole path, with background load", 3, ("--carts", "200")),
    "collector": Bench("Requests and events acknowledged by Kafka, as many as go and at half of the target", 3,
                       ("--seconds", "2")),
    "core": Bench("CPU per event of the core alone: deciding over packed rows, and packing them; no Kafka", 3),
    "scenarios": Bench("20 and 500 scenario files in one core, a check of 100, a backtest; no Kafka", 3, ("--events", "20000")),
    "chat": Bench("Webhooks of messengers with an in-memory producer, against the plain collector in the same run", 3),
    "dialogs": Bench("Alerts to the team with 100,000 open dialogs and background load; what a dialog costs", 1),
    "email": Bench("Render, MIME and SMTP to a local sink", 3, ("--mails", "1000")),
    "channels": Bench("Gates, template, request and answer over HTTP, against a local provider that takes 50 ms", 3,
                      ("--messages", "1500")),
    "cascade": Bench("Memory of pending stages; gates, ledger and template of one message", 3),
    "catalogue": Bench("A feed of offers through the import into a real Kafka: CPU and peak memory of that process", 1,
                       ("--offers", "20000")),
    "walks": Bench("Walks over a partition's customers in the core alone: CPU a customer, steps, what they cost events; no Kafka", 1,
                   ("--customers", "20000")),
    "outages": Bench("The longest time in which a partition got nothing done, while workers end and start", 1),
    "metrics": Bench("What metrics cost: their calls against the work that they count, in one run; a scrape", 1,
                     ("--customers", "1000000")),
    "footprint": Bench("The embedded system at rest, and the state of a customer", 1, ("--customers", "10000")),
}  # fmt: skip
PACKAGES = ("faust-streaming", "aiokafka", "msgspec", "uvloop", "aiosmtplib")


def busy():
    """Percent of the machine that is busy with others' work just now, over a second."""
    return psutil.cpu_percent(1.0)


def run(name, arguments):
    """The JSON lines of one bench, the share of the machine that was busy before it began, and how quick it was about then."""
    before, pace, began = busy(), yardstick.measure(), time.monotonic()
    print(
        f"{name} {' '.join(arguments)}  (the machine is {before:.0f} % busy, the yardstick {pace:.2f} us)",
        file=sys.stderr,
        flush=True,
    )
    command = [sys.executable, "-m", f"bench.{name}", *arguments]
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    lines = [json.loads(line) for line in found.stdout.splitlines() if line.startswith("{")]
    for line in lines:
        print(json.dumps(line), flush=True)
    if found.returncode:
        print(f"FAILED: bench.{name} ended with status {found.returncode}", file=sys.stderr, flush=True)
        return [], before, pace
    print(f"{name} took {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return lines, before, (pace + yardstick.measure()) / 2


def machine():
    """What it ran on."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return f"Python {platform.python_version()}, {packages}, {os.cpu_count()} cores"


def arguments_of(argv):
    parser = argparse.ArgumentParser(prog="make bench ARGS=...", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"quick, or of: {', '.join(BENCHES)} (default: all)")
    parser.add_argument("--rounds", type=int, default=0, help="rounds for every bench (default: each its own number)")
    parser.add_argument(
        "--with", dest="given", default="", metavar="ARGUMENTS", help="arguments for the bench, say of another size"
    )
    args = parser.parse_args(argv)
    args.quick = "quick" in args.names
    args.names = [name for name in args.names if name != "quick"] or list(BENCHES)
    unknown = [name for name in args.names if name not in BENCHES]
    if args.given and len(args.names) != 1:
        parser.error("--with is for one bench: name it")
    if unknown:
        parser.error(f"there is no {unknown[0]}; there are: {', '.join(BENCHES)}")
    return args


def main(argv=None):
    args = arguments_of(argv)
    names = [name for name in args.names if find_spec(f"bench.{name}")]
    wanted = {name: args.rounds or (1 if args.quick else BENCHES[name].rounds) for name in names}
    runs = {name: results.Runs(machine(), datetime.now(UTC).strftime("%Y-%m-%d"), args.quick) for name in names}
    failed = []
    for turn in range(max(wanted.values())):
        for name in names:
            if turn >= wanted[name] or name in failed:
                continue
            given = [
                *(shlex.split(args.given) or (BENCHES[name].quick if args.quick else ())),
                *(("--turn", str(turn)) if BENCHES[name].turns else ()),
            ]
            lines, before, pace = run(name, given)
            if lines:
                runs[name].add(lines, before, pace, given)
                results.keep(name, runs[name], {key: bench.text for key, bench in BENCHES.items()}, quick=args.quick)
            else:
                failed.append(name)
    where = results.QUICK if args.quick else results.RESULTS
    print(f"written: {where.relative_to(Path.cwd()) if where.is_relative_to(Path.cwd()) else where}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
