"""Bundles: up to some thousand raw records of one partition as one Faust message.

Faust spends about 100 us on every message: conductor, queue, stream, acknowledgement, sensors. Paid once a bundle, that
is nothing. A bundle also carries positions: where it was read from and how far it reaches, because transaction markers
and compaction leave offsets without records. A bundle may have no records at all; it then only moves the position.
"""

from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Any

from faust.serializers.schemas import Schema

from tables.step import Record

PIECE_RECORDS = 256
PIECE_BYTES = 1 << 20
"""A bundle with more of either is large, and is applied in pieces."""

_value = attrgetter("value")


class Bundle:
    """Consecutive records of one partition. `topic` is named without its prefix.

    `start` is the offset that it was read from, `offset` the last one that it covers. Neither need be a record's.
    """

    __slots__ = ("_size", "offset", "partition", "records", "start", "topic")

    def __init__(self, topic: str, partition: int, records: Sequence[Record], start: int, offset: int) -> None:
        self.topic = topic
        self.partition = partition
        self.records = records
        self.start = start
        self.offset = offset
        self._size = -1

    def __len__(self) -> int:
        """Number of records."""
        return len(self.records)

    def __bool__(self) -> bool:
        """Faust takes a false value for a missing one."""
        return True

    def __repr__(self) -> str:
        """For logs: no contents."""
        return f"<Bundle {self.topic}[{self.partition}] {self.start}..{self.offset}, {len(self.records)} records>"

    def drop_until(self, fence: int) -> int:
        """Forget the records up to the offset `fence`, which have been applied already; returns their number."""
        records = self.records
        if not records or records[0].offset > fence:
            return 0
        self.records = [record for record in records if record.offset > fence]
        self._size = -1
        return len(records) - len(self.records)

    def pieces(self) -> "Iterator[Bundle]":
        """The bundle halved, and its halves again, until none is large: after each a step that has grown may be written."""
        records = self.records
        if len(records) <= PIECE_RECORDS and (len(records) < 2 or self.size <= PIECE_BYTES):
            yield self
            return
        middle = len(records) // 2
        last = records[middle - 1].offset
        yield from Bundle(self.topic, self.partition, records[:middle], self.start, last).pieces()
        yield from Bundle(self.topic, self.partition, records[middle:], last + 1, self.offset).pieces()

    @property
    def size(self) -> int:
        """Bytes of the records' values."""
        if self._size < 0:
            self._size = sum(map(len, filter(None, map(_value, self.records))))
        return self._size


class BundleSchema(Schema):  # type: ignore[misc]
    """No codecs: the event's value is the bundle. It never raises, since Faust acknowledges what it cannot decode."""

    def compile(self, app: Any, **_kwargs: Any) -> Any:
        """The decoder that Faust calls for each message."""
        create_event = app.create_event

        async def decode(message: Any, *, propagate: bool = False) -> Any:  # noqa: ARG001 -- Faust's signature
            return create_event(None, message.value, (), message)

        return decode
