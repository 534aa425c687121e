"""Everything that can go wrong, on real servers, at full size.

Says what it does on stderr, prints a table at the end, and writes bench/out/chaos.json. Exit status 1 when something was wrong, 130 when it was
ended (Ctrl-C; what was done counts); the seed that is printed makes the same choices again (moments within a process differ from run to
run). The parts `simulation` and `cascades` begin with seed 0; `make simulation ARGS="--go-on --record"` runs them in pieces.
"""

import argparse
import asyncio
import json
import logging
import shutil
import signal
import sys
import time
import traceback
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple

from app.settings import Settings, load
from tests.chaos import disorder, hung
from tests.chaos.backlog import backlog
from tests.chaos.ground import ground
from tests.chaos.kills import kills
from tests.chaos.outages import outages, servers
from tests.chaos.page import PARTS, moment, record, row, table
from tests.chaos.poison import poison
from tests.chaos.rebalances import rebalances
from tests.chaos.simulated import SEEDS, simulated
from tests.chaos.watchdog import watchdog
from tests.servers import Children, free_port, scratch_folder
from tests.simulation.runner import CASCADE, PLAIN

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "bench" / "out" / "chaos.json"
LOGS = ROOT / "tests" / "artefacts" / "chaos"
SEED = 20_000


class Place(NamedTuple):
    """Where a part runs."""

    folder: Path
    children: Children
    servers: object
    scale: float
    seed: int
    name: str

    def size(self, number, least=1):
        return max(round(number * self.scale), least)

    def say(self, text):
        print(f"  {time.strftime('%H:%M:%S')} {self.name}: {text}", file=sys.stderr, flush=True)

    def ground(self, **options):
        """An installation with topics and a folder of its own."""
        values = {item.name: free_port() for item in fields(Settings) if item.name.endswith("_port")}
        values |= {"topic_prefix": f"{self.name}-", "data": self.folder / self.name, "grace": 0.5, "instance": "chaos"}
        values |= {
            "policy": Path(__file__).parents[1] / "awake.yaml",
            "kafka": self.servers.kafka,
            "redis": self.servers.redis,
            **options,
        }
        values["data"].mkdir()
        return ground(load({}, **values), self.children, self.say)


async def _kills(place):
    async with place.ground() as here:
        return await kills(here, rounds=place.size(25, 2), wave=1000, seed=place.seed)


async def _backlog(place):
    async with place.ground() as here:
        return await backlog(here, buyers=place.size(10_000), leavers=place.size(500))


async def _outages(place):
    async with place.ground() as here:
        counts = {"restarts": place.size(10, 2), "wipes": place.size(5, 2)}
        return await outages(here, place.servers, **counts, wave=300, seed=place.seed)


async def _rebalances(place):
    async with place.ground(instance="") as here:
        return await rebalances(here, steps=place.size(24, 8), wave=300, seed=place.seed)


async def _poison(place):
    async with place.ground() as here:
        return await poison(here, times=place.size(10), seed=place.seed)


async def _disorder(place):
    async with place.ground(grace=disorder.GRACE) as here:
        return await disorder.disorder(here, count=place.size(3_000, 30), seed=place.seed)


async def _hung(place):
    folder = hung.scenarios(load({}).scenarios, place.folder / "scenarios")
    async with place.ground(scenarios=folder) as here:
        return await hung.hung(here, wave=place.size(2_000, 50), silent=60.0)


async def _watchdog(place):
    async with place.ground() as here:
        return await watchdog(here, wave=place.size(500, 20))


RUN = {
    "kills": _kills,
    "backlog": _backlog,
    "outages": _outages,
    "rebalances": _rebalances,
    "poison": _poison,
    "disorder": _disorder,
    "hung": _hung,
    "watchdog": _watchdog,
    "simulation": PLAIN,
    "cascades": CASCADE,
}
"""How each part is run: its function, or of one without servers the kind of simulation."""
SIMULATED = frozenset({"simulation", "cascades"})


def main(argv=None):
    parser = argparse.ArgumentParser(
        prog="make chaos ARGS=...", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of: {', '.join(PARTS)} (default: all)")
    parser.add_argument("--scale", type=float, default=1.0, help="a part of the full size (default 1)")
    parser.add_argument("--seed", type=int, default=SEED, help=f"of the choices (default {SEED})")
    parser.add_argument(
        "--record", action="store_true", help="write the parts into bench/CHAOS.md and bench/RESULTS.md"
    )
    options = parser.parse_args(argv)
    unknown = [name for name in options.parts if name not in PARTS]
    if unknown or not 0 < options.scale <= 10:
        parser.error(f"there is no part {unknown[0]!r}" if unknown else "--scale must be above 0, and 10 at most")
    logging.getLogger("aiokafka").setLevel("CRITICAL")  # brokers that go away are what this is about
    shutil.rmtree(LOGS, ignore_errors=True)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs begin without
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    results, ended = {}, False
    OUT.parent.mkdir(parents=True, exist_ok=True)
    for name in options.parts or PARTS:
        at = moment()
        counted, ended = simulate(name, options) if name in SIMULATED else run(name, options)
        if counted is not None:
            results[name] = {"run": f"{at}: `{command(name, options)}`", **counted}
            OUT.write_text(json.dumps({"scale": options.scale, "parts": results}, indent=1) + "\n")
        if ended:
            break
    print(table(results))
    if options.record and results:
        record(results, "" if options.scale == 1 else f" ({options.scale:g} of the full size)")
    return told(results, ended)


def told(results, ended):
    """The last words, and the exit status."""
    wrong = [name for name, found in results.items() if "wrong" in found]
    words = f"{len(results) - len(wrong)} of {len(results)} parts held"
    if results:
        words += f"; {OUT.relative_to(ROOT)} has the figures"
    print(f"{words}{'; ended before its time' if ended else ''}", file=sys.stderr)
    return 1 if wrong else 130 if ended else 0


def command(name, options):
    """How this part is run alone and recorded."""
    words = [name, *([f"--scale {options.scale:g}"] if options.scale != 1 else [])]
    words += [f"--seed {options.seed}"] if options.seed != SEED and name not in SIMULATED else []
    return f'make chaos ARGS="{" ".join(words)} --record"'


def simulate(name, options):
    """One simulation; what it counted, and whether it was ended before its time."""
    print(f"{name}: {PARTS[name]} ...", file=sys.stderr, flush=True)
    began = time.monotonic()
    place = Place(None, None, None, options.scale, options.seed, name)
    kept = OUT.parent / f"chaos-{name}.json"  # `make simulation` goes on from a file of its own
    counted, ended = simulated(RUN[name], place.size(SEEDS, 2), place.say, kept)
    if "wrong" in counted:
        print(counted["wrong"], file=sys.stderr)
        counted["wrong"] = counted["wrong"][:2000]
    counted |= {"seconds": round(time.monotonic() - began)}
    print(f"  {row(name, counted)}", file=sys.stderr, flush=True)
    return counted, ended


def run(name, options):
    """One part on servers of its own: what it counted, with what was `wrong`; None and true when it was ended."""
    print(f"{name} (seed {options.seed}): {PARTS[name]} ...", file=sys.stderr, flush=True)
    began, logs = time.monotonic(), LOGS / name
    logs.mkdir(parents=True)
    try:
        counted = on_servers(name, options, logs)
    except KeyboardInterrupt:
        print(f"{name} was ended before its time and does not count", file=sys.stderr, flush=True)
        return None, True
    counted = {**counted, "seconds": round(time.monotonic() - began)}
    print(f"  {row(name, counted)}", file=sys.stderr, flush=True)
    return counted, False


def on_servers(name, options, logs):
    """What the part counted, or what was wrong. Servers and processes are ended with it."""
    with ExitStack() as stack:
        folder = stack.enter_context(scratch_folder("chaos"))
        running = stack.enter_context(servers(folder))
        children = Children(logs)
        stack.callback(children.close)
        place = Place(folder, children, running, options.scale, options.seed, name)
        try:
            return asyncio.run(RUN[name](place))
        except Exception as error:
            traceback.print_exc()
            print(f"{name} did not hold with seed {options.seed}; logs: {logs.relative_to(ROOT)}", file=sys.stderr)
            return {"seed": options.seed, "wrong": f"{type(error).__name__}: {error}"[:2000]}


if __name__ == "__main__":
    sys.exit(main())
