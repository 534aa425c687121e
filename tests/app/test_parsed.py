"""Records as the client's parser has made them, for bundles alone."""

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from app.engine.parsed import as_parsed

TP = TopicPartition("clickstream", 3)
STAMP = 1_700_000_000_000


def batch(count):
    builder = DefaultRecordBatchBuilder(2, 0, False, -1, -1, -1, 1 << 16)
    for number in range(count):
        builder.append(number, STAMP + number, b"k%d" % number, b"v%d" % number if number % 3 else None, [])
    return bytes(builder.build())


def unpacked(deserializer, *, offset=0):
    return fetcher.PartitionRecords(TP, MemoryRecords(batch(10)), [], offset, deserializer, None, True, 1)


def told(records):
    return [(record.offset, record.key, record.value, record.timestamp) for record in records]


@pytest.mark.parametrize("offset", [0, 4, 10])
def test_a_bundle_gets_the_same_records_as_every_other_consumer(offset):
    assert told(unpacked(as_parsed, offset=offset)) == told(unpacked(None, offset=offset))


def test_other_consumers_get_what_they_always_got():
    records = list(unpacked(None))
    assert {type(record) for record in records} == {ConsumerRecord}
    assert {type(record) for record in unpacked(as_parsed)} != {ConsumerRecord}
    assert {(record.topic, record.partition) for record in records} == {tuple(TP)}


def test_the_place_where_to_go_on_is_behind_the_last_record_that_was_taken():
    records = unpacked(as_parsed)
    for record in records:
        if record.offset == 3:
            break
    assert records.next_fetch_offset == 4
    assert [record.offset for record in records] == [4, 5, 6, 7, 8, 9]
    assert records.next_fetch_offset == 10
    assert next(records, None) is None
