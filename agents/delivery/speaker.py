"""One message from its lane to its end: the stages, the grant of the irreversible moment, and the writing of what became of it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Protocol

from agents.delivery.changes import WAIT, must_wait
from agents.delivery.desk import Desk, PartitionLost
from agents.delivery.lane import Item, Lane
from agents.delivery.rules import Rules
from agents.delivery.settle import Note, change_of, end, facts, grant, trigger_of
from agents.delivery.spending import may_spend
from app import metrics
from app.clock import Clock
from app.logs import traced
from app.model.reasons import Reason
from app.model.trigger import Trigger
from channels import pipeline
from channels.channel import Channel
from channels.ledger import Message, Move, State, address_key, shown_key
from channels.pipeline import Job, Verdict, Withheld
from channels.policy import Facts

REOPENING = 30.0
"""Seconds that the end of a spoken message waits for its partition to come back from a rebalance."""


Attempted = Callable[[Job, Verdict, float, float], None]
"""Called after each attempt with what became of it, and when it began and ended (epoch seconds)."""


class Guarding(Protocol):
    """What the sender needs of the second guard (channels/guard.py)."""

    async def first(self, message_id: str, attempt: int) -> bool:
        """Whether nobody has spoken this attempt."""
        ...

    async def stop(self) -> None:
        """Close."""
        ...


class Speaker:
    """Speaks. `desks` and `queue` are the sender's; `noted` is told what a step did, `handed` of a message and its provider's id."""

    def __init__(
        self,
        *,
        channels: Mapping[str, Channel],
        stages: tuple[pipeline.Stage, ...],
        clock: Clock,
        rules: Rules,
        grace: float,
        guard: Guarding | None,
        desks: Mapping[int, Desk],
        noted: Callable[[Desk, list[Note]], None],
        queue: Callable[[Item], None],
        handed: Callable[[Job, str], Awaitable[None]] | None = None,
        attempted: Attempted | None = None,
    ) -> None:
        self._channels, self._stages, self._clock, self._rules, self._grace = channels, stages, clock, rules, grace
        self._guard, self._desks, self._noted, self._queue, self._handed = guard, desks, noted, queue, handed
        self._attempted = attempted
        self._slots = {name: asyncio.Semaphore(channel.workers) for name, channel in channels.items()}
        """Messages that may be granted and not yet answered: what a crash could lose. Their ends are written outside of it."""
        self.opened = asyncio.Event()
        """Set when a partition becomes ours."""
        self.granted: dict[Item, int] = {}
        """Messages that we have been allowed to speak and whose end is not written -> the attempt."""
        self.stopping = False
        """No irreversible moment is granted any more."""

    async def one(self, lane: Lane, item: Item) -> bool:
        """Whether the message may have to be queued again."""
        desk = self._desks.get(item.partition)
        row = desk.rows.get(item.key) if desk is not None and desk.speaks else None
        if desk is None or row is None or row.state is not State.CLAIMED:
            return False
        trigger = trigger_of(row)
        if trigger is None or row.next_at > self._clock.now():
            return trigger is not None
        if must_wait(desk.rows, item.key):
            lane.put(item, self._clock.now() + WAIT)
            return False
        address = _one_at_a_time(row, trigger)
        if address in desk.busy:
            desk.busy[address].append(item.key)
            return False
        desk.busy[address] = []
        try:
            with traced(trigger.trigger_id):
                return await self._deliver(lane, item, row, trigger)
        finally:
            self.granted.pop(item, None)
            for key in desk.busy.pop(address):
                self._queue(Item(item.partition, key))

    async def _deliver(self, lane: Lane, item: Item, row: Message, trigger: Trigger) -> bool:
        job = Job(
            item.key[2:],
            trigger,
            next(way.template for way in trigger.cascade if way.channel == row.channel),
            self._channels[row.channel],
            trigger.addresses.get(row.channel, ""),
            row.attempt,
            grant=lambda job: self._grant(item, job),
            facts=lambda job: self._facts(item, job),
            affords=lambda job: self._affords(item, job),
            change=change_of(row) if row.shown is not None else None,
            put_off=row.put_off,
        )
        if job.change is not None:
            shown = self._desks[item.partition].rows.get(shown_key(item.key))
            job.ref = shown.shown.ref if shown is not None and shown.shown is not None else ""
        async with self._slots[lane.channel]:
            if self.stopping or lane.held:
                return True
            began = self._clock.now()
            try:
                verdict = await pipeline.run(self._stages, job)
            except Withheld:
                return True
            if self._attempted is not None and not verdict.alone:
                self._attempted(job, verdict, began, self._clock.now())
        if verdict.alone:
            await asyncio.sleep(0)  # many of a busy chat in a row do not keep the others from running
            lane.put(item, self._clock.now() + (verdict.after or 0.0))
            return False
        if verdict.move is None:
            lane.hold(f"{verdict.reason}: {verdict.detail}", verdict.after)
            return True
        if verdict.move in (Move.ACCEPT, Move.POSTPONE) or verdict.reason == Reason.REJECTED:
            lane.resume()
        if verdict.move is Move.ACCEPT and self._handed is not None:
            await self._handed(job, verdict.provider_id)
        if verdict.move is Move.ACCEPT and self._rules.live and job.change is None:
            late = self._clock.now() - trigger.due - self._grace
            metrics.HANDOVER_SECONDS.labels(lane.channel).observe(max(late, 0.0))
        await self._settle(item, verdict, job)
        return True

    def _facts(self, item: Item, job: Job) -> Facts:
        desk = self._desks.get(item.partition)
        at = self._rules.moment(job.trigger, self._clock.now())
        return facts({} if desk is None else desk.rows, item.key, job.trigger, job.channel.name, at)

    async def _grant(self, item: Item, job: Job) -> None:
        desk = self._desks.get(item.partition)
        if desk is None or self.stopping:
            raise Withheld(None)
        now, price = self._clock.now(), self._price(job)
        try:
            granted = await desk.commit(
                lambda step: grant(step, item.key, job.trigger, job.attempt, now, self._rules, price)
            )
        except PartitionLost:
            raise Withheld(None) from None
        if granted is not True:
            raise Withheld(granted or None)
        job.spoken = True
        self.granted[item] = job.attempt
        if self._guard is not None and not await self._guard.first(job.message_id, job.attempt):
            raise Withheld(
                Verdict(Move.LOSE, Reason.DUPLICATE, "the guard knows this message as spoken, the ledger did not")
            )

    def _affords(self, item: Item, job: Job) -> bool:
        """Whether its scenario can pay for it today; `grant` asks again, and reserves."""
        desk = self._desks.get(item.partition)
        at = self._rules.moment(job.trigger, self._clock.now())
        return desk is None or may_spend(desk.rows, job.trigger, self._price(job), at, self._rules)

    def _price(self, job: Job) -> float:
        each = self._rules.policy.prices.get(job.channel.name, 0.0)
        return each * job.channel.units(job.rendered) if each and job.rendered is not None else 0.0

    async def _settle(self, item: Item, verdict: Verdict, job: Job) -> None:
        """Write the end. A spoken message waits for its partition: a rebalance may bring it back in a moment."""
        deadline = self._clock.monotonic() + REOPENING
        while True:
            desk = self._desks.get(item.partition)
            if desk is not None:
                now = self._clock.now()
                with suppress(PartitionLost):
                    note = await desk.commit(lambda step: end(step, item.key, job, verdict, now, self._rules))  # noqa: B023
                    self._noted(desk, [note] if note else [])
                    return
            if self._clock.monotonic() > deadline:
                raise PartitionLost
            self.opened.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    await self.opened.wait()


def _one_at_a_time(row: Message, trigger: Trigger) -> str:
    """Of messages with the same one only one is spoken at a time: those to a customer's address, those about one alert's message."""
    if row.shown is not None:
        return trigger.trigger_id
    return address_key(row.channel, trigger.addresses.get(row.channel, ""))
