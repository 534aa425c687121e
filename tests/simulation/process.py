"""The real table, core and sender inside a simulated process: kill -9, SIGSTOP, fencing, recovery, and a consumer without Faust.

What is real: tables/store.py, ownership.py, firing.py, gate.py, held.py and all below them, agents/behaviour.py and
agents/delivery.py with all they use, channels/email.py, pipeline.py, guard.py. What stands in for Faust, aiokafka and
aiosmtplib: this module, kafka.py and relay.py.
"""

import asyncio
import contextvars
import json
from functools import partial
from typing import NamedTuple

import msgspec
from faust.types import TP

from agents.behaviour import ROW_TYPE
from agents.delivery.service import Delivery
from app import metrics
from app.topics import CLICKSTREAM, LINKS, OUTBOX, RECEIPTS
from channels.email import Email
from channels.guard import Guard
from channels.pipeline import Urls
from channels.render import Templates
from tables.bundle import Bundle
from tables.changelog import Codec
from tables.firing import Firing
from tables.held import HeldPartition
from tables.store import FencedTable, _by_topic
from tests.frozen import EagerRows
from tests.simulation import relay as relays
from tests.simulation.kafka import Fenced
from tests.simulation.virtual import owner

AUDIT = "audit"
"""The harness's own topic: each step writes there, in its transaction, what it was."""
TEMPLATES = Templates(shop_url="https://shop.example")
URLS = Urls(
    lambda message, *_: f"https://c.shop.example/u/{message}",
    lambda message, _trigger, channel: f"https://c.shop.example/receipts/{channel.name}?t={message}",
)
encode = msgspec.json.encode


class Event(NamedTuple):
    """What an agent gets from Faust."""

    value: Bundle
    message: object
    ack: object


class Message(NamedTuple):
    generation_id: int
    value: object = None


class Writer:
    """Stands for tables.writer.PartitionWriter: the same points of failure, the same epochs."""

    def __init__(self, process, name):
        self._process, self._name, self._broker = process, name, process.world.broker
        self._epoch = 0

    async def start(self):
        await self._process.io()
        self._epoch = self._broker.take_over(self._name)

    async def stop(self):
        pass

    async def write(self, parts):
        process, broker = self._process, self._broker
        process.fault("decided")
        await process.io()
        txn = broker.begin(self._name, self._epoch)
        last = None
        for topic, number, records in parts:
            for key, value in records:
                offset = broker.append(topic, number, key, value, txn)
            last = offset if last is None else last
        await process.io()
        process.fault("produced")
        await process.io()
        broker.commit(self._name, self._epoch)
        process.fault("committed")
        await process.io()
        return last


class App:
    """What a fenced table asks Faust's app for."""

    def __init__(self, process):
        self._process = process
        self.consumer_generation_id = 0
        self.consumer = self.assignor = self.conf = self
        self.id = process.group.name
        self.active = set()

    def assigned_actives(self):
        return self.active

    async def highwaters(self, *tps):
        await self._process.io()
        ends = {tp: self._process.world.broker.log(*tp).end for tp in tps}
        await self._process.io()
        return ends

    def hurry(self):
        """Fetches do not linger here."""

    async def earliest_offsets(self, *tps):
        await self._process.io()
        return dict.fromkeys(tps, 0)

    async def committed(self, *tps):
        """A step is durable before its offset is committed."""
        await self._process.io()
        hints = self._process.world.broker.hints
        return {tp: hints.get((self._process.group.name, *tp)) for tp in tps}

    async def crash(self, error):
        self._process.died_of(error)


class Table(FencedTable):
    """The real fenced table, without Faust's table beneath it."""

    def __init__(self, process, *, name, row_type, inputs, on_timer, wake_of, grace, packed, on_opened=None, on_closed=None, across=(), partitions=0):  # fmt: skip
        self.process_, self.app, self.name, self.prefix, self.inputs = process, App(process), name, "", inputs
        self.clock, self.parts, self.codec, self._packed = process.world.wall, {}, Codec(row_type), packed
        self._frost = None
        self.wake_of, self.grace, self.on_timer, self.live = wake_of, grace, on_timer, True
        self._era, self._fenced, self.actives = 0, 0, frozenset()
        self.on_opened, self.on_closed, self.failure = on_opened, on_closed, None
        self.rebuilding = self.on_gone = None
        self._writers, self._running, self._recovery_started = {}, {}, 0.0
        self._applied, self._skipped = (
            _by_topic(metrics.EVENTS_APPLIED, inputs),
            _by_topic(metrics.EVENTS_SKIPPED, inputs),
        )
        self._bundle_records = _by_topic(metrics.BUNDLE_RECORDS, inputs)
        self._steps, self._step_seconds = metrics.STEPS.labels(name), metrics.STEP_SECONDS.labels(name)
        self._decide_seconds = metrics.BUNDLE_CPU.labels(name)
        self._on_step, self.across, self.partitions = None, across, partitions
        self._firing = Firing(self, OUTBOX.name)

    def _changelog_topic_name(self):
        return f"{self.name}-changelog"

    def _held(self, number):
        """In every other world each row is frozen whenever it can be; nothing that is decided may tell.

        Its processes share the dictionaries, which no crash takes: making one for each life of a process was a third of a seed's time.
        """
        if not self._packed or self.process_.world.seed % 2:
            return super()._held(number)
        return HeldPartition(
            number, self.grace, EagerRows(self.codec.encode_row, self.codec.decode_row, self.process_.world.frost)
        )

    def _writer(self, number):
        return Writer(self.process_, f"{self.name}-{number}")

    def add_future(self, coro):
        return self.process_.spawn(coro)

    async def call_recover_callbacks(self):
        pass

    def __hash__(self):
        return id(self)

    def __eq__(self, other):
        return self is other


class Process:
    """One operating system process of a group. Subclasses make the table and the work."""

    def __init__(self, world, group, name):
        self.world, self.group, self.name = world, group, name
        self.tasks = {}
        self.dead = False
        self.generation = -1
        self.table = self.make_table()
        self._awake = asyncio.Event()
        self._awake.set()
        self._moving = asyncio.Lock()
        self.member = False
        self.since = world.loop.time()

    # -- life and death

    def spawn(self, coro):
        context = contextvars.copy_context()
        context.run(owner.set, self)
        return self.world.loop.create_task(coro, context=context)

    def forget(self, task):
        self.tasks.pop(task, None)
        if not task.cancelled() and task.exception() is not None and not self.dead:
            self.died_of(task.exception())

    def kill(self, why):
        """As kill -9: nothing of this process runs or reaches anybody after this."""
        if self.dead:
            return
        self.dead = True
        self.world.ended(self, why)
        for task in list(self.tasks):
            task.cancel()

    def died_of(self, error):
        if not isinstance(error, Fenced):
            self.world.violate(f"{self.name} stopped: {error!r}")
        self.kill("fenced" if isinstance(error, Fenced) else "failed")

    def fault(self, point):
        """A named point of the protocol, at which the process may be killed."""
        if self.dead or self.world.strikes(self, point):
            self.kill(point)
            raise asyncio.CancelledError

    async def io(self):
        """Every call that leaves the process: it takes a while, and longer while the process is stopped."""
        await self.world.loop.nap(self.world.latency())
        while not self._awake.is_set() and not self.dead:
            await self._awake.wait()
        if self.dead:
            raise asyncio.CancelledError

    @property
    def asleep(self):
        return not self._awake.is_set()

    def stop_signal(self):
        self._awake.clear()

    def wake_signal(self):
        self.world.disturb(self)
        self._awake.set()
        if not self.member and not self.dead:
            self.group.join(self)

    # -- the consumer

    async def start(self):
        self.spawn(self._timers())
        self.spawn(self._idle_fences())

    async def leave(self):
        """Graceful."""
        await self.table._on_revoked()

    async def revoke(self):
        await self.io()
        async with self._moving:
            await self.table._on_revoked()

    async def assign(self, generation, numbers):
        await self.io()
        async with self._moving:
            if generation != self.group.generation:
                return
            self.generation = self.table.app.consumer_generation_id = generation
            changelog = self.table._changelog_topic_name()
            self.table.app.active = {TP(changelog, number) for number in numbers}
            assigned = self.table.app.active | {TP(topic, n) for topic in self.table.inputs for n in numbers}
            self.fault("assigned")
            await self.table.on_rebalance(assigned, set(), set(), generation)
            for number in numbers:
                await self._recover(changelog, number)
            if generation != self.group.generation:
                return
            await self.table.on_recovery_completed(self.table.app.active, set())
            self.world.disturb(self)
            self.table._firing._sooner.set()  # in production it looks every second anyway
        for number in numbers:
            for topic in self.table.inputs:
                self.spawn(self._consume(topic, number, generation))

    async def _recover(self, changelog, number):
        log = self.world.broker.log(changelog, number)
        position = self.table.persisted_offset(TP(changelog, number)) + 1
        end = log.end
        while position < end:
            start = position
            records, position = log.read(position, self.world.bundle_size())
            bundle = Bundle(changelog, number, [r for r in records if r.offset < end], start, min(position, end) - 1)
            self.fault("recovering")
            await self.io()
            self.table.apply_changelog_batch([Event(None, Message(0, bundle), None)])

    async def _consume(self, topic, number, generation):
        world, key = self.world, (self.group.name, topic, number)
        log, position = world.broker.log(topic, number), self.table.next_offset(topic, number)
        if position is None:
            return
        if world.chance(0.3):  # the group's offset is a hint: it may lie behind the fence
            position = min(position, world.broker.hints.get(key, 0))
        self._commit_soon(key, self.table.next_offset(topic, number), generation)
        if world.chance(0.4):  # the first fetch takes its time; timers must not run ahead of it
            await asyncio.sleep(world.rng.uniform(0.0, 3.0))
        while generation == self.generation:
            await log.more(position)
            await self.io()
            if log.stalled_until > world.loop.time():
                await asyncio.sleep(log.stalled_until - world.loop.time())
            records, end = log.read(position, world.bundle_size())
            acked = []
            bundle = Bundle(topic, number, records, position, end - 1)
            event = Event(bundle, Message(generation), partial(acked.append, True))
            await self.table.process(event, self.work)
            if not acked:
                return
            position = end
            if world.chance(0.5):
                world.broker.hints[key] = position
            else:
                self._commit_soon(key, position, generation)

    def _commit_soon(self, key, position, generation):
        """What has been applied is committed within half a second, if this process still lives then."""

        def commit():
            if not self.dead and generation == self.generation:
                self.world.broker.hints[key] = max(position, self.world.broker.hints.get(key, 0))

        self.world.loop.call_later(0.5, commit)

    async def _timers(self):
        while True:
            await self.table._firing.sleep()
            await self.table.tick()

    async def _idle_fences(self):
        while True:
            await asyncio.sleep(3600.0)
            for part in list(self.table.parts.values()):
                async with part.lock:
                    if part.open and part.idle_fence:
                        from tables.step import Step

                        await self.table.write(part, Step(part), [], force=True)


class EngineProcess(Process):
    """The worker."""

    def make_table(self):
        self.behaviour = self.world.make_behaviour()
        return self.world.table_type(
            self,
            name="customers",
            row_type=ROW_TYPE,
            inputs=(CLICKSTREAM.name, RECEIPTS.name, LINKS.name),
            on_timer=self._on_timer,
            wake_of=self.behaviour.wake_of,
            grace=self.world.grace,
            packed=True,
            across=(CLICKSTREAM.name,),
            partitions=self.world.partitions,
            on_opened=lambda _number: self.fault("opened"),
        )

    def work(self, step, bundle):
        now = self.world.wall.now()
        self.behaviour.on_bundle(step, bundle, now)
        audit_bundle(step, bundle, now)

    def _on_timer(self, step, due, key, now):
        before = len(step.outputs), len(step.changed), key in step.changed
        self.behaviour.on_timer(step, due, key, now)
        if before != (len(step.outputs), len(step.changed), key in step.changed):
            step.send(AUDIT, "t", json.dumps(["timer", due, key, now]).encode())


def audit_bundle(step, bundle, now, key="b"):
    if step or bundle.records:  # one that changes nothing is seen to be applied all the same
        offsets = [record.offset for record in bundle.records]
        step.send(AUDIT, key, json.dumps(["bundle", bundle.topic, offsets, now]).encode())


class _Sender(Delivery):
    tidies_every = 300.0

    async def _keep_house(self):
        while True:
            await asyncio.sleep(self.tidies_every)
            await self._tidy()


class SenderProcess(Process):
    """The delivery process."""

    def make_table(self):
        world = self.world
        email = Email(
            smtp="smtp+plain://127.0.0.1:25",
            connections=2,
            timeout=relays.TIMEOUT,
            sender="Shop <shop@shop.example>",
            monotonic=world.wall.monotonic,
        )
        email._pool = relays.Pool(world.relay, self, 2)
        guard = Guard("redis://127.0.0.1:1/0", "", world.wall.monotonic, lambda: None)
        guard._redis = world.redis
        self.delivery = _Sender(
            channels=world.make_channels(self, email),
            templates=TEMPLATES,
            urls=URLS,
            clock=world.wall,
            grace=world.grace,
            guard=guard if world.guarded else None,
        )
        self.delivery.tidies_every = world.tidies_every
        return world.table_type(
            self,
            name="ledger",
            row_type=Delivery.row_type,
            inputs=(OUTBOX.name, RECEIPTS.name),
            on_timer=self.delivery.on_timer,
            wake_of=self.delivery.wake_of,
            grace=0.0,
            packed=False,
            on_opened=self._on_opened,
            on_closed=self.delivery.on_closed,
        )

    def _on_opened(self, number):
        self.fault("opened")
        self.delivery.on_opened(number)

    async def start(self):
        await self.delivery.start(self.table)
        await super().start()

    async def leave(self):
        await self.delivery.stop()
        await super().leave()

    def work(self, step, bundle):
        now = self.world.wall.now()
        if bundle.records:
            self.delivery.on_bundle(step, bundle, now)
        audit_bundle(step, bundle, now, "d")
