"""What the worker watches about itself: progress, floods of bad records, and its small web."""

from collections import Counter

import aiohttp
import pytest

from app import metrics
from app.engine.counts import DecisionCounts, Flood
from app.engine.site import Site
from app.engine.watch import STUCK_S, Progress


def test_work_that_gets_done_is_not_stuck_however_long_the_queue_is():
    progress = Progress()
    assert not any(progress.stuck(second, done=second, lag=1000 * second + 1) for second in range(200))


def test_nothing_to_do_is_not_stuck():
    progress = Progress()
    assert not any(progress.stuck(second, done=5, lag=0) for second in range(200))


def test_a_growing_queue_with_nothing_done_is_stuck_after_half_a_minute():
    progress = Progress()
    verdicts = [progress.stuck(float(second), done=5, lag=10 + second) for second in range(60)]
    assert verdicts.index(True) == STUCK_S


def test_a_queue_that_does_not_grow_is_left_alone():
    progress = Progress()
    assert not any(progress.stuck(float(second), done=5, lag=10) for second in range(60))


def test_one_bad_record_in_two_hundred_is_no_flood():
    flood = Flood()
    assert not any(flood.look(200, 1) for _ in range(100))


def test_more_than_one_in_a_hundred_is_a_flood_until_a_minute_has_passed_without():
    flood = Flood()
    assert flood.look(100, 50)
    verdicts = [flood.look(1, 0) for _ in range(60)]
    assert verdicts[0]
    assert not verdicts[-1]


def test_a_handful_of_bad_records_in_a_quiet_hour_is_no_flood():
    flood = Flood()
    assert not flood.look(9, 9)


def test_a_thousand_bad_records_in_a_row_are_a_flood():
    flood = Flood()
    for _ in range(100):
        flood.look(100_000, 0)
    assert not flood.look(600, 600)
    assert flood.look(600, 600)


def test_counts_of_the_core_become_metrics_once():
    decisions = Counter({("cart", "fired"): 2, ("cart", "armed"): 3})
    dead = Counter({"not_json": 4})
    before = metrics.TRIGGERS.labels("cart")._value.get()
    counts = DecisionCounts(decisions, dead, Counter())
    counts.take()
    counts.take()
    assert metrics.TRIGGERS.labels("cart")._value.get() == before + 2
    assert not decisions
    assert not dead


@pytest.mark.parametrize(
    ("reason", "status", "text"), [("", 200, "ok\n"), ("restoring state", 503, "restoring state\n")]
)
async def test_readiness_says_why_not(free_port, reason, status, text):
    port = free_port()
    site = Site("127.0.0.1", port, lambda: reason)
    await site.start()
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
            async with http.get("/readyz") as answer:
                assert (answer.status, await answer.text()) == (status, text)
            async with http.get("/healthz") as answer:
                assert answer.status == 200
            async with http.get("/metrics") as answer:
                assert "# HELP boomerang_engine_steps_total" in await answer.text()
    finally:
        await site.stop()
