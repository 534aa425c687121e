"""Records as the client's parser has made them, for bundles alone."""

import gc
import struct
import weakref

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c

from app.engine.parsed import as_parsed

TP = TopicPartition("clickstream", 3)
STAMP = 1_700_000_000_000


COMMITTED = fetcher.READ_COMMITTED


def batch(count, *, first=0, producer=-1):
    """A batch of records from the offset `first` on; with a producer: of its transaction."""
    builder = DefaultRecordBatchBuilder(2, 0, producer >= 0, producer, 0, 0, 1 << 16)
    for number in range(first, first + count):
        builder.append(number - first, STAMP + number, b"k%d" % number, b"v%d" % number if number % 3 else None, [])
    return at(first, builder.build())


def at(first, built):
    return struct.pack(">q", first) + bytes(built[8:])


def marker(offset, producer, *, commit):
    """The end of a producer's transaction, as the broker writes it."""
    builder = DefaultRecordBatchBuilder(2, 0, True, producer, 0, -1, 1 << 16)
    builder.append(0, STAMP, struct.pack(">hh", 0, int(commit)), struct.pack(">hi", 0, 0), [])
    raw = builder.build()
    raw[21:23] = struct.pack(">h", struct.unpack(">h", raw[21:23])[0] | 0x20)
    raw[17:21] = struct.pack(">I", calc_crc32c(bytes(raw[21:])))
    return at(offset, raw)


def unpacked(deserializer, *, offset=0, raw=None, aborted=()):
    raw = batch(10) if raw is None else raw
    return fetcher.PartitionRecords(TP, MemoryRecords(raw), aborted, offset, deserializer, None, True, COMMITTED)


class Position:
    """A partition's place in a consumer."""

    paused = False

    def __init__(self, position):
        self.position = position

    def consumed_to(self, position):
        self.position = position


class Assignment:
    active = True

    def __init__(self, position):
        self.state = Position(position)

    def state_value(self, _tp):
        return self.state


def fetched(deserializer, *, offset=0, **options):
    records = unpacked(deserializer, offset=offset, **options)
    return fetcher.FetchResult(TP, assignment=Assignment(offset), partition_records=records, backoff=0.1)


def position(result):
    return result._assignment.state.position


def told(records):
    return [(record.offset, record.key, record.value, record.timestamp) for record in records]


STREAM = {
    0: batch(4),
    4: batch(3, first=4, producer=7),
    7: batch(3, first=7, producer=8),
    10: marker(10, 7, commit=False),
    11: batch(2, first=11, producer=7),
    13: marker(13, 8, commit=True),
    14: marker(14, 7, commit=True),
    20: batch(2, first=20),
}
"""Two transactions of producer 7, of which the first was aborted, and one of producer 8 among them; the last records after a gap."""


@pytest.mark.parametrize("offset", [0, 2, 4, 5, 8, 12, 15, 21])
@pytest.mark.parametrize("most", [1, 2, 3, 5, 100, None])
def test_a_bundle_gets_the_same_records_as_every_other_consumer(offset, most):
    begin = max(first for first in STREAM if first <= offset)
    raw, aborted = b"".join(STREAM[first] for first in STREAM if first >= begin), [(7, 4)] if begin <= 10 else []
    whole, other = (fetched(d, offset=offset, raw=raw, aborted=aborted) for d in (as_parsed, None))
    got = []
    while whole.has_more():
        taken = whole.getall(most)
        assert most is None or len(taken) <= most
        got += taken
        assert not got or position(whole) > got[-1].offset
    assert told(got) == told(other.getall())
    assert {record.offset for record in got} == {*range(4), *range(7, 10), 11, 12, 20, 21} & {*range(offset, 22)}
    assert position(whole) == position(other) == 22


def test_other_consumers_get_what_they_always_got():
    records = fetched(None).getall()
    assert {type(record) for record in records} == {ConsumerRecord}
    assert {type(record) for record in fetched(as_parsed).getall()} != {ConsumerRecord}
    assert {(record.topic, record.partition) for record in records} == {tuple(TP)}


def test_the_place_where_to_go_on_is_before_the_first_record_that_was_not_taken():
    result = fetched(as_parsed)
    assert [record.offset for record in result.getall(4)] == [0, 1, 2, 3]
    assert (position(result), result.has_more()) == (4, True)
    assert [record.offset for record in result.getall(6)] == [4, 5, 6, 7, 8, 9]
    assert (position(result), result.has_more()) == (10, False)
    assert result.getall(6) == []


def test_what_was_fetched_before_a_seek_is_thrown_away():
    result = fetched(as_parsed)
    result.getall(4)
    result._assignment.state.position = 1
    assert (result.getall(4), result.has_more(), position(result)) == ([], False, 1)


def test_nothing_is_passed_over_after_a_batch_that_is_corrupt():
    broken = bytearray(batch(3, first=4))
    broken[-1] ^= 1
    result = fetched(as_parsed, raw=batch(4) + bytes(broken) + batch(2, first=7))
    with pytest.raises(CorruptRecordException):
        result.getall()
    assert (result.getall(), result.has_more(), position(result)) == ([], False, 0)


def test_a_fetch_is_let_go_of_without_a_garbage_collection():
    records = unpacked(as_parsed)
    gone = weakref.ref(records)
    gc.disable()
    try:
        del records
        assert gone() is None
    finally:
        gc.enable()
