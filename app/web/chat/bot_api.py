"""RetailCRM's Bot API over the wire: one WebSocket that tells, and two lists that can be asked. The only client of it.

The address is the shop's own setting. Nothing is followed elsewhere, since the token goes along; every answer is bounded.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from app.clock import moment
from app.web.chat.retailcrm import EVENTS, Config

PATH = "/api/bot/v1"
FRAME_LIMIT = 1 << 20
ANSWER_LIMIT = 16 << 20
PAGE = 100
HEARTBEAT_SECONDS = 20.0
"""A connection that does not answer a ping within half of it is dead."""


class GatewayError(Exception):
    """The gateway cannot be used now. `reason` is one word, `retry_after` seconds that it asks for."""

    def __init__(self, reason: str, text: str, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.reason = reason
        self.retry_after = retry_after


class Stream:
    """An open WebSocket."""

    def __init__(self, socket: "aiohttp.ClientWebSocketResponse[bool]") -> None:
        self._socket = socket

    async def frames(self) -> AsyncIterator[str]:
        """The text of each frame, until the connection ends."""
        async for message in self._socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                yield message.data
            elif message.type is aiohttp.WSMsgType.ERROR:
                break

    @property
    def ended(self) -> str:
        """How the connection ended, in one line."""
        return f"the connection was closed with code {self._socket.close_code}"


class BotApi:
    """A session with one account."""

    def __init__(self, config: Config, *, timeout: float = 30.0, heartbeat: float = HEARTBEAT_SECONDS) -> None:
        """To be made inside a running loop. `timeout` is for one question, in seconds."""
        trace = aiohttp.TraceConfig()
        trace.on_request_redirect.append(_refuse_redirect)
        self._base = config.url.rstrip("/") + PATH
        self._heartbeat = heartbeat
        self._session = aiohttp.ClientSession(
            headers={"X-Bot-Token": config.token},
            timeout=aiohttp.ClientTimeout(total=timeout),
            trace_configs=[trace],
            trust_env=False,
        )

    async def close(self) -> None:
        """Part."""
        await self._session.close()

    @asynccontextmanager
    async def stream(self) -> AsyncIterator[Stream]:
        """An open WebSocket. Raises GatewayError when there is none."""
        address = f"{self._base}/ws?events={','.join(EVENTS)}"
        try:
            socket = await self._session.ws_connect(address, heartbeat=self._heartbeat, max_msg_size=FRAME_LIMIT)
        except aiohttp.WSServerHandshakeError as error:
            raise _refused(error.status, error.headers) from None
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise GatewayError("unreachable", f"cannot be reached: {type(error).__name__}") from None
        try:
            yield Stream(socket)
        finally:
            await socket.close()

    async def messages(self, since: float) -> list[Any]:
        """A page of messages since a moment (epoch seconds), the oldest first. Raises GatewayError."""
        return await self._list("messages", since)

    async def dialogs(self, since: float) -> list[Any]:
        """A page of the dialogs that have changed since a moment, the oldest first. Raises GatewayError."""
        return await self._list("dialogs", since)

    async def _list(self, what: str, since: float) -> list[Any]:
        at = moment(since).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        try:
            async with self._session.get(f"{self._base}/{what}", params={"since": at, "limit": str(PAGE)}) as answer:
                if answer.status != 200:
                    raise _refused(answer.status, answer.headers)
                body = await answer.content.read(ANSWER_LIMIT + 1)
                while len(body) <= ANSWER_LIMIT and (more := await answer.content.read(ANSWER_LIMIT)):
                    body += more
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise GatewayError("unreachable", f"does not answer: {type(error).__name__}") from None
        try:
            found = json.loads(body)
        except ValueError:
            raise GatewayError("nonsense", f"its list of {what} is no JSON") from None
        if type(found) is not list:
            raise GatewayError("nonsense", f"its list of {what} is no list")
        return found


async def _refuse_redirect(*_arguments: object) -> None:
    raise aiohttp.ClientError("redirected")


def _refused(status: int, headers: Any) -> GatewayError:
    if status in (401, 403):
        return GatewayError("token_refused", f"refuses the token with {status}; look at `token` in BOOMERANG_CHATS")
    told = (headers or {}).get("Retry-After", "")
    return GatewayError("refused", f"answers {status}", float(told) if told.isdecimal() and len(told) < 7 else None)
