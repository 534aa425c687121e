"""One account of RetailCRM's message gateway, read for ever: connect, ask for what was missed, then listen.

The order matters. The WebSocket is opened first and its frames wait, then the lists are read from a little before the last
delivered moment, then the frames: nothing falls between, and what comes twice has the same id. The moment moves on only when Kafka
has acknowledged. Whatever goes wrong ends the connection, and the next one begins there again, after a pause with full jitter.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from app.clock import Clock
from app.metrics import CHAT_GATEWAY_CONNECTED, CHAT_GATEWAY_POSITION, CHAT_GATEWAY_RECONNECTS
from app.model.reasons import BadInput
from app.web.chat import reading, retailcrm
from app.web.chat.bot_api import PAGE, BotApi, GatewayError, Stream
from app.web.chat.courier import Courier
from app.web.chat.found import Found, Place
from app.web.chat.positions import Positions
from app.web.collector.body import mend, parse
from app.web.collector.intake import Unavailable
from app.web.collector.refusal import Refused
from channels import retry

logger = logging.getLogger(__name__)

FIRST_LOOK_SECONDS = 3_600.0
"""How far back a source is read of which no position is known."""
LONGEST_LOOK_SECONDS = 3 * 86_400.0
OVERLAP_SECONDS = 60.0
"""The lists are asked for so much more than was missed: their clock orders less strictly than we would like."""
PAGES_LIMIT = 2_000
WAITING_LIMIT = 10_000
"""Frames that may wait while something else is done; with more the connection is given up, and the lists tell them again."""
BUNDLE = 100
CALM_SECONDS = 60.0
"""A connection that has lived so long begins the pauses anew."""
PAUSE = 1.0
LONGEST_PAUSE = 60.0
DEPTH_LIMIT = 100


class Gateway:
    """Reads one source."""

    def __init__(
        self, source: str, config: retailcrm.Config, courier: Courier, positions: Positions, clock: Clock,
        *, pause: float = PAUSE, heartbeat: float = 20.0, country: str = "",
    ) -> None:  # fmt: skip
        """`pause` is the upper end of the first wait between two connections, in seconds; `country`: the shop's, for phone numbers."""
        self._source = source
        self._config = config
        self._courier = courier
        self._positions = positions
        self._clock = clock
        self._pause = pause
        self._country = country
        self._heartbeat = heartbeat
        self._position = 0.0
        self._told = ""

    async def run(self) -> None:
        """Read until it is cancelled."""
        api = BotApi(self._config, heartbeat=self._heartbeat)
        failures = 0
        try:
            while True:
                began = self._clock.monotonic()
                error = await self._session(api)
                CHAT_GATEWAY_RECONNECTS.labels(self._source, error.reason).inc()
                if self._clock.monotonic() - began >= CALM_SECONDS:
                    failures = 0
                self._say(f"retailcrm {self._source}: {error}; connecting again")
                await asyncio.sleep(
                    retry.wait(f"{self._source}:{began}", failures, error.retry_after, self._pause, LONGEST_PAUSE)
                )
                failures += 1
        finally:
            await api.close()

    def _say(self, text: str) -> None:
        """Once for each kind of trouble, not once for each attempt."""
        if text != self._told:
            logger.warning("%s", text)
            self._told = text

    async def _session(self, api: BotApi) -> GatewayError:
        """One connection, from its beginning to its end; why it ended."""
        gauge = CHAT_GATEWAY_CONNECTED.labels(self._source)
        try:
            await self._begin()
            async with api.stream() as stream:
                gauge.set(1)
                self._told = ""
                return await self._read(api, stream)
        except GatewayError as error:
            return error
        except Unavailable:
            return GatewayError("not_stored", "Kafka does not acknowledge")
        finally:
            gauge.set(0)

    async def _begin(self) -> None:
        """Where the lists are to be read from."""
        now = self._clock.now()
        if not self._position:
            kept = await self._positions.read(self._source)
            self._position = now - FIRST_LOOK_SECONDS if kept is None else min(kept, now)
        self._position = max(self._position, now - LONGEST_LOOK_SECONDS)

    async def _read(self, api: BotApi, stream: Stream) -> GatewayError:
        waiting: asyncio.Queue[str | None] = asyncio.Queue(WAITING_LIMIT)
        listening = asyncio.ensure_future(_listen(stream, waiting))
        try:
            await self._catch_up(api)
            while not await self._deliver_waiting(waiting):
                pass
            return await listening
        finally:
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError, GatewayError):
                await listening

    async def _deliver_waiting(self, waiting: "asyncio.Queue[str | None]") -> bool:
        """Deliver what has arrived, in one go; whether that was all that this connection has to say."""
        frames = [await waiting.get()]
        while len(frames) < BUNDLE and not waiting.empty():
            frames.append(waiting.get_nowait())
        found, place = Found(), self._place()
        for frame in frames:
            if frame is not None:
                _add(found, _meaning(frame, self._config, place))
        await self._courier.deliver(found, place)
        await self._move_on(_newest(found))
        return None in frames

    async def _catch_up(self, api: BotApi) -> None:
        """Deliver what was said since the last delivered moment. Raises GatewayError, Unavailable."""
        since, newest = self._position - OVERLAP_SECONDS, self._position

        def messages(page: list[Any], place: Place) -> Found:
            return retailcrm.missed_messages(page, self._config, place)

        def dialogs(page: list[Any], place: Place) -> Found:
            return retailcrm.missed_dialogs(page, since, place)

        newest = max(newest, await self._walk(api.messages, messages, since, ("created_at", "time")))
        newest = max(newest, await self._walk(api.dialogs, dialogs, since, ("updated_at", "created_at")))
        await self._move_on(newest)  # not before both lists are read: the next connection may have to read them again

    async def _walk(
        self,
        ask: Callable[[float], Awaitable[list[Any]]],
        meaning: Callable[[list[Any], Place], Found],
        since: float,
        times: tuple[str, str],
    ) -> float:
        """All pages of a list; the newest moment in it. A page with nothing new is the last one, and so is one that is not full."""
        seen: set[str] = set()
        newest = 0.0
        for _ in range(PAGES_LIMIT):
            page = await ask(since)
            fresh = [item for item in reading.items(page) if reading.ident(item.get("id")) not in seen]
            if not fresh:
                break
            place = self._place()
            found = meaning(fresh, place)
            await self._courier.deliver(found, place)
            newest = max(newest, _newest(found))
            if len(page) < PAGE:
                break
            seen = {reading.ident(item.get("id")) for item in reading.items(page)}
            moments = [reading.moment(item.get(name)) for item in fresh for name in times]
            since = max([since, *(at for at in moments if at is not None)])
        return newest

    async def _move_on(self, at: float) -> None:
        """Everything up to this moment is in Kafka."""
        if at > self._position:
            self._position = at
            CHAT_GATEWAY_POSITION.labels(self._source).set(at)
            await self._positions.keep(self._source, at)

    def _place(self) -> Place:
        return Place(retailcrm.NAME, self._source, self._clock.now(), self._country)


async def _listen(stream: Stream, waiting: "asyncio.Queue[str | None]") -> GatewayError:
    """Put frames into the queue; a None stands for the end. Why it ended."""
    try:
        async for frame in stream.frames():
            if waiting.qsize() >= WAITING_LIMIT - 1:
                return GatewayError("overflow", "more frames come than can be stored")
            waiting.put_nowait(frame)
        return GatewayError("closed", stream.ended)
    finally:
        waiting.put_nowait(None)


def _newest(found: Found) -> float:
    return max((event.at for event in found.events), default=0.0)


def _meaning(frame: str, config: retailcrm.Config, place: Place) -> Found:
    """What a frame says; one that cannot be read is a dead letter."""
    try:
        document, lenient = parse(frame.encode("utf-8", "replace"))
        if lenient:
            document = mend(document, DEPTH_LIMIT)
        if type(document) is not dict:
            raise Refused(BadInput.WRONG_TYPE, "frame")  # noqa: TRY301 - one place for all that is refused
    except Refused as refused:
        found = Found()
        found.refused.append((frame, refused))
        return found
    return retailcrm.events(document, config, place)


def _add(found: Found, more: Found) -> None:
    found.events += more.events
    found.refused += more.refused
    found.ignored += more.ignored
