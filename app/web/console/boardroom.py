"""The board at work: reads the topic `dialogs` from its beginning and follows it, tells open pages, and sends commands.

The topic is compacted, so a console that was restarted has the same board as before within a moment. Reading begins with the first
page that opens and goes on from then on.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Collection
from hashlib import blake2b
from typing import Any

from agents.team import TeamError, load_team
from app import metrics
from app.clock import Clock
from app.codec import encode_json
from app.ending import end
from app.engine.kafka_client import client_options
from app.errors import CommandError
from app.model.alert import ENDED, AlertState
from app.model.chat import ChatCommand, CommandKind, command_key
from app.settings import Settings
from app.topics import CHAT, DIALOGS, partition_of
from app.web.collector.outgrown import METADATA_MS, what_to_do
from app.web.console.board import Board, Page
from app.web.console.feed import message

log = logging.getLogger(__name__)

LIVE = tuple(state for state in AlertState if state not in ENDED)
CLIENTS = 100
FLUSH_SECONDS = 0.2
HEARTBEAT_SECONDS = 15.0
MAX_RECORDS = 2_000
PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0)
STATES = ("total", "manager_awaited", "client_silent", "breached", *(f"alert_{state.value}" for state in LIVE))
"""Of dialogs, as the metric has them."""
SEND_SECONDS = 8.0
"""How long a command may take to be acknowledged."""


class OutgrownError(CommandError):
    """The topics have more partitions by now than the console knows of."""


class Boardroom:
    """One per console."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._names = _names(settings)
        self.board = Board()
        self.ready = False
        """The topic has been read up to its end once."""
        self.connected = False
        self.clients = 0
        self._positions: dict[Any, int] = {}
        self._reading: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._closing = False
        self._producer: Any = None
        self._starting = asyncio.Lock()

    # -- pages

    async def stream(self, member: str) -> AsyncGenerator[bytes]:
        """Server-sent events for one page: everything at first, then changes, until it goes away or the console stops."""
        self.begin()
        self.clients += 1
        page, source = Page(member), None
        try:
            yield b"retry: 2000\n\n" + message("hello", {"now": self._clock.now()})
            while not self._closing:
                changed = self._changed
                if source != (self.ready, self.connected):
                    source = self.ready, self.connected
                    yield message("source", {"connected": self.connected, "ready": self.ready})
                told = page.changes(self.board) if self.ready else None
                if told is not None:
                    yield message("board", told)
                    await asyncio.sleep(FLUSH_SECONDS)
                try:
                    async with asyncio.timeout(HEARTBEAT_SECONDS):
                        await changed.wait()
                except TimeoutError:
                    yield b": here\n\n"
        finally:
            self.clients -= 1

    def _tell(self) -> None:
        """Wake every page: each waits for the event that it took before it looked."""
        self._changed.set()
        self._changed = asyncio.Event()

    def close(self) -> None:
        """End every stream."""
        self._closing = True
        self._tell()

    async def stop(self) -> None:
        """Stop reading and sending."""
        self.close()
        if self._reading is not None:
            await end(self._reading)
        if self._producer is not None:
            await self._producer.stop()
            self._producer = None

    def show_counts(self) -> None:
        """Bring the metric up to date; the first time that somebody asks, reading begins."""
        self.begin()
        counts = self.board.states(self._clock.now())
        for state in STATES:
            metrics.DIALOGS.labels(state).set(counts[state])

    # -- commands

    async def command(self, kind: CommandKind, dialog: str, request: str, by: str, seconds: float) -> None:
        """Take, snooze, dismiss or resolve a dialog that is on the board. `request` makes a repetition known.

        Raises LookupError when it is not on the board, CommandError when Kafka does not acknowledge or has been repartitioned.
        """
        view = self.board.get(dialog)
        if view is None:
            raise LookupError(dialog)
        id_ = blake2b(f"{by}\0{dialog}\0{kind}\0{request}".encode(), digest_size=16).hexdigest()
        name = self._names.get(by, by)
        command = ChatCommand(
            kind, self._clock.now(), f"board:{id_}", by, name, view.alert_id, view.customer, view.dialog, seconds
        )
        key = command_key(command)
        topic, partition = self._settings.topic_prefix + CHAT.name, partition_of(key, self._settings.partitions)
        try:
            async with asyncio.timeout(SEND_SECONDS):
                producer = await self._sender()
                self._check(topic, await producer.partitions_for(topic))
                await producer.send_and_wait(topic, encode_json(command), key=key.encode(), partition=partition)
        except OutgrownError as error:
            log.warning("a command was not stored: %s", error)
            raise
        except Exception as error:  # whatever Kafka has: the person is told, and presses again
            log.warning("a command could not be stored: %s", type(error).__name__)
            raise CommandError("Kafka does not answer; nothing has changed, try again") from None

    async def _sender(self) -> Any:
        from aiokafka import AIOKafkaProducer

        async with self._starting:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    **client_options(self._settings),
                    client_id="boomerang-board",
                    acks="all",
                    enable_idempotence=True,
                    metadata_max_age_ms=METADATA_MS,
                )
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer

    def _check(self, topic: str, known: Collection[int] | None) -> None:
        told = what_to_do(topic, known, self._settings.partitions)
        if told:
            raise OutgrownError(told)

    # -- reading

    def begin(self) -> None:
        """Read, if we do not already."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._run(), name="console-board")

    async def _run(self) -> None:
        failures = 0
        while True:
            before = sum(self._positions.values())
            try:
                await self._read()
            except asyncio.CancelledError:
                raise
            except Exception as error:  # the board outlives whatever happens to its source
                failures = 0 if sum(self._positions.values()) > before else failures
                pause = PAUSES[min(failures, len(PAUSES) - 1)]
                failures += 1
                log.warning("the board cannot read Kafka: %s; next attempt in %.1f s", error, pause)
                self.connected = False
                self._tell()
                await asyncio.sleep(pause)

    async def _read(self) -> None:
        from aiokafka import AIOKafkaConsumer, TopicPartition

        topic = self._settings.topic_prefix + DIALOGS.name
        consumer = AIOKafkaConsumer(
            **client_options(self._settings),
            client_id="boomerang-board",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            metadata_max_age_ms=METADATA_MS,
        )
        try:
            await consumer.start()
            partitions = [TopicPartition(topic, number) for number in range(self._settings.partitions)]
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            self._check(topic, consumer.partitions_for_topic(topic))
            if any(self._positions.get(partition, 0) > ends[partition] for partition in partitions):
                self._positions.clear()
                self.board.clear()
            for partition in partitions:
                kept = self._positions.get(partition)
                if kept is not None:
                    consumer.seek(partition, kept)
                else:
                    await consumer.seek_to_beginning(partition)
            self.connected = True
            self._tell()
            await self._follow(consumer, topic, dict(ends))
        finally:
            await consumer.stop()

    async def _follow(self, consumer: Any, topic: str, ends: dict[Any, int]) -> None:
        while True:
            self._check(topic, consumer.partitions_for_topic(topic))
            batches = await consumer.getmany(timeout_ms=200, max_records=MAX_RECORDS)
            before = self.board.version, self.ready
            for partition, records in batches.items():
                for record in records:
                    self.board.put((record.key or b"").decode("utf-8", "replace"), record.value)
                self._positions[partition] = records[-1].offset + 1
            if ends:  # control records have no value to read: the position is what counts
                for partition in list(ends):
                    if await consumer.position(partition) >= ends[partition]:
                        del ends[partition]
                self.ready = self.ready or not ends
            if (self.board.version, self.ready) != before:
                self._tell()


def _names(settings: Settings) -> dict[str, str]:
    """Id -> name of the team's members: who has logged in under the id is told by the name."""
    try:
        team = load_team(settings.team)
    except TeamError as error:
        log.warning("the team is not known to the board: %s", error)
        return {}
    return {member.id: member.name or member.id for member in team.members}
