"""`python -m tests.chaos.mortal worker|delivery`: the product's process, and what only tests may do to it.

    CHAOS_DIE=POINT:N      kill -9 itself when it comes to the named point for the N-th time
    CHAOS_CLOCK=FILE       its wall clock is ahead of the machine's by the seconds in that file (`clock.Ahead`)
    CHAOS_STALL=FILE       once the file exists, its consumer fetches nothing more
    CHAOS_STUCK=SECONDS    what its watchdog takes for stuck, in place of the 20 s
    CHAOS_STANDSTILL=SECONDS  after which it ends if it comes no nearer to being ready, in place of the 300 s
    CHAOS_SESSION=SECONDS  its session with the group, in place of the 10 s
    CHAOS_BUG=NAME         an older version, which cannot handle events of that name
    CHAOS_NOTES=FILE       a second channel, `sms`, which writes a line to the file for each message

Points: those of `tables/writer.py` (decided, produced, committed), recovering (a part of the changelog is applied), assigned
(partitions are given, former owners not yet fenced) and opened (restored, nothing read yet).
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from agents.behaviour import Behaviour
from app.clock import SYSTEM
from app.engine import watch
from app.engine.base import EngineApp
from app.engine.fetching import FetchThread
from app.engine.run import run
from app.engine.topology import delivery_app, engine_app
from app.settings import load
from channels import registry
from tests.chaos.clock import Ahead
from tests.chaos.notes import Notes

POINTS = ("decided", "produced", "committed", "recovering", "assigned", "opened")


def deadly(wanted):
    """A fault that ends the process at the N-th passing of a point, as `POINT:N` says."""
    point, _, number = wanted.partition(":")
    assert not point or point in POINTS, wanted
    left = int(number or 1)

    def fault(passed):
        nonlocal left
        if passed == point:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return fault


def at_the_edges(table, fault):
    """Have the table pass the points that its writer does not know of."""
    rebalance, replay, opened = table.on_rebalance, table.apply_changelog_batch, table.on_opened

    async def on_rebalance(*args, **options):
        fault("assigned")
        await rebalance(*args, **options)

    def apply_changelog_batch(batch):
        replay(batch)
        fault("recovering")

    def on_opened(number):
        fault("opened")
        if opened is not None:
            opened(number)

    table.on_rebalance, table.apply_changelog_batch, table.on_opened = on_rebalance, apply_changelog_batch, on_opened


def stall(flag):
    """Once the file `flag` exists the consumer's thread fetches nothing, and says nothing of it."""
    fetch = FetchThread._fetch_records

    async def fetch_or_not(self, *args, **options):
        if flag.exists():
            await asyncio.sleep(0.2)
            return {}
        return await fetch(self, *args, **options)

    FetchThread._fetch_records = fetch_or_not


def plant(name):
    """An older version: events called `name` raise what nobody expects."""
    apply = Behaviour._apply

    def refuse(self, step, key, event, *args):
        if event.event == name:
            raise KeyError(name)
        apply(self, step, key, event, *args)

    Behaviour._apply = refuse


def main(role):
    settings, environ = load(), os.environ
    clock = Ahead(Path(environ["CHAOS_CLOCK"])) if "CHAOS_CLOCK" in environ else SYSTEM
    fault = deadly(environ.get("CHAOS_DIE", ""))
    if "CHAOS_STALL" in environ:
        stall(Path(environ["CHAOS_STALL"]))
    if "CHAOS_STUCK" in environ:
        watch.STUCK_S = float(environ["CHAOS_STUCK"])
    if "CHAOS_STANDSTILL" in environ:
        watch.STANDSTILL_S = float(environ["CHAOS_STANDSTILL"])
    if "CHAOS_SESSION" in environ:
        EngineApp.__init__.__kwdefaults__["session"] = float(environ["CHAOS_SESSION"])
    if "CHAOS_BUG" in environ:
        plant(environ["CHAOS_BUG"])
    if "CHAOS_NOTES" in environ:
        registry.CHANNELS["sms"] = lambda _options: Notes(Path(environ["CHAOS_NOTES"]))
    make = {"worker": engine_app, "delivery": delivery_app}[role]

    def made():
        app = make(settings, clock, fault=fault)
        for table in app.fenced:
            at_the_edges(table, fault)
        return app

    return run(settings, settings.worker_port if role == "worker" else settings.delivery_port, made, clock)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
