"""`python -m tests.simulation --seeds 2000 --events 2000`: the whole thing, with progress; exit status 1 for a failure, 130 when it was ended.

`--cascade` runs the cascades' simulation instead. How far it has come stands in bench/out: `--go-on` goes on from there.
"""

import argparse
import sys
from pathlib import Path

from tests.simulation.campaign import campaign, earlier
from tests.simulation.runner import CASCADE, PLAIN, shrink

OUT = Path(__file__).resolve().parents[2] / "bench" / "out"


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument(
        "--cascade", action="store_true", help="cascades over four channels, instead of the built-in scenarios"
    )
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--events", type=int, default=400)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--go-on", action="store_true", help="go on where a run with as many events was ended")
    parser.add_argument("--no-shrink", action="store_true", help="do not make the history of a failure smaller")
    options = parser.parse_args()
    if min(options.seeds, options.events, options.jobs) < 1 or options.first < 0:
        parser.error("--seeds, --events and --jobs are at least 1, --first at least 0")
    kind, kept = (CASCADE, OUT / "cascades.json") if options.cascade else (PLAIN, OUT / "simulation.json")
    before = earlier(kept, options.events) if options.go_on else None
    first = options.first if before is None else before.next
    seeds = range(first, max(options.first + options.seeds, first))
    done = campaign(kind, options.events, seeds, options.jobs, say, kept, before)
    print(done.told(options.events))
    print(", ".join(f"{name} {times}" for name, times in sorted(done.happened.items())))
    if done.interrupted:
        print(f"ended before seed {done.next}: --go-on goes on from there", file=sys.stderr)
        return 130
    return 0 if done.failed is None else _failed(*done.failed, options, kind)


def say(text):
    print(text, file=sys.stderr, flush=True)


def _failed(seed, outcome, options, kind):
    print(f"\nseed {seed} with {options.events} events:")
    for line in outcome.wrong:
        print(f"  {line}")
    if not options.no_shrink:
        print("shrinking ...", flush=True)
        print(told(seed, *shrink(seed, options.events, kind=kind)))
    return 1


def told(seed, happenings, schedule, wrong):
    """A shrunken failure as text."""
    lines = [f"seed {seed}, {len(happenings)} events and {len(schedule)} faults are enough:"]
    lines += [f"  {one}" for one in sorted([*happenings, *schedule], key=lambda one: one.t)]
    return "\n".join([*lines, "which gives:", *(f"  {line}" for line in wrong)])


if __name__ == "__main__":
    sys.exit(main())
