"""Parting from a Kafka producer within bounds."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from aiokafka import AIOKafkaProducer

logger = logging.getLogger(__name__)

RETIRE_SECONDS = 2.0


async def retire(producer: AIOKafkaProducer, *, idle: bool) -> None:
    """Part from a producer within bounds. One that still has batches would wait for its broker for ever: it is dropped."""
    if idle:
        await _quietly(producer.stop())
    else:
        await _quietly(producer._sender.close())  # noqa: SLF001 - `stop` would wait for the batches first
        await _quietly(producer.client.close())
        producer._closed = True  # noqa: SLF001


async def _quietly(work: Coroutine[Any, Any, None]) -> None:
    try:
        await asyncio.wait_for(work, RETIRE_SECONDS)
    except Exception as error:  # it is being thrown away
        logger.warning("the producer did not stop in time: %s", type(error).__name__)
