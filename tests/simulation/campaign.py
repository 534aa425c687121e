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


class Campaign(NamedTuple):
    """What came of it. `total`: seeds, triggers, compared, racing, cpu. `next`: the first seed that was not run."""

    total: Counter
    happened: Counter
    next: int
    failed: tuple[int, Outcome] | None = None
    interrupted: bool = False

    def told(self, events):
        """In one line."""
        total = self.total
        ended = "nothing wrong" if self.failed is None else f"wrong with seed {self.failed[0]}"
        return (
            f"{total['seeds']} seeds x {events} events: {ended}. {total['triggers']} triggers; {total['compared']} customers "
            f"compared with the reference, {total['racing']} racing; {total['cpu']:.0f} s of CPU"
        )


def campaign(kind, events, seeds, jobs, say, kept=None, before=None):
    """Run these seeds in their order until one fails. `say` is told how it stands, at least every 30 s; `kept` is a file that holds the same.

    `before`: what an earlier run had come to.
    """
    total, happened = (Counter(), Counter()) if before is None else (before.total, before.happened)
    started, said, place, failed = time.monotonic(), time.monotonic(), seeds.start, None
    with _ended_by_signals(), multiprocessing.get_context("spawn").Pool(jobs, _deaf) as pool:
        results = pool.imap(partial(timed, events, kind=kind), seeds)
        try:
            while place < seeds.stop and failed is None:
                found = _next(results)
                if found is not None:
                    seed, outcome, cpu = found
                    total.update(seeds=1, compared=outcome.compared, racing=outcome.racing, triggers=outcome.triggers)
                    total["cpu"] += cpu
                    happened.update(outcome.happened)
                    failed, place = ((seed, outcome) if outcome.wrong else None), place + (not outcome.wrong)
                if time.monotonic() - said >= EVERY or place == seeds.stop:
                    said = time.monotonic()
                    so_far = Campaign(total, happened, place, failed)
                    say(f"{so_far.told(events)}; seed {place} of {seeds.stop}, {_left(started, place, seeds)}")
                    keep(kept, so_far, events)
        except KeyboardInterrupt:
            pool.terminate()
            done = Campaign(total, happened, place, interrupted=True)
            keep(kept, done, events)
            return done
        pool.terminate()
    keep(kept, Campaign(total, happened, place, failed), events)
    return Campaign(total, happened, place, failed)


def keep(path, done, events):
    """Write down how far it has come."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        told = {"events": events, "next": done.next, "total": done.total, "happened": done.happened}
        path.write_text(json.dumps(told, indent=1) + "\n")


def earlier(path, events):
    """What an earlier run with as many events had come to; None: there was none."""
    if not path.exists():
        return None
    told = json.loads(path.read_text())
    if told["events"] != events:
        return None
    return Campaign(Counter(told["total"]), Counter(told["happened"]), told["next"])


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
