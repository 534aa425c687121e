"""One bound connection to an SMSC: requests and answers by their sequence numbers, signs of life, and what the SMSC asks of us."""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress

from app.ending import end
from channels.sms import pdu
from channels.sms.pdu import ANSWER, HEADER, Command, Pdu

log = logging.getLogger(__name__)

ALIVE = 30.0
"""Seconds between two signs of life."""
MOST_HEARD = 100
"""Receipts that are worked on at the same time; the SMSC is asked to come again with the next ones."""
_LAST = 0x7FFFFFFF
_OK, _INVALID_COMMAND, _TRY_AGAIN = 0x00, 0x03, 0x64


class Broken(Exception):  # noqa: N818 - a state, not a programming error
    """There is no connection any more."""


class Refused(Exception):  # noqa: N818 - a state, not a programming error
    """The SMSC does not let us in: `status` says why."""

    def __init__(self, status: int) -> None:
        super().__init__(f"bind refused with status 0x{status:08X}")
        self.status = status


class Session:
    """A connection. `on_deliver` gets each `deliver_sm` and answers whether it is done with; `timeout`: seconds for an answer."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        on_deliver: Callable[[Pdu], Awaitable[bool]],
        timeout: float,
    ) -> None:
        self._reader, self._writer, self._on_deliver, self._timeout = reader, writer, on_deliver, timeout
        self._sequence = 0
        self._asked: dict[int, asyncio.Future[Pdu]] = {}
        self._heard: set[asyncio.Task[None]] = set()
        self.ended = asyncio.Event()
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._live())]

    @classmethod
    async def connect(
        cls,
        host: str,
        port: int,
        tls: ssl.SSLContext | None,
        login: tuple[str, str, str],
        on_deliver: Callable[[Pdu], Awaitable[bool]],
        timeout: float,  # noqa: ASYNC109 - one for the connection and each answer
    ) -> "Session":
        """Connect and bind with (system id, password, system type). Raises OSError, TimeoutError, Broken or Refused."""
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(host, port, ssl=tls, limit=pdu.LONGEST)
        session = cls(reader, writer, on_deliver, timeout)
        try:
            answer = await session.ask(lambda sequence: pdu.bind(*login, sequence))
        except BaseException:
            await session.close()
            raise
        if answer.status:
            await session.close()
            raise Refused(answer.status)
        return session

    @property
    def alive(self) -> bool:
        """Whether something can be said."""
        return not self.ended.is_set() and not self._writer.is_closing()

    async def ask(self, request: Callable[[int], Pdu]) -> Pdu:
        """Say something and wait for the answer. Raises Broken, or TimeoutError, after which the connection is useless."""
        if not self.alive:
            raise Broken("the connection is closed")
        self._sequence = self._sequence % _LAST + 1
        sequence = self._sequence
        answer: asyncio.Future[Pdu] = asyncio.get_running_loop().create_future()
        self._asked[sequence] = answer
        try:
            self._writer.write(request(sequence).encode())
            async with asyncio.timeout(self._timeout):
                await self._writer.drain()
                return await answer
        except OSError as error:
            self.end()
            if isinstance(error, TimeoutError):
                raise
            raise Broken(str(error)) from None
        finally:
            self._asked.pop(sequence, None)

    def end(self) -> None:
        """Nothing more is said or heard; whoever waits for an answer gets Broken."""
        self.ended.set()
        self._writer.close()
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(Broken("the connection was lost"))
                answer.exception()  # whoever asked may be gone: then nobody looks, and that is fine

    async def close(self) -> None:
        """Take leave and end."""
        if self.alive:
            with suppress(Broken, TimeoutError):
                async with asyncio.timeout(1.0):
                    await self.ask(lambda sequence: Pdu(Command.UNBIND, 0, sequence))
        self.end()
        await end(*self._tasks, *self._heard)
        with suppress(OSError, ssl.SSLError):
            async with asyncio.timeout(1.0):
                await self._writer.wait_closed()

    async def _listen(self) -> None:
        try:
            while not self.ended.is_set():
                head = await self._reader.readexactly(HEADER.size)
                rest = await self._reader.readexactly(pdu.length_of(head) - HEADER.size)
                await self._on(pdu.decode(head + rest))
        except (OSError, asyncio.IncompleteReadError, pdu.Garbled) as error:
            log.info("the SMSC's connection has ended: %s", type(error).__name__)
        finally:
            self.end()

    async def _on(self, heard: Pdu) -> None:
        if heard.answers:
            answer = self._asked.get(heard.sequence)
            if answer is not None and not answer.done():
                answer.set_result(heard)
        elif heard.command == Command.DELIVER_SM:
            if (
                len(self._heard) >= MOST_HEARD
            ):  # what else comes over the connection does not wait: answers are among it
                self._say(Pdu(heard.command | ANSWER, _TRY_AGAIN, heard.sequence, b"\0"))
                return
            task = asyncio.create_task(self._deliver(heard))
            self._heard.add(task)
            task.add_done_callback(self._heard.discard)
        elif heard.command == Command.ENQUIRE_LINK:
            self._say(Pdu(heard.command | ANSWER, _OK, heard.sequence))
        elif heard.command == Command.UNBIND:
            self._say(Pdu(heard.command | ANSWER, _OK, heard.sequence))
            self.end()
        else:
            self._say(Pdu(Command.GENERIC_NACK | ANSWER, _INVALID_COMMAND, heard.sequence))

    async def _deliver(self, heard: Pdu) -> None:
        """Answered only when it is safe: what is not comes again."""
        try:
            done = await self._on_deliver(heard)
        except Exception:
            log.exception("what the SMSC has delivered is left with it")
            done = False
        self._say(Pdu(heard.command | ANSWER, _OK if done else _TRY_AGAIN, heard.sequence, b"\0"))

    def _say(self, answer: Pdu) -> None:
        if self.alive:
            self._writer.write(answer.encode())

    async def _live(self) -> None:
        with suppress(Broken, TimeoutError):
            while self.alive:
                await asyncio.sleep(ALIVE)
                await self.ask(lambda sequence: Pdu(Command.ENQUIRE_LINK, 0, sequence))
        self.end()
