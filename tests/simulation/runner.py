"""Runs seeds, and makes the history of a failed one small."""

import time
from functools import partial
from hashlib import blake2b
from typing import NamedTuple

from tests.simulation.cascade import CascadeWorld
from tests.simulation.cascade_check import CascadeFindings
from tests.simulation.check import Findings
from tests.simulation.world import World

PLAIN = World, Findings
"""The main simulation: its world, and what must hold of a run."""
CASCADE = CascadeWorld, CascadeFindings
"""The simulation of cascades."""


class Outcome(NamedTuple):
    """`wrong`: what does not hold, one line each. `compared` and `racing` count customers."""

    wrong: list
    compared: int
    racing: int
    triggers: int
    happened: dict
    digest: str


def trial(seed, events, happenings=None, schedule=None, table_type=None, kind=PLAIN):
    """One run from beginning to end."""
    world_type, findings = kind
    world = world_type(seed, events, happenings, schedule)
    if table_type is not None:
        world.table_type = table_type
    try:
        world.run()
        found = findings(world)
        wrong = found.wrong + [f"a task died: {one.get('exception') or one}" for one in world.loop.complaints]
        return Outcome(
            wrong, found.compared, found.racing, len(found.triggers), dict(world.happened), digest(world.broker)
        )
    finally:
        world.close()


def timed(events, seed, kind=PLAIN):
    """(seed, outcome, seconds of CPU); a crash of the simulation is an outcome too."""
    started = time.process_time()
    try:
        outcome = trial(seed, events, kind=kind)
    except Exception as error:
        outcome = Outcome([f"{type(error).__name__}: {error}"], 0, 0, 0, {}, "")
    return seed, outcome, time.process_time() - started


def digest(broker):
    """Of everything that was ever written, committed or not."""
    out = blake2b(digest_size=16)
    for (topic, number), log in sorted(broker.logs.items(), key=lambda item: item[0]):
        for record in log.everything:
            out.update(repr((topic, number, record.offset, record.key, record.value, record.at)).encode())
    return out.hexdigest()


def fails(seed, happenings, schedule, table_type=None, kind=PLAIN):
    """What goes wrong with this history and these faults; a crash of the simulation itself is a failure too."""
    try:
        return trial(seed, len(happenings), happenings, schedule, table_type, kind).wrong
    except Exception as error:
        return [f"{type(error).__name__}: {error}"]


def shrink(seed, events, most=400, table_type=None, kind=PLAIN):
    """(happenings, faults, what is wrong) as few as `most` trials can make them."""
    world = kind[0](seed, events)
    happenings, schedule = world.happenings, world.schedule
    world.close()
    budget = [most]

    def still(happenings, schedule):
        budget[0] -= 1
        return budget[0] >= 0 and bool(fails(seed, happenings, schedule, table_type, kind))

    for _ in range(2):
        happenings = _fewer(happenings, partial(still, schedule=schedule))
        schedule = _fewer(schedule, partial(still, happenings))
    return happenings, schedule, fails(seed, happenings, schedule, table_type, kind)


def _fewer(items, still):
    """Delta debugging: take away pieces, smaller and smaller, as long as it still fails."""
    size = max(len(items) // 2, 1)
    while items:
        at, changed = 0, False
        while at < len(items):
            less = items[:at] + items[at + size :]
            if still(less):
                items, changed = less, True
            else:
                at += size
        if size == 1 and not changed:
            break
        size = max(size // 2, 1)
    return items
