"""From a mail at the bounce address to an acknowledged receipt."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import StrEnum

from app import metrics
from app.bounces.mailbox import Mailbox, Unread, unread
from app.clock import SYSTEM, Clock
from app.engine.provision import check_partitions
from app.errors import CommandError
from app.model.receipt import of_message
from app.settings import Settings
from app.tokens import BadToken, load_secret, read_receipt_token
from app.web.collector.intake import Intake, Unavailable
from app.web.collector.taking import intake_of
from app.web.receipts import mailreport
from app.web.receipts.records import ReceiptRecords
from app.web.receipts.told import Told
from channels.references import PROVIDER_ID, RETURNED, Away, References

log = logging.getLogger(__name__)

IMAP_SECONDS = 30.0
KAFKA_SECONDS = 30.0
"""Patience with a Kafka that is not there yet."""


class Mail(StrEnum):
    """What became of a mail at the bounce address."""

    TOLD = "told"
    REPEATED = "repeated"
    FORGED = "forged"
    NOTHING = "nothing"
    FAILED = "failed"
    """It could not be handled, stays unread, and keeps nobody else waiting."""


class BounceDesk:
    """Takes mails. `intake` is started."""

    def __init__(self, settings: Settings, clock: Clock, intake: Intake, references: References | None = None) -> None:
        """`references`: None, and codes of return paths are not known (no Redis)."""
        self._clock, self._intake, self._references = clock, intake, references
        self._secret = load_secret(settings)
        self._records = ReceiptRecords(settings)

    async def take(self, raw: bytes) -> Mail:
        """Tell the engine what the mail says, and wait until that is acknowledged. Raises CommandError when it is not, or Redis is away."""
        told = mailreport.read(raw)
        if not told or told[0].outcome is None:
            return Mail.NOTHING
        now = self._clock.now()
        try:
            spoken = read_receipt_token(self._secret, await self._token(told[0]), now)
        except BadToken:
            return Mail.FORGED
        if spoken.channel != mailreport.CHANNEL:  # what went out with another channel's message says nothing by mail
            return Mail.FORGED
        record = self._records.record(of_message(spoken, told[0].outcome, now, told[0].detail), spoken.message_id)
        try:
            return Mail.REPEATED if await self._intake.publish([record]) else Mail.TOLD
        except Unavailable:
            raise CommandError("Kafka does not take the receipt now; try again later") from None

    async def _token(self, told: Told) -> str:
        """The token of the message that is meant; "" where its code is not known (any more)."""
        if told.token or self._references is None:
            return told.token
        try:
            return await self._references.find(PROVIDER_ID, f"{RETURNED}:{told.provider_id}")
        except Away:
            raise CommandError("Redis does not answer, and knows whose mail came back; try again later") from None

    async def empty(self, box: Mailbox, *, trust: str = "") -> dict[Mail, int]:
        """Take all unread mails of a mailbox; one that could not be told stays unread. Raises CommandError."""
        counts = dict.fromkeys(Mail, 0)
        loop = asyncio.get_running_loop()

        def look() -> None:
            with unread(box, timeout=IMAP_SECONDS, trust=trust) as mails:
                self._walk(mails, counts, loop)

        await asyncio.to_thread(look)
        return counts

    def _walk(self, mails: Unread, counts: dict[Mail, int], loop: asyncio.AbstractEventLoop) -> None:
        """In the thread: each mail is marked as read when what it told is acknowledged, and not before."""
        for uid, raw in mails.mails():
            try:
                what = asyncio.run_coroutine_threadsafe(self.take(raw), loop).result(IMAP_SECONDS)
            except CommandError:
                raise
            except Exception:
                log.exception("a mail at the bounce address could not be handled and stays unread")
                counts[Mail.FAILED] += 1
                continue
            counts[what] += 1
            mails.read(uid)


def _references(settings: Settings, clock: Clock) -> References | None:
    if not settings.redis:
        return None
    return References(settings.redis, settings.topic_prefix, clock.monotonic, metrics.REFERENCES_UNAVAILABLE.inc)


@asynccontextmanager
async def bounce_desk(settings: Settings, clock: Clock = SYSTEM) -> AsyncIterator[BounceDesk]:
    """A desk on real Kafka and Redis. Raises CommandError when they cannot be used."""
    await check_partitions(settings)
    intake = intake_of(settings, clock)
    references = _references(settings, clock)
    await intake.start()
    try:
        deadline = clock.monotonic() + KAFKA_SECONDS
        while not intake.sink.ready:
            if clock.monotonic() > deadline:
                raise CommandError("Kafka does not answer; nothing was read")
            await asyncio.sleep(0.05)
        yield BounceDesk(settings, clock, intake, references)
    finally:
        with suppress(Exception):
            await intake.close()
        if references is not None:
            await references.stop()
