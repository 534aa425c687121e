"""What must hold at the end of a run, whatever happened in it."""

from collections import Counter, defaultdict
from functools import cache
from itertools import combinations

import msgspec

from agents.delivery.service import Delivery
from app.codec import decode_dead_letter, decode_event, decode_journal, decode_link, decode_outgoing, decode_receipt
from app.model.link import Forward
from app.model.receipt import Outcome
from app.model.trigger import Cancel, Trigger
from app.replay.core import MemoryBatch, packed_rows
from channels.ledger import UNSETTLED, Message, State
from tables.changelog import Codec
from tables.memory import MemoryTable
from tests.simulation import reference
from tests.simulation.history import DAY, HOUR
from tests.simulation.process import AUDIT
from tests.simulation.reference import LATEST, Did, Facts, Racing
from tests.simulation.world import CATEGORY, PARTITIONS


class Findings:
    """Everything that is wrong with a finished run; `compared` and `racing` count customers."""

    looks: tuple[str, ...] = (
        "inputs_are_applied_once",
        "decisions_are_taken_once",
        "nobody_is_accused",
        "nothing_waits",
        "memory_is_the_changelog",
        "a_replay_gives_the_same",
        "mails_are_sent_once",
        "cancelled_is_not_spoken",
        "the_reference_agrees",
    )

    def __init__(self, world):
        self.world, self.broker = world, world.broker
        self.wrong = list(world.violations)
        self.compared = self.racing = 0
        self.outgoing = [(record, decode_outgoing(record.value)) for _, record in self.broker.all("outbox")]
        self.triggers = [(record, item) for record, item in self.outgoing if isinstance(item, Trigger)]
        self.cancels = [(record, item) for record, item in self.outgoing if isinstance(item, Cancel)]
        self.receipts = [(record, decode_receipt(record.value)) for _, record in self.broker.all("receipts")]
        self.lines = [decode_journal(record.value) for _, record in self.broker.all("journal")]
        self.slack = max(world.skews) - min(world.skews)
        self._audit = cache(self._audited)
        self.steps = self._audit("customers")
        self.customers = world.restored("engine")
        self.ledger = world.restored("sender")
        for look in self.looks:
            getattr(self, look)()

    def say(self, text):
        if len(self.wrong) < 30:
            self.wrong.append(text)

    def _audited(self, table):
        """Committed steps, partition by partition in their order: (partition, record, entry)."""
        sort = "b" if table == "customers" else "d"
        return [
            (number, record, msgspec.json.decode(record.value))
            for number, record in self.broker.all(AUDIT)
            if record.key.decode()[0] in (("b", "t") if sort == "b" else ("d",))
        ]

    # -- the table's promises

    def inputs_are_applied_once(self):
        for table, full in (("customers", "clickstream"), ("ledger", "outbox")):
            seen = defaultdict(list)
            for number, _, entry in self._audit(table):
                if entry[0] == "bundle":
                    seen[entry[1], number] += entry[2]
            for (topic, number), offsets in seen.items():
                if offsets != sorted(set(offsets)):
                    twice = sorted(offset for offset, times in Counter(offsets).items() if times > 1)
                    self.say(f"{table}: {topic}[{number}] applied twice or out of order: {twice[:5]}")
            for number in range(PARTITIONS):
                there = {r.offset for n, r in self.broker.all(full) if n == number}
                missing = there - set(seen[full, number])
                if missing:
                    self.say(f"{table}: {full}[{number}] never applied: {sorted(missing)[:5]}")

    def memory_is_the_changelog(self):
        for group, restored in (("engine", self.customers), ("sender", self.ledger)):
            for process in self.world.groups[group].processes:
                for number, part in process.table.parts.items():
                    if not part.open or process.dead or number not in restored:
                        continue
                    if _rows(part) != _rows(restored[number]):
                        self.say(
                            f"{group}[{number}]: memory and changelog differ: {_difference(_rows(part), _rows(restored[number]))}"
                        )

    def a_replay_gives_the_same(self):
        """The committed steps, run one after the other without any fault, give the same rows and the same outputs."""
        world, outputs = self.world, defaultdict(list)
        table = MemoryTable(lambda number, output: outputs[output.topic].append(output.value), packed_rows)
        behaviour = world.make_behaviour()
        by_offset = cache(lambda topic, number: {r.offset: r for r in self.broker.log(topic, number).everything})
        for number, _, entry in self.steps:
            if entry[0] == "timer":
                table.run(number, lambda step, e=entry: behaviour.on_timer(step, e[1], e[2], e[3]))
            else:
                log = by_offset(entry[1], number)
                batch = MemoryBatch(entry[1], number, [log[offset] for offset in entry[2]])
                table.run(number, lambda step, b=batch, now=entry[3]: behaviour.on_bundle(step, b, now))
        for number, part in self.customers.items():
            if _rows(table.partition(number)) != _rows(part):
                self.say(
                    f"customers[{number}] differs from a replay: {_difference(_rows(part), _rows(table.partition(number)))}"
                )
        for topic in ("outbox", "links"):
            if Counter(outputs[topic]) != Counter(record.value for _, record in self.broker.all(topic)):
                self.say(f"{topic} differs from a replay")

    # -- what was decided

    def decisions_are_taken_once(self):
        for what, times in Counter(item.trigger_id for _, item in self.triggers).items():
            if times > 1:
                self.say(f"trigger {what} was decided {times} times")
        for (key, scenario, anchor), times in Counter(
            (i.customer, i.scenario, i.anchor) for _, i in self.triggers
        ).items():
            if times > 1:
                self.say(f"{key} {scenario}: {anchor} fired {times} times")
        for _, item in self.triggers:
            if item.trigger_id != reference.trigger_id(item.scenario, item.customer, item.anchor):
                self.say(f"{item.customer} {item.scenario}: the trigger's id does not follow from what it is about")
        for _, record in self.broker.all("dead-letters"):
            self.say(f"dead letter: {decode_dead_letter(record.value).detail}")
        fired = Counter(line.trigger_id for line in self.lines if line.reason == "fired")
        if fired != Counter(item.trigger_id for _, item in self.triggers):
            self.say("the journal and the outbox do not tell of the same triggers")

    def nobody_is_accused(self):
        """No trigger for somebody whose order stood in the log when the ends were asked for."""
        orders = defaultdict(list)
        for item in self.world.happenings:
            if item.kind == "order" and item.arrivals:
                orders[item.who].append(item)
        for _, trigger in self.triggers:
            if trigger.fired_at < trigger.due + reference.GRACE - self.slack:
                self.say(
                    f"{trigger.customer} {trigger.scenario} fired {trigger.fired_at - trigger.due:.3f} s after it was due"
                )
            for order in orders[trigger.customer]:
                if order.arrivals[0] < trigger.due + reference.GRACE - self.slack and order.t > trigger.fired_at - DAY:
                    self.say(f"{trigger.customer} {trigger.scenario}: a buyer is accused, {order.id} was in the log")

    def nothing_waits(self):
        now = self.world.wall.now()
        for part in self.customers.values():
            for key, row in part.packed.unpacked():
                for one in getattr(row, "armed", None) or ():
                    due = one.at if one.scenario == "abandoned_cart" else max(row.last_seen, one.at) + 2 * HOUR
                    if due + HOUR + LATEST < now:
                        self.say(f"{key} {one.scenario} should have been decided at {due + HOUR}")
        for line in self.lines:
            if line.due and line.reason not in ("armed", "moved") and not line.channel or line.reason == "fired":
                late = line.at - line.due - reference.GRACE
                if late > LATEST:
                    self.say(f"{line.customer} {line.scenario} was decided {late:.0f} s late")

    # -- what was said

    def mails_are_sent_once(self):
        rows = {key: row for part in self.ledger.values() for key, row in part.rows.items() if isinstance(row, Message)}
        taken = Counter(message for message, _ in self.world.relay.accepted)
        for message, times in taken.items():
            if times > 1:
                self.say(f"mail {message} was taken {times} times")
        ends = Counter(receipt.trigger_id for _, receipt in self.receipts if receipt.trigger_id)
        for _, trigger in self.triggers:
            message = f"{trigger.trigger_id}.0"
            row = rows.get(f"m:{message}")
            if row is None or row.state in UNSETTLED:
                self.say(f"{trigger.customer} {trigger.scenario}: the message is lost ({row and row.state})")
                continue
            wanted = {State.SENT: (1,), State.AMBIGUOUS: (0, 1)}.get(row.state, (0,))
            if taken[message] not in wanted:
                self.say(f"mail {message} is {row.state} and was taken {taken[message]} times")
            if ends[trigger.trigger_id] != 1:
                self.say(f"mail {message} has {ends[trigger.trigger_id]} receipts")
        ambiguous = sum(row.state is State.AMBIGUOUS for row in rows.values())
        allowed = sum(self.world.relay.lost.values()) + 2 * self.world.interrupted["sender"]
        if ambiguous > allowed:
            self.say(f"{ambiguous} messages are ambiguous, {allowed} would be excused")

    def accepted(self):
        """(message id, true time) of all that providers have taken."""
        return self.world.relay.accepted

    def cancelled_is_not_spoken(self):
        cancelled, granted = {}, defaultdict(list)
        outbox = {(number, record.offset): record for number, record in self.broker.all("outbox")}
        for number, record, entry in self._audit("ledger"):
            for offset in entry[2] if entry[1] == "outbox" else ():
                item = decode_outgoing(outbox[number, offset].value)
                if isinstance(item, Cancel):
                    cancelled.setdefault(item.trigger_id, record.txn.seq)
        codec = Codec(Delivery.row_type)
        for _, record in self.broker.all("ledger-changelog"):
            row = codec.decode_row(record.value) if record.key.startswith(b"m:") and record.value else None
            if row is not None and row.state is State.INFLIGHT:
                granted[record.key.decode()[2:-2]].append(record)
        for trigger, seq in cancelled.items():
            if any(record.txn.seq > seq for record in granted[trigger]):
                self.say(f"trigger {trigger} was cancelled, and spoken after that")
        for message, at in self.accepted():
            if not any(record.at <= at for record in granted[message[:-2]]):
                self.say(f"mail {message} was spoken without being noted as in flight")

    # -- what should have been decided

    def the_reference_agrees(self):
        moments, ends = defaultdict(dict), {}
        for line in self.lines:
            if line.due and line.scenario and line.reason not in ("armed", "moved"):
                moments[line.customer].setdefault((line.scenario, round(line.due, 3)), line.at)
        for record, receipt in self.receipts:
            if receipt.trigger_id and receipt.outcome in (Outcome.SENT, Outcome.AMBIGUOUS, Outcome.FAILED, Outcome.SKIPPED, Outcome.BOUNCED):  # fmt: skip
                ends[receipt.trigger_id] = (receipt.outcome.value, record.at)
        actual = defaultdict(set)
        for _, item in self.triggers:
            if item.anchor != "":
                items = frozenset(line.product_id for line in item.content.items)
                actual[item.customer].add(reference.Must(item.scenario, item.anchor, round(item.due, 3), items))
        for key, did in _lives(self.world, self.broker).items():
            if did is None:
                self.racing += 1
                continue
            try:
                wanted = set(reference.triggers(key, did, Facts(moments[key], ends, self.slack, self.world.disturbed)))
            except Racing:
                self.racing += 1
                continue
            self.compared += 1
            for missing in wanted - actual[key]:
                self.say(f"{key}: missing {missing}")
            for extra in actual[key] - wanted:
                self.say(f"{key}: not expected {extra}")


def _lives(world, broker):
    """Customer -> what it did, when its state's partition knew of it; None where two keys met in too tangled a way."""
    moved, forwarded = {}, {}
    for _, record in broker.all("journal"):
        line = decode_journal(record.value)
        if line.reason == "linked":
            moved.setdefault(line.detail["alias"], record.at)
    for _, record in broker.all("links"):
        link = decode_link(record.value)
        if isinstance(link, Forward):
            name = decode_event(link.record).messageId if link.topic == "clickstream" else link.event_id
            forwarded.setdefault(name, record.at)
    lives, logins = defaultdict(list), {}
    for item in world.happenings:
        if item.arrivals:
            lives[item.who].append(
                Did(item.t, item.arrivals[0], item.kind, item.what, CATEGORY.get(item.what, ""), item.id)
            )
            if item.kind == "login":
                logins[item.who] = (f"anon:{item.what}", item.arrivals[0])
    for user, (visitor, login) in logins.items():
        lives[user] = _joined(lives[user], lives.pop(visitor, []), login, moved.get(visitor), forwarded)
    return lives


def _joined(user, visitor, login, moved, forwarded):
    """A visitor who became a user; None unless the visitor's time was over, undecided, when the user's began."""
    at = login if moved is None else moved
    if any(one.known <= at + 1.0 and one.kind != "login" for one in user):
        return None
    if not visitor:
        return user
    if any(
        one.kind == "add" and later.kind == "remove" and later.known < one.known
        for one, later in combinations(sorted(visitor), 2)
    ):
        return None  # by arrival: below, all is known at one time, and nothing seems to have changed places
    if any(later.t - one.t > HOUR - 60 for one, later in zip(visitor, visitor[1:], strict=False)):
        return None
    if at - min(one.t for one in visitor) > HOUR - 60:
        return None
    out = list(user)
    for one in visitor:
        known = forwarded.get(one.id, at)
        if one.known > login and one.id not in forwarded and one.known > at:
            return None
        out.append(one._replace(known=max(one.known, known)))
    return out


def _rows(part):
    return dict(part.packed.unpacked()) if part.packed is not None else {k: _unwoken(r) for k, r in part.rows.items()}


def _unwoken(row):
    """A row without its place in the timer index, which is not state."""
    return tuple(getattr(row, name) for name in row.__struct_fields__ if name != "wake")


def _difference(one, other):
    keys = [key for key in {**one, **other} if one.get(key) != other.get(key)]
    return [(key, one.get(key), other.get(key)) for key in sorted(keys)[:2]]
