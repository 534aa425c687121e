"""A Redis that may be away: it has little time for an answer, and is left in peace for a while after it did not give one."""

import logging
from collections.abc import Callable
from typing import ClassVar

from app.redis_client import aioredis, patient_for

log = logging.getLogger(__name__)

PATIENCE = 0.25
"""Seconds that Redis has for an answer."""
CONNECTIONS = 32


class RestingRedis:
    """Connections to one, and when it is asked again."""

    holiday: ClassVar[float]
    """Seconds without asking after it did not answer."""
    loss: ClassVar[str]
    """What the log says is done without it."""

    def __init__(
        self,
        url: str,
        prefix: str,
        monotonic: Callable[[], float],
        on_failure: Callable[[], None],
        *,
        patience: float = PATIENCE,
    ) -> None:
        """`prefix` is that of our topics, and of keys; `on_failure` is called for every question that was not answered.

        `monotonic` measures the holiday; `patience`: seconds that Redis has for an answer.
        """
        self._prefix = f"{prefix}boomerang:"
        self._monotonic, self._on_failure = monotonic, on_failure
        self._away_until = 0.0
        pool = aioredis.BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=patience,
            **patient_for(patience),
            decode_responses=True,
        )
        self._redis, self._pool = aioredis.Redis(connection_pool=pool), pool

    async def stop(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
        await self._pool.disconnect()

    def _resting(self) -> bool:
        """Whether it is not to be asked now; that counts as a question it did not answer."""
        if self._monotonic() < self._away_until:
            self._on_failure()
            return True
        return False

    def _failed(self, error: Exception) -> None:
        """It did not answer: leave it in peace for a while."""
        self._away_until = self._monotonic() + self.holiday
        self._on_failure()
        log.warning("Redis does not answer (%s): %s", type(error).__name__, self.loss)
