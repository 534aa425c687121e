"""Ids of events that Kafka has acknowledged, kept in Redis for a day. The truth is elsewhere: the engine knows its events too.

An id is looked up before and remembered after Kafka's acknowledgement, never the other way round: a crash between
the two lets a retry through as a duplicate, which the engine drops, and never swallows one that had not arrived. Without
Redis the collector goes on and counts that.
"""

import asyncio
import logging
from typing import Any, Protocol

from app.clock import Clock
from app.metrics import COLLECTOR_DEDUPE_UNAVAILABLE
from app.redis_client import UNANSWERED, aioredis, once

logger = logging.getLogger(__name__)

KEEP_SECONDS = 86_400
TIMEOUT_SECONDS = 0.25
PAUSE_SECONDS = 1.0
"""How long Redis is left alone after a failure."""
CHUNK = 500
BACKLOG_LIMIT = 50_000
"""Ids that may wait for being remembered; the oldest are forgotten first."""

_REMEMBER = """
for i = 1, #KEYS do redis.call('SET', KEYS[i], '', 'EX', ARGV[1]) end
return #KEYS
"""


class RecentIds(Protocol):
    """Which ids have been seen lately."""

    async def known(self, ids: list[bytes]) -> set[bytes]:
        """Those of `ids` that have been seen. Never raises."""
        ...

    def remember(self, ids: list[bytes]) -> None:
        """Note ids; returns at once."""
        ...

    async def start(self) -> None:
        """Begin."""
        ...

    async def close(self) -> None:
        """Note what is left and part."""
        ...


class RedisIds:
    """Recent ids in Redis or Valkey at `url`; keys begin with `prefix`."""

    def __init__(self, url: str, clock: Clock, *, prefix: str = "") -> None:
        self._client: Any = aioredis.Redis.from_url(
            url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS, retry=once()
        )
        self._script = self._client.register_script(_REMEMBER)
        self._prefix = f"{prefix}seen:".encode()
        self._clock = clock
        self._down_until = float("-inf")
        self._backlog: list[bytes] = []
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to remember in the background."""
        self._task = asyncio.ensure_future(self._remember_all())

    async def known(self, ids: list[bytes]) -> set[bytes]:
        """Those of `ids` that were remembered within a day; none of them when Redis does not answer."""
        if not ids or not self._up():
            return set()
        prefix = self._prefix
        out: set[bytes] = set()
        try:
            for start in range(0, len(ids), CHUNK):
                part = ids[start : start + CHUNK]
                answers = await self._client.mget([prefix + id_ for id_ in part])
                out.update(id_ for id_, answer in zip(part, answers, strict=True) if answer is not None)
        except UNANSWERED as error:
            self._failed(error)
        return out

    def remember(self, ids: list[bytes]) -> None:
        """Note ids, soon."""
        self._backlog += ids
        if len(self._backlog) > BACKLOG_LIMIT:
            del self._backlog[: -BACKLOG_LIMIT // 2]
        self._wake.set()

    @property
    def answers(self) -> bool:
        """Whether Redis answered when it was last asked."""
        return self._clock.monotonic() >= self._down_until

    @property
    def connections(self) -> tuple[int, int]:
        """Busy and idle connections."""
        pool = self._client.connection_pool
        return len(pool._in_use_connections), len(pool._available_connections)  # noqa: SLF001 - there is no public way

    async def close(self) -> None:
        """Note what is left, if Redis answers, and part."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._flush()
        await self._client.aclose()

    def _up(self) -> bool:
        if self._clock.monotonic() >= self._down_until:
            return True
        COLLECTOR_DEDUPE_UNAVAILABLE.inc()
        return False

    def _failed(self, error: Exception) -> None:
        COLLECTOR_DEDUPE_UNAVAILABLE.inc()
        self._down_until = self._clock.monotonic() + PAUSE_SECONDS
        logger.warning("Redis does not answer, going on without it: %s", type(error).__name__)

    async def _remember_all(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._flush()

    async def _flush(self) -> None:
        """What cannot be written is forgotten: the engine drops the duplicate."""
        while self._backlog:
            part, self._backlog = self._backlog[:CHUNK], self._backlog[CHUNK:]
            if not self._up():
                continue
            try:
                await self._script(keys=[self._prefix + id_ for id_ in part], args=[KEEP_SECONDS])
            except UNANSWERED as error:
                self._failed(error)


class NoIds:
    """No memory: for a collector without Redis."""

    async def known(self, ids: list[bytes]) -> set[bytes]:
        """Know nothing."""
        del ids
        return set()

    def remember(self, ids: list[bytes]) -> None:
        """Forget."""

    async def start(self) -> None:
        """Begin."""

    async def close(self) -> None:
        """Part."""
