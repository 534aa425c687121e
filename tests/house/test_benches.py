"""What the benches conclude from their figures: the oracle of the peers' job, bounds, spread, sizes."""

import json

import pytest

from bench.oracle import Oracle, compare
from bench.results import RAW, RESULTS, render, spread
from bench.sizing import Costs, size
from bench.targets import Target, faults, figure, flatness, over, reached
from bench.yardstick import REFERENCE, at_reference, measure, sample

HOUR_MS = 3_600_000


def told(*events):
    """The oracle's triggers for (minute, event, product) of one customer in one partition."""
    oracle = Oracle()
    for minute, name, product in events:
        event = {"event": name, "userId": "c", "properties": {"product_id": product}}
        event["timestamp"] = f"2026-01-01T{minute // 60:02d}:{minute % 60:02d}:00.000Z"
        oracle.feed(0, json.dumps(event))
    start = 1_767_225_600_000
    return [((deadline - start) // 60_000, items) for _, deadline, items in oracle.found]


FLUSH = (23 * 60, "Flush", "")


@pytest.mark.parametrize(
    ("events", "triggers"),
    [
        ([(0, "Product Added", "a")], [(60, {"a": 1})]),
        ([(0, "Product Added", "a"), (30, "Product Added", "a")], [(90, {"a": 2})]),
        ([(0, "Product Added", "a"), (30, "Order Completed", "")], []),
        ([(0, "Product Added", "a"), (30, "Product Removed", "a")], []),
        ([(0, "Product Added", "a"), (10, "Product Added", "b"), (30, "Product Removed", "a")], [(70, {"b": 1})]),
        ([(0, "Product Added", "a"), (90, "Product Added", "b")], [(60, {"a": 1}), (150, {"a": 1, "b": 1})]),
        ([(0, "Product Added", "a"), (60, "Order Completed", "")], [(60, {"a": 1})]),
        ([(0, "Order Completed", ""), (0, "Product Added", "a")], []),
    ],
)
def test_the_oracle_of_the_peers_job_says_what_our_cart_means(events, triggers):
    assert told(*events, FLUSH) == triggers


def test_triggers_are_missing_wrong_twice_or_too_many():
    wanted = [["a", 1, {"x": 1}], ["b", 1, {"x": 1}], ["c", 1, {"x": 1}]]
    found = [("a", 1, {"x": 1}), ("a", 1, {"x": 1}), ("b", 1, {"x": 2}), ("d", 1, {})]
    assert compare(found, wanted) == {"triggers": 4, "missing": 1, "wrong": 1, "duplicate": 1, "extra": 1}


ROUNDS = {"rounds": [[{"what": "boomerang", "cpu": 10, "missing": 0, "wrong": 0, "extra": 1, "duplicate": 0},
                      {"what": "other", "cpu": cpu}] for cpu in (9, 12, 30)]}  # fmt: skip


def test_bounds_are_kept_by_the_median_of_the_rounds():
    target = Target("x", "", over("cpu", "other"), 1.0, 2.0, at_most=False, strictly=True)
    assert over("cpu", "other")(ROUNDS) == [0.9, 1.2, 3.0]
    assert reached(target, over("cpu", "other")(ROUNDS))
    assert not reached(target, over("cpu", "other")(ROUNDS), aim=True)
    assert not reached(target, [])
    assert faults("boomerang")(ROUNDS) == [1, 1, 1]
    assert figure("nobody", "cpu")(ROUNDS) == []
    assert flatness("cpu", ("boomerang", "other"))(ROUNDS) == [11.1, 20.0, 200.0]
    assert spread([9, 12, 30]) == "12 (9 to 30)"


def test_figures_of_cpu_are_told_as_the_reference_machine_would_have_them_and_others_are_not():
    assert at_reference(" us", 30.0, 2 * REFERENCE) == 15.0
    assert at_reference("/s", 3_000, 2 * REFERENCE) == 6_000
    assert at_reference(" ms", 30.0, 2 * REFERENCE) is None
    assert 250 < len(sample()) < 300
    assert measure() > 0


def test_more_events_never_need_less():
    cost = Costs(engine=15, broker=4, collector=90, mail=300, worker_mb=90, million_mb=600)
    sizes = [size(rate, cost) for rate in (1_000, 10_000, 100_000)]
    assert sizes[0].workers == 1
    assert sizes[2].workers == 3
    assert sizes[2].partitions == 16
    assert all(one.partitions >= one.workers for one in sizes)
    assert [one.worker_mb for one in sizes] == [690, 690, 290]
    assert sizes[0].collectors <= sizes[1].collectors <= sizes[2].collectors


def test_the_page_of_results_follows_from_what_was_measured():
    from bench.__main__ import BENCHES

    ours = render(json.loads(RAW.read_text()), {name: one.text for name, one in BENCHES.items()})
    assert RESULTS.read_text().startswith(ours.rstrip()), "run the bench: the page is written by it"
