"""CPU per trigger of the core alone: timers that come due, slice by slice, and packing what they changed for the changelog. No Kafka.

    python -m bench.firing [--due 6000] [--rounds 3] [--against CHECKOUT] [--profile FILE]

JSON lines. Every customer has a cart, three views and a search, and all built-in scenarios are armed for him. With `--against`, rounds of
this checkout and of another one take turns, each in a process of its own; of each slice the quickest round counts, which a busy machine
disturbs least, and `digest` tells whether both have said and written the same.
"""

import argparse
import cProfile
import gc
import hashlib
import json
import time
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
DUE = 1_800_000_000.0
WAIT_S = 3600.0
"""The cart scenario's wait."""
SLICE = 250
FOLD_EVERY = 64
"""As `tables/firing.py` has it; spelt out, since another checkout may have none."""


def filled(due):
    """A partition with customers whose carts all come due at one moment, and the behaviour that decides about them."""
    from agents.behaviour import ROW_TYPE, Behaviour
    from agents.decide import Decider
    from agents.scenarios.load import load_folder
    from app.replay.core import packed_rows
    from app.settings import load
    from bench.state import armed, state_of
    from tables.changelog import Codec
    from tables.step import Partition

    settings = load({})
    behaviour = Behaviour(
        Decider(load_folder(settings.scenarios), locale="en"), stream_time=False, partitions=settings.partitions
    )
    part = Partition(0, packed_rows())
    users = [f"f{number:06d}" for number in range(due)]
    for _, key, value in state_of(settings, users, lambda number, user: armed(number, user, DUE - WAIT_S)):
        if key[:1] not in b"\0\xff":
            part.rows.put_packed(key.decode(), bytes(value))
    part.rebuild_timers(behaviour.rebuilding(0))
    return behaviour, Codec(ROW_TYPE), part


def fire(behaviour, codec, part):
    """Fire all of it; (CPU seconds of deciding, and of packing) of each slice, and what was said and written."""
    from tables.step import Step

    fold = getattr(Step, "fold", lambda _step: None)
    decide, pack, records = [], [], []
    while True:
        began = time.process_time()
        step = Step(part)
        for number, (due, key) in enumerate(step.due(DUE, SLICE), 1):
            behaviour.on_timer(step, due, key, DUE + 2.0)
            if not number % FOLD_EVERY:
                fold(step)
        decided = time.process_time()
        rows = [*codec.records(step.rows, step.changed)]
        packed = time.process_time()
        if not step:
            return decide, pack, records
        decide.append(decided - began)
        pack.append(packed - decided)
        records.append((rows, step.outputs))


def once(due, profile=""):
    """One round; its figures."""
    behaviour, codec, part = filled(due)
    gc.collect()
    gc.freeze()
    if profile:
        profiler = cProfile.Profile(time.process_time)
        decide, pack, records = profiler.runcall(fire, behaviour, codec, part)
        profiler.dump_stats(profile)
    else:
        decide, pack, records = fire(behaviour, codec, part)
    digest, counts = hashlib.sha256(), defaultdict(int)
    for rows, outputs in records:
        for key, value in rows:
            digest.update(key + (value or b"\0"))
        for output in outputs:
            digest.update(output.key.encode() + output.value)
            counts[output.topic] += 1
    assert counts["outbox"] == due, f"{counts} of {due}"
    return {"decide": decide, "pack": pack, "outputs": counts, "digest": digest.hexdigest()[:16]}


def summary(name, due, rounds):
    """The quickest of the rounds for each slice, summed up."""
    from bench.turns import quickest

    decide, pack = quickest(rounds, "decide"), quickest(rounds, "pack")
    return {
        "what": name,
        "triggers": due,
        "decide_us": round(decide / due * 1e6, 2),
        "pack_us": round(pack / due * 1e6, 2),
        "rounds": len(rounds),
        **rounds[0],
    }


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--due", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--against", default="", metavar="CHECKOUT", help="another checkout to compare with")
    parser.add_argument("--profile", default="", metavar="FILE", help="one round under cProfile, written to FILE")
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.once or args.profile:
        print(json.dumps(once(args.due, args.profile)), flush=True)
        return
    from bench.turns import round_of

    checkouts = {"firing": HERE}
    if args.against:
        checkouts["other checkout"] = Path(args.against).resolve()
    rounds = defaultdict(list)
    for _ in range(args.rounds):
        for name, checkout in checkouts.items():
            rounds[name].append(round_of(__file__, checkout, "--due", str(args.due)))
    for name, lines in rounds.items():
        print(json.dumps(summary(name, args.due, lines)), flush=True)


if __name__ == "__main__":
    main()
