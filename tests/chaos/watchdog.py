"""A worker whose consumer stops without a word: it says so in a metric, ends, and its successor does what was left.

Then one whose consumer fetches nothing from the start: it cannot restore its state, says so in another metric, and ends too.
"""

from app.clock import SYSTEM
from tests.chaos.kills import MOVE
from tests.chaos.shop import customers
from tests.chaos.verdict import check
from tests.servers import eventually

APPLIED = 'boomerang_engine_events_applied_total{topic="clickstream"}'
STALLED = "boomerang_engine_stalled_seconds"
STANDSTILL = "boomerang_engine_standstill_seconds"
STANDSTILL_S = 5.0
"""In place of the 300 s, which nobody wants to wait for."""
LONGEST = 30.0
"""Seconds that a worker may go on without reading, from the moment at which it stops: a promise, so it is the one time asserted here."""


async def watchdog(ground, *, wave, stuck=None):
    """`stuck`: seconds in place of the watchdog's own."""
    flag = ground.settings.data / "stall"
    once = {"CHAOS_STALL": str(flag), **({} if stuck is None else {"CHAOS_STUCK": str(stuck)})}
    worker, sender = ground.keep("worker", once=once), ground.keep("delivery")
    await worker.ready()
    crowd = customers("w", range(wave))
    await ground.shop.visit(crowd)

    async def applied():
        return await worker.metric(APPLIED) == ground.shop.count

    await eventually(applied, 60, "the worker works")
    flag.touch()
    begun = SYSTEM.monotonic()
    more = customers("w", range(wave, 2 * wave))
    await ground.shop.visit(more)  # the lag has grown, and grows no more
    seen = await eventually(lambda: worker.metric(STALLED), 60, "the metric says so")
    assert await worker.metric("boomerang_engine_lag_records") > 0
    assert await worker.until_ended(60), "the worker goes on for ever"
    took = SYSTEM.monotonic() - begun
    assert took <= LONGEST, f"{took:.1f} s"
    assert worker.ends == [1]
    assert any("StuckError" in line for line in worker.unasked[0]), worker.unasked
    await worker.ready()
    await _standstill(worker, flag)
    ground.clock.advance(MOVE)
    await sender.ready()
    people = [*crowd, *more]
    await ground.settled(sum(bool(one.fate) for one in people), 120)
    counted = await check(ground, people, until=ground.clock.now())
    return {"first_said_at_s": round(seen, 1), "ended_after_s": round(took, 1), **counted}


async def _standstill(worker, flag):
    """Its changelog is there and is not read."""
    await worker.kill(CHAOS_STALL=str(flag), CHAOS_STANDSTILL=str(STANDSTILL_S))
    ends = len(worker.ends)
    await eventually(lambda: worker.metric(STANDSTILL), 60, "the metric says so")
    await eventually(lambda: len(worker.ends) > ends, 60, "the worker ends")
    assert worker.ends[-1] == 1
    assert any("restoring state, and nothing has moved" in line for line in worker.unasked[-1]), worker.unasked
    await worker.ready()
