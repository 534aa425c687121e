"""Ids of events that Kafka has acknowledged, kept in Redis for a day. The truth is elsewhere: the engine knows its events too.

An id is looked up before and remembered after Kafka's acknowledgement, never the other way round: a crash between
the two lets a retry through as a duplicate, which the engine drops, and never swallows one that had not arrived. Without
Redis the collector goes on and counts that.

Ids travel as one text of sixteen bytes each, and those that are to be remembered go along with the next that are looked up: as
arguments of their own, and with a round trip of their own, they cost more than the rest of the way into Kafka.
"""

import asyncio
import logging
from typing import Any, Protocol

from app.clock import Clock
from app.ending import end
from app.metrics import COLLECTOR_DEDUPE_UNAVAILABLE
from app.redis_client import UNANSWERED, aioredis, patient_for

logger = logging.getLogger(__name__)

KEEP_SECONDS = 86_400
TIMEOUT_SECONDS = 0.25
PAUSE_SECONDS = 1.0
"""How long Redis is left alone after a failure."""
NOTE_SECONDS = 0.005
"""How long ids wait for a look-up that takes them along."""
CHUNK = 500
ID_BYTES = 16
BACKLOG_LIMIT = 50_000
"""Ids that may wait for being remembered; the oldest are forgotten first."""

_SEEN = """
local prefix, keep, noted, asked, known = ARGV[1], ARGV[2], ARGV[3], ARGV[4], {}
for i = 1, #noted, 16 do redis.call('SET', prefix .. noted:sub(i, i + 15), '', 'EX', keep) end
for i = 1, #asked, 16 do
    if redis.call('EXISTS', prefix .. asked:sub(i, i + 15)) == 1 then known[#known + 1] = (i - 1) / 16 end
end
return known
"""
"""Remembers ids and looks others up: the places of those that are known."""


class RecentIds(Protocol):
    """Which ids, of `ID_BYTES` each, have been seen lately."""

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
        self._client: Any = aioredis.Redis.from_url(url, **patient_for(TIMEOUT_SECONDS))
        self._script = self._client.register_script(_SEEN)
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
        out: set[bytes] = set()
        try:
            for start in range(0, len(ids), CHUNK):
                part = ids[start : start + CHUNK]
                out.update(part[place] for place in await self._ask(part))
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
            await end(self._task)
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
            await asyncio.sleep(NOTE_SECONDS)
            self._wake.clear()
            await self._flush()

    async def _flush(self) -> None:
        """What cannot be written is forgotten: the engine drops the duplicate."""
        while self._backlog:
            if not self._up():
                del self._backlog[:CHUNK]
                continue
            try:
                await self._ask([])
            except UNANSWERED as error:
                self._failed(error)

    async def _ask(self, ids: list[bytes]) -> list[int]:
        """Which of these are known, by their places. Remembers what waits for it."""
        noted, self._backlog = self._backlog[:CHUNK], self._backlog[CHUNK:]
        known: list[int] = await self._script(args=[self._prefix, KEEP_SECONDS, b"".join(noted), b"".join(ids)])
        return known


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
