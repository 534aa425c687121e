"""The Faust app that our workers are: settings that were tried, the bundle transport, and no sleeps at the start."""

import asyncio
import os
from collections.abc import Callable
from typing import Any, Protocol

import faust
from faust.tables import TableManager
from faust.types import TP

import app.engine.transport  # noqa: F401 -- registers the scheme bundle://
from app.engine.kafka_client import bootstrap_servers, client_options
from app.engine.transport import MAX_RECORDS
from app.settings import Settings
from tables.bundle import BundleSchema
from tables.store import FencedTable

SESSION_S = 10.0
"""A worker that has been silent for so long loses its partitions."""
STOPPING = "stopping"
SPARE = "no partitions assigned"
"""Reasons of a worker that does no work, and for which nothing has to be mended."""


class Tables(TableManager):  # type: ignore[misc]
    """Faust waits a second here for agents that are declared late. Ours are all there."""

    async def on_start(self) -> None:
        """Register the changelogs and begin to restore."""
        await self._update_channels()
        await self.recovery.start()


class Attached(Protocol):
    """Something that runs beside the agents."""

    async def start(self) -> None:
        """Called before partitions are assigned."""
        ...

    async def stop(self) -> None:
        """Called before the tables close."""
        ...


class EngineApp(faust.App):  # type: ignore[misc]
    """A Faust app on bundles."""

    def __init__(
        self, name: str, settings: Settings, *, max_records: int = MAX_RECORDS, session: float = SESSION_S
    ) -> None:
        """Make the app `<prefix><name>`.

        The member's address in the group is its name alone: a static member that comes back with another one, because a
        port has changed, would not be let in by Faust's assignor.
        """
        self.settings = settings
        self.topic_prefix = settings.topic_prefix
        self.kafka_options: dict[str, Any] = client_options(settings)
        self.max_records = max_records
        self.fenced: list[FencedTable] = []
        self.attached: list[Attached] = []
        self.observers: list[Callable[[], None]] = []
        """Called once a second, to bring metrics up to date."""
        member = settings.instance or f"{os.getpid()}"
        super().__init__(
            settings.topic_prefix + name,
            broker=[f"bundle://{server}" for server in bootstrap_servers(settings)],
            broker_session_timeout=session,
            broker_heartbeat_interval=1.0,
            broker_commit_interval=0.5,
            broker_request_timeout=30.0,
            consumer_auto_offset_reset="earliest",
            consumer_group_instance_id=f"{settings.instance}-{name}" if settings.instance else None,
            canonical_url=f"http://{member}.{name}",
            stream_recovery_delay=0.0,
            stream_buffer_maxsize=16,
            stream_wait_empty=False,
            topic_partitions=settings.partitions,
            topic_allow_declare=False,
            topic_disable_leader=True,
            table_standby_replicas=settings.standbys,
            store="memory://",
            datadir=settings.data / "faust" / name,
            web_enabled=False,
            web_tables_enabled=False,
            worker_redirect_stdouts=False,
            TableManager=Tables,
        )

    def source(self, *topics: str) -> Any:
        """A channel over topics, named without prefix."""
        return self.topic(*(self.topic_prefix + topic for topic in topics), schema=BundleSchema())

    def add_table(self, table: FencedTable) -> FencedTable:
        """Register a fenced table."""
        self.tables.add(table)
        self.fenced.append(table)
        return table

    async def on_first_start(self) -> None:
        """Faust would make folders here that nothing uses."""

    async def on_start(self) -> None:
        """Start what runs beside the agents."""
        await super().on_start()
        for service in self.attached:
            await service.start()

    async def on_stop(self) -> None:
        """Stop it, then the rest."""
        for service in self.attached:
            await service.stop()
        await super().on_stop()

    def next_offset(self, tp: TP) -> int | None:
        """Where a table's fence says that a partition is to be read from; None: no table reads it."""
        topic = tp.topic[len(self.topic_prefix) :]
        for table in self.fenced:
            offset = table.next_offset(topic, tp.partition)
            if offset is not None:
                return offset
        return None

    def not_ready(self) -> str:
        """Why this worker does no work yet, in a few words; empty: it does."""
        if self.should_stop:
            return STOPPING
        if self.consumer is None or self.rebalancing or not self.tables.actives_ready:
            return "restoring state" if self.in_recovery else "waiting for partitions"
        for table in self.fenced:
            closed = sorted(number for number in table.actives if not table.is_open(number))
            if closed:
                return f"{table.name}: partitions {closed} are closed"
        if self.fenced and not any(table.actives for table in self.fenced):
            return SPARE
        return ""

    async def until_ready(self, seconds: float) -> None:
        """Wait until there is nothing in the way. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while self.not_ready():  # noqa: ASYNC110 -- many things of Faust's have to happen for this
                await asyncio.sleep(0.02)
