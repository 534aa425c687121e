"""Runs the benches in interleaved rounds and writes bench/RESULTS.md.

Each bench is a module with a `main(argv)` that prints JSON lines, one a row (`what` names it), and runs alone too:
`python -m bench.NAME --help`. A round runs every bench once; engines that are compared run inside one bench, next to each other,
and begin with another one each round. CPU and ratios count; wall time on a shared machine is a remark.

`quick` runs small sizes once and writes under bench/out. A run with `--with`, or with fewer `--rounds` than stand in bench/RESULTS.md,
prints its table and is written there only with `--record`, or where there was nothing, or for the same arguments and as many rounds. A run
that is ended (Ctrl-C, status 130) or fails (status 1) is written only when it has done as many rounds. A bench that needs what is not here
(the peers' kit: set BOOMERANG_PEERS) is skipped, says so, and keeps its earlier figures.
"""

import argparse
import json
import os
import platform
import shlex
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import psutil

from bench import results, sizing, yardstick
from bench.peers import SKIPPED


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
    "core": Bench("CPU per event of the core alone: deciding over packed rows, and packing them; no Kafka", 3,
                  ("--events", "30000", "--customers", "10000", "--rounds", "1")),
    "scenarios": Bench("20 and 500 scenario files in one core, a check of 100, a backtest; no Kafka", 3, ("--events", "20000")),
    "chat": Bench("Webhooks of messengers with an in-memory producer, against the plain collector in the same run", 3,
                  ("--seconds", "1")),
    "dialogs": Bench("Alerts to the team with 100,000 open dialogs and background load; what a dialog costs", 1,
                     ("--open", "5000", "--alerts", "100", "--rate", "500")),
    "email": Bench("Render, MIME and SMTP to a local sink", 3, ("--mails", "1000")),
    "channels": Bench("Gates, template, request and answer over HTTP, against a local provider that takes 50 ms", 3,
                      ("--messages", "1500")),
    "cascade": Bench("Memory of pending stages; gates, ledger and template of one message", 3,
                     ("--customers", "500", "--rows", "100000", "--messages", "300")),
    "catalogue": Bench("A feed of offers through the import into a real Kafka: CPU and peak memory of that process", 1,
                       ("--offers", "20000")),
    "walks": Bench("Walks over a partition's customers in the core alone: CPU a customer, steps, what they cost events; no Kafka", 1,
                   ("--customers", "20000")),
    "outages": Bench("The longest time in which a partition got nothing done, while workers end and start", 1,
                     ("--rows", "2000", "--standbys", "0", "--manners", "SIGKILL")),
    "metrics": Bench("What metrics cost: their calls against the work that they count, in one run; a scrape", 1,
                     ("--customers", "50000")),
    "footprint": Bench("The embedded system at rest, and the state of a customer", 1, ("--customers", "10000")),
}  # fmt: skip
ENDING_S = 60.0
"""A bench that is ended has servers to end."""
PACKAGES = ("faust-streaming", "aiokafka", "msgspec", "uvloop", "aiosmtplib")


def busy():
    """Percent of the machine that is busy with others' work just now, over a second."""
    return psutil.cpu_percent(1.0)


class Found(NamedTuple):
    """What a bench gave: its JSON lines, the share of the machine that was busy before it began, and how quick it was about then."""

    lines: list
    busy: float
    pace: float
    status: int


def run(name, arguments):
    """One bench, as a process of its own. Ctrl-C ends it too, in order."""
    before, pace, began = busy(), yardstick.measure(), time.monotonic()
    say(f"{name} {' '.join(arguments)}  (the machine is {before:.0f} % busy, the yardstick {pace:.2f} us)")
    command = [sys.executable, "-m", f"bench.{name}", *arguments]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        told, _ = child.communicate()
    except KeyboardInterrupt:
        child.send_signal(signal.SIGINT)  # it has a session of its own, so that this is the only one
        _ended(name, child)
        raise
    whole = told[: told.rfind("\n") + 1]  # one that was killed may leave half a line
    lines = [json.loads(line) for line in whole.splitlines() if line.startswith("{")]
    for line in lines:
        print(json.dumps(line), flush=True)
    status = child.returncode or (0 if lines else 1)
    if status == SKIPPED:
        say(f"SKIPPED: {name}; its earlier figures stay")
    elif status:
        say(f"FAILED: bench.{name} ended with status {child.returncode} and {len(lines)} lines of figures")
    else:
        say(f"{name} took {time.monotonic() - began:.0f} s")
    return Found(lines, before, (pace + yardstick.measure()) / 2, status)


def _ended(name, child):
    """Wait until it has ended its servers; whoever is impatient may have to end them himself."""
    try:
        child.communicate(timeout=ENDING_S)
    except (KeyboardInterrupt, subprocess.TimeoutExpired):
        os.killpg(child.pid, signal.SIGKILL)  # all that did not begin a session of their own
        say(f"bench.{name} was killed; servers that it has started may still run")


def say(text):
    print(text, file=sys.stderr, flush=True)


def machine():
    """What it ran on."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return f"Python {platform.python_version()}, {packages}, {os.cpu_count()} cores"


def arguments_of(argv):
    parser = argparse.ArgumentParser(
        prog="make bench ARGS=...", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"quick, or of: {', '.join(BENCHES)} (default: all)")
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds for every bench (default: each its own number)")
    parser.add_argument(
        "--with", dest="given", default="", metavar="ARGUMENTS",
        help="arguments for the one bench that is named, say of another size; several in quotes: --with '--events 9 --workers 1'",
    )  # fmt: skip
    parser.add_argument("--record", action="store_true", help="write also a run in another size, or of fewer rounds")
    args = parser.parse_args(_joined(argv))
    args.quick = "quick" in args.names
    args.names = [name for name in args.names if name != "quick"] or list(BENCHES)
    unknown = [name for name in args.names if name not in BENCHES]
    if args.given and len(args.names) != 1:
        parser.error("--with is for one bench: name it")
    if unknown:
        parser.error(f"there is no {unknown[0]}; there are: {', '.join(BENCHES)}")
    if args.rounds is not None and args.rounds < 1:
        parser.error("--rounds must be at least 1")
    return args


def _joined(argv):
    """`--with --together` as one word: what follows `--with` is its own, whatever it looks like."""
    words = list(sys.argv[1:] if argv is None else argv)
    while "--with" in words[:-1]:
        at = words.index("--with")
        words[at : at + 2] = [f"--with={words[at + 1]}"]
    return words


class Session:
    """The rounds that are run, and what has become of each bench."""

    def __init__(self, args):
        self._args = args
        self._raw, self.where = results.pages(args.quick)
        self._earlier = results.kept_in(self._raw)
        self.wanted = {name: args.rounds or (1 if args.quick else BENCHES[name].rounds) for name in args.names}
        day = datetime.now(UTC).strftime("%Y-%m-%d")
        self.runs = {name: results.Runs(machine(), day, args.quick, self._command(name)) for name in args.names}
        self.failed, self.skipped, self.written = [], [], []

    def _command(self, name):
        args = self._args
        words = [name, *(["quick"] if args.quick else [])]
        words += [f"--rounds {args.rounds}"] if args.rounds not in (None, BENCHES[name].rounds) else []
        return results.command([*words, *([f"--with '{args.given}'"] if args.given else [])])

    def round(self, turn):
        """Every bench once that is to run so often and has not failed."""
        for name, rounds in self.wanted.items():
            if turn < rounds and name not in self.failed + self.skipped:
                self._once(name, turn)

    def _once(self, name, turn):
        bench, args = BENCHES[name], self._args
        given = shlex.split(args.given) or list(bench.quick if args.quick else ())
        given += ["--turn", str(turn)] if bench.turns else []
        found = run(name, given)
        if found.status:
            (self.skipped if found.status == SKIPPED else self.failed).append(name)
            return
        self.runs[name].add(found.lines, found.busy, found.pace, given)
        if self._replaces(name):
            results.keep(name, self.runs[name], {key: one.text for key, one in BENCHES.items()}, quick=args.quick)
            self.written += [] if name in self.written else [name]

    def _replaces(self, name):
        args = self._args
        partial = not args.quick and bool(args.given or args.rounds)
        record = args.record or args.quick
        return results.replaces(
            self._earlier.get(name), self.runs[name], self.wanted[name], partial=partial, record=record
        )

    def end(self):
        """Print what is not written, and say what is."""
        for name, runs in self.runs.items():
            if runs.rounds and name not in self.written:
                print("\n".join(["", *results.section(name, runs.as_json(), BENCHES[name].text)]), flush=True)
                say(
                    f"not written: {name}, {len(runs.rounds)} of {self.wanted[name]} rounds; the earlier figures stay (--help says when)"
                )
        if self.skipped:
            say(f"SKIPPED: {', '.join(self.skipped)}; why stands above. Their earlier figures stay")
        if self.failed:
            say(f"FAILED: {', '.join(self.failed)}")
        if not self.written:
            say("nothing was written")
            return
        where = self.where
        say(
            f"written: {where.relative_to(Path.cwd()) if where.is_relative_to(Path.cwd()) else where} ({', '.join(self.written)})"
        )
        if not self._args.quick:
            say(sizing.renew())


def main(argv=None):
    session, status = Session(arguments_of(argv)), 0
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs begin without
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        for turn in range(max(session.wanted.values())):
            session.round(turn)
    except KeyboardInterrupt:
        say("ended before its time")
        status = 130
    session.end()
    return 1 if session.failed else status


if __name__ == "__main__":
    sys.exit(main())
