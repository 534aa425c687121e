"""A partition as a fenced table holds it: its state, its lock and its place in the changelog."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from tables.bundle import Bundle
from tables.changelog import FENCE_KEY, STEPS_END_WITH_FENCE, Codec, FormatError
from tables.gate import Gate
from tables.packed import PackedRows
from tables.step import Partition
from tables.upcast import current

_ANEW = "To begin anew without that state, delete the topic {} and the consumer group {}."


class HoleError(RuntimeError):
    """Records are missing between what was applied and what was delivered: the engine stops rather than pass over them."""


class LostStateError(RuntimeError):
    """The changelog does not hold the whole state any more: the engine does not start on what is left."""


class HeldPartition(Partition):
    """State of one partition, with what its owner needs beside it."""

    __slots__ = ("cut", "first", "format", "gate", "idle_fence", "lock", "log_end", "open", "seen")

    def __init__(self, number: int, grace: float, rows: PackedRows | None = None) -> None:
        super().__init__(number, rows)
        self.lock = asyncio.Lock()
        self.open = False
        """Restored and ours: steps may run."""
        self.log_end: int | None = None
        """Last changelog offset that the rows reflect."""
        self.first = 0
        """The changelog's offset from which on it was read into the rows."""
        self.format = 0
        """Format of the last fence that was read."""
        self.cut = False
        """What was read ends within a step: rows that the fence knows nothing of."""
        self.gate = Gate(grace)
        self.idle_fence = False
        """The fence has moved in memory only, over offsets that changed nothing."""
        self.seen: dict[str, float] = {}
        """Topic -> timestamp of the last record applied, epoch seconds."""

    def check(self, bundle: Bundle) -> int:
        """The fence of the bundle's topic. Raises HoleError when records before the bundle have not been applied."""
        fence = self.applied.get(bundle.topic)
        if fence is None:
            raise HoleError(f"{bundle.topic} is not an input of this table")
        if bundle.start > fence + 1:
            raise HoleError(
                f"{bundle.topic}[{bundle.partition}]: applied up to offset {fence}, but the next record delivered is "
                f"{bundle.start}. If the records in between are no longer on the topic, they are lost."
            )
        return fence

    def replay(self, bundle: Bundle, codec: Codec) -> int:
        """Apply a bundle of the changelog; returns the number of records. What the rows already reflect is skipped."""
        end = self.log_end
        if self.open or (end is not None and bundle.offset <= end):
            return 0
        if end is None:
            self.first = bundle.start
        else:
            if bundle.start > end + 1:
                raise HoleError(f"changelog {bundle}: the last offset before it is {end}")
            bundle.drop_until(end)
        try:
            self._read(bundle, codec)
        except msgspec.MsgspecError as error:
            raise FormatError(f"changelog {bundle}: a row cannot be read ({error}): another version wrote it") from None
        except FormatError as error:
            raise FormatError(f"changelog {bundle}: {error}") from None
        self.log_end = bundle.offset
        return len(bundle)

    def _read(self, bundle: Bundle, codec: Codec) -> None:
        rows, read, packed = self.rows, codec.read_row, self.packed
        for record in bundle.records:
            key, value = record.key, record.value
            if key == FENCE_KEY:
                if value is not None:
                    fence = codec.read_fence(value)
                    self.applied, self.clock, self.format = fence.applied, fence.clock, fence.format
            elif key is not None:
                if value is None:
                    rows.pop(key.decode(), None)
                elif packed is not None:
                    packed.put_packed(key.decode(), current(value))
                else:
                    rows[key.decode()] = read(value)
        if bundle.records:
            self.cut = bundle.records[-1].key != FENCE_KEY and self.format >= STEPS_END_WITH_FENCE

    def is_read(self, begin: int, end: int) -> bool:
        """Whether the rows reflect the changelog's partition, from its first offset `begin` to before `end`."""
        return end <= begin or (self.log_end is not None and self.log_end + 1 >= end)

    def check_state(self, changelog: str, begin: int, group: str, committed: dict[str, int]) -> None:
        """Raise LostStateError unless the changelog, which begins at offset `begin`, tells the whole state; HoleError unless all was read.

        `committed` are the offsets that the group has committed, by input: where there are any, a fence has been written before.
        """
        where, anew = f"{changelog}[{self.number}]", _ANEW.format(changelog, group)
        if begin > 0:
            raise LostStateError(
                f"{where} begins at offset {begin}: its older records were deleted, and rows with them. Restore it, "
                f"and see that its cleanup.policy is compact alone. {anew}"
            )
        if self.first > 0:
            raise HoleError(
                f"{where} was read from offset {self.first} on, not from its beginning: it is read again after a restart"
            )
        if self.cut:
            raise LostStateError(
                f"{where} ends within a step: its last records are lost, and what the rows say is ahead of what its fence says was "
                f"read. Restore it whole. {anew}"
            )
        if self.applied:
            return
        if self.rows:
            raise LostStateError(f"{where} has rows and no fence: it was cut, or not written by us. {anew}")
        if committed:
            topic, offset = next(iter(committed.items()))
            raise LostStateError(
                f"{where} is empty, but {topic} has been read up to offset {offset - 1}: it was deleted or made anew. Restore it. "
                f"{anew}"
            )

    def start_fence(self, begins: dict[str, int], ends: dict[str, int]) -> None:
        """Complete the fence: an input never read begins at its log's start. Raises HoleError when a log has shrunk."""
        for topic, begin in begins.items():
            fence = self.applied.get(topic)
            if fence is None:
                self.applied[topic] = begin - 1
            elif fence + 1 < begin:
                raise HoleError(
                    f"{topic}[{self.number}] begins at offset {begin}, but was applied up to {fence} only: the records in "
                    "between have expired unread."
                )
            elif fence + 1 > ends[topic]:
                raise HoleError(
                    f"{topic}[{self.number}] ends at offset {ends[topic]}, but was applied up to {fence}: the topic was cut "
                    "or made anew. Restore it, or delete this table's changelog too and replay."
                )

    def rebuild(self, wake_of: Callable[[Any], float | None] | None) -> None:
        """Rebuild what follows from the rows. Raises FormatError where one of them cannot be read."""
        if wake_of is not None:
            try:
                self.rebuild_timers(wake_of)
            except msgspec.MsgspecError as error:
                raise FormatError(
                    f"changelog of partition {self.number}: a row cannot be read ({error}): another version wrote it"
                ) from None
        self.gate.reset()
