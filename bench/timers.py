"""The index of deadlines alone, over rows at rest: a million and ten million pending timers, by CPU time.

    python -m bench.timers [--counts 1000000 10000000]

JSON lines. Each timer is scheduled, 80 % are postponed, 15 % cancelled, 5 % are left as they are; then the clock runs over all of
them: what was postponed asks its row and is scheduled again, what was cancelled is passed over, the rest fires.
"""

import argparse
import gc
import json
import random
import time

import psutil

from bench.footprint import timer_bytes
from tables.packed import Cell
from tables.timers import TimerIndex

START = 1_800_000_000.0
HOURS_3 = 10_800.0


def rss():
    return psutil.Process().memory_info().rss


def timed(work):
    """CPU seconds of a call."""
    began = time.process_time()
    work()
    return time.process_time() - began


def measure(count):
    rnd = random.Random(1)
    cells = {f"c{number:08d}": Cell() for number in range(count)}
    keys = list(cells)
    dues = [START + HOURS_3 * rnd.random() for _ in range(count)]
    timers = TimerIndex(cells)
    gc.collect()
    gc.freeze()
    before = rss()

    def schedule():
        wake = timers.wake
        for key, due in zip(keys, dues, strict=True):
            wake(key, due)

    scheduled = timed(schedule)
    grown = rss() - before
    index = timer_bytes(timers)
    postponed, cancelled = keys[: count * 8 // 10], keys[count * 8 // 10 : count * 95 // 100]
    later = dict(zip(postponed, (due + HOURS_3 for due in dues), strict=False))

    def postpone():
        wake = timers.wake
        for key, due in later.items():
            wake(key, due)

    postponing = timed(postpone)

    def cancel():
        wake = timers.wake
        for key in cancelled:
            wake(key, None)

    cancelling = timed(cancel)
    fired = asked = 0
    gc.collect()
    gc.freeze()  # as the worker does: a collection would walk over the lists of this bench

    def run():
        nonlocal fired, asked
        for due, key in timers.pop_due(START + HOURS_3):
            again = later.pop(key, None)
            if again is None:
                fired += 1
            else:
                asked += 1
                timers.wake(key, max(due, again))

    firing = timed(run)
    assert (fired, asked) == (count - len(postponed) - len(cancelled), len(postponed))
    return {
        "what": f"{count} pending",
        "schedule_per_s": round(count / scheduled),
        "postpone_per_s": round(len(postponed) / postponing),
        "cancel_per_s": round(len(cancelled) / cancelling),
        "fire_per_s": round((fired + asked) / firing),
        "bytes_a_timer": round((index + 24 * count) / count, 1),
        "rss_a_timer": round(grown / count, 1),
    }


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", type=int, nargs="+", default=[1_000_000, 10_000_000])
    args = parser.parse_args(argv)
    for count in args.counts:
        print(json.dumps(measure(count)), flush=True)


if __name__ == "__main__":
    main()
