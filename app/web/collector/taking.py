"""The intake of a process on real Kafka and Redis, as the settings want it."""

from app.clock import Clock
from app.engine.kafka_client import client_options, reachable
from app.settings import Settings
from app.web.collector.dedupe import NoIds, RecentIds, RedisIds
from app.web.collector.intake import Intake
from app.web.collector.sink import REACH_SECONDS, KafkaSink

ACK_SECONDS = 8.0
"""Longest wait of a request for Kafka."""


def intake_of(settings: Settings, clock: Clock, *, ack_timeout: float = ACK_SECONDS) -> Intake:
    """Not started yet. To be made inside a running loop. Raises SettingsError."""
    ids: RecentIds = RedisIds(settings.redis, clock, prefix=settings.topic_prefix) if settings.redis else NoIds()
    sink = KafkaSink(
        client_options(settings),
        clock,
        ack_timeout=ack_timeout,
        partitions=settings.partitions,
        reachable=lambda: reachable(settings, REACH_SECONDS),
    )
    return Intake(sink, ids)
