"""What a short name stands for, kept in Redis for some days: a provider's id of a message, the code of a short link.

The value is a signed token of ours, so that whoever can write to Redis can forge nothing with it. Lost, a provider's receipt is of a
message that nobody knows, and a short link leads to the shop's start page.
"""

import logging
from collections.abc import Callable

from redis import asyncio as aioredis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

PROVIDER_ID, SHORT_LINK = "of", "link"
"""Kinds of names."""
KEEP = {PROVIDER_ID: 7 * 86_400, SHORT_LINK: 30 * 86_400}
"""Kind -> seconds that a name is known."""
LONGEST_NAME = 160
LONGEST_VALUE = 4_096
PATIENCE = 0.25
"""Seconds that Redis has for an answer."""
HOLIDAY = 2.0
"""Seconds without asking after Redis did not answer."""
CONNECTIONS = 32


class Away(Exception):  # noqa: N818 - a state, not a programming error
    """Redis does not answer now."""


class References:
    """Names and what they stand for. `on_failure` is called for every question that Redis did not answer."""

    def __init__(
        self,
        url: str,
        prefix: str,
        monotonic: Callable[[], float],
        on_failure: Callable[[], None],
        *,
        patience: float = PATIENCE,
    ) -> None:
        """`monotonic` measures the rest that Redis gets; `patience`: seconds that it has for an answer."""
        self._prefix = f"{prefix}boomerang:"
        self._monotonic, self._on_failure = monotonic, on_failure
        self._away_until = 0.0
        pool = aioredis.BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=patience,
            socket_timeout=patience,
            socket_connect_timeout=patience,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
        )
        self._redis, self._pool = aioredis.Redis(connection_pool=pool), pool

    async def remember(self, kind: str, name: str, value: str) -> bool:
        """Whether the name is known from now on. One that is too long is not kept."""
        if len(name) > LONGEST_NAME or len(value) > LONGEST_VALUE or self._resting():
            return False
        try:
            await self._redis.set(self._key(kind, name), value, ex=KEEP[kind])
        except (RedisError, OSError, TimeoutError) as error:
            self._failed(error)
            return False
        return True

    async def find(self, kind: str, name: str) -> str:
        """What a name stands for; "" for one that is not known. Raises Away."""
        if len(name) > LONGEST_NAME:
            return ""
        if self._resting():
            raise Away
        try:
            return str(await self._redis.get(self._key(kind, name)) or "")
        except (RedisError, OSError, TimeoutError) as error:
            self._failed(error)
            raise Away from None

    async def stop(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
        await self._pool.disconnect()

    def _key(self, kind: str, name: str) -> str:
        return f"{self._prefix}{kind}:{name}"

    def _resting(self) -> bool:
        if self._monotonic() < self._away_until:
            self._on_failure()
            return True
        return False

    def _failed(self, error: Exception) -> None:
        self._away_until = self._monotonic() + HOLIDAY
        self._on_failure()
        log.warning("Redis does not answer (%s): names of messages are not kept now", type(error).__name__)
