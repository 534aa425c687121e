"""kill -9 in the middle of the peers' job: what is missing, wrong or twice afterwards, and how long until all is caught up.

    python -m bench.recovery [--events 300000] [--workers 2] [--engines kafka-streams-eos,...] [--turn 0]

All workers are killed when 40 % of the triggers are out and started again at once, the same for every engine. Times count from
the restart. Ours runs with static members, as it is meant to be deployed. Caught up: the last trigger is in the outbox.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from bench.oracle import compare
from bench.peers import Absent, running_kit, say, skipped
from bench.sidebyside import forget, prepare, settings_of
from bench.workers import STALL_S, Workers, total, triggers

NAME = "boomerang"
ENGINES = "kafka-streams-eos"
KILL_AT = 0.4
FIRED = "boomerang_triggers_total"


def ours(kit, folder, args):
    """One run of ours with a kill; its figures."""
    settings = settings_of(kit, folder, NAME)
    wanted = kit.expected(args.events, args.customers)
    try:
        prepare(kit, settings, args.events, args.customers)
        with Workers(settings, args.workers, folder) as workers:
            workers.start()
            until(workers, lambda: total(workers.metrics(), FIRED) >= KILL_AT * len(wanted))
            workers.kill()
            before = len(triggers(settings))
            workers.start()
            until(workers, workers.applied, pause=0.05)
            first = time.time() - workers.started
            until(workers, lambda: lag(workers) == 0)
            restarted = workers.started
        found = triggers(settings)
    finally:
        forget(settings)
    after = [at - restarted for *_, at in found if at >= restarted]
    return {
        "what": NAME, "events": args.events, "workers": args.workers, "status": "ok", "killed_at_triggers": before,
        "first_event_s": round(first, 2), "first_trigger_s": round(min(after), 2), "caught_up_s": round(max(after), 2),
        **compare([item[:3] for item in found], wanted),
    }  # fmt: skip


def lag(workers):
    """Records that are yet to be read; one at least while a worker is not ready or has not looked yet."""
    text = workers.metrics()
    count = text.count('boomerang_engine_lag_records{topic="clickstream"}')
    if workers.ready() < len(workers.processes) or count < len(workers.processes):
        return 1
    return total(text, 'boomerang_engine_lag_records{topic="clickstream"}')


def until(workers, condition, pause=0.1):
    end = time.monotonic() + 2 * STALL_S
    while not condition():
        workers.check()
        assert time.monotonic() < end, "no progress"
        time.sleep(pause)


KEPT = {"status": "status", "killed_at_triggers": "killed_at_triggers", "restart_to_first_event_s": "first_event_s",
        "restart_to_first_trigger_s": "first_trigger_s", "restart_to_caught_up_s": "caught_up_s", "missing": "missing",
        "wrong": "wrong", "duplicate": "duplicate", "extra": "extra", "got": "triggers"}  # fmt: skip


def theirs(kit, engine, args):
    found = kit.run(engine, args.events, args.customers, args.workers, "--kill")
    figures = {ours: found[name] for name, ours in KEPT.items() if found.get(name) is not None}
    return {"what": engine, "events": args.events, "workers": args.workers, **figures}


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--engines", default=ENGINES, help="peers, by the kit's names")
    parser.add_argument("--turn", type=int, default=0, help="begin with another engine each round")
    args = parser.parse_args(argv)
    order = [NAME, *filter(None, args.engines.split(","))]
    turn = args.turn % len(order)
    try:
        with tempfile.TemporaryDirectory(prefix="boomerang-bench-") as name, running_kit() as kit:
            for engine in order[turn:] + order[:turn]:
                say(f"  {engine}, killed ...")
                run = ours(kit, Path(name), args) if engine == NAME else theirs(kit, engine, args)
                print(json.dumps(run), flush=True)
    except Absent as why:
        return skipped(why)
    return 0


if __name__ == "__main__":
    sys.exit(main())
