"""What must hold at the end of a run with cascades, whatever happened in it."""

from collections import Counter, defaultdict

from app.codec import decode_journal
from app.model.receipt import Outcome
from channels.ledger import UNSETTLED, Message, State
from tests.simulation.cascade import address, handed_over
from tests.simulation.cascade_reference import NEXT_AT_ONCE, SAID, Fact, First, Moment, Racing, Walk
from tests.simulation.check import Findings
from tests.simulation.history import HOUR
from tests.simulation.reference import LATEST

SPOKEN = {"fired", "next_stage"}
FINAL = {
    "reacted", "cascade_ended", "cascade_superseded", "goal_reached", "consent_withdrawn", "ended_by_emptied_cart", "ended_by_event",
    "too_late", "recent_order", "scenario_gone", "scenario_stopped", "condition_not_met", "control_group", "frequency_cap",
}  # fmt: skip
"""The engine's words after which a trigger says nothing more. The sender's lines of the same reasons tell of a message."""
OWN = {Outcome.SENT, Outcome.AMBIGUOUS, Outcome.SKIPPED, Outcome.FAILED, Outcome.BOUNCED}
BITS = {
    "delivered": 1,
    "opened": 2,
    "clicked": 4,
    "replied": 8,
    "bounced": 16,
    "complained": 32,
    "unsubscribed": 64,
    "failed": 128,
}
"""The ledger's note of what was told of a message, as its format has it."""
ALONE = 26 * HOUR
"""Between the last stage of one cascade and the first of the next, so that caps do not reach over."""


class CascadeFindings(Findings):
    """Everything that is wrong with a finished run."""

    looks = (
        "inputs_are_applied_once",
        "stages_are_decided_once",
        "nobody_is_accused",
        "memory_is_the_changelog",
        "a_replay_gives_the_same",
        "stages_are_sent_once",
        "messages_say_one_thing",
        "receipts_count_once",
        "cancelled_is_not_spoken",
        "no_cascade_is_left_open",
        "each_trigger_ends_once",
        "stages_agree",
    )

    def __init__(self, world):
        self.triggers_of, self.moments = defaultdict(dict), defaultdict(list)
        super().__init__(world)

    def stages_are_decided_once(self):
        for record, item in self.triggers:
            if item.stage not in self.triggers_of[item.trigger_id]:
                self.triggers_of[item.trigger_id][item.stage] = item
                self.moments[item.trigger_id].append(Moment(record.at, item.fired_at))
        for (what, stage), times in Counter((item.trigger_id, item.stage) for _, item in self.triggers).items():
            if times > 1:
                self.say(f"stage {stage} of {what} was decided {times} times")
        spoken = Counter(line.trigger_id for line in self.lines if line.reason in SPOKEN)
        if spoken != Counter(item.trigger_id for _, item in self.triggers):
            self.say("the journal and the outbox do not tell of the same stages")
        for _, record in self.broker.all("dead-letters"):
            self.say(f"dead letter: {record.value[:200]!r}")

    # -- what was said

    def messages(self):
        """Message id -> its row in the ledger."""
        rows = (item for part in self.ledger.values() for item in part.rows.items())
        return {key[2:]: row for key, row in rows if isinstance(row, Message)}

    def accepted(self):
        return handed_over(self.world)

    def stages_are_sent_once(self):
        rows, taken = self.messages(), Counter(message for message, _ in handed_over(self.world))
        ends = Counter(one.message_id for _, one in self.receipts if one.outcome in OWN and one.reason != "receipt")
        proved = Counter(one.message_id for _, one in self.receipts if one.outcome is Outcome.SENT)
        for _, trigger in self.triggers:
            message = f"{trigger.trigger_id}.{trigger.stage}"
            row = rows.get(message)
            if row is None or row.state in UNSETTLED:
                self.say(f"the message {message} is lost ({row and row.state})")
            elif taken[message] not in {State.SENT: (1,), State.AMBIGUOUS: (0, 1)}.get(row.state, (0,)):
                self.say(f"message {message} is {row.state} and was taken {taken[message]} times")
            elif ends[message] + (proved[message] if not ends[message] else 0) != 1:
                self.say(f"message {message} has {ends[message]} receipts of its end")
        lost = self.world.relay.lost + self.world.providers.lost
        doubtful = sum(row.state is State.AMBIGUOUS for row in rows.values())
        if doubtful > sum(lost.values()) + 4 * self.world.interrupted["sender"]:
            self.say(f"{doubtful} messages are ambiguous, more than answers were lost and senders interrupted")

    def messages_say_one_thing(self):
        """Whatever attempt, a message has one text, and it went to one address: its customer's."""
        for message, shown in self.world.books.items():
            stages = self.triggers_of.get(message.rpartition(".")[0], {})
            trigger = stages.get(int(message.rpartition(".")[2]))
            if trigger is None:
                self.say(f"message {message} was spoken and is of no trigger")
                continue
            if len(shown) > 1:
                self.say(f"message {message} was spoken with {len(shown)} contents: {sorted(shown)[:3]}")
            for channel, where, _ in shown:
                if where != address(channel, trigger.customer):
                    self.say(f"message {message} of {trigger.customer} went to {where} over {channel}")
                if channel not in {way.channel for way in trigger.cascade}:
                    self.say(f"message {message} went over {channel}, which it was not decided for")

    def receipts_count_once(self):
        told = defaultdict(set)
        for _, receipt in self.receipts:
            if receipt.reason == "receipt" and receipt.outcome is not Outcome.SENT:
                told[receipt.message_id].add(receipt.outcome.value)
        for message, row in self.messages().items():
            wanted = sum(BITS[outcome] for outcome in told[message])
            if row.told != wanted and not (row.state is State.FAILED and row.told | BITS["failed"] | BITS["bounced"]):
                self.say(f"message {message}: the ledger knows of receipts {row.told}, {wanted} were told")
        for part in self.customers.values():
            for key, row in part.packed.unpacked():
                sends = [(one.trigger_id, one.stage) for one in getattr(row, "sends", None) or ()]
                for (name, stage), times in Counter(sends).items():
                    if times > 1:
                        self.say(f"{key}: message {name}.{stage} counts {times} times for the caps")

    # -- how it ended

    def no_cascade_is_left_open(self):
        for part in self.customers.values():
            for key, row in part.packed.unpacked():
                for item in getattr(row, "open", None) or ():
                    if not item.next_at:
                        self.say(f"{key}: nobody has told what became of stage {item.stage} of {item.trigger_id}")
                    elif item.next_at + LATEST < self.world.wall.now():
                        self.say(f"{key}: stage {item.stage + 1} was due at {item.next_at} and is still open")

    def each_trigger_ends_once(self):
        """Each trigger has exactly one final reason, and nothing is decided after it."""
        self.finals, after = defaultdict(list), defaultdict(list)
        for line in self.lines:
            if "message_id" in line.detail or not line.trigger_id:
                continue
            if line.reason in FINAL:
                self.finals[line.trigger_id].append(line)
            elif line.reason in SPOKEN and self.finals[line.trigger_id]:
                after[line.trigger_id].append(line)
        ends = {one.message_id: one for _, one in self.receipts if one.outcome in OWN and not self._is_told(one)}
        last = len(self.world.plan.steps) - 1
        for name, stages in self.triggers_of.items():
            found = [line.reason for line in self.finals[name]]
            number = max(stages)
            end = ends.get(f"{name}.{number}")
            if not found and end is not None and (number == last or self._is_hard(end)):
                found = [end.reason]
            if len(found) != 1:
                self.say(f"trigger {name} of {stages[number].customer} has {len(found)} final reasons: {found}")
            if after[name]:
                self.say(f"trigger {name} was spoken after the cascade had ended: {found}")

    @staticmethod
    def _is_told(receipt):
        """Whether a provider has said so: `failed` and `bounced` are the sender's words as well."""
        return receipt.reason == "receipt" and receipt.outcome in (Outcome.FAILED, Outcome.BOUNCED)

    @staticmethod
    def _is_hard(receipt):
        return receipt.outcome is Outcome.SKIPPED and receipt.reason not in NEXT_AT_ONCE

    # -- what should have been decided

    def stages_agree(self):
        """The decided stages, and why there are no more, are those of the reference."""
        facts, cascades = self._facts(), defaultdict(dict)
        for name, stages in self.triggers_of.items():
            cascades[stages[min(stages)].customer][name] = stages
        for _, record in self.broker.all("journal"):
            line = decode_journal(record.value)
            if line.due and line.reason not in (*SPOKEN, "armed", "moved") and "message_id" not in line.detail:
                self.moments[line.trigger_id].append(Moment(record.at, line.at))
        for key, triggers in cascades.items():
            try:
                _check_alone(triggers, facts[key])
                wrong = [text for name, stages in triggers.items() for text in self._compare(name, stages, facts[key])]
            except Racing:
                self.racing += 1
                continue
            self.compared += 1
            for text in wrong:
                self.say(f"{key}: {text}")

    def _facts(self):
        """Customer -> what the log knows of him, and since when."""
        found = defaultdict(list)
        for place, item in enumerate([*self.world.happenings, *self.world.did]):
            kind, what = ("consent", "yes") if item.kind == "login" else (item.kind, item.what)
            if kind in ("order", "withdraw", "consent", "unsubscribe") and item.arrivals:
                found[item.who].append(Fact(min(item.arrivals), place, kind, what, item.t))
            if item.kind in ("login", "remove"):
                found[item.who].append(Fact(item.t, place, "tangle", item.kind, item.t))
        for record, receipt in self.receipts:
            if receipt.message_id:
                found[receipt.customer].append(Fact(record.at, record.offset, "receipt", receipt, receipt.at))
        return found

    def _compare(self, name, stages, facts):
        if any(line.reason == "cascade_superseded" for line in self.finals[name]):
            raise Racing("a night has held it until the scenario fired anew")
        first = stages[min(stages)]
        moments = self.moments[name]
        began = next(one for one in moments if one.at == first.fired_at)
        begun = First(first.stage, tuple(way.channel for way in first.cascade), began)
        world = self.world
        walk = Walk(world.plan, name, begun, facts, moments, world.ways(first.customer), self.slack, world.disturbed)
        expected = walk.run()
        spoken = tuple(
            (number, tuple(way.channel for way in item.cascade), item.due)
            for number, item in sorted(stages.items())
            if number != first.stage
        )
        if walk.late:
            yield f"stages of {name} were decided late: {walk.late}"
        if [one[:2] for one in spoken] != [one[:2] for one in expected.spoken] or any(
            abs(one[2] - other[2]) > 1e-3 for one, other in zip(spoken, expected.spoken, strict=True)
        ):
            yield f"stages of {name} were {spoken}, expected were {expected.spoken}"
            return
        reasons = [line.reason for line in self.finals[name]]
        if reasons and reasons[0] != expected.reason:
            yield f"{name} ended as {reasons}, expected was {expected.reason}"
        elif not reasons and expected.reason in FINAL and expected.reason not in self._last_words(name, stages):
            yield f"{name} has not ended, expected was {expected.reason}"

    def _last_words(self, name, stages):
        message = f"{name}.{max(stages)}"
        return {one.reason for _, one in self.receipts if one.message_id == message and one.outcome.value not in SAID}


def _check_alone(triggers, facts):
    """Raises Racing when what lies in a cascade's time makes it another thing than its own messages and what came of them."""
    spans = sorted((stages[min(stages)].fired_at, stages[max(stages)].fired_at) for stages in triggers.values())
    for (_, last), (first, _) in zip(spans, spans[1:], strict=False):
        if first < last + ALONE:
            raise Racing("the scenario fired anew, or its messages count for the cap")
    for first, last in spans:
        for fact in facts:
            if fact.kind == "tangle" and first - HOUR < fact.at < last + ALONE:
                raise Racing(f"a {fact.what} lies in the cascade's time")
