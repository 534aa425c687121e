"""Bugs to plant: each is a way to be wrong that the simulation must see."""

import itertools
import random
from contextlib import contextmanager
from unittest.mock import patch

from msgspec import structs

from agents import cascade, due, ending
from agents.allowed import allow
from agents.behaviour import Behaviour
from agents.delivery import settle, speaker, steps
from agents.delivery.settle import grant
from channels import ledger, policy, rendering
from tables.changelog import Codec
from tables.customer import SENDS, Sent
from tables.gate import Gate
from tables.held import HeldPartition
from tests.simulation.process import SenderProcess, Table


@contextmanager
def no_lag_gate():
    """What is due fires, however much is still unread."""

    class Ungated(Table):
        def __init__(self, *args, across=(), **options):
            super().__init__(*args, **options)  # after a start nothing is waited for either

    with patch.object(Gate, "limit", lambda self, applied: None if self._ends is None else self._limit):
        yield Ungated


@contextmanager
def committed_before_durable():
    """The position is written first, and then what follows from the records."""

    class PositionFirst(Table):
        async def write(self, part, step, triggered, *, force=False):
            if step:
                fence = [self.codec.fence(part.applied, part.clock)]
                await self._writers[part.number].write([(self._changelog_topic_name(), part.number, fence)])
            await super().write(part, step, triggered, force=force)

    yield PositionFirst


@contextmanager
def random_ids():
    """A trigger's id says nothing."""
    chance = random.Random(1)
    with patch.object(due, "trigger_id", lambda *_: f"{chance.getrandbits(128):032x}"):
        yield None


def _fence_off_by(number):
    real = Codec.fence
    return patch.object(
        Codec,
        "fence",
        lambda self, applied, clock: real(self, {t: max(o + number, -1) for t, o in applied.items()}, clock),
    )


@contextmanager
def fence_one_too_low():
    """The last record of a step is applied again after a restart."""
    with _fence_off_by(-1):
        yield None


@contextmanager
def fence_one_too_high():
    """The record after a step is skipped after a restart."""
    with _fence_off_by(1):
        yield None


@contextmanager
def timers_not_rebuilt():
    """After a recovery nobody waits for anything."""
    with patch.object(HeldPartition, "rebuild", lambda self, _wake_of: self.gate.reset()):
        yield None


@contextmanager
def in_flight_in_memory_only():
    """The message is spoken without a durable word about it."""

    def forgetful(step, key, *rest):
        answer = grant(step, key, *rest)
        step.changed.pop(key, None)
        return answer

    with patch.object(speaker, "grant", forgetful):
        yield None


def _only_noted(step, cancel, now, _rules):
    """A cancellation is noted in the ledger, and calls nothing back."""
    mark = ledger.Cancelled(cancel.reason, now, now + ledger.KEEP_CANCELLED)
    step.put(ledger.cancel_key(cancel.trigger_id), mark)
    return []


@contextmanager
def cancel_ignored():
    """The sender notes cancellations, and speaks all the same."""
    gates = tuple(gate for gate in policy.GATES if gate is not policy.cancelled)
    with patch.object(steps, "_cancel", _only_noted), patch.object(policy, "GATES", gates):
        yield None


@contextmanager
def postponed_without_grace():
    """A timer that comes up for an older deadline fires for a newer one too, before its grace is over."""

    on_timer = Behaviour.on_timer

    def hasty(behaviour, step, _due, key, now):
        on_timer(behaviour, step, now, key, now)

    with patch.object(Behaviour, "on_timer", hasty):
        yield None


@contextmanager
def stage_decided_twice():
    """What is decided of a cascade is not noted the first time, so that the stage is decided again."""
    speak, seen = cascade._speak, set()

    def forgetful(basis, decision, item, saying, key):
        before = item.stage
        speak(basis, decision, item, saying, key)
        if item.trigger_id not in seen:
            seen.add(item.trigger_id)
            item.stage, item.next_at = before, int(saying.now) + 300

    with patch.object(cascade, "_speak", forgetful):
        yield None


@contextmanager
def reaction_ignored():
    """Whoever reacts to a stage is spoken to all the same."""
    with patch.object(cascade, "is_reaction", lambda _wanted, _outcome: False):
        yield None


@contextmanager
def wait_not_rebuilt():
    """After a recovery no cascade waits for its next stage."""
    rebuild = HeldPartition.rebuild

    def without(part, wake_of):
        rebuild(part, lambda row: None if getattr(row, "open", None) else wake_of(row))

    with patch.object(HeldPartition, "rebuild", without):
        yield None


@contextmanager
def granted_after_the_goal():
    """The sender asks whether a message is called back when it begins with it, and not again before it speaks."""
    with patch.object(steps, "_cancel", _only_noted), patch.object(settle, "gate", lambda *_: None):
        yield None


@contextmanager
def ledger_forgotten():
    """A sender that comes back begins with an empty ledger."""
    recover = SenderProcess._recover

    async def without(process, changelog, number):
        await recover(process, changelog, number)
        if process.name != "auditor":
            process.table.parts[number].rows.clear()

    with patch.object(SenderProcess, "_recover", without):
        yield None


@contextmanager
def consent_not_asked_again():
    """Whoever has refused a channel is spoken to over it all the same, if the cascade has begun."""
    real = cascade.reach

    def careless(scenario, key, customer, start=0):
        return real(structs.replace(scenario, marketing=False), key, customer, start)

    with patch.object(cascade, "reach", careless):
        yield None


@contextmanager
def receipt_counted_twice():
    """Each further receipt of a message counts as another message for the caps."""

    def always(_policy, customer, item, receipt, number):
        sent = Sent(item.trigger_id, item.scenario, receipt.channel, item.at, item.marketing, number)
        customer.sends = [*(customer.sends or ()), sent][-SENDS:]

    with patch.object(cascade, "_count", always):
        yield None


@contextmanager
def receipt_noted_of_another():
    """What is told of a message is not noted when it was told before of any kind."""
    real = ledger.Message.tell
    with patch.object(ledger.Message, "tell", lambda row, outcome: not row.told and real(row, outcome)):
        yield None


@contextmanager
def said_anew():
    """A further attempt says something else."""
    real, count = rendering.Rendering.render, itertools.count()

    async def render(*given):
        texts = await real(*given)
        return texts._replace(subject=f"{texts.subject} {next(count)}", text=f"{texts.text} {next(count)}")

    with patch.object(rendering.Rendering, "render", render):
        yield None


@contextmanager
def end_not_kept():
    """What ends a cascade that waits is written down, and the cascade goes on."""
    real = cascade.take_back

    def careless(decision, key, item, *rest):
        if item.is_with_sender:
            real(decision, key, item, *rest)

    with patch.object(cascade, "take_back", careless), patch.object(ending, "take_back", careless):
        yield None


@contextmanager
def ended_in_silence():
    """A cascade that reaches nobody any more ends without a word."""

    def silent(decision, _key, item, _now, _why):
        cascade.drop(decision.customer, item)

    with patch.object(cascade, "_end", silent):
        yield None


@contextmanager
def night_forgotten():
    """A stage is spoken at night."""
    with patch.object(cascade, "allow", lambda *given: _by_day(*given)):
        yield None


def _by_day(basis, *rest):
    return allow(basis._replace(policy=structs.replace(basis.policy, quiet=None)), *rest)


BUGS = (
    no_lag_gate,
    committed_before_durable,
    random_ids,
    fence_one_too_low,
    fence_one_too_high,
    timers_not_rebuilt,
    in_flight_in_memory_only,
    cancel_ignored,
    postponed_without_grace,
)

CASCADE_BUGS = (
    stage_decided_twice,
    reaction_ignored,
    wait_not_rebuilt,
    granted_after_the_goal,
    ledger_forgotten,
    consent_not_asked_again,
    receipt_counted_twice,
    receipt_noted_of_another,
    said_anew,
    end_not_kept,
    ended_in_silence,
    night_forgotten,
)
