"""Reads partitions of topics from their beginning to their end as it is now: for commands that look at what is stored."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from heapq import heapify, heappop, heapreplace
from typing import Any

from app.engine.kafka_client import client_options
from app.errors import CommandError
from app.settings import Settings

PATIENCE_MS = 1000
SILENT = 15
"""Times `PATIENCE_MS` without a record after which a broker counts as stuck."""

Progress = Callable[[int, int], None]


@asynccontextmanager
async def reader(settings: Settings) -> AsyncIterator[Any]:
    """A consumer of committed records without a group. Raises CommandError."""
    from aiokafka import AIOKafkaConsumer
    from aiokafka.errors import KafkaError

    consumer = AIOKafkaConsumer(
        **client_options(settings),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    try:
        await consumer.start()
        yield consumer
    except KafkaError as error:
        raise CommandError(f"Kafka cannot be read ({error}); see `boomerang doctor`") from None
    finally:
        await consumer.stop()


async def records(
    consumer: Any, topic: str, partitions: Iterable[int], progress: Progress = lambda _done, _all: None
) -> AsyncIterator[Any]:
    """Every record of these partitions up to the ends as they are now. Raises CommandError when the broker gives no more."""
    from aiokafka import TopicPartition

    tps = [TopicPartition(topic, number) for number in sorted(set(partitions))]
    consumer.assign(tps)
    first, last = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
    await consumer.seek_to_beginning(*tps)
    total, silent = sum(last[tp] - first[tp] for tp in tps), 0
    while True:
        positions = {tp: await consumer.position(tp) for tp in tps}
        progress(sum(min(positions[tp], last[tp]) - first[tp] for tp in tps), total)
        if all(positions[tp] >= last[tp] for tp in tps):
            return
        found = await consumer.getmany(timeout_ms=PATIENCE_MS, max_records=5_000)
        moved = found or any([await consumer.position(tp) != positions[tp] for tp in tps])
        silent = 0 if moved else silent + 1
        if silent > SILENT:
            raise CommandError(f"Kafka gives no more records of {topic}, although there should be some; try again")
        for batch in found.values():
            for record in batch:
                yield record


async def records_by_time(
    consumers: Sequence[Any], topic: str, time_of: Callable[[Any], float | None]
) -> AsyncIterator[tuple[float | None, Any]]:
    """Every record of a topic with what `time_of` says of it, the partitions merged by time; consumer N reads partition N.

    Each partition keeps its own order, so that the whole has one order whenever it is read: a record that is late, or has no
    time, comes right after the one before it. Raises CommandError as `records` does.
    """
    sources = [records(consumer, topic, (number,)) for number, consumer in enumerate(consumers)]
    waiting: list[tuple[float, int, float | None, Any]] = []
    for number, source in enumerate(sources):
        async for record in source:
            at = time_of(record)
            waiting.append((at or 0.0, number, at, record))
            break
    heapify(waiting)
    while waiting:
        reached, number, at, record = waiting[0]
        yield at, record
        following = await anext(sources[number], None)
        if following is None:
            heappop(waiting)
        else:
            at = time_of(following)
            heapreplace(waiting, (max(reached, at or 0.0), number, at, following))
