"""Many seeds of the simulated installation, with progress; exit status 1 for a failure, 130 when it was ended.

How far it has come stands in bench/out (simulation.json, cascades.json): `--go-on` goes on from there, so one range of seeds may be run in
several pieces. A run that is smaller than what stands there leaves it as it is. `--record` puts the row `simulation` (or `cascades`) into
bench/CHAOS.md and bench/RESULTS.md: of everything that was run, earlier pieces too, also when it was ended or failed.
"""

import argparse
import os
import sys
from pathlib import Path

from tests.chaos.page import moment, record
from tests.simulation.campaign import campaign, earlier, work
from tests.simulation.runner import CASCADE, PLAIN, shrink

OUT = Path(__file__).resolve().parents[2] / "bench" / "out"
SEEDS = EVENTS = 2_000


def options_of(argv):
    parser = argparse.ArgumentParser(
        prog="make simulation ARGS=...", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--cascade", action="store_true", help="cascades over four channels, instead of the built-in scenarios"
    )
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"how many, from --first on (default {SEEDS})")
    parser.add_argument("--events", type=int, default=EVENTS, help=f"of each seed (default {EVENTS})")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default 0)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: all cores)")
    parser.add_argument("--go-on", action="store_true", help="go on where a run with as many events was ended")
    parser.add_argument("--record", action="store_true", help="write the row into bench/CHAOS.md and bench/RESULTS.md")
    parser.add_argument("--no-shrink", action="store_true", help="do not make the history of a failure smaller")
    options = parser.parse_args(argv)
    if min(options.seeds, options.events, options.jobs) < 1 or options.first < 0:
        parser.error("--seeds, --events and --jobs are at least 1, --first at least 0")
    return options


def main(argv=None):
    options = options_of(argv)
    name, kind = ("cascades", CASCADE) if options.cascade else ("simulation", PLAIN)
    kept = OUT / f"{name}.json"
    before = _before(kept, options) if options.go_on else None
    first = options.first if before is None else before.next
    seeds = range(first, max(options.first + options.seeds, first))
    if before is None and len(seeds) * options.events < work(kept):
        say(f"bench/out/{kept.name} holds a larger run and stays as it is: this one cannot be gone on with")
        kept = None
    done = campaign(kind, options.events, seeds, options.jobs, say, kept, before, moment())
    print(done.told(options.events))
    print(", ".join(f"{name} {times}" for name, times in sorted(done.happened.items())))
    if options.record:
        record({name: _recorded(done, options)})
        say(f"recorded: the row {name} of bench/CHAOS.md and bench/RESULTS.md")
    if done.interrupted:
        print(f"ended before seed {done.next}{': --go-on goes on from there' if kept else ''}", file=sys.stderr)
        return 130
    return 0 if done.failed is None else _failed(*done.failed, options, kind)


def _before(kept, options):
    """What there is to go on from."""
    before = earlier(kept, options.events)
    if before is None:
        say(f"no run with {options.events} events stands in bench/out/{kept.name}: it begins with seed {options.first}")
    else:
        say(f"goes on from seed {before.next}: {before.total['seeds']} seeds have been run before")
    return before


def _recorded(done, options):
    """What the record says of it, with the command that would run all its pieces at once."""
    count, first = done.total["seeds"], done.next - done.total["seeds"]
    sizes = {"--first": (first, 0), "--seeds": (count, SEEDS), "--events": (options.events, EVENTS)}
    words = ["--cascade"] if options.cascade else []
    words += [f"{name} {given}" for name, (given, usual) in sizes.items() if given != usual] + ["--record"]
    command = f"make simulation ARGS={words[0]}" if len(words) == 1 else f'make simulation ARGS="{" ".join(words)}"'
    counted = {**done.figures(options.events), "run": f"{'; '.join(done.moments)}: `{command}`"}
    return (
        counted if done.failed is None else {**counted, "wrong": done.failed[1].wrong[0], "wrong_seed": done.failed[0]}
    )


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
