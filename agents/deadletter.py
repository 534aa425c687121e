"""The dead letter of a record that an agent could not use: what it was, where it stood and why. Pure."""

from app.codec import encode_json
from app.model.journal import DeadLetter
from app.model.reasons import BadInput
from tables.step import Batch, Record

MOST_KEY = 1024
"""Bytes of the record's key that are kept."""
MOST_VALUE = 64 << 10
"""Bytes of the record's value that are kept."""


def dead_letter(batch: Batch, record: Record, reason: BadInput, detail: str, now: float, source: str) -> bytes:
    """The letter as JSON. `source` is the agent that could not use the record, `now` epoch seconds; `detail` is bounded already."""
    letter = DeadLetter(
        reason,
        now,
        batch.topic,
        batch.partition,
        record.offset,
        (record.key or b"")[:MOST_KEY],
        (record.value or b"")[:MOST_VALUE],
        detail,
        source,
    )
    return encode_json(letter)
