"""Lines of the `journal` topic (every decision with its named reason) and of the `dead-letters` topic."""

from typing import NamedTuple

import msgspec


class JournalLine(msgspec.Struct, gc=False, omit_defaults=True):
    """One decision about one customer. `at` is epoch seconds; `reason` is a `Reason`; `detail` holds the values behind it.

    `detail` is bounded: at most 16 keys, texts of at most 200 characters.
    """

    at: float
    customer: str
    reason: str
    scenario: str = ""
    trigger_id: str = ""
    event_id: str = ""
    channel: str = ""
    due: float = 0.0
    detail: dict[str, str | float | int] = {}


class Told(msgspec.Struct, gc=False):
    """What a count of journal lines reads of one: the rest is skipped unread."""

    at: float
    reason: str
    scenario: str = ""


class StoredLine(NamedTuple):
    """A line with its number in the journal's database. Numbers grow with the order of storing."""

    id: int
    line: JournalLine


class DeadLetter(msgspec.Struct, gc=False, omit_defaults=True):
    """A record or event that could not be used. `reason` is a `BadInput`; `value` is bounded to 64 KiB."""

    reason: str
    at: float
    topic: str = ""
    partition: int = -1
    offset: int = -1
    key: bytes = b""
    value: bytes = b""
    detail: str = ""
    source: str = ""
