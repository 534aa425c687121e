"""aioredis, as it lives in redis-py (docs/adr/0001-aioredis-lives-in-redis-py.md): the only file that imports it.

redis-py loads OpenTelemetry's metrics wherever they are installed, to count for itself, which nobody here has asked it for. They
are 3 MB of each process, so they are kept from it, and from it alone: our traces load OpenTelemetry where they are wanted.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def _without(name: str) -> Iterator[None]:
    """A module that is not loaded yet cannot be imported meanwhile."""
    loaded = name in sys.modules
    if not loaded:
        sys.modules[name] = None  # type: ignore[assignment] # how a module is told to be missing
    try:
        yield
    finally:
        if not loaded:
            del sys.modules[name]


with _without("opentelemetry.sdk.metrics"):
    from redis import asyncio as aioredis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
    from redis.exceptions import RedisError

UNANSWERED = (RedisError, OSError, TimeoutError)
"""What a question raises that Redis did not answer."""


def patient_for(seconds: float) -> dict[str, Any]:
    """Keyword arguments of a client or pool that waits so long, and once: redis-py's default would repeat a slow command up to eleven times."""
    return {"socket_timeout": seconds, "socket_connect_timeout": seconds, "retry": Retry(NoBackoff(), 0)}


__all__ = ["UNANSWERED", "aioredis", "patient_for"]
