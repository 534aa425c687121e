"""Most events say no more than that a customer is there: they are noted, and that is all. Pure.

Where no scenario asks when exactly a customer was last there (`Decider.coarse`), the day is enough: such an event is looked
at no further than that takes, and changes nothing but once a day. What is noted is the largest of the days, in whatever
order the events come.
"""

from collections.abc import Callable

from agents.decide import Decider
from app.codec import decode_glance
from app.model.event import CLOCK, Event
from tables.activity import note, was_seen
from tables.customer import SHELF_PREFIX
from tables.seenwith import is_noted
from tables.step import Record, Step

DAY = 86_400.0


class Presence:
    """Notes who is there."""

    def __init__(self, decider: Decider, advance: Callable[[Step, float], None] | None) -> None:
        """`advance` moves a partition's clock; None: live time, which nothing moves."""
        self._decider, self._advance = decider, advance

    def is_all(self, step: Step, record: Record, raw: bytes) -> bool:
        """Whether an event at a glance says that a customer is there, and no more; then it is noted.

        False: nothing is done, it has to be read whole. Raises msgspec.MsgspecError for what is no event.
        """
        decider, packed = self._decider, step.packed
        if packed is None or not decider.coarse or not record.key:
            return False
        event = decode_glance(raw)
        if not decider.is_mere_activity(event) or event.type == CLOCK or record.key.startswith(_SHELF):
            return False
        at = event.timestamp.timestamp()
        if self._advance is not None and at > step.part.clock:
            self._advance(step, at)
        key, day = record.key.decode(), at - at % DAY
        if was_seen(packed, key, day):
            return True
        if not note(packed, key, day):
            return False
        step.touch(key)
        return True

    def noted(self, step: Step, key: str, event: Event, at: float) -> bool:
        """Whether the event, read whole, says that `key` is there at `at` (epoch seconds), and no more; then it is noted."""
        decider, packed = self._decider, step.packed
        if packed is None or not decider.is_mere_activity(event):
            return False
        if decider.kept.devices and event.deviceKind and not is_noted(packed, key, event.deviceKind):
            return False
        members = decider.members
        if not note(packed, key, at, members.gap, newcomers=members.newcomers):
            return False
        step.touch(key)
        return True


_SHELF = SHELF_PREFIX[:1].encode()
