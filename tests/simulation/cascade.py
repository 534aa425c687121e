"""Cascades in the simulated installation: customers who react, buy, refuse and unsubscribe between the stages, over four channels.

What must hold of a run stands in cascade_check.py, which stages must be spoken in cascade_reference.py.
"""

import random
import re
from collections import defaultdict
from hashlib import blake2b
from pathlib import Path

from agents.behaviour import Behaviour
from agents.decide import Decider
from agents.scenarios.load import load_folder
from app.clock import moment
from app.codec import decode_outgoing, encode_json
from app.model.event import Consent, Event, Traits
from app.model.reasons import Reason
from app.model.receipt import Outcome, Receipt
from app.model.trigger import Trigger
from app.topics import CLICKSTREAM, RECEIPTS, partition_of
from tests.simulation import providers
from tests.simulation.cascade_reference import CHANNELS, HTTP, MAILS
from tests.simulation.history import HOUR, Happening
from tests.simulation.world import BASE, PARTITIONS, POINTS, Fault, World, email, record_of

SCENARIOS = {plan: load_folder(Path(__file__).parent / "scenarios" / plan.name) for plan in (MAILS, CHANNELS)}
HTTP_POINTS = (("ledger", "http connected"), ("ledger", "in flight"), ("ledger", "http taken"))
NEWS = (
    (Outcome.DELIVERED, 0.7),
    (Outcome.OPENED, 0.3),
    (Outcome.CLICKED, 0.15),
    (Outcome.REPLIED, 0.04),
    (Outcome.FAILED, 0.05),
    (Outcome.BOUNCED, 0.06),
    (Outcome.COMPLAINED, 0.02),
    (Outcome.UNSUBSCRIBED, 0.04),
)
"""What may be told of a message that was taken, and how often."""
_NO_CONTENT = re.compile(rb"^Date: .*\r\n", re.MULTILINE)
_RECIPIENT = re.compile(r"<([^@>]+)@")


class CascadeWorld(World):
    """Whoever gets a message may react: news of that reaches the log late, twice, never and in any order."""

    points = POINTS + HTTP_POINTS
    tidies_every = 1200.0

    def __init__(self, seed, events, happenings=None, schedule=None):
        given = schedule is not None
        super().__init__(seed, events, happenings, schedule)
        self.happenings = [one for one in self.happenings if one.kind != "remove" or one.who[-1] == "1"]
        if self.happenings and not given:
            self.schedule = sorted([*self.schedule, *more_faults(seed, self.happenings)])
        chosen = random.Random(f"{seed}/plan")
        self.plan = chosen.choice((MAILS, CHANNELS, CHANNELS))
        self.off = {"sms"} if self.plan is CHANNELS and chosen.random() < 0.15 else set()
        """Channels that the sender does not have."""
        self.tail = (60 if self.plan is MAILS else 140) * HOUR
        self.moods = random.Random(f"{seed}/reactions")
        self.providers = providers.Providers(random.Random(f"{seed}/providers"), self.wall, self.violate)
        self.did = []
        """What customers did because of messages: further happenings."""
        self.books = defaultdict(set)
        """Message id -> {(channel, address, digest of what it said)}, as the providers' own side was shown it."""
        self._known, self._read = {}, [0] * PARTITIONS
        self._redis_traps = []
        self.relay.on_handed, self.relay.on_taken, self.relay.on_asked = self._mail, self._taken, self._asked
        self.providers.on_handed, self.providers.on_taken = self._handed, self._taken

    # -- what is real

    def make_behaviour(self):
        return Behaviour(Decider(SCENARIOS[self.plan]), stream_time=False, partitions=PARTITIONS)

    def make_channels(self, process, email):
        if self.plan is MAILS:
            return {"email": email}
        every = {"email": email, **providers.channels(self, process)}
        return {name: channel for name, channel in every.items() if name not in self.off}

    # -- who can be reached, and how

    def ways(self, who):
        """Channel -> whether there is consent; only those channels to which the customer has an address."""
        if self.plan is MAILS:
            return {"email": True}
        rng, found = random.Random(f"{self.seed}/{who}/ways"), {"email": True}
        if rng.random() < 0.6:
            found["fcm"] = rng.random() < 0.9
        if rng.random() < 0.75:
            found["sms"], found["whatsapp"] = rng.random() < 0.8, rng.random() < 0.6
        return found

    def _arrive(self, item):
        topic, value = self._record_of(item)
        self.broker.append(topic, partition_of(item.who, PARTITIONS), item.who.encode(), value)

    def _record_of(self, item):
        if item.kind not in ("consent", "login", "withdraw") or self.plan is MAILS:
            return record_of(item)
        event = Event("identify", moment(item.t), "", item.id, item.who, source="server")
        if item.kind == "withdraw":
            event.traits = Traits(consent={item.what: Consent(granted=False)})
            return CLICKSTREAM.name, encode_json(event)
        source, ways = "form" if item.what == "form" else "", self.ways(item.who)
        consents = {name: Consent(item.what != "no", source=source) for name, given in ways.items() if given}
        event.traits = Traits(email=email(item.who), phone=phone(item.who) if "sms" in ways else None, consent=consents)
        event.push = f"fcm:{token(item.who)}" if "fcm" in ways else ""
        event.anonymousId = item.what if item.kind == "login" else None
        return CLICKSTREAM.name, encode_json(event)

    # -- the providers' side

    def _mail(self, message_id, prepared):
        recipient = re.search(rb"^To: .*?<?([^\s<>]+)>?\r$", prepared, re.MULTILINE)[1].decode()
        self._note(providers.Handed("email", message_id, recipient, _NO_CONTENT.sub(b"", prepared, count=1).decode()))

    def _handed(self, handed):
        self.happened[f"to {handed.channel}"] += 1
        self._note(handed)

    def _note(self, handed):
        said = blake2b(handed.content.encode(), digest_size=8).hexdigest()
        self.books[handed.message_id].add((handed.channel, handed.address, said))

    async def _asked(self, words):
        if words[0] == "RCPT":
            await self._slowly(_RECIPIENT.search(words[1])[1])

    async def is_slow(self, message_id):
        """A connection takes its time, and whom the message is for may buy just then."""
        await self._slowly(self._trigger(message_id).customer)

    async def _slowly(self, who):
        if self.calm or self.moods.random() >= 0.08:
            return
        if self.moods.random() < 0.5:
            self._do("order", who, "", self.wall.true() + self.moods.uniform(0.0, 4.0))
        await self._sleep(self.moods.uniform(0.1, 12.0))

    async def _sleep(self, seconds):
        done = self.loop.create_future()
        self.loop.call_later(seconds, lambda: done.done() or done.set_result(None))
        await done

    def _taken(self, message_id):
        trigger, channel = self._trigger(message_id), next(iter(self.books[message_id]))[0]
        wait = self.plan.steps[trigger.stage].wait or 10 * HOUR
        for outcome, probability in NEWS:
            if self.moods.random() < probability and (channel != "email" or outcome is not Outcome.FAILED):
                self._report(trigger, message_id, channel, outcome, wait)
        now = self.wall.true()
        if self.moods.random() < 0.06:
            self._do("order", trigger.customer, "", now + self._when(wait))
        if self.moods.random() < 0.12 and self.plan is CHANNELS:
            other = self.moods.choice(sorted(self.ways(trigger.customer)))
            self._do("withdraw", trigger.customer, other, now + self._when(wait))

    def _report(self, trigger, message_id, channel, outcome, wait):
        at = self._when(wait)
        late = self.moods.choice((0.1, self.moods.uniform(0.1, 90), self.moods.uniform(0.1, 3 * HOUR)))
        for _ in range(self.moods.choice((0, 1, 1, 1, 2))):
            self.loop.call_later(at + late, self._tell, trigger, message_id, channel, outcome, self.wall.true() + at)
            late += self.moods.uniform(0.0, 600)

    def _when(self, wait):
        """Soon, some time, or about the moment when the next stage is due."""
        moods = self.moods
        return moods.choice((moods.uniform(1, 600), moods.uniform(600, wait), wait - 30, wait + moods.uniform(-4, 6)))

    def _do(self, kind, who, what, at):
        known = at + self.moods.uniform(0.01, 0.3)
        self.happened[f"then: {kind}"] += 1
        item = Happening(round(at, 3), who, kind, what, f"d{len(self.did)}", (known,))
        self.did.append(item)
        self.loop.call_at(known - BASE, self._arrive, item)

    def _trigger(self, message_id):
        name = message_id.rpartition(".")[0]
        for number in range(PARTITIONS) if name not in self._known else ():
            records = self.broker.log("outbox", number).everything
            for record in records[self._read[number] :]:
                item = decode_outgoing(record.value)
                if isinstance(item, Trigger):
                    self._known.setdefault(item.trigger_id, {})[item.stage] = item
            self._read[number] = len(records)
        stages, stage = self._known[name], int(message_id.rpartition(".")[2])
        if stage not in stages:
            del self._known[name]
            self._read = [0] * PARTITIONS
            return self._trigger(message_id)
        return stages[stage]

    def _tell(self, trigger, message_id, channel, outcome, at):
        who = trigger.customer
        told = Receipt(outcome, who, channel, at, message_id, trigger.trigger_id, trigger.scenario, Reason.RECEIPT)
        self.happened[f"told: {outcome.value}"] += 1
        self.broker.append(RECEIPTS.name, partition_of(who, PARTITIONS), who.encode(), encode_json(told))

    # -- what goes wrong

    def strikes(self, process, point):
        for trap in self._redis_traps if not self.calm else ():
            if trap[:2] == [process.table.name, point]:
                trap[2] -= 1
                if trap[2] < 0:
                    self._redis_traps.remove(trap)
                    self.happened[f"redis at {process.table.name}: {point}"] += 1
                    self.redis.data.clear()
                    self.redis.away_until = self.loop.time() + self.moods.choice((0.0, 2.0, 60.0))
                    break
        return super().strikes(process, point)

    def _redis_point(self, fault, _process):
        """Redis is killed, with all it knew, when a process comes to a point."""
        name, point = self.points[fault.a % len(self.points)]
        self._redis_traps.append([name, point, int(fault.b)])

    def _provider(self, fault, _process):
        self.providers.down_until = self.loop.time() + fault.b

    def _provider_mood(self, fault, _process):
        self.providers.moody_until = self.loop.time() + fault.b

    def calm_down(self):
        super().calm_down()
        self.providers.calm, self.providers.down_until = True, 0.0


def more_faults(seed, happenings):
    """Faults of providers and of Redis, which a run without other channels does not have."""
    rng = random.Random(f"{seed}/more faults")
    out = []
    for _ in range(max(len(happenings) // 25, 3)):
        t = rng.choice(happenings).t + rng.choice((HOUR, 4 * HOUR, 18 * HOUR, 22 * HOUR)) + rng.uniform(-90, 90)
        kind = rng.choices(("redis_point", "provider", "provider_mood"), (5, 3, 3))[0]
        long = {
            "redis_point": float(rng.randint(0, 3)),
            "provider": rng.uniform(5, 1800),
            "provider_mood": rng.uniform(600, 3 * HOUR),
        }[kind]
        out.append(Fault(t, kind, rng.randrange(1000), long))
    return out


def phone(who):
    """The customer's number, in E.164."""
    return f"+7900{int(who[1:]):07d}"


def token(who):
    """The registration token of the customer's app."""
    return f"app-of-{who}:APA91bHun4MxP5egoKMwt2KZFBaFUH"


def address(channel, who):
    """Where the customer is spoken to."""
    return {"email": email, "fcm": token}.get(channel, phone)(who)


def handed_over(world):
    """(message id, true time) of everything that was taken, over whatever channel."""
    return [*world.relay.accepted, *world.providers.accepted]


__all__ = ("HTTP", "CascadeWorld", "address", "handed_over")
