"""Most events say no more than that a customer is there: they are noted, and that is all. Pure.

Where no scenario asks when exactly a customer was last there (`Decider.coarse`), the day is enough: such an event is looked
at no further than that takes, and changes nothing but once a day. What is noted is the largest of the days, in whatever
order the events come.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from agents.decide import Decider
from agents.instants import Instants
from app.codec import decode_glance, decode_hint
from app.model.event import CLOCK, Event
from tables.activity import is_marked, mark, note, was_seen
from tables.apply import NO_VISIT
from tables.bounds import EVENT_BYTES, KEY_BYTES
from tables.packed import PackedRows
from tables.seenwith import is_noted
from tables.step import Record, Step

DAY = 86_400.0
MOST_SETTLED = 32_768
"""Customers of a partition of whom it is remembered that they are noted for the day: by their key alone they are passed over."""
SETTLED_BYTES = 128
"""A longer key is not remembered so."""
_NO_ACTIVITY = frozenset((*NO_VISIT, CLOCK))


class Presence:
    """Notes who is there."""

    def __init__(self, decider: Decider, advance: Callable[[Step, float], None] | None) -> None:
        """`advance` moves a partition's clock; None: live time, which nothing moves."""
        self._decider, self._advance, self._read = decider, advance, Instants().read

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
        part, timers, settled, meaningful = step.part, step.part.timers, packed.settled, self._decider.meaningful
        advance, read, quiet, day, since = self._advance, self._read, False, -DAY, b""
        for record in records:
            raw, name = record.value, record.key
            if not raw or not name or len(raw) > EVENT_BYTES or len(name) > KEY_BYTES:
                yield record
                continue
            try:
                event = decode_hint(raw)
            except (ValueError, RecursionError):
                yield record
                continue
            if (  # as `Decider.is_mere_activity` has it
                event.event in meaningful
                or event.type in _NO_ACTIVITY
                or event.traits is not None
                or event.push
                or event.historical
            ):
                yield record
                continue
            at = read(event.timestamp)
            if at is None:
                try:
                    at = decode_glance(raw).timestamp.timestamp()
                except (ValueError, RecursionError):
                    yield record
                    continue
            if advance is not None and at > part.clock:
                if quiet and at < timers.earliest:
                    part.clock = at  # nothing comes due; what every partition has was seen to before
                else:
                    advance(step, at)
                    quiet = True
            if not 0.0 <= at - day < DAY:
                day = at - at % DAY
                since = mark(day)
                if day > packed.settled_for:
                    settled.clear()
                    packed.settled_for = day
            if name not in settled and not self._settle(step, packed, name, at, day, since):
                yield record

    def _settle(self, step: Step, packed: PackedRows, name: bytes, at: float, day: float, since: bytes) -> bool:
        """See that it is noted of `name` that he was there at `at` on `day` (epoch seconds both); `since` is the mark of that day.

        False: the record has to be read whole.
        """
        if not name[0]:
            return False
        try:
            key = name.decode()
        except ValueError:
            return False
        cell, is_open = packed.cells.get(key), key in packed.opened
        known = (cell is not None and not is_open and is_marked(cell.packed, since)) or was_seen(packed, key, day)
        if not known:
            if not note(packed, key, at, about=day):
                return False
            step.touch(key)
        if not is_open and day == packed.settled_for and len(name) <= SETTLED_BYTES:
            if len(packed.settled) >= MOST_SETTLED:
                packed.settled.clear()
            packed.settled.add(name)
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
