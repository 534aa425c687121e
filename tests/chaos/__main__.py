"""`make chaos` or `python -m tests.chaos [PART ...]`: everything that can go wrong, on real servers, at full size.

Says what it does on stderr, prints a table at the end, and writes bench/out/chaos.json. Exit status 1 when something was wrong;
the seed that is printed with it makes the same choices again (moments within a process differ from run to run).
"""

import argparse
import asyncio
import json
import logging
import shutil
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
from tests.chaos.poison import poison
from tests.chaos.rebalances import rebalances
from tests.chaos.simulated import SEEDS, simulated
from tests.chaos.watchdog import watchdog
from tests.servers import Children, free_port, scratch_folder
from tests.simulation.runner import CASCADE, PLAIN

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "bench" / "out" / "chaos.json"
RESULTS = ROOT / "bench" / "RESULTS.md"
CHAOS = ROOT / "bench" / "CHAOS.md"
INTRODUCTION = (
    "## chaos",
    "",
    "What must hold whatever happens (tests/chaos/README.md): `make chaos ARGS=--record`.",
    "",
)
HEAD = ("| part | what | held | figures |", "|---|---|---|---|")
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


PARTS = {
    "kills": (_kills, "kill -9 of worker and sender, at random and at named points"),
    "backlog": (_backlog, "orders that arrive while the worker is down"),
    "outages": (_outages, "restarts of the broker (kill -9 and clean), wipes of Valkey"),
    "rebalances": (_rebalances, "workers and senders join, leave, sleep past their session and wake"),
    "poison": (_poison, "broken records under four codecs among good ones, and their replay after a mend"),
    "disorder": (_disorder, "any order, every event twice, clocks half a day off, orders within the grace"),
    "hung": (_hung, "a relay that hangs for a minute, and another channel beside it"),
    "watchdog": (_watchdog, "a consumer that stops without a word"),
    "simulation": (PLAIN, "the whole installation in virtual time, compared with a reference"),
    "cascades": (CASCADE, "the same with cascades over four channels"),
}
"""What each part is: its function, or of one without servers the kind of simulation; and what it is about."""
SIMULATED = frozenset({"simulation", "cascades"})


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of: {', '.join(PARTS)} (default: all)")
    parser.add_argument("--scale", type=float, default=1.0, help="a part of the full size (default 1)")
    parser.add_argument("--seed", type=int, default=SEED, help=f"of the choices (default {SEED})")
    parser.add_argument(
        "--record", action="store_true", help="write the parts into bench/CHAOS.md and bench/RESULTS.md"
    )
    options = parser.parse_args()
    unknown = [name for name in options.parts if name not in PARTS]
    if unknown or not 0 < options.scale <= 10:
        parser.error(f"there is no part {unknown[0]!r}" if unknown else "--scale must be above 0, and 10 at most")
    logging.getLogger("aiokafka").setLevel("CRITICAL")  # brokers that go away are what this is about
    shutil.rmtree(LOGS, ignore_errors=True)
    results = {}
    OUT.parent.mkdir(parents=True, exist_ok=True)
    ended = False
    for name in options.parts or PARTS:
        results[name], ended = simulate(name, options) if name in SIMULATED else (run(name, options), False)
        OUT.write_text(json.dumps({"scale": options.scale, "parts": results}, indent=1) + "\n")
        if ended:
            break
    print(table(results))
    if options.record:
        record(results, options)
    wrong = [name for name, found in results.items() if "wrong" in found]
    print(
        f"{len(results) - len(wrong)} of {len(results)} parts held; {OUT.relative_to(ROOT)} has the figures",
        file=sys.stderr,
    )
    return 1 if wrong else 130 if ended else 0


def simulate(name, options):
    """One simulation; what it counted, and whether it was ended before its time."""
    print(f"{name}: {PARTS[name][1]} ...", file=sys.stderr, flush=True)
    began, ended = time.monotonic(), False
    place = Place(None, None, None, options.scale, options.seed, name)
    try:
        counted, ended = simulated(PARTS[name][0], place.size(SEEDS, 2), place.say, OUT.parent / f"{name}.json")
    except AssertionError as error:
        print(error, file=sys.stderr)
        counted = {"wrong": str(error)[:2000]}
    counted |= {"seconds": round(time.monotonic() - began)}
    print(f"  {row(name, counted)}", file=sys.stderr, flush=True)
    return counted, ended


def run(name, options):
    """One part on servers of its own; what it counted, or what was wrong."""
    print(f"{name} (seed {options.seed}): {PARTS[name][1]} ...", file=sys.stderr, flush=True)
    began, logs = time.monotonic(), LOGS / name
    logs.mkdir(parents=True)
    with ExitStack() as stack:
        folder = stack.enter_context(scratch_folder("chaos"))
        running = stack.enter_context(servers(folder))
        children = Children(logs)
        stack.callback(children.close)
        place = Place(folder, children, running, options.scale, options.seed, name)
        try:
            counted = asyncio.run(PARTS[name][0](place))
        except Exception as error:
            traceback.print_exc()
            counted = {"seed": options.seed, "wrong": f"{type(error).__name__}: {error}"[:2000]}
            print(f"{name} did not hold with seed {options.seed}; logs: {logs.relative_to(ROOT)}", file=sys.stderr)
    counted = {**counted, "seconds": round(time.monotonic() - began)}
    print(f"  {row(name, counted)}", file=sys.stderr, flush=True)
    return counted


def table(results):
    """The results as Markdown."""
    return "\n".join([*HEAD, *(row(name, counted) for name, counted in results.items())])


def row(name, counted):
    """One part's line of the table."""
    figures = ", ".join(f"{key} {_told(value)}" for key, value in counted.items() if key != "wrong")
    return f"| {name} | {PARTS[name][1]} | {'no' if 'wrong' in counted else 'yes'} | {figures} |"


def _told(value):
    if isinstance(value, dict):
        return "(" + ", ".join(f"{key} {times}" for key, times in value.items()) + ")"
    return str(value)


def record(results, options):
    """Put the parts into the section of an earlier record, and that to the end of the page of results."""
    size = "" if options.scale == 1 else f" ({options.scale:g} of the full size)"
    rows = {line.split("|")[1].split("(")[0].strip(): line for line in _rows(CHAOS)}
    for name, counted in results.items():
        rows[name] = row(name, counted).replace(f"| {name} |", f"| {name}{size} |", 1)
    kept = [rows[name] for name in PARTS if name in rows]
    section = "\n".join([*INTRODUCTION, *HEAD, *kept, ""])
    CHAOS.write_text(section)
    page = RESULTS.read_text().partition(INTRODUCTION[0])[0]
    RESULTS.write_text(page.rstrip() + "\n\n" + section)


def _rows(page):
    lines = page.read_text().splitlines() if page.exists() else []
    return [line for line in lines if line.startswith("| ") and line not in HEAD]


if __name__ == "__main__":
    sys.exit(main())
