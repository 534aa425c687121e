"""Timers of a fenced table on the wall clock: what is due fires once the lag gate lets it pass.

Partitions fire side by side: while the step of one is written, that of another is decided. What is due in one partition goes out in
slices, each a step of its own, and a bundle that has come meanwhile has its turn between two of them.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from faust.types import TP

from app import metrics
from tables.gate import ClockWatch
from tables.held import HeldPartition
from tables.others import PATIENCE, Others
from tables.step import Step

if TYPE_CHECKING:
    from tables.store import FencedTable

log = logging.getLogger(__name__)

MOST_LOOKED = 1000
"""Timers looked at in one step."""
FOLD_EVERY = 64
"""Rows of a slice that are unpacked at once: as many as the processor has at hand."""
MOST_FIRED = 500
"""Triggers of one step: events of the partition wait for it, some 30 ms while they are decided."""
MOST_BYTES = 8 << 20
"""A step that has grown so large looks at no more of them."""
LONGEST_SLICE = 0.1
"""Seconds after which a step looks at no more of them either, on a slow machine. Shorter ones would spend it on transactions."""
LONGEST_SLEEP = 1.0
POLL = 0.05
"""Seconds between looks while ends wait to be reached. Bundles look too, so this does not decide the lateness."""
OTHERS_POLL = 0.25
"""The same while other partitions read what was there when ours were opened."""


class Firing:
    """Watches the deadlines of a table's open partitions and fires them in steps."""

    def __init__(self, table: "FencedTable", triggers_to: str) -> None:
        self._table = table
        self._triggers_to = triggers_to
        self._clock_watch = ClockWatch(table.clock.now(), table.clock.monotonic())
        self._sooner = asyncio.Event()
        self._asleep_until = 0.0
        self._others = Others(table.across)
        self._busy: dict[int, asyncio.Task[None]] = {}
        """Partitions that are firing just now."""
        self._fired = metrics.TIMERS_FIRED.labels(table.name)

    @property
    def on(self) -> bool:
        """Whether timers fire by the wall clock at all. In stream time the records are the clock."""
        return self._table.live and self._table.on_timer is not None

    async def sleep(self) -> None:
        """Wait until there may be something to do."""
        now, parts = self._table.clock.now(), self._table.parts.values()
        pause = OTHERS_POLL
        if self._others.over:
            idle = (part for part in parts if part.open and part.number not in self._busy)
            pause = min((self._pause(part, now) for part in idle), default=LONGEST_SLEEP)
        self._asleep_until = now + pause
        self._sooner.clear()
        if pause > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._sooner.wait(), pause)

    def _pause(self, part: HeldPartition, now: float) -> float:
        return part.gate.pause(part.timers.next_due(), now, LONGEST_SLEEP, POLL)

    def wake_for(self, part: HeldPartition) -> None:
        """A step may have brought a deadline before the one that `sleep` waits for."""
        due = part.timers.next_due() if self.on else None
        if due is not None and due + self._table.grace < self._asleep_until:
            self._sooner.set()

    async def tick(self) -> None:
        """See what is due, and have partitions fire what the lag gate lets pass."""
        table = self._table
        now = table.clock.now()
        if self._clock_watch.jumped(now, table.clock.monotonic()):
            self._on_jump()
        if not (self._others.over or await self._others_have_read()):
            return
        await self._ask_ends(now)
        for part in table.parts.values():
            if part.open and part.number not in self._busy and part.gate.limit(part.applied) is not None:
                self._busy[part.number] = asyncio.ensure_future(self._fire(part))

    def rebalanced(self) -> None:
        """Partitions of ours are opened anew: what all others have not read by then may concern them."""
        self._others.again()

    async def _others_have_read(self) -> bool:
        """Ask how far all partitions are; whether timers may fire."""
        table, others = self._table, self._others
        if not any(part.open for part in table.parts.values()):
            return False
        asked = others.rounds
        if others.left is None:
            tps = [TP(table.prefix + topic, number) for topic in table.across for number in range(table.partitions)]
            begins = await table.app.consumer.earliest_offsets(*tps)
            ends = await table.app.consumer.highwaters(*tps)
            if others.rounds == asked:
                others.hold(begins, ends, table.clock.monotonic())
        read, theirs = await self._read_by_us(others.left or ())
        if theirs:
            read = {**read, **await table.app.consumer.committed(*theirs)}
        if others.rounds != asked:
            return False
        if not others.note(read, table.clock.monotonic()):
            log.warning(
                "timers fire although other partitions have not been read for %d s: orders there may be unseen",
                PATIENCE,
            )
        return others.over

    async def _read_by_us(self, tps: Iterable[TP]) -> tuple[dict[TP, int], list[TP]]:
        """Next offsets of the partitions that are ours, all of it committed, and the partitions that are not ours."""
        table, ours, theirs = self._table, {}, []
        for tp in tps:
            part = table.parts.get(tp.partition)
            if part is None or not part.open:
                theirs.append(tp)
                continue
            async with part.lock:  # the fence moves before its step is written
                ours[tp] = part.applied.get(tp.topic[len(table.prefix) :], -1) + 1
        return ours, theirs

    def _on_jump(self) -> None:
        log.warning("the wall clock has jumped: nothing fires until all inputs are read up to the ends they have now")
        metrics.CLOCK_JUMPS.inc()
        for part in self._table.parts.values():
            part.gate.reset()

    async def _ask_ends(self, now: float) -> None:
        """Ask for the ends of the inputs of every partition with something due. `now` was read before that."""
        table = self._table
        due = [part for part in table.parts.values() if part.open and part.gate.wants_ends(part.timers.next_due(), now)]
        if not due:
            return
        topics, asked = {topic: table.prefix + topic for topic in table.inputs}, self._others.rounds
        ends = await table.app.consumer.highwaters(*(TP(name, p.number) for p in due for name in topics.values()))
        for part in due:
            if part.open and self._others.rounds == asked:
                part.gate.hold(now, {topic: ends[TP(name, part.number)] for topic, name in topics.items()})
                if part.gate.limit(part.applied) is None:
                    table.app.consumer.hurry()
                    metrics.LAG_GATE_HOLDS.inc()

    async def _fire(self, part: HeldPartition) -> None:
        """Fire slice after slice of a partition, until all that was due when the ends were asked for has fired."""
        try:
            while part.open and part.gate.limit(part.applied) is not None:
                async with part.lock:
                    if part.open:
                        step = Step(part)
                        await self._table.write(part, step, self.fire_into(part, step))
                await asyncio.sleep(0)  # a slice with nothing to write has waited for nothing
        except Exception as error:
            await self._table.fail(error)
        finally:
            self._busy.pop(part.number, None)
            self.wake_for(part)

    def fire_into(self, part: HeldPartition, step: Step) -> list[float]:
        """Fire into `step` what the gate lets pass, if anything; returns the deadlines of timers that sent a trigger."""
        limit, on_timer = part.gate.limit(part.applied), self._table.on_timer
        if limit is None or on_timer is None:
            return []
        monotonic, outputs, to = self._table.clock.monotonic, step.outputs, self._triggers_to
        now, until = self._table.clock.now(), monotonic() + LONGEST_SLICE
        triggered: list[float] = []
        looked, sent, full = 0, len(outputs), False
        for due, key in step.due(limit, MOST_LOOKED):
            looked += 1
            on_timer(step, due, key, now)
            if len(outputs) > sent:
                for output in outputs[sent:]:
                    if output.topic == to:
                        triggered.append(due)
                        break
                sent = len(outputs)
            full = len(triggered) >= MOST_FIRED or step.size >= MOST_BYTES or monotonic() >= until
            if full:
                break
            if not looked % FOLD_EVERY:
                step.fold()
        self._fired.inc(looked)
        if looked < MOST_LOOKED and not full:
            part.gate.reset()
        return triggered

    def observe(self, triggered: list[float]) -> None:
        """Measure the lateness of triggers that have just been committed."""
        observe, since = metrics.LATENESS_SECONDS.observe, self._table.clock.now() - self._table.grace
        for due in triggered:
            observe(max(since - due, 0.0))
