"""Records as the client's parser has made them.

aiokafka copies each record that it has parsed into a larger object, with the topic, the partition and three lengths beside it,
and hands them over one by one: 2 us of the 3 that a record costs up to here. A bundle needs none of it. A consumer whose
`key_deserializer` is `as_parsed` gets the parser's own records, which have `key`, `value`, `offset` and `timestamp`, as lists of
whole batches; every other consumer gets what it always got.
"""

import sys
from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException

NOWHERE = -1
"""No position of a consumer: what stands here is thrown away and fetched anew."""


def as_parsed(key: bytes | None) -> bytes | None:
    """Give this to a consumer as its `key_deserializer`. Keys stay as they are."""
    return key


class ParsedRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """The records of one fetched partition. Those of `as_parsed` are taken with `take`, not one after the other."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.whole = self._key_deserializer is as_parsed
        self._ahead: list[Any] = []
        self._reached: int = self.next_fetch_offset
        """The offset behind the last batch that was parsed, or where to begin."""
        if self.whole:
            self._records_iterator = None  # it holds us, and so a fetch's memory, until a garbage collection

    def __iter__(self) -> Iterator[Any]:
        """Iterate without a call of Python's for each record."""
        return iter(self._records_iterator or ())

    def take(self, most: int) -> list[Any]:
        """The next records, `most` at the most; `next_fetch_offset` goes behind them. Raises CorruptRecordException."""
        taken, self._ahead = self._ahead, []
        self.next_fetch_offset = NOWHERE
        while len(taken) < most and self._records.has_next():
            taken += self._parsed(self._records.next_batch())
        if len(taken) > most:
            self._ahead = taken[most:]
            del taken[most:]
        self.next_fetch_offset = self._ahead[0].offset if self._ahead else self._reached
        return taken

    def over(self) -> bool:
        """Whether there is nothing left to take."""
        return not self._ahead and not self._records.has_next()

    def _parsed(self, batch: Any) -> list[Any]:
        """The records of a batch; none of a transaction's marker, or of one that was aborted."""
        if self._check_crcs and not batch.validate_crc():
            raise CorruptRecordException(f"Invalid CRC - {self._tp}")
        start, self._reached = self._reached, batch.next_offset
        if self._is_aborted(batch) or batch.is_control_batch:
            return []
        records = list(batch)
        if records and records[0].offset < start:
            return [record for record in records if record.offset >= start]
        return records

    def _is_aborted(self, batch: Any) -> bool:
        """Whether a batch is of an aborted transaction. Has to see every batch, in order."""
        if self._isolation_level != fetcher.READ_COMMITTED or batch.producer_id is None:
            return False
        self._consume_aborted_up_to(batch.base_offset)
        if batch.is_control_batch and self._contains_abort_marker(batch):
            self._aborted_producers.discard(batch.producer_id)
        return batch.is_transactional and batch.producer_id in self._aborted_producers


class ParsedResult(fetcher.FetchResult):  # type: ignore[misc]
    """What was fetched of one partition, on its way to the consumer."""

    _partition_records: Any

    def getall(self, max_records: int | None = None) -> list[Any]:
        """The next records, `max_records` at the most, and move the consumer's position behind them."""
        records = self._partition_records
        if records is None:
            return []
        if not records.whole:
            others: list[Any] = super().getall(max_records)
            return others
        if not self.check_assignment(self._topic_partition):
            return []
        taken: list[Any] = records.take(sys.maxsize if max_records is None else max_records)
        self._update_position()
        if records.over():
            self._partition_records = None
        return taken


fetcher.PartitionRecords = ParsedRecords
fetcher.FetchResult = ParsedResult
