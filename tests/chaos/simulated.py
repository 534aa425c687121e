"""The simulations of tests/simulation at full size: no servers, virtual time, hours of CPU. Ended before its time, a run counts as far as it has come."""

import os

from tests.simulation.__main__ import told
from tests.simulation.campaign import campaign
from tests.simulation.runner import shrink

SEEDS = EVENTS = 2_000


def simulated(kind, seeds, say, kept):
    """Run so many seeds. Raises AssertionError with the shrunken failure."""
    done = campaign(kind, EVENTS, range(seeds), os.cpu_count() or 1, say, kept)
    if done.failed is not None:
        seed, outcome = done.failed
        say(f"seed {seed}: {outcome.wrong[0]}; it is made smaller")
        raise AssertionError(told(seed, *shrink(seed, EVENTS, most=100, kind=kind)))
    total = done.total
    counted = {"seeds": f"{total['seeds']} of {seeds}" if done.interrupted else total["seeds"], "events": EVENTS}
    counted |= {name: total[name] for name in ("triggers", "compared", "racing")}
    return counted | {"cpu_seconds": round(total["cpu"]), "faults": sum(done.happened.values())}, done.interrupted
