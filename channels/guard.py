"""The fast second guard against saying something twice: one key a message in Redis (docs/adr/0001-aioredis-lives-in-redis-py.md).

The ledger is the truth. The guard is for the day on which the ledger itself is wrong (restored from an old copy, read by an
old program): asked after INFLIGHT is written and right before the message goes out. It never delays and never decides alone:
when Redis is away, or was wiped, the ledger goes on without it.
"""

from typing import NamedTuple

from app.redis_client import UNANSWERED
from channels.resting_redis import CONNECTIONS, RestingRedis

KEEP = 30 * 86_400
"""Seconds that a spoken message is known: as long as the ledger knows it."""
HOLIDAY = 5.0
"""Seconds without asking after Redis did not answer."""


class Health(NamedTuple):
    """Connections to Redis (busy, idle, at most) and its memory in bytes (used, limit; a limit of 0 is none)."""

    busy: int
    idle: int
    most: int
    memory: int
    limit: int


class Guard(RestingRedis):
    """One `SET ... NX GET` a message."""

    holiday = HOLIDAY
    loss = "sending by the ledger alone"

    async def first(self, message_id: str, attempt: int) -> bool:
        """Whether nobody has spoken this attempt at the message. True when Redis cannot say.

        An earlier attempt that is known to have failed does not count: the ledger's attempt number is then larger.
        """
        if self._resting():
            return True
        key = f"{self._prefix}spoken:{message_id}"
        try:
            before = await self._redis.set(key, attempt, nx=True, get=True, ex=KEEP)
            if before is None:
                return True
            if int(before) >= attempt:
                return False
            await self._redis.set(key, attempt, ex=KEEP)
        except (*UNANSWERED, ValueError) as error:
            self._failed(error)
        return True

    async def server_time(self) -> float:
        """What Redis' machine takes the time for, epoch seconds. Raises RedisError or OSError."""
        seconds, micros = await self._redis.time()
        return float(seconds) + micros / 1e6

    async def look(self) -> Health | None:
        """How Redis is; None where it does not answer. Asks within `PATIENCE`, whatever was said before."""
        try:
            told = await self._redis.info("memory")
        except UNANSWERED:
            return None
        busy, idle = len(self._pool._in_use_connections), len(self._pool._available_connections)  # noqa: SLF001
        return Health(busy, idle, CONNECTIONS, int(told.get("used_memory", 0)), int(told.get("maxmemory", 0)))
