"""Up to which moment each gateway has been read, kept in Redis. Lost, it costs a look at the last hour again, and nothing else."""

import logging
from typing import Any, Protocol

from app.redis_client import UNANSWERED, aioredis, patient_for

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 1.0
KEEP_SECONDS = 30 * 86_400


class Positions(Protocol):
    """A moment (epoch seconds) for each source."""

    async def read(self, source: str) -> float | None:
        """The kept moment; None: there is none. Never raises."""
        ...

    async def keep(self, source: str, at: float) -> None:
        """Keep a moment. Never raises."""
        ...

    async def close(self) -> None:
        """Part."""
        ...


class RedisPositions:
    """Positions in Redis or Valkey at `url`; keys begin with `prefix`. What Redis does not take, or an empty `url`, is kept in memory alone."""

    def __init__(self, url: str, *, prefix: str = "") -> None:
        self._client: Any = None
        if url:
            self._client = aioredis.Redis.from_url(url, **patient_for(TIMEOUT_SECONDS))
        self._prefix = f"{prefix}chat-gateway:"
        self._memory: dict[str, float] = {}

    async def read(self, source: str) -> float | None:
        """The kept moment."""
        if self._client is None:
            return self._memory.get(source)
        try:
            told = await self._client.get(self._prefix + source)
            if told is not None:
                return float(told)
        except (*UNANSWERED, ValueError) as error:
            logger.warning("Redis does not tell the position of %s: %s", source, type(error).__name__)
        return self._memory.get(source)

    async def keep(self, source: str, at: float) -> None:
        """Keep a moment."""
        self._memory[source] = at
        if self._client is None:
            return
        try:
            await self._client.set(self._prefix + source, repr(at), ex=KEEP_SECONDS)
        except UNANSWERED as error:
            logger.warning("Redis does not keep the position of %s: %s", source, type(error).__name__)

    async def close(self) -> None:
        """Part."""
        if self._client is not None:
            await self._client.aclose()
