"""Writes the steps of one partition: each is one Kafka transaction.

Every partition has a transactional id of its own. Starting the producer raises the id's epoch: a former owner that has
slept through the loss of the partition is fenced by the broker and cannot write any more, and a transaction that it left
open is aborted.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aiokafka import AIOKafkaProducer

from tables.changelog import KeyValue

BATCH_BYTES = 900 << 10
"""A batch is full when it has this many bytes: just below the 1 MiB that every topic accepts."""
RECORD_BYTES = 16 << 20
"""The largest single record, below the 17 MiB that topics with rows accept. It gets a batch of its own."""

TRANSACTION_MS = 30_000
"""The broker aborts a transaction that has been open for so long. Readers wait for it until then."""

Fault = Callable[[str], None]
"""Tests: called at the named points of the protocol, to die there."""


class RecordTooLargeError(ValueError):
    """A record that no topic accepts."""


class PartitionWriter:
    """The transactional producer of one partition."""

    def __init__(
        self,
        options: Mapping[str, Any],
        transactional_id: str,
        compression: str | None,
        fault: Fault,
        *,
        transaction_ms: int = TRANSACTION_MS,
    ) -> None:
        self._fault = fault
        self._producer = AIOKafkaProducer(
            **options,
            transactional_id=transactional_id,
            transaction_timeout_ms=transaction_ms,
            acks="all",
            linger_ms=0,
            max_batch_size=BATCH_BYTES,
            max_request_size=RECORD_BYTES + BATCH_BYTES,
            compression_type=compression,
        )

    async def start(self) -> None:
        """Take over the transactional id: fences former owners, aborts what they left open."""
        await self._producer.start()

    async def stop(self) -> None:
        """Close the connections. An open transaction is aborted by the next owner."""
        await self._producer.stop()

    async def write(self, parts: Iterable[tuple[str, int, Iterable[KeyValue]]]) -> int:
        """Write (topic, partition, records) in one transaction; returns the last offset written for the first of them.

        Raises an aiokafka error when the transaction failed or may have failed; the state in memory is then worth nothing.
        """
        self._fault("decided")
        await self._producer.begin_transaction()
        sent: list[tuple[asyncio.Future[Any], int]] = []
        first = 0
        for topic, partition, records in parts:
            await self._send(topic, partition, records, sent)
            first = first or len(sent)
        for future, _ in sent:
            await future
        self._fault("produced")
        await self._producer.commit_transaction()
        self._fault("committed")
        future, count = sent[first - 1]
        return int(future.result().offset) + count - 1

    async def _send(
        self, topic: str, partition: int, records: Iterable[KeyValue], sent: list[tuple[asyncio.Future[Any], int]]
    ) -> None:
        """Cut records into batches and hand these to the producer."""
        producer = self._producer
        batch = producer.create_batch()
        append = batch.append
        for key, value in records:
            if value is not None and len(value) > RECORD_BYTES:
                raise RecordTooLargeError(f"{topic}: record {key!r} has {len(value)} bytes, more than {RECORD_BYTES}")
            if append(key=key, value=value, timestamp=None) is None:
                sent.append((await producer.send_batch(batch, topic, partition=partition), batch.record_count()))
                batch = producer.create_batch()
                append = batch.append
                append(key=key, value=value, timestamp=None)
        batch.close()
        sent.append((await producer.send_batch(batch, topic, partition=partition), batch.record_count()))
