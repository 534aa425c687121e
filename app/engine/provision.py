"""Make the topics exist as `app/topics.py` says; refuse to work on ones that are split otherwise."""

import asyncio
import contextlib
import logging
from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

from app.engine.kafka_client import client_options, quiet, refusal
from app.errors import CommandError
from app.settings import Settings
from app.topics import ALL, Topic

if TYPE_CHECKING:
    from aiokafka.admin import AIOKafkaAdminClient

log = logging.getLogger(__name__)

SEGMENT_BYTES = 64 << 20
"""Of a compacted topic: only closed segments are compacted, so recovery reads at most this much that is out of date."""
REQUEST_MS = 15_000
CHECK_S = 5.0
"""A process that goes on without Kafka waits no longer for it at its start."""
GROUPS, TRANSACTIONS = 0, 1
"""Kafka's kinds of coordinators."""
TOPIC_EXISTS = 36
"""Kafka's error code: another process has just made it."""


class PartitionsError(CommandError):
    """The topics have other numbers of partitions than the settings say."""


class Provisioned(NamedTuple):
    """Topic names with their prefix: those that were missing (and are made now, if that was wanted), and those found."""

    missing: tuple[str, ...]
    present: tuple[str, ...]


def topic_configs(topic: Topic) -> dict[str, str]:
    """Kafka's per-topic configuration."""
    configs = {"max.message.bytes": str(topic.max_message_bytes)}
    if topic.compact:
        configs |= {"cleanup.policy": "compact", "segment.bytes": str(SEGMENT_BYTES)}
    else:
        configs |= {"cleanup.policy": "delete", "retention.ms": str(topic.retention_ms)}
    return configs


async def provision(settings: Settings, topics: tuple[Topic, ...] = ALL, *, create: bool = True) -> Provisioned:
    """Create the missing topics (unless `create` is false), and check the partitions of the others.

    Raises CommandError when the broker cannot be reached or refuses, and when a topic has another number of partitions than
    the settings say: customers would be looked for in the wrong place.
    """
    from aiokafka.admin import AIOKafkaAdminClient
    from aiokafka.errors import KafkaError

    try:
        admin = AIOKafkaAdminClient(**client_options(settings), request_timeout_ms=REQUEST_MS)
        try:
            with quiet():
                await admin.start()
            present = await _partitions(admin)
            wanted = {settings.topic_prefix + topic.name: topic for topic in topics}
            missing = {name: topic for name, topic in wanted.items() if name not in present}
            _verify({name: present[name] for name in wanted if name in present}, settings.partitions)
            if missing and create:
                await _create(admin, missing, settings)
        finally:
            await admin.close()
    except (KafkaError, OSError, TimeoutError) as error:
        with quiet():
            told = await refusal(settings) or f"{str(error) or type(error).__name__}; check BOOMERANG_KAFKA"
        raise CommandError(f"Kafka at {settings.kafka} does not work with us: {told}") from None
    return Provisioned(tuple(missing), tuple(name for name in wanted if name in present))


async def check_partitions(settings: Settings) -> None:
    """Refuse to start on topics that are split otherwise; for processes that start without Kafka too, and wait for it then.

    Raises PartitionsError.
    """
    try:
        async with asyncio.timeout(CHECK_S):
            await provision(settings, create=False)
    except PartitionsError:
        raise
    except (CommandError, TimeoutError) as error:
        log.warning("the topics' partitions were not checked: %s", str(error) or "Kafka does not answer")


async def _partitions(admin: "AIOKafkaAdminClient") -> dict[str, int]:
    return {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}


def _verify(present: dict[str, int], partitions: int) -> None:
    other = {name: count for name, count in present.items() if count != partitions}
    if other:
        if partitions in present.values() or len(set(other.values())) > 1:
            raise PartitionsError(
                f"the topics have different numbers of partitions ({', '.join(map(str, sorted(set(present.values()))))}): a "
                "repartition was begun and not finished; run `boomerang repartition` again"
            )
        found = ", ".join(f"{name} has {count}" for name, count in sorted(other.items())[:3])
        raise PartitionsError(
            f"BOOMERANG_PARTITIONS is {partitions}, but {found}; set it to that number, or use another "
            "BOOMERANG_TOPIC_PREFIX for a fresh start"
        )


async def _create(admin: "AIOKafkaAdminClient", missing: dict[str, Topic], settings: Settings) -> None:
    from aiokafka.admin import NewTopic

    answer = await admin.create_topics(
        [
            NewTopic(name, settings.partitions, settings.replication, topic_configs=topic_configs(topic))
            for name, topic in missing.items()
        ]
    )
    refused = [(name, message) for name, code, message in answer.topic_errors if code not in (0, TOPIC_EXISTS)]
    if refused:
        name, message = refused[0]
        raise CommandError(f"Kafka does not create the topic {name}: {message}")
    await _wake_coordinators(admin)
    _verify(await _settled(admin, missing), settings.partitions)


async def _wake_coordinators(admin: "AIOKafkaAdminClient") -> None:
    """Have the broker make its own topics for groups and transactions now: a fresh one does so when first asked."""
    from aiokafka.errors import KafkaError

    for kind in (GROUPS, TRANSACTIONS):
        with contextlib.suppress(KafkaError):  # "not available yet" is the expected answer
            await admin.find_coordinator("boomerang", kind)


async def _settled(admin: "AIOKafkaAdminClient", names: Collection[str]) -> dict[str, int]:
    """Wait until the broker shows the topics too: the controller, which makes them, is ahead of it by some milliseconds."""
    async with asyncio.timeout(REQUEST_MS / 1000):
        while True:
            present = await _partitions(admin)
            if all(present.get(name) for name in names):
                return {name: present[name] for name in names}
            await asyncio.sleep(0.02)
