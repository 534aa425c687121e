"""Reads the ends of the topics that the live feed shows. One consumer for all pages, without a group, only while a page is open.

It keeps its positions when it pauses, so a line is never published twice by one run of the console. When it falls behind
it jumps to the end and says how many records it passed over: a feed shows the present.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from app.ending import end
from app.engine.kafka_client import client_options
from app.settings import Settings
from app.topics import CLICKSTREAM, JOURNAL, OUTBOX
from app.web.console.feed import Feed
from app.web.console.lines import line_of

log = logging.getLogger(__name__)

TOPICS = (CLICKSTREAM.name, JOURNAL.name, OUTBOX.name)
BACK = 15
"""Records of each partition shown of the time before the page was opened."""
BEHIND = 5_000
"""Unread records of one partition at which the tail jumps to its end."""
LINGER = 60.0
"""Seconds that the consumer stays after the last page has gone."""
MAX_RECORDS = 1_000
PAUSES = (1.0, 2.0, 5.0, 10.0, 30.0)


class Tail:
    """Publishes to `feed` as long as it has clients."""

    def __init__(self, settings: Settings, feed: Feed) -> None:
        self._settings = settings
        self._feed = feed
        self._positions: dict[Any, int] = {}
        self._task: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Somebody watches: read, if we do not already."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="console-tail")

    async def stop(self) -> None:
        """Stop reading."""
        if self._task is not None:
            await end(self._task)
            self._task = None

    async def _run(self) -> None:
        failures = 0

        def well() -> None:
            nonlocal failures
            failures = 0
            self._feed.note("source", {"connected": True})

        while True:
            try:
                await self._read(well)
            except asyncio.CancelledError:
                raise
            except Exception as error:  # a feed outlives whatever happens to its source
                pause = PAUSES[min(failures, len(PAUSES) - 1)]
                failures += 1
                log.warning("the live feed cannot read Kafka: %s; next attempt in %.0f s", error, pause)
                self._feed.note("source", {"connected": False})
                await asyncio.sleep(pause)
            else:
                if not self._feed.clients:  # one may have come while the consumer was closing
                    return

    async def _read(self, well: Callable[[], None]) -> None:
        """Read until nobody watches any more."""
        from aiokafka import AIOKafkaConsumer

        consumer = AIOKafkaConsumer(
            *(self._settings.topic_prefix + name for name in TOPICS),
            **client_options(self._settings),
            client_id="boomerang-console",
            enable_auto_commit=False,
            auto_offset_reset="latest",
            isolation_level="read_committed",
            metadata_max_age_ms=30_000,
            max_partition_fetch_bytes=1 << 18,
        )
        try:
            await consumer.start()
            await self._place(consumer)
            well()
            await self._follow(consumer)
        finally:
            await consumer.stop()

    async def _place(self, consumer: Any) -> None:
        """Go on where we were, or a few records before the end."""
        partitions = list(consumer.assignment())
        if not partitions:
            raise LookupError("its topics do not exist yet")
        first, last = await asyncio.gather(consumer.beginning_offsets(partitions), consumer.end_offsets(partitions))
        for partition in partitions:
            near = max(first[partition], last[partition] - BACK)
            kept = self._positions.get(partition, 0)
            consumer.seek(partition, kept if near <= kept <= last[partition] else near)

    async def _follow(self, consumer: Any) -> None:
        loop = asyncio.get_running_loop()
        watched = loop.time()
        while loop.time() - watched < LINGER:
            if self._feed.clients:
                watched = loop.time()
            batches = await consumer.getmany(timeout_ms=500, max_records=MAX_RECORDS)
            records = [record for batch in batches.values() for record in batch]
            records.sort(key=lambda record: record.timestamp)
            for record in records:
                line = line_of(record.topic.removeprefix(self._settings.topic_prefix), record.value or b"")
                if line is not None:
                    self._feed.publish(line)
            for partition, batch in batches.items():
                self._positions[partition] = batch[-1].offset + 1
                await self._catch_up(consumer, partition)

    async def _catch_up(self, consumer: Any, partition: Any) -> None:
        high = consumer.highwater(partition)
        position = self._positions[partition]
        if high is not None and high - position > BEHIND:
            consumer.seek(partition, high - BACK)
            self._positions[partition] = high - BACK
            self._feed.totals["events"] += high - BACK - position if "clickstream" in partition.topic else 0
            self._feed.totals["skipped"] += high - BACK - position
