"""Sends events to the collector over its public HTTP API, as a shop's back end does (Segment protocol)."""

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

import aiohttp

ATTEMPTS = 6
LONGEST_WAIT = 5.0
"""Seconds; a longer Retry-After is not waited for in full."""
TIMEOUT = 15.0

Document = dict[str, Any]


class NotSent(Exception):  # noqa: N818 - what happened, in the words of the caller
    """The collector did not take a batch. The text says why."""


class Sender:
    """A client of one collector, for both kinds of write key. Use as an async context manager."""

    def __init__(self, collector: str, browser_key: str, server_key: str) -> None:
        """`collector` is its base URL."""
        self._url = collector.rstrip("/") + "/v1/batch"
        self._keys = {"browser": browser_key, "server": server_key}
        self._session: aiohttp.ClientSession | None = None
        self.sent = 0
        """Events that the collector has accepted."""

    async def __aenter__(self) -> Self:
        """Open the connections."""
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def send(self, kind: str, events: Sequence[Document]) -> None:
        """Send one batch with the `browser` or `server` key; network errors, 429 and 5xx are tried again.

        Raises NotSent. Repeating is safe: events carry their `messageId`.
        """
        assert self._session is not None, "used inside its context"
        body = {"writeKey": self._keys[kind], "batch": list(events)}
        reason = ""
        for attempt in range(ATTEMPTS):
            wait = 0.2 * 2**attempt
            try:
                async with self._session.post(self._url, json=body) as answer:
                    if answer.status == HTTPStatus.OK:
                        self.sent += len(body["batch"])
                        return
                    reason = f"{answer.status} {(await answer.text())[:200]}"
                    if (
                        answer.status != HTTPStatus.TOO_MANY_REQUESTS
                        and answer.status < HTTPStatus.INTERNAL_SERVER_ERROR
                    ):
                        break
                    told = answer.headers.get("Retry-After", "")
                    wait = max(wait, float(told) if told.isdigit() else 0.0)
            except (aiohttp.ClientError, TimeoutError) as error:
                reason = f"{type(error).__name__}: {error}"
            await asyncio.sleep(min(wait, LONGEST_WAIT))
        raise NotSent(reason)
