"""The sender: takes triggers from the outbox, writes each move into the ledger, and speaks.

    outbox, receipts -> on_bundle -> ledger rows (CLAIMED) -> lane -> worker: gates, render, speak
                                          ^                                      |
                                          +---- INFLIGHT before, the end after --+   (group commits, one desk a partition)

A step of the ledger is one transaction of the partition's own producer. A former owner that wakes up cannot write INFLIGHT
any more, and what is not written as INFLIGHT is not spoken.
"""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from agents.delivery import counts, steps
from agents.delivery.accounts import Accounts
from agents.delivery.desk import Desk, Ledger, PartitionLost
from agents.delivery.lane import Item, Lane
from agents.delivery.rules import Rules
from agents.delivery.settle import Note
from agents.delivery.speaker import Attempted, Guarding, Speaker
from agents.delivery.tracking import Tracking
from app import metrics
from app.clock import Clock
from app.ending import end
from app.model.alert import AlertState
from app.model.policy import Policy
from channels import ledger, pipeline
from channels.beside import Beside
from channels.channel import Channel
from channels.ledger import Message, State
from channels.pipeline import Urls
from channels.render import Templates
from tables.step import Batch, Step

log = logging.getLogger(__name__)

MOST_WAITING = 50_000
"""Unsettled messages of one process; while there are more, further marketing messages are refused with a reason."""
BEHIND = 5.0
"""Seconds: records older than this mean that we are behind, and cancellations may be waiting in the rest of the backlog."""
HANDS = 4
"""Tasks for each message that may be spoken at the same time: while it is spoken, the ends of others are written."""
PROBE_EVERY = 15
"""Rounds of keeping house (seconds) between two looks at what we depend on."""
LONGEST_STOP = 5.0
"""Seconds that a graceful stop waits for messages that are being said."""


class Delivery:
    """The agent's work on bundles, and the service that speaks. See the module's text."""

    row_type = ledger.Row

    def __init__(
        self,
        *,
        channels: Mapping[str, Channel],
        templates: Templates,
        urls: Urls,
        clock: Clock,
        live: bool = True,
        grace: float = 0.0,
        guard: Guarding | None = None,
        most_waiting: int = MOST_WAITING,
        probe: Callable[[], Awaitable[None]] | None = None,
        board: str = "",
        policy: Policy | None = None,
        partitions: int = 1,
        tracking: Tracking | None = None,
        attempted: Attempted | None = None,
    ) -> None:
        """`grace` (seconds) only serves the measure of lateness; `probe` is called now and then, to look at what we depend on.

        `board` is the console's address for links; `partitions` share what the `policy` lets a scenario spend. Nothing runs before `start`.
        """
        self.rules = Rules(live, frozenset(channels), _shows(channels), policy or Policy(), partitions)
        self._channels, self._clock, self._grace, self._guard = channels, clock, grace, guard
        self._most_waiting, self._probe, self._tracking = most_waiting, probe, tracking
        self._lanes = {name: Lane(name, clock.now, counts.down) for name in channels}
        self._accounts, self._gates = Accounts(self.rules), pipeline.Gates(self.rules.policy)
        self._desks: dict[int, Desk] = {}
        self._speaking: set[Item] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._workers: dict[asyncio.Task[None], Item | None] = {}
        self._speaker = Speaker(
            channels=channels,
            stages=_stages(self._gates, templates, urls, clock, board, tracking),
            clock=clock,
            rules=self.rules,
            grace=grace,
            guard=guard,
            desks=self._desks,
            noted=self._noted,
            queue=self._queue,
            handed=tracking.handed if tracking is not None else None,
            attempted=attempted,
        )

    # -- the table's side: synchronous

    _table: Ledger | None = None
    wake_of = staticmethod(ledger.deadline_of)
    on_timer = staticmethod(steps.on_timer)

    @property
    def desks(self) -> Mapping[int, Desk]:
        """The desks of our partitions, as they are now."""
        return self._desks

    @property
    def pending(self) -> int:
        """Messages that are claimed or being said."""
        return sum(len(desk.unsettled) for desk in self._desks.values())

    def take(self, policy: Policy) -> None:
        """Go on with another policy, from the next step and the next look of the gates on."""
        self.rules.policy = policy
        self._gates.take(policy)
        self._accounts.take()

    def on_bundle(self, step: Step, batch: Batch, now: float) -> None:
        """Apply a bundle of the outbox or of receipts."""
        notes = steps.on_bundle(step, batch, now, self.rules, self._most_waiting - self.pending)
        desk = self._desks.get(step.partition)
        if desk is not None and desk.ready and self.rules.live and batch.records[-1].timestamp / 1000.0 < now - BEHIND:
            desk.ready = False
            self._spawn(self._catch_up(desk))
        self._noted(desk, notes)

    def on_opened(self, partition: int) -> None:
        """The partition is ours and restored: settle what was being said, then say what is claimed."""
        assert self._table is not None, "started before the table"
        desk = Desk(self._table, self._table.parts[partition])
        messages = ((row, key) for key, row in desk.rows.items() if isinstance(row, Message))
        unsettled = [(row.updated_at, key) for row, key in messages if row.state in ledger.UNSETTLED]
        desk.unsettled = {key: at for at, key in sorted(unsettled)}
        self._desks[partition] = desk
        self._speaker.opened.set()
        self._spawn(self._open(desk))

    def on_closed(self, partition: int) -> None:
        """The partition is no longer ours: say nothing more of it."""
        desk = self._desks.pop(partition, None)
        if desk is not None:
            desk.close()
        for lane in self._lanes.values():
            lane.keep(lambda item: item.partition != partition)

    # -- the service

    async def start(self, table: Ledger) -> None:
        """Begin to speak; to be called before the table opens its first partition."""
        self._table = table
        for name, channel in self._channels.items():
            await channel.start()
            counts.introduce(name)
            for number in range(channel.workers * HANDS):
                task = asyncio.create_task(self._work(self._lanes[name]), name=f"{name}-{number}")
                self._workers[task] = None
        self._spawn(self._keep_house())

    async def stop(self) -> None:
        """End within eight seconds: finish what is being said, begin nothing new. To be called before the table stops."""
        self._speaker.stopping = True
        for task, item in list(self._workers.items()):
            if item is None:
                task.cancel()
        nothing = asyncio.create_task(asyncio.sleep(0))
        _, late = await asyncio.wait({nothing, *self._workers}, timeout=LONGEST_STOP)
        await end(*late, *self._tasks)
        await asyncio.gather(*self._workers, return_exceptions=True)
        self._workers.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(2.0):
                await asyncio.gather(*(desk.drain() for desk in self._desks.values()))
                await asyncio.gather(*(channel.stop() for channel in self._channels.values()))
                for beside in (self._guard, self._tracking):
                    if beside is not None:
                        await beside.stop()

    def look(self) -> None:
        """Look at the clock now; for tests that move it."""
        for lane in self._lanes.values():
            lane.look()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- opening a partition

    async def _open(self, desk: Desk) -> None:
        lost = [key for key in desk.unsettled if desk.rows[key].state is State.INFLIGHT]
        granted = self._speaker.granted
        lost = [key for key in lost if granted.get(Item(desk.number, key)) != desk.rows[key].attempt]
        try:
            for at in range(0, len(lost), 256):
                keys, now = lost[at : at + 256], self._clock.now()
                settle = partial(steps.lost_in_flight, keys=keys, now=now, rules=self.rules)
                self._noted(desk, await desk.commit(settle))
        except PartitionLost:
            return
        await self._catch_up(desk)

    async def _catch_up(self, desk: Desk) -> None:
        """Speak of this partition only once its inputs are read up to their present ends: cancellations may be among them."""
        assert self._table is not None, "started"
        ends: dict[str, int] | None = None
        while not desk.closed:
            if ends is None:
                try:
                    ends = await self._table.ends(desk.number)
                except Exception as error:
                    log.warning("the ends of partition %s are not known: %s", desk.number, error)
            if ends is not None and all(desk.part.applied.get(topic, -1) + 1 >= end for topic, end in ends.items()):
                desk.ready = True
                for key in desk.unsettled:
                    self._queue(Item(desk.number, key))
                return
            await asyncio.sleep(0.02)

    def _queue(self, item: Item) -> None:
        """Put a claimed message into its lane, unless a worker has it."""
        desk = self._desks.get(item.partition)
        row = desk.rows.get(item.key) if desk is not None and desk.speaks else None
        if row is not None and row.state is State.CLAIMED and item not in self._speaking:
            self._lanes[row.channel].put(item, row.next_at)

    # -- one message

    async def _work(self, lane: Lane) -> None:
        me = asyncio.current_task()
        assert me is not None, "runs as a task"
        while not self._speaker.stopping:
            item = await lane.take()
            if item in self._speaking:
                continue
            self._speaking.add(item)
            self._workers[me] = item
            again = False
            try:
                again = await self._speaker.one(lane, item)
            except PartitionLost:
                again = True
            except Exception:
                log.exception("message %s is left for the next start", item.key)
            finally:
                self._speaking.discard(item)
                self._workers[me] = None
            if again:
                await asyncio.sleep(0)  # whatever comes back at once does not keep the others from running
                self._queue(item)

    # -- counting and keeping house

    def _noted(self, desk: Desk | None, notes: list[Note]) -> None:
        for note in notes:
            counts.count(note, self.rules.channels)
            self._accounts.note(note)
            if desk is None:
                continue
            if note.kind == "claimed":
                now = desk.unsettled[note.key] = self._clock.now()
                if self.rules.live:
                    metrics.CLAIM_SECONDS.labels(note.channel).observe(max(now - note.due - self._grace, 0.0))
                self._queue(Item(desk.number, note.key))
            elif note.kind in counts.GONE:
                desk.unsettled.pop(note.key, None)

    def _is_unsettled(self, item: Item) -> bool:
        return item.partition in self._desks and item.key in self._desks[item.partition].unsettled

    async def _keep_house(self) -> None:
        """Every second: expire what could not be said in time, forget settled keys, show the gauges."""
        seconds = itertools.count()
        while True:
            try:
                await self._tidy()
                if self._probe is not None and next(seconds) % PROBE_EVERY == 0:
                    await self._probe()
            except Exception:
                log.exception("keeping house")
            await asyncio.sleep(1.0)

    async def _tidy(self) -> None:
        now, pending = self._clock.now(), self.pending
        self._accounts.show(self._desks, now)
        metrics.OUTBOX_PENDING.set(pending)
        oldest = min(
            (next(iter(desk.unsettled.values())) for desk in self._desks.values() if desk.unsettled), default=now
        )
        metrics.OUTBOX_OLDEST_SECONDS.set(max(now - oldest, 0.0) if self.rules.live else 0.0)
        for channel in self._channels.values():
            counts.connections(channel)
        for lane in (lane for lane in self._lanes.values() if len(lane) > 2 * pending + 1000):
            lane.keep(self._is_unsettled)
        for desk in list(self._desks.values()) if self.rules.live else ():
            late = [key for key in desk.unsettled if desk.ready and desk.rows[key].deadline < now][:256]
            if late:
                with suppress(PartitionLost):
                    self._noted(desk, await desk.commit(partial(steps.expire, keys=late, now=now, rules=self.rules)))


def _shows(channels: Mapping[str, Channel]) -> dict[str, frozenset[AlertState]]:
    return {name: channel.shows for name, channel in channels.items()}


def _stages(
    gates: pipeline.Gates, templates: Templates, urls: Urls, clock: Clock, board: str, tracking: Tracking | None
) -> tuple[pipeline.Stage, ...]:
    render = pipeline.Render(templates, urls, clock.now, board, Beside("render"))
    speak = pipeline.Speak(clock.now, clock.monotonic, lambda name, s: metrics.PROVIDER_SECONDS.labels(name).observe(s))
    made = (render,) if tracking is None else (render, tracking)
    return gates, pipeline.address, *made, pipeline.affordable, speak
