"""Timers on the wall clock: partitions fire side by side, each in slices between which its bundles have their turn."""

import asyncio

import pytest

from app.clock import ManualClock
from tables.firing import LONGEST_SLICE, MOST_FIRED, MOST_LOOKED, Firing
from tables.held import HeldPartition

GRACE = 2.0
START = 1_700_000_000.0


class Row:
    def __init__(self):
        self.wake = 0.0


class Table:
    """What firing needs of a fenced table, with writes that the test lets pass."""

    name, prefix, inputs, across, live, grace = "test", "", ("in",), (), True, GRACE

    def __init__(self, *numbers):
        self.clock = ManualClock(START)
        self.app = self.consumer = self
        self.parts = {number: HeldPartition(number, GRACE) for number in numbers}
        for part in self.parts.values():
            part.open = True
        self.passes = {number: asyncio.Event() for number in numbers}
        for passes in self.passes.values():
            passes.set()
        self.writing = asyncio.Event()
        self.steps, self.failures, self.slow = [], [], 0.0
        self.end, self.hurried = 0, 0
        self.firing = Firing(self, "out")

    async def highwaters(self, *tps):
        return dict.fromkeys(tps, self.end)

    def hurry(self):
        self.hurried += 1

    def on_timer(self, step, due, key, now):
        step.send("out", key, b"")
        self.clock.advance(self.slow)

    async def write(self, part, step, triggered):
        self.writing.set()
        await self.passes[part.number].wait()
        if step:
            assert len(triggered) == len(step.outputs)
            self.steps.append((part.number, [output.key for output in step.outputs]))

    async def fail(self, error):
        self.failures.append(error)
        for part in self.parts.values():
            part.open = False

    def wake(self, number, *keys, at=START):
        part = self.parts[number]
        for key in keys:
            part.rows[key] = Row()
            part.timers.wake(key, at)

    async def quiet(self):
        """Until no partition is firing."""
        while self.firing._busy:
            await asyncio.wait(self.firing._busy.values())


async def test_a_partition_whose_step_is_being_written_holds_up_no_other():
    table = Table(0, 1)
    table.passes[0].clear()
    table.wake(0, "a")
    table.wake(1, "b")
    table.clock.advance(GRACE)
    await table.firing.tick()
    await asyncio.wait_for(table.firing._busy[1], 10)
    assert table.steps == [(1, ["b"])]
    table.wake(1, "c")  # nor what comes due in another meanwhile
    await table.firing.tick()
    await asyncio.wait_for(table.firing._busy[1], 10)
    assert table.steps == [(1, ["b"]), (1, ["c"])]
    table.passes[0].set()
    await table.quiet()
    assert table.steps[2:] == [(0, ["a"])]


async def test_more_than_one_step_holds_goes_out_in_order_in_steps_of_their_own():
    table = Table(0)
    keys = [f"k{number:05d}" for number in range(2 * MOST_FIRED + 1)]
    table.wake(0, *reversed(keys))
    table.clock.advance(GRACE)
    await table.firing.tick()
    await table.quiet()
    assert [len(fired) for _, fired in table.steps] == [MOST_FIRED, MOST_FIRED, 1]
    assert [key for _, fired in table.steps for key in fired] == keys


async def test_a_bundle_that_has_come_meanwhile_has_its_turn_between_two_slices():
    table = Table(0)
    table.passes[0].clear()
    table.wake(0, *map(str, range(MOST_FIRED + 1)))
    table.clock.advance(GRACE)
    await table.firing.tick()
    await table.writing.wait()
    seen = []

    async def bundle():
        async with table.parts[0].lock:
            seen.append(len(table.steps))

    waiting = asyncio.create_task(bundle())
    await asyncio.sleep(0)
    table.passes[0].set()
    await waiting
    await table.quiet()
    assert (seen, len(table.steps)) == ([1], 2)


async def test_on_a_slow_machine_a_slice_ends_sooner():
    table = Table(0)
    table.slow = 0.6 * LONGEST_SLICE
    table.wake(0, *"abcde")
    table.clock.advance(GRACE)
    await table.firing.tick()
    await table.quiet()
    assert [len(fired) for _, fired in table.steps] == [2, 2, 1]


async def test_ends_are_asked_for_again_as_soon_as_all_that_was_due_has_fired():
    table = Table(0)
    table.wake(0, "a")
    table.clock.advance(GRACE)
    await table.firing.tick()
    table.wake(0, "b", at=START + 1.0)
    await table.quiet()
    table.clock.advance(1.0)
    await asyncio.wait_for(table.firing.sleep(), 10)
    await table.firing.tick()
    await table.quiet()
    assert table.steps == [(0, ["a"]), (0, ["b"])]


async def test_what_has_to_be_read_before_it_fires_is_fetched_at_once():
    table = Table(0)
    table.wake(0, "a")
    table.clock.advance(GRACE)
    table.end = 5
    await table.firing.tick()
    await table.firing.tick()
    assert (table.hurried, table.steps) == (1, []), "once, however often it looks"
    table.parts[0].applied["in"] = 4
    await table.firing.tick()
    await table.quiet()
    assert (table.hurried, table.steps) == (1, [(0, ["a"])])


async def test_nobody_hurries_where_all_is_read_already():
    table = Table(0)
    table.wake(0, "a")
    table.clock.advance(GRACE)
    await table.firing.tick()
    await table.quiet()
    assert (table.hurried, table.steps) == (0, [(0, ["a"])])


@pytest.mark.parametrize("error", [RuntimeError("fenced"), ValueError("too large")])
async def test_a_step_that_cannot_be_written_stops_the_table(error):
    table = Table(0, 1)

    async def write(part, step, triggered):
        raise error

    table.write = write
    table.wake(0, "a")
    table.clock.advance(GRACE)
    await table.firing.tick()
    await table.quiet()
    assert table.failures == [error]
    await table.firing.tick()
    assert not table.firing._busy


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


async def test_what_waits_for_its_turn_writes_nothing_once_the_table_has_failed():
    table = Table(0)
    table.wake(0, "a")
    table.clock.advance(GRACE)
    async with table.parts[0].lock:  # a bundle's step
        await table.firing.tick()
        await asyncio.sleep(0)
        await table.fail(RuntimeError("fenced"))
    await table.quiet()
    assert table.steps == []
