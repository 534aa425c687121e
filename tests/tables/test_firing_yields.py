"""Slices in which nothing is to be written let others have their turn too."""

import asyncio

from tables.firing import MOST_LOOKED
from tests.tables.test_firing import GRACE, START, Table


async def test_slices_of_postponed_timers_let_the_rest_of_the_worker_go_on():
    table = Table(0)
    slices = []

    def postponed(step, due, key, now):
        step.wake(key, START + 3600.0)

    async def write(part, step, triggered):  # as FencedTable.write does: nothing to write, nothing to wait for
        slices.append(bool(step))

    table.on_timer, table.write = postponed, write
    table.wake(0, *map(str, range(20 * MOST_LOOKED)))
    table.clock.advance(GRACE)
    await table.firing.tick()
    turns = []

    async def another():
        while table.firing._busy:
            turns.append(len(slices))
            await asyncio.sleep(0)

    await another()
    assert slices.count(False) >= 20
    assert max(b - a for a, b in zip(turns, [*turns[1:], len(slices)], strict=True)) <= 2, turns
