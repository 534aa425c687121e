"""Records as the client's parser has made them.

aiokafka copies each record that it has parsed into a larger object, with the topic, the partition and three lengths beside it:
2 us of the 3 that a record costs up to here. A bundle needs none of it. A consumer whose `key_deserializer` is `as_parsed`
gets the parser's own records, which have `key`, `value`, `offset` and `timestamp`; every other consumer gets what it always got.
"""

from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher


def as_parsed(key: bytes | None) -> bytes | None:
    """Give this to a consumer as its `key_deserializer`. Keys stay as they are."""
    return key


class ParsedRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """The records of one fetched partition."""

    def __iter__(self) -> Iterator[Any]:
        """Iterate without a call of Python's for each record."""
        return iter(self._records_iterator or ())

    def _consumer_record(self, tp: Any, record: Any) -> Any:
        return record if self._key_deserializer is as_parsed else super()._consumer_record(tp, record)


fetcher.PartitionRecords = ParsedRecords
