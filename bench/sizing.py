"""How many workers, collectors and partitions a load needs, computed from bench/results.json; written into docs/scaling.md.

    python -m bench.sizing [--check]

`make bench` does it too when it has written new figures.
"""

import argparse
import json
import math
import sys
from pathlib import Path
from typing import NamedTuple

from bench.results import RAW, middle

PAGE = Path(__file__).resolve().parents[1] / "docs" / "scaling.md"
BEGIN, END = "<!-- sizing: written by `python -m bench.sizing` -->", "<!-- /sizing -->"
RATES = (1_000, 10_000, 100_000)
USED = 0.5
"""Share of a core that a process may use on average: the rest is for peaks, rebalances and catching up after an outage."""
LEAST_PARTITIONS = 4
SPARE = 4
"""Partitions a worker, so that twice and four times as many workers still have some."""
MOST_PARTITIONS = 512
DELIVERY_SHARE = 0.01
"""Triggers an event, generously: the recorded shop has fewer."""


class Costs(NamedTuple):
    """Microseconds of CPU a unit, and megabytes."""

    engine: float
    broker: float
    collector: float
    mail: float
    worker_mb: float
    million_mb: float


class Size(NamedTuple):
    """What one rate of events needs."""

    workers: int
    partitions: int
    collectors: int
    deliveries: int
    broker_cores: float
    worker_mb: float
    """Memory of one worker when a million customers are known, whom all workers share."""


def missing(kept):
    """Benches that have not run and without which nothing follows."""
    instead = {"scaleout": ("engine", "sidebyside"), "restore": ("engine", "footprint")}
    lacking = [name for name in ("collector", "email") if name not in kept]
    return lacking + [name for name, others in instead.items() if name not in kept and not kept.keys() >= set(others)]


def costs(kept):
    """From the results of the benches. Raises KeyError when one has not run.

    As long as `scaleout` has not run, an event's cost is that of `engine`, and the broker's that of `sidebyside`; as long as `restore`
    has not, memory follows from `footprint` and the worker of `engine`.
    """
    if "scaleout" in kept:
        engine = middle(kept["scaleout"], "1 worker", "cpu_us_per_event")
        broker = middle(kept["scaleout"], "1 worker", "broker_us_per_event")
    else:
        engine = middle(kept["engine"], "engine", "cpu_us_per_event")
        side, row = kept["sidebyside"], "boomerang, all scenarios"
        broker = middle(side, row, "broker_cpu_s") / middle(side, row, "events") * 1e6
    paced = middle(kept["collector"], "single, 2,500/s", "cpu_us_per_event")
    if "restore" in kept:
        worker_mb = middle(kept["restore"], "no customers", "rss_mb")
        million = "1,000,000 customers"
        restored = middle(kept["restore"], million, "restored_gb_per_million")  # more than what is held later
        million_mb = (restored or middle(kept["restore"], million, "gb_per_million")) * 1024
    else:
        each = middle(kept["footprint"], "synthetic", "rss_a_customer") / 2**20
        worker_mb = middle(kept["engine"], "engine", "rss_mb") - middle(kept["engine"], "engine", "rows") * each
        million_mb = 1e6 * each
    return Costs(
        engine,
        broker,
        paced or middle(kept["collector"], "single", "cpu_us_per_event"),
        middle(kept["email"], "email", "cpu_us_per_mail"),
        worker_mb,
        million_mb,
    )


def size(rate, cost):
    """What `rate` events a second need."""

    def processes(microseconds):
        return max(1, math.ceil(rate * microseconds / 1e6 / USED))

    workers = processes(cost.engine)
    partitions = min(MOST_PARTITIONS, max(LEAST_PARTITIONS, 2 ** math.ceil(math.log2(workers * SPARE))))
    return Size(
        workers,
        partitions,
        processes(cost.collector),
        processes(cost.mail * DELIVERY_SHARE),
        round(rate * cost.broker / 1e6, 2),
        round(cost.worker_mb + cost.million_mb / workers),
    )


def table(cost):
    """The rows of the page."""
    lines = [
        "| events a second | a day | workers | partitions | collectors | delivery agents | broker cores, one copy | memory a worker, of 1,000,000 known customers |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for rate in RATES:
        need = size(rate, cost)
        lines.append(
            f"| {rate:,} | {rate * 86_400 / 1e6:,.0f} million | {need.workers} | {need.partitions} | {need.collectors} "
            f"| {need.deliveries} | {need.broker_cores:g} | {need.worker_mb:,} MB |"
        )
    return lines


def renewed(page, kept):
    """The page's text with the table as the results make it."""
    cost = costs(kept)
    said = (
        f"From [bench/RESULTS.md](../bench/RESULTS.md): an event costs a worker {cost.engine:.1f} us, the broker {cost.broker:.1f} us and a "
        f"collector {cost.collector:.0f} us (one a request), a mail {cost.mail:.0f} us, a million customers {cost.million_mb:,.0f} MB. Every "
        f"process is planned at {USED:.0%} of a core; one event in {round(1 / DELIVERY_SHARE)} leads to a message."
    )
    start, end = page.index(BEGIN), page.index(END)
    return page[:start] + "\n".join([BEGIN, "", *table(cost), "", said, "", END]) + page[end + len(END) :]


def renew():
    """Write the table anew; one line that says what came of it."""
    kept = json.loads(RAW.read_text())
    lacking = missing(kept)
    if lacking:
        return f'docs/scaling.md stays as it is; run `make bench ARGS="{" ".join(lacking)}"` first'
    page = PAGE.read_text()
    new = renewed(page, kept)
    PAGE.write_text(new)
    return "docs/scaling.md says so already" if new == page else "written: the table of docs/scaling.md"


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m bench.sizing", description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 when the page has another table")
    args = parser.parse_args(argv)
    kept = json.loads(RAW.read_text())
    lacking = missing(kept)
    if lacking:
        parser.exit(1, f'{", ".join(lacking)} not measured yet; run `make bench ARGS="{" ".join(lacking)}"` first\n')
    if not args.check:
        print(renew())
        return 0
    page = PAGE.read_text()
    if renewed(page, kept) == page:
        return 0
    print("docs/scaling.md does not say what bench/results.json gives; run `python -m bench.sizing`")
    return 1


if __name__ == "__main__":
    sys.exit(main())
