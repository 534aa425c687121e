"""The later stages of a cascade: when the next one is due, what it says, and what ends them. Pure.

    fired ──▶ stage 1 with the sender ──sent──▶ waits for the reaction ──the wait is over──▶ stage 2 with the sender ──▶ ...
                        └─failed, bounced, channel off──▶ stage 2 at once       └─reaction, goal, refusal──▶ over

Every stage is decided like the first one: by a timer, behind the lag gate, with everything asked again from the customer's state
and with content composed anew (docs/cascade.md).
"""

from math import ceil, inf

from agents.allowed import Basis, Held, Withheld, allow
from agents.compose import Saying, skipped, spoken, trigger_of
from agents.decision import Decision
from agents.journeys.content import said_by
from agents.scenarios.evaluate import Refusal, ShelfOf, as_of, nothing_left, stops, talking_until
from agents.scenarios.language import Reaction, Scenario
from agents.scenarios.reach import Reached, reach
from app.model.journal import JournalLine
from app.model.policy import DAY, Policy
from app.model.reasons import Reason
from app.model.receipt import ARRIVED, Outcome, Receipt
from app.model.trigger import Cancel
from tables.customer import OPEN_TRIGGERS, SENDS, Customer, Open, Sent
from tables.windows import push

KEEP = DAY
"""Seconds beyond what caps and attribution look back to that a message is known: news of it may be late."""
_STEPS_UP = (Outcome.DELIVERED, Outcome.OPENED, Outcome.CLICKED, Outcome.REPLIED)
"""Each says that those before it are so too."""
_SAID = frozenset({Outcome.SENT, Outcome.AMBIGUOUS})
_SETTLES = _SAID | {Outcome.SKIPPED, Outcome.FAILED}
_UNREACHED = frozenset(
    {
        Reason.CHANNEL_DISABLED,
        Reason.NO_ADDRESS,
        Reason.BAD_ADDRESS,
        Reason.SUPPRESSED,
        Reason.UNSUBSCRIBED,
        Reason.EXPIRED,
        Reason.BUDGET,
    }
)
"""Reasons of the sender that say that the customer is not reached over this channel now: the next stage follows at once.

After any other (the goal is reached, the cap, too much to do) nothing follows.
"""


def is_reaction(wanted: Reaction, outcome: Outcome) -> bool:
    """Whether `outcome` is what a stage waits for."""
    return wanted is not Reaction.GOAL and _STEPS_UP.index(outcome) >= _STEPS_UP.index(Outcome(wanted.value))


def stage_of(message_id: str, default: int) -> int:
    """The number of the stage whose message this is."""
    number = message_id.rpartition(".")[2]
    return int(number) if number.isascii() and number.isdigit() and len(number) < 3 else default


def on_news(basis: Basis, decision: Decision, key: str, item: Open, receipt: Receipt) -> None:
    """What a receipt of one of its messages means for a trigger: it may be over, or wait, or go on at once."""
    customer, outcome = decision.customer, receipt.outcome
    scenario, number = basis.scenarios.saying(item), stage_of(receipt.message_id, item.stage)
    stages = () if scenario is None else scenario.cascade
    if outcome in _SAID or outcome in ARRIVED:
        _count(basis.policy, customer, item, receipt, number)
    if item.cancelled:
        if (outcome in _SETTLES or outcome is Outcome.BOUNCED) and number == item.stage:
            drop(customer, item)
    elif outcome in ARRIVED:
        if number < len(stages) and is_reaction(stages[number].reaction, outcome):
            take_back(decision, key, item, Reason.REACTED, receipt.message_id, receipt.at)
            decision.reasons.append(_line(receipt.at, key, Reason.REACTED, item, {"reaction": outcome.value}, number))
    elif number != item.stage:
        return  # news of an earlier stage, and not what it waited for
    elif number + 1 >= len(stages):
        if outcome in _SETTLES or outcome is Outcome.BOUNCED:
            drop(customer, item)
    elif outcome in _SAID:
        item.channel, item.expires_at, item.ways, item.home = receipt.channel, 0, None, ""
        _wait(decision, item, receipt.at + stages[number].wait)
    elif outcome in (Outcome.FAILED, Outcome.BOUNCED) or receipt.reason in _UNREACHED:
        _wait(decision, item, receipt.at)
    elif outcome is Outcome.SKIPPED:
        drop(customer, item)


def _count(policy: Policy, customer: Customer, item: Open, receipt: Receipt, number: int) -> None:
    """What was, or may have been, said counts for the caps from its decision on; once. What is too old to matter is forgotten."""
    known = customer.sends or []
    if any(sent.trigger_id == item.trigger_id and sent.stage == number for sent in known):
        return
    at = item.at if number == item.stage else receipt.at
    kept = [sent for sent in known if sent.at > at - policy.sends_known_for - KEEP]
    if item.marketing or policy.counts_transactional:
        kept = push(kept, Sent(item.trigger_id, item.scenario, receipt.channel, at, item.marketing, number), SENDS)
    customer.sends = kept or None


def _wait(decision: Decision, item: Open, until: float) -> None:
    """The next stage is to be decided at `until`, unless it is sooner already."""
    item.next_at = min(item.next_at or inf, ceil(until))  # type: ignore[assignment]  # one of the two is a number
    decision.wake_at = min(decision.wake_at or inf, float(item.next_at))


def take_back(decision: Decision, key: str, item: Open, reason: Reason, event_id: str, at: float) -> None:
    """Nothing more of this trigger: what is with the sender is called back, and what waits for its next stage is over."""
    if item.is_with_sender:  # over once the sender has told what became of it
        item.cancelled = True
        decision.cancelled.append(Cancel(item.trigger_id, item.home or key, reason, at, event_id))
    elif not item.cancelled:
        drop(decision.customer, item)


def bound(decision: Decision, key: str, at: float) -> None:
    """Keep as many open triggers as there is room for: of the oldest beyond, nothing more is said, and it is told."""
    customer = decision.customer
    for item in (customer.open or ())[:-OPEN_TRIGGERS]:
        if not item.cancelled:
            _supersede(decision, key, item, at)
        drop(customer, item)


def drop(customer: Customer, item: Open) -> None:
    """The trigger is over."""
    customer.open = [other for other in customer.open or () if other is not item] or None


def supersede(basis: Basis, decision: Decision, key: str, name: str, now: float) -> None:
    """Scenario `name` has fired anew: what it had still to say is old. Where more was to follow, what is with the sender is called back."""
    for item in decision.customer.open or ():
        if item.scenario != name or item.step or item.cancelled:
            continue
        said = basis.scenarios.saying(item)
        if item.next_at or (said is not None and item.stage + 1 < len(said.cascade)):
            _supersede(decision, key, item, now)


def _supersede(decision: Decision, key: str, item: Open, at: float) -> None:
    decision.reasons.append(_line(at, key, Reason.CASCADE_SUPERSEDED, item, {}, item.stage))
    take_back(decision, key, item, Reason.CASCADE_SUPERSEDED, "", at)


def decide_stages(basis: Basis, decision: Decision, key: str, now: float, shelf: ShelfOf, until: float) -> None:
    """Decide the stages of customer `key` that are due at or before `until`, as of `now` (both epoch seconds)."""
    customer = decision.customer
    for item in customer.open or ():
        if not item.next_at or item.next_at > until:
            continue
        scenario = basis.scenarios.saying(item)
        if scenario is None:
            _end(decision, key, item, now, Refusal(Reason.SCENARIO_GONE, {}))
            continue
        talking = talking_until(scenario, customer.dialogs) if customer.dialogs is not None else 0.0
        if talking > now:
            _hold(decision, key, item, now, Reason.HELD_BY_DIALOG, talking)
            continue
        answer = _answer(basis, decision, scenario, key, item, now, shelf)
        if isinstance(answer, Held):
            _hold(decision, key, item, now, Reason.QUIET_HOURS, answer.until)
        elif isinstance(answer, Refusal):
            _end(decision, key, item, now, answer)
        else:
            _speak(basis, decision, item, answer, key)


def _answer(
    basis: Basis, decision: Decision, scenario: Scenario, key: str, item: Open, now: float, shelf: ShelfOf
) -> Refusal | Held | Saying:
    """What the next stage says, or why none follows."""
    customer, due = decision.customer, float(item.next_at)
    held = stops(scenario, customer, due, now)
    if held is not None:
        return held
    found, missed = reach(scenario, key, customer, item.stage + 1)
    decision.reasons += [skipped(one, scenario.id, item.trigger_id, key, now, due) for one in missed]
    if found is None:
        return Refusal(Reason.CASCADE_ENDED, {})
    shown = said_by(scenario, customer, item, now, shelf)
    if shown is None:
        return nothing_left(scenario)
    free = allow(basis, scenario, key, customer, found, as_of(scenario, due, now))
    if isinstance(free, Withheld):
        return Refusal(Reason.CONTROL_GROUP, {"group": free.group})
    return Saying(scenario, free, shown, due, now, step=item.step) if isinstance(free, Reached) else free


def _hold(decision: Decision, key: str, item: Open, now: float, reason: Reason, until: float) -> None:
    """The stage is decided later, and everything is asked again then."""
    item.next_at = ceil(until)
    decision.reasons.append(_line(now, key, reason, item, {}, item.stage + 1, until))


def _speak(basis: Basis, decision: Decision, item: Open, saying: Saying, key: str) -> None:
    trigger = trigger_of(basis, saying, item.trigger_id, key, decision.customer)
    decision.fired.append(trigger)
    decision.reasons.append(spoken(trigger, Reason.NEXT_STAGE))
    item.stage, item.at, item.next_at = trigger.stage, trigger.fired_at, 0
    item.channel, item.expires_at = trigger.cascade[0].channel, trigger.expires_at
    item.ways, item.home = [way.channel for way in trigger.cascade[1:]] or None, ""


def _end(decision: Decision, key: str, item: Open, now: float, why: Refusal) -> None:
    decision.reasons.append(_line(now, key, why.reason, item, why.detail, item.stage + 1, float(item.next_at)))
    drop(decision.customer, item)


def _line(
    at: float,
    key: str,
    reason: Reason,
    item: Open,
    detail: dict[str, str | float | int],
    number: int,
    due: float = 0.0,
) -> JournalLine:
    return JournalLine(
        at,
        key,
        reason,
        item.scenario,
        item.trigger_id,
        channel=item.channel,
        due=due,
        detail={"stage": number + 1, **detail},
    )
