"""Many seeds of a simulation, on several processes, with progress. What was done counts, whenever it is ended: a later run may go on from there."""

import json
import multiprocessing
import signal
import time
from collections import Counter
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

from tests.simulation.runner import Outcome, timed

EVERY = 20.0
"""Seconds between two lines of progress at the most."""
UNNOTED = "at a time that was not noted"
NO_KILLS = frozenset({"left", "fenced", "failed"})
"""Ends of a simulated process that nobody killed."""
PROCESSES = ("customers", "ledger")


class Campaign(NamedTuple):
    """What came of it. `total`: seeds that held, their triggers, compared, racing, cpu. `next`: the first seed after them.

    `moments`: days and commits at which it was run, one for each piece.
    """

    total: Counter
    happened: Counter
    next: int
    failed: tuple[int, Outcome] | None = None
    interrupted: bool = False
    moments: tuple[str, ...] = ()

    def told(self, events):
        """In one line."""
        total = self.total
        ended = "nothing wrong" if self.failed is None else f"wrong with seed {self.failed[0]}"
        return (
            f"{total['seeds']} seeds x {events} events: {ended}. {total['triggers']} triggers; {total['compared']} customers "
            f"compared with the reference, {total['racing']} racing; {total['cpu']:.0f} s of CPU"
        )

    def figures(self, events):
        """What a record says of it: the range of seeds that held, and what it counted."""
        total, first = self.total, self.next - self.total["seeds"]
        seeds = f"{first} to {self.next - 1}" if total["seeds"] else "none"
        counted = {"seeds": seeds, "events": events}
        counted |= {name: total[name] for name in ("triggers", "compared", "racing")}
        return counted | {
            "kills": sum(times for what, times in self.happened.items() if _killed(what)),
            "cpu_seconds": round(total["cpu"]),
        }


def campaign(kind, events, seeds, jobs, say, kept=None, before=None, moment=UNNOTED):
    """Run these seeds in their order until one fails. `say` is told how it stands, at least every 30 s; `kept` is a file that holds the same.

    `before`: what an earlier run had come to. `moment`: the day and the commit of this one.
    """
    total, happened = (Counter(), Counter()) if before is None else (before.total, before.happened)
    moments = _with((() if before is None else before.moments), moment if seeds else None)
    started, said, place, failed = time.monotonic(), time.monotonic(), seeds.start, None
    with _ended_by_signals(), multiprocessing.get_context("spawn").Pool(jobs, _deaf) as pool:
        results = pool.imap(partial(timed, events, kind=kind), seeds)
        try:
            while place < seeds.stop and failed is None:
                found = _next(results)
                if found is not None:
                    seed, outcome, cpu = found
                    if outcome.wrong:
                        failed = seed, outcome
                    else:
                        _count(total, outcome, cpu)
                        happened.update(outcome.happened)
                        place += 1
                if time.monotonic() - said >= EVERY or place == seeds.stop:
                    said = time.monotonic()
                    so_far = Campaign(total, happened, place, failed, moments=moments)
                    say(f"{so_far.told(events)}; seed {place} of {seeds.stop}, {_left(started, place, seeds)}")
                    keep(kept, so_far, events)
        except KeyboardInterrupt:
            pool.terminate()
            done = Campaign(total, happened, place, interrupted=True, moments=moments)
            keep(kept, done, events)
            return done
        pool.terminate()
    done = Campaign(total, happened, place, failed, moments=moments)
    keep(kept, done, events)
    return done


def _count(total, outcome, cpu):
    total.update(seeds=1, compared=outcome.compared, racing=outcome.racing, triggers=outcome.triggers)
    total["cpu"] += cpu


def _with(moments, moment):
    """Each moment once, in their order."""
    return tuple(dict.fromkeys([*moments, *([moment] if moment else [])]))


def _killed(what):
    """Whether this is how often a process was killed, at whatever point."""
    name, _, why = what.partition(": ")
    return name in PROCESSES and why not in NO_KILLS


def keep(path, done, events):
    """Write down how far it has come."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        told = {"events": events, "next": done.next, "moments": done.moments}
        told |= {"total": done.total, "happened": done.happened}
        path.write_text(json.dumps(told, indent=1) + "\n")


def earlier(path, events):
    """What an earlier run with as many events had come to; None: there was none."""
    if not path.exists():
        return None
    told = json.loads(path.read_text())
    if told["events"] != events:
        return None
    moments = tuple(told.get("moments", [UNNOTED]))
    return Campaign(Counter(told["total"]), Counter(told["happened"]), told["next"], moments=moments)


def work(path):
    """How much an earlier run has done: seeds times events; 0: there was none."""
    told = json.loads(path.read_text()) if path.exists() else {"events": 0, "total": {}}
    return told["events"] * told["total"].get("seeds", 0)


def _next(results):
    """The next result; None: it takes its time."""
    try:
        return results.next(timeout=EVERY / 2)
    except multiprocessing.TimeoutError:
        return None


def _left(started, place, seeds):
    took, done = time.monotonic() - started, place - seeds.start
    return f"{took:.0f} s" + (f", {took / done * (seeds.stop - place) / 60:.0f} min to go" if done else "")


def _deaf():
    """The parent says when it is over."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def _ended_by_signals():
    """A SIGTERM ends it like Ctrl-C: with what was done so far. A second one, while it ends, says nothing new."""

    def end(*_):
        for number in before:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
