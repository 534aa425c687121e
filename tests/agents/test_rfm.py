"""Recency, frequency and money against the figures that the package `lifetimes` ships for the public CDNOW purchases.

The package is fetched by its hash and never imported: its dependencies are none of ours, and its data are not committed.

| theirs | ours |
|---|---|
| `x`, repeat purchases: days with a purchase after the first such day, up to 30 September 1997 | `orders.days - 1` |
| `t_x`, weeks from the first purchase to the last repeat | `orders.last_at - orders.first_at` |
| `T`, weeks from the first purchase to 30 September 1997 | from `orders.first_at` |
| `zbar`, average of what the repeat purchases came to; 0 without any | `(orders.total - orders.first_day) / (orders.days - 1)` |
"""

import csv
import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from io import StringIO
from zipfile import ZipFile

import pytest

from agents.conditions.compile import compiled
from agents.conditions.language import ConditionFile
from agents.conditions.rfm import BOUNDS, figures, frequency, monetary, rank, ranks_of, recency, scores
from agents.conditions.verdict import Facts
from agents.segments.load import load_segments
from app.clock import ManualClock
from tables.customer import Customer, Orders
from tables.ranking import RANKING
from tests.driver import BUILT_IN, DAY, HOUR, Engine

PINNED = "lifetimes==0.11.3 --hash=sha256:261e3dc89977c2b60767ca6728aaa29d429de0c814635070a749c36555895da8\n"
END = datetime(1997, 9, 30, tzinfo=UTC).timestamp()
WEEK = 7 * DAY


@pytest.fixture(scope="session")
def cdnow(tmp_path_factory):
    """(purchases as (customer, moment, amount), the package's summary by customer)."""
    folder = tmp_path_factory.mktemp("lifetimes")
    (folder / "pinned.txt").write_text(PINNED)
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
    command += [
        "--require-hashes",
        "--only-binary",
        ":all:",
        "--requirement",
        str(folder / "pinned.txt"),
        "--dest",
        str(folder),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if done.returncode:
        if os.environ.get("BOOMERANG_REQUIRE_ALL"):
            pytest.fail(f"lifetimes cannot be fetched: {done.stderr}")
        pytest.skip("lifetimes cannot be fetched from the package index")
    with ZipFile(next(folder.glob("*.whl"))) as wheel:
        lines = wheel.read("lifetimes/datasets/CDNOW_sample.txt").decode().splitlines()
        table = wheel.read("lifetimes/datasets/cdnow_customers_summary_with_transactions.csv").decode()
    rows = [line.split() for line in lines]
    bought = [
        (str(int(row[1])), datetime.strptime(row[2] + "+0000", "%Y%m%d%z").timestamp(), float(row[4])) for row in rows
    ]
    return bought, {row["ID"]: row for row in csv.DictReader(StringIO(table))}


@pytest.fixture(scope="session")
def shop(cdnow):
    """All purchases up to the end of September, in order of time, as events through the core."""
    bought, _ = cdnow
    clock = ManualClock(min(at for _, at, _ in bought))
    engine = Engine([], segments=load_segments(BUILT_IN.parent / "segments"), clock=clock)
    for customer, at, amount in sorted(bought, key=lambda purchase: purchase[1]):
        if at <= END:
            engine.wait(at - engine.clock.now())
            engine.order(customer, total=amount)
    engine.wait(END - engine.clock.now())
    return engine


def test_all_customers_have_the_figures_of_the_package(cdnow, shop):
    _, summary = cdnow
    assert len(summary) == 2357
    wrong = []
    for customer, theirs in summary.items():
        orders = shop.customer(customer).orders
        repeats = orders.days - 1
        ours = (
            repeats,
            (orders.last_at - orders.first_at) / WEEK,
            (END - orders.first_at) / WEEK,
            (orders.total - orders.first_day) / repeats if repeats else 0.0,
        )
        told = tuple(float(theirs[name]) for name in ("x", "t_x", "T", "zbar"))
        if any(abs(one - other) > 0.006 for one, other in zip(ours, told, strict=True)):
            wrong.append((customer, ours, told))
    assert not wrong


def test_the_groups_of_the_scores_are_those_of_the_figures(cdnow, shop):
    _, summary = cdnow
    champions = set()
    for customer in summary:
        orders = shop.customer(customer).orders
        scores = recency(orders, BOUNDS, DAY, END)[0], frequency(orders, BOUNDS), monetary(orders, BOUNDS)
        if min(scores) >= 4:
            champions.add(customer)
    assert len(champions) > 10
    found = {customer for customer in summary if "champions" in (shop.customer(customer).engagement.segments or ())}
    assert found == champions
    sizes = sum(count for (_, name), count in shop.behaviour.sizes.now.items() if name == "champions")
    assert sizes == len(champions)


def test_by_quantiles_the_groups_are_those_of_the_figures(cdnow, tmp_path):
    """In one partition, a day after the last purchase: recency from `T - t_x`, frequency from `x`, money from the purchases."""
    bought, summary = cdnow
    engine = ranked(bought, tmp_path, partitions=1)
    purchases = Counter()
    for customer, at, amount in bought:
        purchases[customer] += amount if at <= END else 0.0
    theirs = {
        name: (-round((float(row["T"]) - float(row["t_x"])) * 7), float(row["x"]) + 1, purchases[name])
        for name, row in summary.items()
    }
    ranks = ranks_of(list(zip(*theirs.values(), strict=True)))
    wanted = {name for name, values in theirs.items() if min(map(rank, values, ranks)) >= 4}
    found = {name for name in summary if "champions" in (engine.customer(name).engagement.segments or ())}
    assert len(found) > 100
    assert found == wanted
    row = engine.table.partition(0).rows[RANKING]
    assert row.buyers == len(summary)
    assert row.ranks[1] == ranks[1]
    assert [round((at - END) / DAY) for at in row.ranks[0]] == list(ranks[0])


def test_quantiles_of_a_partition_are_near_those_of_all(cdnow, tmp_path):
    """Each partition has its own: of 2,357 customers in four, an eighth has another score than among all of them, by one.

    Days with an order are small numbers, so that one step of a bound moves many.
    """
    bought, summary = cdnow
    engine = ranked(bought, tmp_path, partitions=4)
    orders = {name: engine.customer(name).orders for name in summary}
    among_all = ranks_of(list(zip(*map(figures, orders.values()), strict=True)))
    other = Counter()
    for part in engine.table.parts.values():
        for name in orders.keys() & part.rows.keys():
            mine, all_of_them = scores(orders[name], part.rows[RANKING].ranks), scores(orders[name], among_all)
            other.update("rfm"[number] for number in range(3) if mine[number] != all_of_them[number])
            assert max(abs(one - another) for one, another in zip(mine, all_of_them, strict=True)) <= 1
    shares = {measure: count / len(summary) for measure, count in other.items()}
    assert shares["r"] < 0.1 and shares["m"] < 0.1 and shares["f"] < 0.15


def ranked(bought, folder, partitions):
    """The purchases up to the end of September through the core, then segments by quantiles, and a day more."""
    for path in (BUILT_IN.parent / "segments").glob("*.yaml"):
        (folder / path.name).write_text(path.read_text())
    (folder / "rfm.yaml").write_text("bounds: quantile\n")
    clock = ManualClock(min(at for _, at, _ in bought))
    engine = Engine([], clock=clock, partitions=partitions)
    for customer, at, amount in sorted(bought, key=lambda purchase: purchase[1]):
        if at <= END:
            engine.wait(at - engine.clock.now())
            engine.order(customer, total=amount)
    engine.decider.take([], segments=load_segments(folder))
    for number, part in engine.table.parts.items():
        part.rebuild_timers(engine.behaviour.rebuilding(number))
    engine.plan()
    engine.wait(END + DAY + HOUR - engine.clock.now())
    return engine


def test_scores_rise_at_their_bounds():
    orders = Orders(12, 500.0, 0.0, 1_000 * DAY, [], 5, 10.0)
    for days, score in ((0, 5), (29.999, 5), (30, 4), (90, 3), (180, 2), (364.9, 2), (365, 1), (4_000, 1)):
        assert recency(orders, BOUNDS, DAY, (1_000 + days) * DAY)[0] == score
    assert [frequency(Orders(count, days=count), BOUNDS) for count in (1, 2, 3, 5, 9, 10)] == [1, 2, 3, 4, 4, 5]
    assert [monetary(Orders(1, total), BOUNDS) for total in (0.0, 49.9, 50.0, 150.0, 500.0, 1_500.0)] == [
        1,
        1,
        2,
        3,
        4,
        5,
    ]


def test_a_score_falls_by_time_alone():
    condition = compiled(ConditionFile(rfm="r", at_least=4))
    customer = Customer(orders=Orders(1, 10.0, 0.0, 0.0))
    assert condition.holds(Facts(customer, 10 * DAY)) == (True, 30 * DAY)
    assert condition.holds(Facts(customer, 30 * DAY)) == (True, 90 * DAY)
    assert condition.holds(Facts(customer, 90 * DAY)) == (False, 180 * DAY)
