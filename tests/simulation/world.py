"""One run: a history, a schedule of faults, two workers, two senders, and everything that became of it."""

import asyncio
import logging
import random
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from agents.behaviour import Behaviour
from agents.decide import Decider
from agents.delivery import lane as delivery_lane
from agents.scenarios.load import load_folder
from app.clock import moment
from app.codec import encode_json
from app.model.event import Consent, Event, Properties, Traits
from app.model.receipt import Outcome, Receipt
from app.topics import CLICKSTREAM, RECEIPTS, partition_of
from tables import bundle, firing, packed, store
from tests.frozen import quick_frost
from tests.simulation.history import GRACE, HOUR, PRODUCTS, history
from tests.simulation.kafka import Broker
from tests.simulation.process import EngineProcess, SenderProcess, Table
from tests.simulation.relay import Redis, Relay
from tests.simulation.virtual import BASE, VirtualLoop, Wall

PARTITIONS = 3
SESSION = 10.0
"""Seconds after which a member that does not answer is put out of its group."""
SCENARIOS = load_folder(Path(__file__).parents[2] / "app" / "scenarios")
CATEGORY = dict(PRODUCTS)
QUIET = 4 * HOUR
LONGEST_OUTAGE = 600.0
POINTS = (
    ("customers", "assigned"), ("customers", "recovering"), ("customers", "opened"),
    ("customers", "decided"), ("customers", "produced"), ("customers", "committed"),
    ("ledger", "assigned"), ("ledger", "recovering"), ("ledger", "opened"),
    ("ledger", "decided"), ("ledger", "produced"), ("ledger", "committed"),
    ("ledger", "smtp DATA"), ("ledger", "in flight"), ("ledger", "final dot"),
)  # fmt: skip


class Fault(NamedTuple):
    """`kind` happens at `t` (true time). `a` chooses where, `b` is how long (seconds) or how often it is let pass."""

    t: float
    kind: str
    a: int
    b: float


def faults(seed, happenings):
    """A schedule: mostly about when something happens or comes due, since a fault in a quiet hour tests nothing."""
    rng = random.Random(f"{seed}/faults")
    out = []
    jumps = rng.random() < 0.1
    tight = _tight(happenings)
    for _ in range(max(len(happenings) // 8, 4)):
        if tight and rng.random() < 0.3:
            t = rng.choice(tight).t + rng.uniform(-20, 5)
            if rng.random() < 0.5:
                out.append(Fault(t, "outage", 1, rng.uniform(30, LONGEST_OUTAGE)))
                continue
        else:
            waits = rng.choice(
                (rng.uniform(-1, 5), rng.uniform(-1, 5), HOUR + rng.uniform(-90, 8), 3 * HOUR + rng.uniform(-90, 8))
            )
            t = rng.choice(happenings).t + waits
        kind = rng.choices(
            (
                "point",
                "kill",
                "outage",
                "pause",
                "restart",
                "wipe",
                "redis",
                "stall",
                "relay",
                "mood",
                "compact",
                "jump",
            ),
            (30, 12, 8, 12, 5, 4, 3, 8, 8, 8, 4, 6 if jumps else 0),
        )[0]
        long = {
            "point": float(rng.randint(0, 3)),
            "outage": rng.uniform(30, LONGEST_OUTAGE),
            "pause": rng.choice((rng.uniform(0.01, 1), rng.uniform(1, 60))),
            "redis": rng.uniform(1, 600),
            "stall": rng.uniform(1, 120),
            "relay": rng.uniform(5, 1800),
            "mood": rng.uniform(600, 3 * HOUR),
            "jump": rng.choice((-1, 1)) * rng.uniform(31, 400),
        }.get(kind, 0.0)
        out.append(Fault(t, kind, rng.randrange(1000), long))
    return sorted(out)


def _tight(happenings):
    """Orders just before the cart would have come due, or just after: where being late and being hasty show."""
    added = [item for item in happenings if item.kind == "add"]
    orders = [item for item in happenings if item.kind == "order"]
    return [o for o in orders if any(a.who == o.who and -65 < o.t - a.t - HOUR < 400 for a in added)]


class Group:
    """A consumer group: who is in it, and who has which partition."""

    def __init__(self, world, name, make):
        self.world, self.name, self.make = world, name, make
        self.generation = 0
        self.processes = []
        self._wanted = asyncio.Event()

    def join(self, process):
        process.member = True
        self._wanted.set()

    def gone(self, process):
        """A dead member is noticed at once (it comes back under its own name) or when its session ends."""
        if process in self.processes:
            self.processes.remove(process)
        if process.member:
            process.member = False
            self.world.loop.call_later(0.2 if self.world.chance(0.5) else SESSION, self._wanted.set)

    async def run(self):
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await asyncio.sleep(0.05)
            await self._rebalance()

    async def _rebalance(self):
        self.generation += 1
        members = [process for process in self.processes if process.member and not process.dead]
        asked = {process: process.spawn(process.revoke()) for process in members}
        if asked:
            await asyncio.wait(list(asked.values()), timeout=SESSION)
        for process, task in asked.items():
            if not task.done():  # stopped, or too busy: out of the group, and a zombie if it ever wakes
                process.member = False
                self.world.interrupted[self.name] += 1
                if not process.asleep and not process.dead:
                    self.world.loop.call_later(1.0, process.wake_signal)
        heirs = [process for process in members if process.member and not process.dead]
        if not heirs:
            return
        numbers = list(range(PARTITIONS))
        self.world.rng.shuffle(numbers)
        for place, process in enumerate(heirs):
            process.spawn(process.assign(self.generation, sorted(numbers[place :: len(heirs)])))

    def evict(self, process):
        """Its session has ended while it was stopped."""
        if process.asleep and process.member and not process.dead:
            process.member = False
            self.world.interrupted[self.name] += 1
            self._wanted.set()


class World:
    """`happenings` and `schedule` may be given (a shrunken run); all else follows from the seed."""

    table_type = Table
    partitions = PARTITIONS
    points = POINTS
    """(table, point) at which processes are killed."""
    tidies_every = 300.0
    """Seconds between two looks of a sender at what has expired."""
    tail = 8 * HOUR
    """Seconds of calm at the end, in which all that waits comes due."""

    def __init__(self, seed, events, happenings=None, schedule=None):
        self.seed = seed
        self.happenings = history(seed, events, BASE + 10.0) if happenings is None else happenings
        self.schedule = faults(seed, self.happenings) if schedule is None and self.happenings else schedule or []
        self.rng = random.Random(f"{seed}/run")
        self.grace = GRACE
        self.guarded = self.rng.random() < 0.5
        self.loop = VirtualLoop()
        self.wall = Wall(self.loop)
        self.broker = Broker(self.wall)
        self.relay = Relay(random.Random(f"{seed}/relay"), self.wall)
        self.redis = Redis(self.wall)
        self.violations = []
        self.happened = Counter()
        self.interrupted = Counter()
        self.skews = [0.0]
        self.traps = []
        self.disturbed = []
        self.calm = False
        self.groups = {}
        self.frost = quick_frost()

    # -- chance

    def latency(self):
        return self.rng.random() * 0.004

    def bundle_size(self):
        return self.rng.choice((1, 3, 10, 1000))

    def chance(self, probability):
        return self.rng.random() < probability

    def make_behaviour(self):
        return Behaviour(Decider(SCENARIOS), stream_time=False, partitions=PARTITIONS)

    def make_channels(self, process, email):
        """The sender's channels, by name."""
        del process
        return {"email": email}

    # -- what goes wrong

    def violate(self, text):
        if len(self.violations) < 20:
            self.violations.append(text)

    def disturb(self, process=None):
        """The workers cannot be expected to be on time now."""
        if process is None or process.group.name == "engine":
            self.disturbed.append(self.wall.true())

    def strikes(self, process, point):
        for trap in self.traps:
            if trap[:2] == [process.table.name, point]:
                trap[2] -= 1
                if trap[2] < 0:
                    self.traps.remove(trap)
                    return not self.calm
        return False

    def ended(self, process, why):
        """A process has ended: its supervisor starts another one."""
        self.happened[f"{process.table.name}: {why}"] += 1
        self.interrupted[process.group.name] += 1
        self.disturb(process)
        process.group.gone(process)
        if why != "outage" and len(self.violations) < 10:
            self.loop.call_later(self.rng.uniform(0.5, 20.0), self.start, process.group)

    def start(self, group):
        process = group.make(self, group, f"{group.name}-{self.rng.randrange(1000)}")
        group.processes.append(process)

        async def begin():
            await process.start()
            await process.io()
            group.join(process)

        process.spawn(begin())

    def _strike(self, fault):
        if self.calm:
            return
        self.happened[fault.kind] += 1
        every = [process for group in self.groups.values() for process in group.processes if not process.dead]
        process = every[fault.a % len(every)] if every else None
        getattr(self, f"_{fault.kind}")(fault, process)

    def _point(self, fault, _process):
        name, point = self.points[fault.a % len(self.points)]
        self.traps.append([name, point, int(fault.b)])

    def _kill(self, _fault, process):
        if process is not None:
            process.kill("killed")

    def _outage(self, fault, _process):
        group = self.groups["engine" if fault.a % 3 else "sender"]
        for process in list(group.processes):
            process.kill("outage")
            self.loop.call_later(fault.b, self.start, group)

    def _pause(self, fault, process):
        if process is not None:
            process.stop_signal()
            self.disturb(process)
            self.loop.call_later(SESSION, process.group.evict, process)
            self.loop.call_later(fault.b, process.wake_signal)

    def _restart(self, _fault, process):
        if process is None:
            return

        async def leave():
            await process.leave()
            process.kill("left")

        process.spawn(leave())

    def _wipe(self, _fault, _process):
        self.redis.data.clear()

    def _redis(self, fault, _process):
        self.redis.away_until = self.loop.time() + fault.b

    def _stall(self, fault, _process):
        topic = ("clickstream", "receipts", "links", "outbox")[fault.a % 4]
        self.disturb()
        self.loop.call_later(fault.b, self.disturb)
        self.broker.log(topic, fault.a // 4 % PARTITIONS).stalled_until = self.loop.time() + fault.b

    def _relay(self, fault, _process):
        self.relay.down_until = self.loop.time() + fault.b

    def _mood(self, fault, _process):
        self.relay.moody_until = self.loop.time() + fault.b

    def _compact(self, fault, _process):
        self.broker.log(("customers-changelog", "ledger-changelog")[fault.a % 2], fault.a // 2 % PARTITIONS).compact(
            self.rng
        )

    def _jump(self, fault, _process):
        self.wall.skew += fault.b
        self.disturb()
        self.skews.append(self.wall.skew)
        for group in self.groups.values():
            for process in group.processes:
                process.table._firing._sooner.set()

    # -- what customers do

    def _arrive(self, item):
        number = partition_of(item.who, PARTITIONS)
        topic, value = record_of(item)
        self.broker.append(topic, number, item.who.encode(), value)

    # -- the run

    def run(self):
        """Run to the end and stay open for questions; `close` afterwards."""
        with _long_naps(), _small_steps(self.seed):
            self.loop.run_until_complete(self._run())
        return self

    async def _run(self):
        for item in self.happenings:
            for at in item.arrivals:
                self.loop.call_at(at - BASE, self._arrive, item)
        for fault in self.schedule:
            self.loop.call_at(max(fault.t - BASE, 0.0), self._strike, fault)
        for name, make in (("engine", EngineProcess), ("sender", SenderProcess)):
            group = self.groups[name] = Group(self, name, make)
            self.loop.create_task(group.run())
            for _ in range(2):
                self.start(group)
        last = max((at for item in self.happenings for at in item.arrivals), default=BASE) - BASE
        await asyncio.sleep(last + QUIET)
        self.calm_down()
        await asyncio.sleep(self.tail)

    def calm_down(self):
        """Nothing breaks any more."""
        self.calm = self.relay.calm = True
        self.relay.down_until = self.redis.away_until = 0.0

    def restored(self, group):
        """Rows and fences that a new process restores from the changelog alone."""
        process = self.groups[group].make(self, self.groups[group], "auditor")

        async def recover():
            changelog = process.table._changelog_topic_name()
            for number in range(PARTITIONS):
                self.broker.log(changelog, number).compact(self.rng)
                await process._recover(changelog, number)

        with _long_naps():
            self.loop.run_until_complete(process.spawn(recover()))
        return process.table.parts

    def close(self):
        """End every task."""
        tasks = asyncio.all_tasks(self.loop)
        for group in self.groups.values():
            for process in group.processes:
                process.dead = True
        for task in tasks:
            task.cancel()
        if tasks:
            self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.loop.close()


def record_of(item):
    """(topic, value) of a happening, as the collector writes it."""
    kind, what = item.kind, item.what
    if kind == "unsubscribe":
        return RECEIPTS.name, encode_json(
            Receipt(Outcome.UNSUBSCRIBED, item.who, "email", item.t, address=email(item.who))
        )
    event = Event("track", moment(item.t), "", item.id, None if item.who.startswith("anon:") else item.who)
    if kind == "view":
        event.event = "Product Viewed"
        event.properties = Properties(product_id=what, category=CATEGORY[what], price=float(what[1:]) + 1.0, name=what)
    elif kind in ("add", "remove"):
        event.event = "Product Added" if kind == "add" else "Product Removed"
        event.properties = Properties(product_id=what, price=5.0, name=what)
    elif kind == "search":
        event.event, event.properties = "Products Searched", Properties(query=what)
    elif kind == "order":
        event.event, event.properties = "Order Completed", Properties(order_id=f"o-{item.id}", total=5.0)
    elif kind == "page":
        event.type = "page"
    else:
        event.type, event.source = "identify", "server"
        event.traits = Traits(
            email=email(item.who), consent={"email": Consent(what != "no", source="form" if what == "form" else "")}
        )
        event.anonymousId = what if kind == "login" else None
    return CLICKSTREAM.name, encode_json(event)


def email(who):
    return f"{who}@shop.example"


@contextmanager
def _small_steps(seed):
    """In every second run bundles are cut, steps are full and rows let go of after a few records, so that one bundle becomes several steps."""
    before = bundle.PIECE_RECORDS, store.STEP_BYTES, firing.MOST_BYTES, firing.FOLD_EVERY, packed.RETURNED
    if random.Random(f"{seed}/steps").random() < 0.5:
        bundle.PIECE_RECORDS, store.STEP_BYTES, firing.MOST_BYTES, firing.FOLD_EVERY, packed.RETURNED = (
            2,
            3000,
            3000,
            2,
            0,
        )
    try:
        yield
    finally:
        bundle.PIECE_RECORDS, store.STEP_BYTES, firing.MOST_BYTES, firing.FOLD_EVERY, packed.RETURNED = before


@contextmanager
def _long_naps():
    """Nobody polls while days pass; every deadline has its own wake-up anyway."""
    before = firing.LONGEST_SLEEP, delivery_lane.POLL
    firing.LONGEST_SLEEP, delivery_lane.POLL = 6 * HOUR, 6 * HOUR
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        firing.LONGEST_SLEEP, delivery_lane.POLL = before
        logging.disable(logging.NOTSET)
