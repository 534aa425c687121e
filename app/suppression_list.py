"""The suppression list where it is kept: written to by records that every partition of the ledger reads, read from its changelog."""

from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Any, Self

from app.codec import encode_json
from app.engine.kafka_client import client_options
from app.engine.reading import Progress, reader, records
from app.errors import CommandError
from app.model.event import EMAIL, PHONE
from app.model.reasons import Reason
from app.model.receipt import Outcome, Receipt
from app.model.trigger import Suppress, Suppressed
from app.settings import Settings
from app.suppressions import Entry
from app.topics import LEDGER_CHANGELOG, OUTBOX, RECEIPTS, partition_of
from channels import ledger
from channels.ledger import Standing
from tables.changelog import Codec


class ListWriter:
    """Gives changes of the list to the sender. Use as an async context manager, which raises CommandError."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: Any = None

    async def __aenter__(self) -> Self:
        """Connect."""
        from aiokafka import AIOKafkaProducer
        from aiokafka.errors import KafkaError

        self._producer = AIOKafkaProducer(**client_options(self._settings), acks="all", enable_idempotence=True)
        try:
            await self._producer.start()
        except KafkaError as error:
            await self._producer.stop()
            raise CommandError(f"Kafka cannot be reached: {error}; see `boomerang doctor`") from None
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        del kind, error, trace
        await self._producer.stop()

    async def hold(self, entries: Sequence[Entry]) -> None:
        """Put addresses on the list, in all partitions: nobody knows in which one a customer with such an address will be."""
        await self._tell_all(Suppress(_suppressed(entries)))

    async def lift(self, entries: Sequence[Entry]) -> None:
        """Take addresses off the list."""
        await self._tell_all(Suppress(_suppressed(entries), lifted=True))

    async def reinstate(self, channel: str, address: str, at: float) -> None:
        """Have the engine forget, too, that the address of its customer has bounced, or that he complained. `at` is epoch seconds."""
        key = EMAIL + address.lower() if channel == "email" else PHONE + address
        receipt = Receipt(Outcome.REINSTATED, key, channel, at, reason=Reason.RECEIPT)
        await self._send(
            RECEIPTS.name, key.encode(), encode_json(receipt), partition_of(key, self._settings.partitions)
        )

    async def _tell_all(self, item: Suppress) -> None:
        value = encode_json(item)
        for number in range(self._settings.partitions):
            await self._send(OUTBOX.name, None, value, number)

    async def _send(self, topic: str, key: bytes | None, value: bytes, partition: int) -> None:
        from aiokafka.errors import KafkaError

        try:
            name = self._settings.topic_prefix + topic
            await self._producer.send_and_wait(name, value, key=key, partition=partition)
        except (KafkaError, AssertionError) as error:
            raise CommandError(f"Kafka did not take it: {error}; run it again, what is on the list stays") from None


def _suppressed(entries: Sequence[Entry]) -> list[Suppressed]:
    return [Suppressed(key, entry.reason, entry.at, entry.everything) for entry in entries for key in entry.keys]


async def listed(
    settings: Settings, progress: Progress = lambda _done, _all: None
) -> AsyncIterator[tuple[str, Standing]]:
    """Every suppressed address: the ledger's key, and what is known of it; where partitions differ, the strongest. Raises CommandError."""
    decode = Codec(ledger.Row).decode_row
    held: dict[bytes, dict[int, bytes]] = {}
    async with reader(settings) as consumer:
        topic = settings.topic_prefix + LEDGER_CHANGELOG.name
        async for record in records(consumer, topic, range(settings.partitions), progress):
            if not (record.key or b"").startswith(b"a:"):
                continue
            here = held.setdefault(record.key, {})
            if record.value is None:
                here.pop(record.partition, None)
            else:
                here[record.partition] = record.value
    for key in sorted(held):
        rows = [row for row in map(decode, held[key].values()) if isinstance(row, Standing) and row.suppressed]
        if rows:
            yield key.decode(), max(rows, key=lambda row: (row.everything, row.suppressed_at, row.suppressed))
