"""The catalogue on Kafka: rows on the compacted topic `catalogue`, what changed on `catalogue-changes`.

An import is one transaction of one producer: readers of committed records see all of it or nothing. The transactional id is
the catalogue's alone, so of two imports at a time the one that began to write first is fenced and applies nothing.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from types import TracebackType
from typing import Any, NamedTuple, Self

from app.catalogue.diff import Delta
from app.codec import decode_import, decode_product, encode_json
from app.engine.kafka_client import client_options
from app.engine.provision import provision
from app.engine.reading import Progress, reader, records
from app.errors import CommandError
from app.model.catalogue import IMPORT_KEY, MOST_CHANGES, Change, ChangeKind, ChangeSet, Import, Product, is_news
from app.model.link import Changes, Offered
from app.settings import Settings
from app.topics import CATALOGUE, CATALOGUE_CHANGES, LINKS, partition_of

TRANSACTION_MS = 840_000
"""An import's writing may take so long; brokers allow 15 minutes unless told otherwise."""
ROWS = 500
"""Rows of one partition that are handed over at once."""

Heard = Mapping[ChangeKind, float]
"""Kinds of changes that scenarios begin on, and the least share that a price must have fallen by."""
MOST_TOLD = 2_000
"""Products in one record that tells what cannot be had, and what is reduced."""


class Told(NamedTuple):
    """What every partition of the engine is told of products: see `Offered`. `anew`: it is all that there is to tell."""

    products: Iterable[tuple[str, float, float]]
    anew: bool


Part = tuple[str, int, list[tuple[bytes | None, bytes | None]]]
"""Topic, partition and records."""


async def known(
    settings: Settings, progress: Progress = lambda _done, _all: None
) -> AsyncIterator[tuple[str, bytes | None]]:
    """Every row of the topic, as it lies there, tombstones too; a later one of the same key counts. Raises CommandError."""
    async with reader(settings) as consumer:
        topic = settings.topic_prefix + CATALOGUE.name
        async for record in records(consumer, topic, range(settings.partitions), progress):
            if record.key:
                yield record.key.decode(), record.value


async def product(settings: Settings, product_id: str) -> Product | None:
    """What is known of one product. Raises CommandError."""
    value = await _last(settings, product_id)
    return None if value is None else decode_product(value)


async def last_import(settings: Settings) -> Import | None:
    """What the last import came to. Raises CommandError."""
    value = await _last(settings, IMPORT_KEY)
    return None if value is None else decode_import(value)


async def _last(settings: Settings, key: str) -> bytes | None:
    """The value under a key, from its partition. Raises CommandError."""
    found: bytes | None = None
    if (await provision(settings, (CATALOGUE,), create=False)).missing:
        return found
    wanted = key.encode()
    async with reader(settings) as consumer:
        topic = settings.topic_prefix + CATALOGUE.name
        async for record in records(consumer, topic, [partition_of(key, settings.partitions)]):
            if record.key == wanted:
                found = record.value
    return found


class CatalogueWriter:
    """Writes one import. Use as an async context manager, which fences former ones and raises CommandError."""

    def __init__(
        self, settings: Settings, fault: Callable[[str], None] = lambda _: None, heard: Heard | None = None
    ) -> None:
        """`heard`: the changes that scenarios begin on, which go to every partition of the engine. `fault`: tests; called at the points of the transaction, to die there."""
        self._settings, self._fault, self._heard = settings, fault, heard or {}
        self._writer: Any = None

    async def __aenter__(self) -> Self:
        """Make the topics where they are missing, and take the transactional id over."""
        from aiokafka.errors import KafkaError

        from tables.writer import PartitionWriter

        await provision(self._settings, (CATALOGUE, CATALOGUE_CHANGES, LINKS))
        name = f"{self._settings.topic_prefix}boomerang-catalogue"
        self._writer = PartitionWriter(
            client_options(self._settings), name, "zstd", self._fault, transaction_ms=TRANSACTION_MS
        )
        try:
            await self._writer.start()
        except KafkaError as error:
            await self._writer.stop()
            raise CommandError(f"Kafka cannot be written to: {error}; see `boomerang doctor`") from None
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        del kind, error, trace
        await self._writer.stop()

    async def write(self, done: Import, deltas: Iterable[Delta], told: Told | None = None) -> None:
        """Apply an import, as a whole or not at all. `told`: what goes to the engine beside changes. Raises CommandError."""
        from aiokafka.errors import KafkaError, ProducerFenced

        try:
            await self._writer.write(chain(self._parts(done, deltas), self._told(done, told)))
        except ProducerFenced:
            raise CommandError("another import has begun meanwhile; this one applied nothing") from None
        except KafkaError as error:
            raise CommandError(f"Kafka did not take the import ({error}); run it again, it repeats nothing") from None

    def _parts(self, done: Import, deltas: Iterable[Delta]) -> Iterator[Part]:
        """The rows of every partition, the sets of changes, and first of all what the import comes to."""
        partitions, prefix = self._settings.partitions, self._settings.topic_prefix
        rows, changes = prefix + CATALOGUE.name, prefix + CATALOGUE_CHANGES.name
        yield rows, partition_of(IMPORT_KEY, partitions), [(IMPORT_KEY.encode(), encode_json(done))]
        waiting: list[list[tuple[bytes | None, bytes | None]]] = [[] for _ in range(partitions)]
        held: list[Change] = []
        told: list[Change] = []
        sets = sweeps = 0
        for delta in deltas:
            number = partition_of(delta.id, partitions)
            waiting[number].append((delta.id.encode(), None if delta.row is None else encode_json(delta.row)))
            if len(waiting[number]) >= ROWS:
                yield rows, number, waiting[number]
                waiting[number] = []
            held += () if done.baseline else delta.changes
            if len(held) >= MOST_CHANGES:
                yield self._set(changes, done, sets, held[:MOST_CHANGES])
                held, sets = held[MOST_CHANGES:], sets + 1
            told += () if done.baseline else filter(self._is_heard, delta.changes)
            if len(told) >= MOST_CHANGES:
                yield from self._broadcast(done, sweeps, told[:MOST_CHANGES])
                told, sweeps = told[MOST_CHANGES:], sweeps + 1
        for number, some in enumerate(waiting):
            if some:
                yield rows, number, some
        if held:
            yield self._set(changes, done, sets, held)
        if told:
            yield from self._broadcast(done, sweeps, told)

    def _is_heard(self, change: Change) -> bool:
        """Whether a scenario may begin on it. What cannot be bought is news to nobody."""
        least = self._heard.get(change.kind)
        if least is None or not change.available:
            return False
        return is_news(change.kind, change.price, change.old_price, least)

    def _broadcast(self, done: Import, number: int, changes: list[Change]) -> Iterator[Part]:
        value = encode_json(Changes(f"{done.id}-{number}", done.at, changes))
        for partition in range(self._settings.partitions):
            yield self._settings.topic_prefix + LINKS.name, partition, [(None, value)]

    def _told(self, done: Import, told: Told | None) -> Iterator[Part]:
        if told is None:
            return
        products, anew = iter(told.products), told.anew
        while True:
            some = list(islice(products, MOST_TOLD))
            if not some and not anew:
                return
            value = encode_json(Offered(done.at, some, anew))
            for partition in range(self._settings.partitions):
                yield self._settings.topic_prefix + LINKS.name, partition, [(None, value)]
            anew = False

    def _set(self, topic: str, done: Import, number: int, changes: list[Change]) -> Part:
        record = ChangeSet(f"{done.id}-{number}", done.at, changes)
        return topic, partition_of(record.id, self._settings.partitions), [(record.id.encode(), encode_json(record))]
