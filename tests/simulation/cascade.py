"""A cascade of three mails in the simulated installation: customers who react, and which stages must be spoken.

`stages_of` knows nothing of the engine: it reads what stood in the log, and when.
"""

import random
from collections import Counter, defaultdict
from math import ceil, inf
from pathlib import Path

from agents.behaviour import Behaviour
from agents.decide import Decider
from agents.scenarios.load import load_folder
from app.codec import decode_outgoing, encode_json
from app.model.reasons import Reason
from app.model.receipt import Outcome, Receipt
from app.model.trigger import Trigger
from app.topics import RECEIPTS, partition_of
from channels.ledger import UNSETTLED, Message, State
from tests.simulation.check import Findings
from tests.simulation.history import GRACE, HOUR
from tests.simulation.reference import LATEST, Racing
from tests.simulation.world import PARTITIONS, World

SCENARIOS = load_folder(Path(__file__).parent / "scenarios")
WAITS = (17 * HOUR, 18 * HOUR)
"""Of the scenario's stages but the last, as a reader of its file would say."""
REACTIONS = ({"clicked", "replied"}, {"opened", "clicked", "replied"})
"""What ends the cascade when it is said of the stage's mail."""
CAP = 16 * HOUR
"""Between two mails to a customer, as the policy has it by default."""
SPOKEN = {"fired", "next_stage"}


class CascadeWorld(World):
    """Who gets a mail may look at it: news of that reaches the log late, twice, never and in any order."""

    tail = 60 * HOUR

    def __init__(self, *given):
        super().__init__(*given)
        self.happenings = [one for one in self.happenings if one.kind != "remove" or one.who[-1] in "147"]
        self.moods = random.Random(f"{self.seed}/reactions")
        self.relay.on_taken = self._taken

    def make_behaviour(self):
        return Behaviour(Decider(SCENARIOS), stream_time=False, partitions=PARTITIONS)

    def _taken(self, message_id):
        trigger = self._trigger(message_id)
        for outcome, probability in (
            (Outcome.DELIVERED, 0.7),
            (Outcome.OPENED, 0.3),
            (Outcome.CLICKED, 0.15),
            (Outcome.BOUNCED, 0.06),
            (Outcome.UNSUBSCRIBED, 0.04),
        ):
            if self.moods.random() >= probability:
                continue
            at = self.moods.choice((self.moods.uniform(1, 600), self.moods.uniform(600, 16 * HOUR), 17 * HOUR - 30))
            late = self.moods.choice((0.1, self.moods.uniform(0.1, 90), self.moods.uniform(0.1, 3 * HOUR)))
            for _ in range(self.moods.choice((0, 1, 1, 1, 2))):
                self.loop.call_later(at + late, self._tell, trigger, message_id, outcome, self.wall.true() + at)
                late += self.moods.uniform(0.0, 600)

    def _trigger(self, message_id):
        for _, record in self.broker.all("outbox"):
            item = decode_outgoing(record.value)
            if isinstance(item, Trigger) and message_id.startswith(item.trigger_id):
                return item
        raise AssertionError(f"{message_id} was spoken and is of no trigger")

    def _tell(self, trigger, message_id, outcome, at):
        who = trigger.customer
        told = Receipt(outcome, who, "email", at, message_id, trigger.trigger_id, trigger.scenario, Reason.RECEIPT)
        self.happened[f"told: {outcome.value}"] += 1
        self.broker.append(RECEIPTS.name, partition_of(who, PARTITIONS), who.encode(), encode_json(told))


class CascadeFindings(Findings):
    """What must hold of a run with a cascade."""

    looks = (
        "inputs_are_applied_once",
        "stages_are_decided_once",
        "nobody_is_accused",
        "memory_is_the_changelog",
        "a_replay_gives_the_same",
        "stages_are_sent_once",
        "cancelled_is_not_spoken",
        "no_cascade_is_left_open",
        "stages_agree",
    )

    def stages_are_decided_once(self):
        for (what, stage), times in Counter((item.trigger_id, item.stage) for _, item in self.triggers).items():
            if times > 1:
                self.say(f"stage {stage} of {what} was decided {times} times")
        spoken = Counter(line.trigger_id for line in self.lines if line.reason in SPOKEN)
        if spoken != Counter(item.trigger_id for _, item in self.triggers):
            self.say("the journal and the outbox do not tell of the same stages")
        for _, record in self.broker.all("dead-letters"):
            self.say(f"dead letter: {record.value[:200]!r}")

    def stages_are_sent_once(self):
        rows = {key: row for part in self.ledger.values() for key, row in part.rows.items() if isinstance(row, Message)}
        taken = Counter(message for message, _ in self.world.relay.accepted)
        for _, trigger in self.triggers:
            message = f"{trigger.trigger_id}.{trigger.stage}"
            row = rows.get(f"m:{message}")
            if row is None or row.state in UNSETTLED:
                self.say(f"the message {message} is lost ({row and row.state})")
            elif taken[message] not in {State.SENT: (1,), State.AMBIGUOUS: (0, 1)}.get(row.state, (0,)):
                self.say(f"mail {message} is {row.state} and was taken {taken[message]} times")

    def no_cascade_is_left_open(self):
        for part in self.customers.values():
            for key, row in part.packed.unpacked():
                for item in getattr(row, "open", None) or ():
                    if item.next_at and item.next_at + LATEST < self.world.wall.now():
                        self.say(f"{key}: stage {item.stage + 1} was due at {item.next_at} and is still open")

    def stages_agree(self):
        """The decided stages are those of the reference."""
        told, cascades = defaultdict(list), defaultdict(dict)
        for record, receipt in self.receipts:
            told[receipt.customer].append((record.at, receipt))
        for _, item in self.triggers:
            cascades[item.customer].setdefault(item.trigger_id, {})[item.stage] = item
        lives = defaultdict(list)
        for item in self.world.happenings:
            lives[item.who].append(item)
        for key, triggers in cascades.items():
            try:
                _check_alone(triggers, lives[key])
                wrong = [
                    text
                    for name, stages in triggers.items()
                    for text in self._compare(name, stages, lives[key], told[key])
                ]
            except Racing:
                self.racing += 1
                continue
            self.compared += 1
            for text in wrong:
                self.say(f"{key}: {text}")

    def _compare(self, name, stages, did, told):
        for number, wait in enumerate(WAITS):
            due = due_of(f"{name}.{number}", wait, told)
            following = stages.get(number + 1)
            end = ended(name, number, did, told)
            if due == inf:
                if following is not None:
                    yield f"stage {number + 1} of {name} was not expected: nothing is known of the one before"
                return
            decided = following.fired_at if following else due + LATEST
            sure = due + GRACE - self.slack - 1.0
            if sure <= end <= decided + self.slack + 1.0:
                raise Racing("its end was told while the stage was decided")
            if end < sure:
                if following is not None:
                    yield f"stage {number + 1} of {name} was spoken after the cascade had ended"
                return
            said = {Outcome.SENT, Outcome.AMBIGUOUS} & {
                one.outcome for _, one in told if one.message_id == f"{name}.{number}"
            }
            if said and due - stages[number].fired_at < CAP:  # it bounced: the mail that did counts for the cap
                if following is not None:
                    yield f"stage {number + 1} of {name} was spoken against the cap"
                return
            if following is None:
                yield f"stage {number + 1} of {name} is missing, it was due at {due}"
                return
            if abs(following.due - due) > 1e-3:
                yield f"stage {number + 1} of {name} was due at {due}, and was decided for {following.due}"


def _check_alone(triggers, did):
    """Raises Racing when what lies in a cascade's time makes it another thing than its own messages and what came of them."""
    spans = sorted((stages[0].fired_at, stages[max(stages)].fired_at) for stages in triggers.values())
    for (_, last), (first, _) in zip(spans, spans[1:], strict=False):
        if first < last + max(WAITS) + HOUR:
            raise Racing("the scenario fired anew, or its mails count for the cap")
    for first, last in spans:
        for one in did:
            if one.kind in ("login", "remove", "consent") and first - HOUR < one.t < last + max(WAITS) + HOUR:
                raise Racing(f"a {one.kind} lies in the cascade's time")


def due_of(message, wait, told):
    """When the stage after this message is due; infinity: never."""
    due = inf
    for _, receipt in told:
        if receipt.message_id != message:
            continue
        if receipt.outcome in (Outcome.SENT, Outcome.AMBIGUOUS):
            due = min(due, ceil(receipt.at + wait))
        elif receipt.outcome in (Outcome.FAILED, Outcome.BOUNCED):
            due = min(due, ceil(receipt.at))
        elif receipt.outcome is Outcome.SKIPPED:
            return inf
        if receipt.outcome is Outcome.BOUNCED and receipt.address:  # the address is dead: no mail follows
            return inf
    return due


def ended(name, number, did, told):
    """When the log knew that the cascade is over after stage `number`; infinity: it never did."""
    known = [one.arrivals[0] for one in did if one.kind in ("order", "unsubscribe") and one.arrivals]
    first = min((receipt.at for _, receipt in told if receipt.trigger_id == name), default=inf)
    known = [at for at in known if at > first - HOUR]
    for at, receipt in told:
        if receipt.trigger_id != name:
            continue
        stage = int(receipt.message_id.rpartition(".")[2])
        reacted = stage <= number < len(REACTIONS) and receipt.outcome.value in REACTIONS[stage]
        if reacted or receipt.outcome is Outcome.UNSUBSCRIBED:
            known.append(at)
    return min(known, default=inf)
