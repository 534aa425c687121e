"""What a repartition asks of Kafka: numbers of partitions, members of groups, records of one partition."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from app.engine.kafka_client import client_options
from app.errors import CommandError
from app.settings import Settings
from app.topics import ALL

REQUEST_MS = 15_000
STUCK_S = 30.0
"""Without a record for so long, a broker that still has some counts as stuck."""


class Broker:
    """Asks one Kafka. Topics are named without their prefix."""

    def __init__(self, settings: Settings, admin: Any, consumer: Any) -> None:
        self._prefix, self._admin, self._consumer = settings.topic_prefix, admin, consumer

    async def counts(self) -> dict[str, int]:
        """Partitions of every topic of ours. Raises CommandError when one is missing."""
        found = {topic["topic"]: len(topic["partitions"]) for topic in await self._admin.describe_topics()}
        missing = [topic.name for topic in ALL if self._prefix + topic.name not in found]
        if missing:
            raise CommandError(f"there is no topic {self._prefix}{missing[0]}; run `boomerang topics --create` first")
        return {topic.name: found[self._prefix + topic.name] for topic in ALL}

    async def members(self, group: str) -> list[str]:
        """Who is in a group of ours: the hosts of its members."""
        from aiokafka.errors import GroupCoordinatorNotAvailableError

        name = self._prefix + group

        async def found() -> bool:
            with contextlib.suppress(
                GroupCoordinatorNotAvailableError
            ):  # a fresh broker makes its topic for groups now
                return bool(await self._admin.find_coordinator(name) >= 0)
            return False

        await until(found, REQUEST_MS / 1000, f"Kafka has no coordinator for the group {name}; try again")
        hosts: list[str] = []
        for response in await self._admin.describe_consumer_groups([name]):
            for description in response.to_object()["groups"]:
                hosts += [member["client_host"].lstrip("/") for member in description["members"]]
        return hosts

    async def grow(self, topics: list[str], partitions: int) -> None:
        """Give topics more partitions, and wait until the broker shows them."""
        from aiokafka.admin import NewPartitions

        if not topics:
            return
        await self._admin.create_partitions({self._prefix + name: NewPartitions(partitions) for name in topics})

        async def shown() -> bool:
            counts = await self.counts()
            return all(counts[name] == partitions for name in topics)

        await until(shown, REQUEST_MS / 1000, "the broker does not show the new partitions")

    async def range(self, topic: str, number: int) -> tuple[int, int]:
        """First offset of a partition, and the next one to come, for a reader of committed records."""
        from aiokafka import TopicPartition

        place = TopicPartition(self._prefix + topic, number)
        first = await self._consumer.beginning_offsets([place])
        last = await self._consumer.end_offsets([place])
        return first[place], last[place]

    async def read(self, topic: str, number: int, start: int, end: int) -> AsyncIterator[Any]:
        """The committed records of a partition from `start` to before `end`. Raises CommandError when the broker is stuck."""
        from aiokafka import TopicPartition

        if start >= end:
            return
        place = TopicPartition(self._prefix + topic, number)
        self._consumer.assign([place])
        self._consumer.seek(place, start)
        loop = asyncio.get_running_loop()
        moved, at = loop.time(), start
        while at < end:
            for records in (await self._consumer.getmany(timeout_ms=500, max_records=5_000)).values():
                for record in records:
                    if record.offset < end:
                        yield record
            position = await self._consumer.position(place)
            if position > at:
                moved, at = loop.time(), position
            elif loop.time() - moved > STUCK_S:
                raise CommandError(
                    f"Kafka gives no more records of {place.topic}[{number}] at {at} of {end}; try again"
                )


@contextlib.asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Broker]:
    """A connection. Raises CommandError in place of what Kafka's client raises."""
    from aiokafka import AIOKafkaConsumer
    from aiokafka.admin import AIOKafkaAdminClient
    from aiokafka.errors import KafkaError, ProducerFenced

    options = client_options(settings)
    admin = AIOKafkaAdminClient(**options, request_timeout_ms=REQUEST_MS)
    consumer = AIOKafkaConsumer(
        **options,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        fetch_max_wait_ms=50,
    )
    try:
        await admin.start()
        await consumer.start()
        yield Broker(settings, admin, consumer)
    except ProducerFenced:
        raise CommandError(
            "a worker, a delivery agent or another repartition has begun meanwhile; stop it, then run this again"
        ) from None
    except (KafkaError, OSError, TimeoutError) as error:
        reason = str(error) or type(error).__name__
        raise CommandError(
            f"Kafka at {settings.kafka} failed ({reason}); run this again, it goes on where it was"
        ) from None
    finally:
        await consumer.stop()
        await admin.close()


async def until(condition: Callable[[], Awaitable[bool]], seconds: float, what: str) -> None:
    """Ask twice a second until it holds. Raises CommandError."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not await condition():
        if loop.time() > end:
            raise CommandError(what)
        await asyncio.sleep(0.5)
