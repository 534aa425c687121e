"""A customer's partition is the one that any Kafka client would choose for its key."""

from aiokafka.partitioner import murmur2
from hypothesis import given
from hypothesis import strategies as st

from app.topics import partition_of


@given(st.text(max_size=40), st.integers(1, 64))
def test_a_key_goes_where_other_clients_would_send_it(key: str, partitions: int) -> None:
    assert partition_of(key, partitions) == (murmur2(key.encode()) & 0x7FFFFFFF) % partitions
