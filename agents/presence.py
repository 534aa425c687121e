"""Most events say no more than that a customer is there: they are noted, and that is all. Pure.

Where no scenario asks when exactly a customer was last there (`Decider.coarse`), the day is enough: such an event is looked
at no further than that takes, and changes nothing but once a day. What is noted is the largest of the days, in whatever
order the events come.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from agents.decide import Decider
from app.codec import decode_glance
from app.model.event import CLOCK, Event
from tables.activity import is_marked, mark, note, was_seen
from tables.bounds import fits
from tables.customer import SHELF_PREFIX
from tables.packed import PackedRows
from tables.seenwith import is_noted
from tables.step import Record, Step

DAY = 86_400.0
_SHELF = SHELF_PREFIX[:1].encode()


class Presence:
    """Notes who is there."""

    def __init__(self, decider: Decider, advance: Callable[[Step, float], None] | None) -> None:
        """`advance` moves a partition's clock; None: live time, which nothing moves."""
        self._decider, self._advance = decider, advance

    def rest(self, step: Step, records: Sequence[Record]) -> Iterable[Record]:
        """The records that have to be read whole, each when its turn has come; what the others say is noted on the way.

        What cannot be read at a glance is read whole too, and refused there. One loop with hardly a call in it: in the
        backlog of a shop nine records of ten end here.
        """
        packed = step.packed
        if packed is None or not self._decider.coarse:
            return records
        return self._sifted(step, packed, records)

    def _sifted(self, step: Step, packed: PackedRows, records: Sequence[Record]) -> Iterator[Record]:
        is_mere, opened, cells, part = self._decider.is_mere_activity, packed.opened, packed.cells, step.part
        advance, day, since = self._advance, -DAY, b""
        for record in records:
            raw, name = record.value, record.key
            if not raw or not name or name.startswith(_SHELF) or not fits(name, raw):
                yield record
                continue
            try:
                event, key = decode_glance(raw), name.decode()
            except (ValueError, RecursionError):
                yield record
                continue
            if event.type == CLOCK or not is_mere(event):
                yield record
                continue
            at = event.timestamp.timestamp()
            if advance is not None and at > part.clock:
                advance(step, at)
            if not 0.0 <= at - day < DAY:
                day = at - at % DAY
                since = mark(day)
            cell = cells.get(key)
            if cell is not None and key not in opened and is_marked(cell.packed, since):
                continue
            if was_seen(packed, key, day):
                continue
            if note(packed, key, day):
                step.touch(key)
            else:
                yield record

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
