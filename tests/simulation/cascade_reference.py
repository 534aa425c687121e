"""Which stages of a cascade must be spoken, when, over what, and why it ended: from what stood in the log, and when. Slow and obvious.

It knows the scenarios' files, docs/cascade.md and docs/policy.md by heart and shares no code with the engine. From outside it takes, besides
the log, at which moments the engine decided (the journal says so, and they must not be early).
"""

from datetime import UTC, datetime, timedelta
from math import ceil, inf
from typing import NamedTuple

from tests.simulation.history import GRACE, HOUR
from tests.simulation.reference import LATEST, Racing


class Step(NamedTuple):
    """A stage as a reader of the file would say it: over one of these, and the next one so much later, unless there is the reaction."""

    channels: tuple
    wait: float = 0.0
    reaction: str = "goal"


class Plan(NamedTuple):
    """A scenario: the folder of its file, and its stages."""

    name: str
    steps: tuple


MAILS = Plan("mails", (Step(("email",), 17 * HOUR, "clicked"), Step(("email",), 18 * HOUR, "opened"), Step(("email",))))
CHANNELS = Plan(
    "channels",
    (
        Step(("fcm",), 3 * HOUR, "opened"),
        Step(("email",), 17 * HOUR, "clicked"),
        Step(("whatsapp", "sms"), 18 * HOUR, "delivered"),
        Step(("sms",), HOUR, "replied"),
        Step(("email",)),
    ),
)
HTTP = ("fcm", "whatsapp", "sms")
"""Channels that ring: silent at night."""
NIGHT = (21, 9)
"""From and until, hours of UTC."""
CAPS = {"email": 16 * HOUR, "sms": 24 * HOUR, "whatsapp": 24 * HOUR, "fcm": 24 * HOUR}
"""Between two messages over a channel, as the policy has it by default."""
LADDER = ("delivered", "opened", "clicked", "replied")
SAID = ("sent", "ambiguous")
REFUSALS = ("unsubscribed", "complained")
NEXT_AT_ONCE = (
    "channel_disabled",
    "no_address",
    "bad_address",
    "suppressed",
    "unsubscribed",
    "expired",
    "budget_spent",
)
"""Why a message is not sent, where the next stage follows at once. After any other reason nothing does."""
BETWEEN_TOPICS = 1200.0
"""Seconds within which the order of records of two topics is open, since a worker may be away or one topic stalled."""


class Fact(NamedTuple):
    """What stood in the log since `known`. `kind`: order, withdraw, consent, unsubscribe or receipt."""

    known: float
    place: int
    kind: str
    what: object
    at: float = 0.0


class First(NamedTuple):
    """The stage that the trigger fired with; `moment` is that of its decision."""

    stage: int
    channels: tuple
    moment: "Moment"


class Moment(NamedTuple):
    """A decision. `known`: when the log had it (true time, like that of facts); `at`: the engine's clock, which may have been wrong."""

    known: float
    at: float


class Expected(NamedTuple):
    """`spoken`: (stage, channels, due) of each stage after the first. `reason`: why nothing more follows."""

    spoken: tuple
    reason: str


class Walk:
    """One trigger. `facts` are the customer's; `moments`: when the engine decided about the trigger; `addresses`: channel -> whether his consents speak of it.

    `slack`: by how much a clock was ever wrong, seconds; `disturbed`: when a worker was stopped, started or stalled.
    """

    def __init__(self, plan, trigger, first, facts, moments, addresses, slack, disturbed):
        self.plan, self.trigger, self.slack, self.disturbed = plan, trigger, slack, disturbed
        self.facts = sorted(facts, key=lambda fact: fact[:2])
        self.moments = sorted(moments)
        self.addresses = addresses
        self.stage, self.ways, self.fired = first.stage, first.channels, first.moment.at
        self.begun = first.moment.known
        self.due, self.told = inf, 0.0
        self.late = []
        """Stages that were decided later than any fault lasts, after the log had what makes them due."""
        self.sends, self.dead = [], set()
        self.spoken, self.reason = [], ""

    def run(self):
        """Raises Racing where two outcomes are right."""
        for fact in self.facts:
            if fact.known > self.begun:
                while not self.reason and self._comes_before(fact):
                    self._decide()
                if self.reason:
                    break
                self._hear(fact)
            self._learn(fact)
        while not self.reason and self.due < inf:
            self._decide()
        return Expected(tuple(self.spoken), self.reason or "nothing")

    # -- the waits

    def _sure(self):
        """What is known by then is known to the decision about the next stage."""
        return self.due + GRACE - self.slack - 0.01

    def _moment(self):
        """Of the decision; where there is none, the latest that would be right."""
        early, latest = self.due + GRACE - self.slack - 0.01, max(self.due, self.told) + LATEST
        return next((one for one in self.moments if one.at >= early and one.known > self.told), Moment(latest, latest))

    def _comes_before(self, fact):
        """Whether the next stage is decided before this is known. Raises Racing where nobody can say."""
        if self.due == inf or fact.known < self._sure():
            return False
        if self._follows(fact) or fact.known > self._moment().known:
            return True
        if self._matters(fact):
            raise Racing("something was told while the stage was decided")
        return False

    def _follows(self, fact):
        """Whether it tells of a message that is not decided yet."""
        told = fact.what if fact.kind == "receipt" else None
        mine = told is not None and told.trigger_id == self.trigger
        return mine and int(told.message_id.rpartition(".")[2]) > self.stage

    def _matters(self, fact):
        if fact.kind == "receipt":
            return fact.what.outcome in REFUSALS or fact.what.outcome == "bounced" or self._reacts(fact.what)
        return True

    def _reacts(self, told):
        """Whether it is what its stage waits for, or more."""
        if told.trigger_id != self.trigger or told.outcome not in LADDER:
            return False
        wanted = self.plan.steps[int(told.message_id.rpartition(".")[2])].reaction
        return wanted != "goal" and LADDER.index(told.outcome) >= LADDER.index(wanted)

    # -- what is heard

    def _hear(self, fact):
        if fact.kind == "order":
            self._end("goal_reached", fact)
        elif fact.kind in ("withdraw", "unsubscribe", "consent"):
            if any(not granted(name, self.facts, self.addresses[name], fact.known) for name in self.ways):
                self._end("consent_withdrawn", fact)
        elif fact.kind == "receipt":
            self._receipt(fact, fact.what)

    def _learn(self, fact):
        """What addresses are dead, whichever trigger has found it out."""
        if fact.kind == "receipt" and fact.what.outcome == "bounced" and fact.what.address:
            self.dead.add(fact.what.channel)
        elif fact.kind == "consent":
            self.dead.discard("fcm")  # the app is told of with it, again

    def _receipt(self, fact, told):
        mine = told.trigger_id == self.trigger
        if told.outcome in REFUSALS:
            if mine or told.channel in self.ways:
                self._end("consent_withdrawn", fact)
            return
        if not mine:
            return
        number, last = int(told.message_id.rpartition(".")[2]), self.stage + 1 >= len(self.plan.steps)
        if told.outcome in LADDER:
            if self._reacts(told):
                self._end("reacted", fact)
            return
        if number != self.stage:
            return
        if last:
            self._end(told.reason or told.outcome, fact)
        elif told.outcome in SAID:
            self.sends.append((told.channel, self.fired))
            self.ways = (told.channel,)
            self._wait(told.at + self.plan.steps[number].wait, fact)
        elif told.outcome in ("failed", "bounced") or told.reason in NEXT_AT_ONCE:
            self._wait(told.at, fact)
        else:
            self._end(told.reason, fact)

    def _wait(self, until, fact):
        if ceil(until) < self.due:
            self.due, self.told = ceil(until), fact.known

    def _end(self, reason, fact):
        """Raises Racing where something in another topic may have been read first, and ends it too."""
        for other in self.facts:
            if (
                (other.kind == "receipt") != (fact.kind == "receipt")
                and self._might_end(other)
                and self._tangled(other, fact)
            ):
                raise Racing("two ends in two topics")
        self.reason = reason

    def _tangled(self, one, other):
        """Whether nobody can say which was read first: they came together, or a worker was away about then."""
        first, last = sorted((one.known, other.known))
        return last - first < 5.0 or (
            last - first < BETWEEN_TOPICS and any(first - BETWEEN_TOPICS < at < last + 60 for at in self.disturbed)
        )

    def _might_end(self, fact):
        if fact.kind != "receipt":
            return fact.kind in ("order", "withdraw", "unsubscribe", "consent")
        told = fact.what
        if told.outcome in REFUSALS or self._reacts(told):
            return True
        if told.trigger_id != self.trigger or told.outcome in LADDER:
            return False
        return self.stage + 1 >= len(self.plan.steps) or told.outcome == "skipped"

    # -- what is decided

    def _decide(self):
        (known, now), due = self._moment(), self.due
        if now > max(due, self.told) + GRACE + LATEST + self.slack:
            self.late.append((self.stage + 1, due, now))
        for number in range(self.stage + 1, len(self.plan.steps)):
            usable = [name for name in self.plan.steps[number].channels if self._may(name, known)]
            if usable:
                break
        else:
            self.reason = "cascade_ended"
            return
        free = [name for name in usable if not any(c == name and now - at < CAPS[name] for c, at in self.sends)]
        if not free:
            self.reason = "frequency_cap"
            return
        awake = [name for name in free if name not in HTTP or not morning(now)]
        if not awake:
            self.due, self.told = ceil(morning(now)), known
            return
        self.spoken.append((number, tuple(awake), due))
        self.stage, self.ways, self.fired = number, tuple(awake), now
        self.due = inf

    def _may(self, channel, known):
        if channel not in self.addresses or channel in self.dead:
            return False
        return granted(channel, self.facts, self.addresses[channel], known)


def granted(channel, facts, given, now):
    """Whether there is consent, by what was known at `now`. `given`: whether his consents speak of the channel at all."""
    state = None
    words = [word for fact in facts if fact.known <= now and (word := _word(fact, channel, given)) is not None]
    for at, says, sourced, spoken in sorted(words, key=lambda word: (word[0], not word[1])):
        del at
        if says and not sourced and state is not None and state[1]:
            continue  # a refusal that the customer spoke himself
        state = (says, spoken)
    return state is not None and state[0]


def _word(fact, channel, given):
    """(when, yes or no, whether it says where it was given, whether the customer spoke it himself)"""
    if fact.kind == "consent" and given:
        return fact.at, fact.what != "no", fact.what == "form", False
    if fact.kind == "withdraw" and fact.what == channel:
        return fact.at, False, False, False
    if fact.kind == "unsubscribe" and channel == "email":
        return fact.at, False, False, True
    if fact.kind == "receipt" and fact.what.outcome in REFUSALS and fact.what.channel == channel:
        return fact.at, False, False, True
    return None


def morning(at):
    """When the night ends that it is at `at`; 0.0: it is day."""
    hour = datetime.fromtimestamp(at, UTC)
    if NIGHT[1] <= hour.hour < NIGHT[0]:
        return 0.0
    day = hour.date() if hour.hour < NIGHT[1] else hour.date() + timedelta(days=1)
    return datetime(day.year, day.month, day.day, NIGHT[1], tzinfo=UTC).timestamp()
