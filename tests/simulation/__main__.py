"""`python -m tests.simulation --seeds 2000 --events 2000`: the whole thing, with progress; exit status 1 for a failure."""

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from functools import partial

from tests.simulation.runner import shrink, timed


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--events", type=int, default=400)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--no-shrink", action="store_true", help="do not make the history of a failure smaller")
    options = parser.parse_args()
    started, total, happened = time.monotonic(), Counter(), Counter()
    start, end = ("\r", "") if sys.stderr.isatty() else ("", "\n")
    seeds = range(options.first, options.first + options.seeds)
    with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
        for seed, outcome, cpu in pool.imap(partial(timed, options.events), seeds):
            total.update(seeds=1, compared=outcome.compared, racing=outcome.racing, triggers=outcome.triggers)
            total["cpu"] += cpu
            happened.update(outcome.happened)
            if outcome.wrong:
                pool.terminate()
                return _failed(seed, options, outcome)
            if sys.stderr.isatty() or total["seeds"] % 20 == 0:
                print(
                    f"{start}{total['seeds']} of {options.seeds} seeds, {time.monotonic() - started:.0f} s",
                    end=end,
                    file=sys.stderr,
                    flush=True,
                )
    print(file=sys.stderr)
    print(
        f"{total['seeds']} seeds x {options.events} events: nothing wrong. {total['triggers']} triggers; {total['compared']} "
        f"customers compared with the reference, {total['racing']} racing; {total['cpu']:.0f} s of CPU, "
        f"{time.monotonic() - started:.0f} s"
    )
    print(", ".join(f"{name} {times}" for name, times in sorted(happened.items())))
    return 0


def _failed(seed, options, outcome):
    print(f"\nseed {seed} with {options.events} events:")
    for line in outcome.wrong:
        print(f"  {line}")
    if not options.no_shrink:
        print("shrinking ...", flush=True)
        print(told(seed, *shrink(seed, options.events)))
    return 1


def told(seed, happenings, schedule, wrong):
    """A shrunken failure as text."""
    lines = [f"seed {seed}, {len(happenings)} events and {len(schedule)} faults are enough:"]
    lines += [f"  {one}" for one in sorted([*happenings, *schedule], key=lambda one: one.t)]
    return "\n".join([*lines, "which gives:", *(f"  {line}" for line in wrong)])


if __name__ == "__main__":
    sys.exit(main())
