"""A small topology over the real transport and the real table: counts records, repeats them, and fires timers.

    in, extra  ->  counter  ->  counts | out, triggers, dead

As a program it is a worker: `python -m tests.broker.toy`. With `TOY_DIE=POINT:PROBABILITY` it kills itself there, with
`TOY_KILLS=PID` another process, once, between the records of a step and its commit, and with `TOY_SLEEPS=SECONDS` it is late with
that commit. `TOY_TRANSACTION_MS` is how long the broker lets a transaction be open, `TOY_SESSION` how long (seconds) a member may be silent.
"""

import json
import os
import pathlib
import random
import signal
import sys
import time

import msgspec

from app.clock import SYSTEM
from app.engine.base import EngineApp
from app.engine.run import run
from app.engine.transport import MAX_RECORDS
from app.engine.wiring import agent, table
from app.settings import load
from app.topics import Topic
from tables import writer

DAY = 86_400_000
TOPICS = (
    Topic("in", "key", "", DAY),
    Topic("extra", "key", "", DAY),
    Topic("out", "key", "", DAY, False, 17 << 20),
    Topic("triggers", "key", "", DAY, False, 17 << 20),
    Topic("dead", "key", "", DAY, False, 17 << 20),
    Topic("counts-changelog", "key", "", -1, True, 17 << 20),
)


class Count(msgspec.Struct, gc=False, tag="count"):
    """How many records a key had, a digest of them that depends on their order, and when it wants to be woken."""

    n: int = 0
    digest: int = 0
    due: float = 0.0
    pad: str = ""
    wake: float = 0.0


class Other(msgspec.Struct, gc=False, tag="other"):
    wake: float = 0.0


def digest(old, value):
    return (old * 31 + sum(value) + len(value)) % 1_000_000_007


def work(step, bundle):
    for record in bundle.records:
        key = record.key.decode()
        row = step.rows.get(key)
        if row is None:
            row = step.rows[key] = Count()
        row.n += 1
        row.digest = digest(row.digest, record.value)
        step.touch(key)
        if record.value.startswith(b"!"):
            step.send("dead", key, record.value)
        elif record.value.startswith(b"?"):
            raise ValueError("poison that nobody handles")
        elif record.value.startswith(b"arm "):
            row.due = float(record.value[4:])
            step.wake(key, row.due)
        elif record.value.startswith(b"pad "):
            row.pad = "x" * int(record.value[4:])
        elif record.value == b"disarm":
            row.due = 0.0
        elif record.value == b"forget":
            step.delete(key)
        step.send("out", key, json.dumps([key, row.n, bundle.topic]).encode())


def on_timer(step, due, key, now):
    row = step.rows[key]
    if row.due and row.due <= due:
        row.due = 0.0
        step.touch(key)
        step.send("triggers", key, json.dumps([key, due, now]).encode())
    elif row.due:
        step.wake(key, row.due)


def toy_app(settings, clock=SYSTEM, *, fault=None, max_records=MAX_RECORDS, **options):
    session = float(os.environ.get("TOY_SESSION", "6"))
    app = EngineApp("toy", settings, max_records=max_records, session=session)
    options = {
        "row_type": Count | Other,
        "inputs": ("in", "extra"),
        "wake_of": lambda row: row.due or None,
        "on_timer": on_timer,
        "grace": settings.grace,
        "triggers_to": "triggers",
        **options,
    }
    counts = table(app, clock, name="counts", fault=fault, **options)
    agent(app, "counter", counts, work)
    return app


def deadly():
    wanted, _, probability = os.environ.get("TOY_DIE", "").partition(":")

    def fault(point):
        if point == wanted and random.random() < float(probability):
            os.kill(os.getpid(), signal.SIGKILL)

    return fault


def disturbing():
    """What else happens, once, between the records of a step and its commit; the first four steps write the first fences."""
    victim, sleeps, steps = int(os.environ.get("TOY_KILLS", "0")), float(os.environ.get("TOY_SLEEPS", "0")), [0]
    done = pathlib.Path(os.environ["BOOMERANG_DATA"], "disturbed")

    def fault(point):
        if point != "produced" or not (victim or sleeps) or done.exists():
            return
        steps[0] += 1
        if steps[0] < 6:
            return
        done.touch()
        if victim:
            os.kill(victim, signal.SIGKILL)
        time.sleep(sleeps)

    return fault


def main():
    settings = load()
    writer.TRANSACTION_MS = int(os.environ.get("TOY_TRANSACTION_MS", writer.TRANSACTION_MS))
    size = int(os.environ.get("TOY_BUNDLE", MAX_RECORDS))
    apps = []
    die, disturb = deadly(), disturbing()

    def fault(point):
        die(point)
        disturb(point)
        if point == "committed" and "TOY_LOSE" in os.environ:  # as if deliveries before the next one had been dropped
            applied = apps[0].fenced[0].parts[0].applied
            applied["in"] = max(applied["in"] - 3, -1)

    def make():
        apps.append(toy_app(settings, fault=fault, max_records=size))
        return apps[0]

    return run(settings, settings.worker_port, make, topics=TOPICS)


if __name__ == "__main__":
    sys.exit(main())
