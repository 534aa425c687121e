"""Recorded events through the collector, in the file's order, at a chosen speed."""

import asyncio
import base64
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import aiohttp
import orjson

from app.clock import Clock
from app.errors import CommandError
from app.replay.sources import Document
from app.web.collector.eventtime import lenient

BATCH_EVENTS = 400
BATCH_BYTES = 400_000
ATTEMPTS = 8
LONGEST_WAIT = 30.0


def batches(events: Iterable[Document]) -> Iterator[list[Document]]:
    """Cut events into batches within the collector's limits."""
    batch: list[Document] = []
    size = 0
    for event in events:
        length = len(orjson.dumps(event)) + 1
        if batch and (len(batch) >= BATCH_EVENTS or size + length > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(event)
        size += length
    if batch:
        yield batch


class HttpReplay:
    """Posts batches one after the other, so that order is kept; a batch is repeated until it is accepted."""

    def __init__(self, url: str, write_key: str, clock: Clock, *, speed: float) -> None:
        self._url = url.rstrip("/") + "/v1/batch"
        self._headers = {
            "Authorization": "Basic " + base64.b64encode(f"{write_key}:".encode()).decode(),
            "Content-Type": "application/json",
        }
        self._clock = clock
        self._speed = speed
        self.refused: Counter[str] = Counter()
        """Events that the collector refused, by reason."""
        self._started: tuple[float, float] | None = None

    async def run(self, events: Iterable[Document], progress: Callable[[int], None]) -> int:
        """Send all events; `progress` is told how many went out each time. Returns how many were sent."""
        sent = 0
        timeout = aiohttp.ClientTimeout(total=60)
        async with aiohttp.ClientSession(headers=self._headers, timeout=timeout) as session:
            for batch in batches(events):
                await self._pace(batch)
                await self._post(session, batch)
                sent += len(batch)
                progress(len(batch))
        return sent

    async def _pace(self, batch: list[Document]) -> None:
        """Wait until the batch's last event is due at the chosen speed (0: as fast as it goes)."""
        at = lenient(batch[-1].get("originalTimestamp") or batch[-1].get("timestamp"))
        if not self._speed or at is None:
            return
        if self._started is None:
            self._started = (self._clock.monotonic(), lenient(batch[0].get("timestamp")) or at)
        began, first = self._started
        await asyncio.sleep(max(0.0, began + (at - first) / self._speed - self._clock.monotonic()))

    async def _post(self, session: aiohttp.ClientSession, batch: list[Document]) -> None:
        body = orjson.dumps({"batch": batch})
        wait, told = 0.2, ""
        for _ in range(ATTEMPTS):
            try:
                async with session.post(self._url, data=body) as response:
                    if response.status == 200:
                        self._note(await response.read())
                        return
                    told = f"{response.status} {(await response.text())[:200]}"
                    if response.status not in (429, 500, 502, 503, 504):
                        raise CommandError(f"the collector refused a batch: {told}")
                    wait = _wanted(response.headers.get("Retry-After"), wait)
            except (aiohttp.ClientError, TimeoutError) as error:
                told = str(error) or type(error).__name__
            await asyncio.sleep(min(wait, LONGEST_WAIT))
            wait *= 2
        raise CommandError(f"{self._url} does not answer ({told}); start it with `boomerang up`, or name it with --url")

    def _note(self, answer: bytes) -> None:
        """Count what was refused of a batch that was taken."""
        try:
            errors = orjson.loads(answer).get("errors", ())
            self.refused.update(str(error["reason"]) for error in errors)
        except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
            return  # another collector than ours: it says nothing about single events


def _wanted(header: Any, default: float) -> float:
    try:
        return float(header)
    except (TypeError, ValueError):
        return default
