"""The simulations of tests/simulation at full size: no servers, virtual time, hours of CPU. Ended before its time, a run counts as far as it has come."""

import os

from tests.simulation.__main__ import EVENTS, SEEDS, told
from tests.simulation.campaign import campaign
from tests.simulation.runner import shrink

__all__ = ["SEEDS", "simulated"]


def simulated(kind, seeds, say, kept):
    """Run so many seeds: what it counted, and whether it was ended. Of a failure `wrong` tells, made small.

    `kept` is another file than that of `make simulation`, which goes on from its own.
    """
    done = campaign(kind, EVENTS, range(seeds), os.cpu_count() or 1, say, kept)
    counted = done.figures(EVENTS) | {"faults": sum(done.happened.values())}
    if done.failed is not None:
        seed, outcome = done.failed
        say(f"seed {seed}: {outcome.wrong[0]}; it is made smaller")
        try:
            wrong, ended = told(seed, *shrink(seed, EVENTS, most=100, kind=kind)), False
        except KeyboardInterrupt:
            wrong, ended = "\n".join(outcome.wrong), True
        return counted | {"wrong_seed": seed, "wrong": wrong}, ended
    return counted, done.interrupted
