"""Bundles and the order in which they are committed, without a broker."""

import asyncio
from collections import defaultdict, deque
from typing import NamedTuple

import pytest
from aiokafka.client import ConnectionGroup
from aiokafka.protocol.offset import OffsetRequest
from faust.types import TP

from app.engine.fetching import ASKING, Rows, ask_apart
from app.engine.transport import BundleScheduler, Consumer, Mark

P0, P1 = TP("shop-clicks", 0), TP("shop-clicks", 1)


class Record(NamedTuple):
    offset: int


def rows(offsets, start, end):
    return Rows([Record(offset) for offset in offsets], start, end)


def cut(records, size=3):
    return list(BundleScheduler("shop-", size).iterate(records))


def shape(bundle):
    return (bundle.topic, bundle.partition, bundle.start, bundle.offset, len(bundle))


def test_a_fetch_is_cut_into_bundles_that_leave_no_offset_out():
    got = [shape(bundle) for _, bundle in cut({P0: rows([10, 11, 15, 16, 17, 20], 10, 23)})]
    assert got == [("clicks", 0, 10, 15, 3), ("clicks", 0, 16, 22, 3)]


def test_partitions_take_turns():
    got = [tp for tp, _ in cut({P0: rows(range(7), 0, 7), P1: rows(range(2), 0, 2)})]
    assert got == [P0, P1, P0, P0]


def test_a_position_that_moved_without_records_is_a_bundle_too():
    [(tp, bundle)] = cut({P1: rows([], 5, 9)})
    assert (tp, shape(bundle)) == (P1, ("clicks", 1, 5, 8, 0))


class Order:
    """The part of the consumer that decides what may be committed."""

    _new_offset = Consumer._new_offset
    _filter_tps_with_pending_acks = Consumer._filter_tps_with_pending_acks

    def __init__(self, *offsets):
        self._order = defaultdict(deque)
        self.marks = [Mark(offset) for offset in offsets]
        self._order[P0].extend(self.marks)


@pytest.fixture
def order():
    return Order(9, 19, 29)


def test_nothing_is_committed_before_the_first_bundle_is_done(order):
    order.marks[1].acked = order.marks[2].acked = True
    assert order._new_offset(P0) is None


def test_the_commit_is_behind_the_last_bundle_before_the_first_that_is_not_done(order):
    order.marks[0].acked = order.marks[1].acked = True
    assert order._new_offset(P0) == 20
    assert order._new_offset(P0) is None
    order.marks[2].acked = True
    assert order._new_offset(P0) == 30


def test_only_partitions_that_are_asked_for_are_looked_at(order):
    assert order._filter_tps_with_pending_acks() == [P0]
    assert order._filter_tps_with_pending_acks({"shop-clicks"}) == [P0]
    assert order._filter_tps_with_pending_acks({P1}) == []


class Lingering:
    """The part of the consumer that waits between fetches."""

    _linger, hurry = Consumer._linger, Consumer.hurry

    def __init__(self):
        self._wanted_now = asyncio.Event()


async def test_a_fetch_that_is_waited_for_does_not_linger(monkeypatch):
    monkeypatch.setattr("app.engine.transport.LINGER", 3_600.0)
    consumer = Lingering()
    waiting = asyncio.create_task(consumer._linger())
    await asyncio.sleep(0)
    assert not waiting.done()
    consumer.hurry()
    await asyncio.wait_for(waiting, 10)
    await asyncio.wait_for(consumer._linger(), 10)


async def test_otherwise_it_lingers_and_goes_on(monkeypatch):
    monkeypatch.setattr("app.engine.transport.LINGER", 0.0)
    await asyncio.wait_for(Lingering()._linger(), 10)


async def test_offsets_are_asked_for_beside_the_fetch_that_waits():
    class Client:
        def __init__(self):
            self.sent = []

        async def send(self, node_id, request, *, group=ConnectionGroup.DEFAULT):
            self.sent.append((node_id, request, group))
            return "answer"

    client = Client()
    ask_apart(client)
    offsets, other = OffsetRequest(-1, 1, []), object()
    assert await client.send(3, offsets) == "answer"
    await client.send(3, other)
    await client.send(3, other, group=ConnectionGroup.COORDINATION)
    groups = [ASKING, ConnectionGroup.DEFAULT, ConnectionGroup.COORDINATION]
    assert client.sent == [(3, request, group) for request, group in zip((offsets, other, other), groups, strict=True)]
    assert ASKING not in list(ConnectionGroup)
