"""Bundles of different partitions side by side, those of one in their order."""

import asyncio
from typing import NamedTuple

import pytest

from tables.bundle import Bundle
from tables.held import HeldPartition
from tests.broker.toy import toy_app

TOPIC = "in"


class Record(NamedTuple):
    key: bytes
    value: bytes
    offset: int
    timestamp: int = 0


class Event:
    """A bundle of one record, as an agent gets it. It notes that it was acknowledged."""

    def __init__(self, generation, partition, offset, acknowledged):
        self.value = Bundle(TOPIC, partition, (Record(b"k", b"v", offset),), offset, offset)
        self.message, self.generation_id = self, generation
        self._acknowledged = acknowledged

    def ack(self):
        self._acknowledged.append((self.value.partition, self.value.offset))


class Writer:
    """Stands for a partition's producer, on a broker that the test holds up."""

    def __init__(self):
        self.passes, self.begun, self.writes = asyncio.Event(), asyncio.Event(), 0
        self.passes.set()

    async def write(self, _parts):
        self.begun.set()
        await self.passes.wait()
        self.writes += 1
        return self.writes


class Place:
    """A table with two partitions, fed as an agent feeds it: one bundle after the other."""

    def __init__(self, table):
        self.table, self.decided, self.acknowledged = table, [], []
        for number in (0, 1):
            part = table.parts[number] = HeldPartition(number, 0.0)
            part.applied, part.open = dict.fromkeys(table.inputs, -1), True
            table._writers[number] = Writer()

    def work(self, step, bundle):
        self.decided.append((bundle.partition, bundle.offset))
        step.send("out", "k", b"")

    async def feed(self, *bundles):
        for partition, offset in bundles:
            event = Event(self.table.app.consumer_generation_id, partition, offset, self.acknowledged)
            await self.table.submit(event, self.work)

    async def quiet(self):
        while self.table._running:
            await asyncio.wait(self.table._running.values())


@pytest.fixture
def place(make_settings):
    return Place(toy_app(make_settings(kafka="kafka://127.0.0.1:1", redis="redis://127.0.0.1:1/0")).fenced[0])


async def test_a_partition_whose_step_is_being_written_holds_up_no_bundle_of_another(place):
    hung = place.table._writers[0]
    hung.passes.clear()
    async with asyncio.timeout(10):
        await place.feed((0, 0), (1, 0), (1, 1))
        await place.table._running[1]
    assert place.acknowledged == [(1, 0), (1, 1)]
    assert hung.begun.is_set()
    assert place.table.parts[0].applied[TOPIC] == 0  # decided, but not told anybody
    hung.passes.set()
    await place.quiet()
    assert place.acknowledged == [(1, 0), (1, 1), (0, 0)]


async def test_bundles_of_one_partition_are_decided_and_acknowledged_in_their_order(place):
    hung = place.table._writers[0]
    hung.passes.clear()
    feeding = asyncio.create_task(place.feed((0, 0), (0, 1), (0, 2), (1, 0)))
    async with asyncio.timeout(10):
        await hung.begun.wait()
        for _ in range(10):  # turns of the loop: enough for whoever does not wait
            await asyncio.sleep(0)
        assert place.decided == [(0, 0)], "the next is decided on what the first has written"
        assert not feeding.done()
        hung.passes.set()
        await feeding
        await place.quiet()
    assert [item for item in place.decided if item[0] == 0] == [(0, 0), (0, 1), (0, 2)]
    assert [item for item in place.acknowledged if item[0] == 0] == [(0, 0), (0, 1), (0, 2)]
    assert place.table.failure is None


async def test_a_step_that_cannot_be_written_stops_the_table_and_is_not_acknowledged(place):
    async def fails(_parts):
        raise RuntimeError("fenced")

    place.table._writers[0].write = fails
    await place.feed((0, 0))
    await place.quiet()
    assert str(place.table.failure) == "fenced"
    await place.feed((1, 0))
    await place.quiet()
    assert place.acknowledged == []
