"""The single writer over history that is read once: decides as `Behaviour` does, without what only a running shop needs. Pure.

Events are looked at when they are read; one that says no more than that a customer is there is never decoded whole. Lines of the journal are
handed on as they are, and nothing is counted for metrics.
"""

from collections.abc import Callable

import msgspec

from agents.behaviour import Behaviour
from agents.decide import Decider
from agents.decision import Decision
from agents.presence import DAY
from app.codec import decode_event, decode_glance
from app.model.event import CLOCK, Glance
from app.model.journal import JournalLine
from tables.activity import note
from tables.bounds import check_size
from tables.customer import SHELF_PREFIX
from tables.step import Batch, Record, Step


class PastEvent(msgspec.Struct, gc=False):
    """A record of `clickstream` that was looked at. `at` is when the event happened, epoch seconds.

    `mere`: it says no more than that the customer `name` is there.
    """

    key: bytes
    value: bytes
    offset: int
    timestamp: int
    name: str
    at: float
    mere: bool


class History(Behaviour):
    """Applies past events in stream time; takes ordinary records as well."""

    def __init__(self, decider: Decider, *, partitions: int, on_line: Callable[[JournalLine], None]) -> None:
        """`on_line` gets each line of the journal."""
        super().__init__(decider, stream_time=True, partitions=partitions)
        self._sift = lambda _step, records: records  # they were looked at when they were read
        self._on_line = on_line

    def look(self, key: str, value: bytes, offset: int, told: Glance | None = None) -> PastEvent | None:
        """What the core needs to know of an event of `key` before it is applied; None: it is no plain event, `Behaviour` has to read it.

        `told`: the event at a glance, where somebody has looked already. Raises msgspec.MsgspecError for what is no event.
        """
        told = told or decode_glance(value)
        if not key or key[0] == SHELF_PREFIX[0] or told.type == CLOCK:
            return None
        check_size(raw := key.encode(), value)
        mere = not self._decider.kept.devices and self._decider.is_mere_activity(told)
        return PastEvent(raw, value, offset, 0, key, told.timestamp.timestamp(), mere)

    def _on_event(self, step: Step, record: Record, batch: Batch) -> None:
        if not isinstance(record, PastEvent):
            super()._on_event(step, record, batch)
            return
        key, at, rows = record.name, record.at, step.packed
        event = None if record.mere else decode_event(record.value)
        if at > step.part.clock:
            self._advance(step, at)
        if event is None:
            members = self._decider.members
            about = at - at % DAY if self._decider.coarse else None
            if rows is not None and note(rows, key, at, members.gap, newcomers=members.newcomers, about=about):
                return
            event = decode_event(record.value)
        if not event.messageId:
            event.messageId = f"{batch.partition}-{record.offset}"
        self._apply(step, key, event, at, record.value, 0)

    def _publish(self, step: Step, key: str, decision: Decision) -> None:
        lines, decision.reasons = decision.reasons, []
        super()._publish(step, key, decision)
        for line in lines:
            self._on_line(line)

    def _journal(self, step: Step, line: JournalLine) -> None:  # noqa: ARG002
        self._on_line(line)
