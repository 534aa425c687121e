"""What a provider tells over its own connection (SMPP), into the topic of receipts: by a step of the ledger, like the sender's own.

A receipt may be quicker than the note of which message the provider's id stands for: it is looked for again before nobody knows it.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping

from agents.delivery.desk import Desk, PartitionLost
from app import metrics
from app.clock import Clock
from app.codec import encode_json
from app.model.event import PHONE
from app.model.reasons import Reason
from app.model.receipt import Receipt, Spoken, of_message
from app.topics import RECEIPTS, partition_of
from channels.references import PROVIDER_ID, Away, References
from channels.sms.carrier import Said

log = logging.getLogger(__name__)

AGAIN = (0.2, 1.0, 3.0)
"""Seconds between two looks for a message that nobody knows yet."""
MOST_LOOKING = 20
"""Receipts that wait for a message that nobody knows yet. A further one is looked up once: if nobody knows it then, it is done with,
and counted by itself (`unknown_in_a_flood`), so that one that came too early can be told from those that are of nobody."""


class Ears:
    """Hears. `desks` are the sender's, set when there is one; `read` gives what a token stands for, or None."""

    def __init__(
        self,
        references: References | None,
        read: Callable[[str], Spoken | None],
        clock: Clock,
        partitions: int,
        again: tuple[float, ...] = AGAIN,
    ) -> None:
        self._references, self._read, self._clock, self._again = references, read, clock, again
        self._partitions = partitions
        self._looking = 0
        self._flooded = False
        self.desks: Mapping[int, Desk] = {}

    async def hear(self, said: Said) -> bool:
        """Whether the receipt is written, or is of nobody; False: it shall come again."""
        try:
            receipt = await self._receipt(said)
        except Away:
            return False
        if receipt is None:
            flood = self._looking >= MOST_LOOKING
            metrics.RECEIPT_CALLS.labels(said.provider, "unknown_in_a_flood" if flood else "unknown").inc()
            if flood and not self._flooded:
                log.warning(
                    "%s: more than %d receipts at once of messages that nobody knows", said.provider, MOST_LOOKING
                )
            self._flooded = flood
            return True
        desk = next((desk for desk in self.desks.values() if desk.speaks), None)
        if desk is None:
            return False
        home = partition_of(receipt.customer, self._partitions)  # any desk may write it, its customer's reads it
        try:
            await desk.commit(lambda step: step.send(RECEIPTS.name, receipt.customer, encode_json(receipt), home))
        except PartitionLost:
            return False
        metrics.RECEIPT_CALLS.labels(said.provider, "accepted").inc()
        return True

    async def _receipt(self, said: Said) -> Receipt | None:
        at = self._clock.now()
        if said.phone:
            customer = PHONE + said.phone
            return Receipt(said.outcome, customer, "sms", at, reason=Reason.RECEIPT, address=said.phone)
        spoken = await self._spoken(said)
        if spoken is None:
            return None
        return of_message(spoken, said.outcome, at, said.detail)

    async def _spoken(self, said: Said) -> Spoken | None:
        """The message that the provider's id stands for. Raises Away."""
        if self._references is None:
            return None
        name = f"{said.provider}:{said.provider_id}"
        token = await self._references.find(PROVIDER_ID, name)
        if not token and self._looking < MOST_LOOKING:
            self._looking += 1
            try:
                token = await self._look_again(self._references, name)
            finally:
                self._looking -= 1
        return self._read(token) if token else None

    async def _look_again(self, references: References, name: str) -> str:
        for pause in self._again:
            await asyncio.sleep(pause)
            token = await references.find(PROVIDER_ID, name)
            if token:
                return token
        return ""
