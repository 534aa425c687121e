"""Bugs to plant: each is a way to be wrong that the simulation must see."""

import random
from contextlib import contextmanager
from unittest.mock import patch

from agents import cascade, due
from agents.behaviour import Behaviour
from agents.delivery import speaker, steps
from agents.delivery.settle import grant
from channels import ledger, policy
from tables.changelog import Codec
from tables.gate import Gate
from tables.held import HeldPartition
from tests.simulation.process import Table


@contextmanager
def no_lag_gate():
    """What is due fires, however much is still unread."""
    with patch.object(Gate, "limit", lambda self, applied: None if self._ends is None else self._limit):
        yield None


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


@contextmanager
def cancel_ignored():
    """The sender notes cancellations, and speaks all the same."""

    def noted(step, cancel, now, _rules):
        mark = ledger.Cancelled(cancel.reason, now, now + ledger.KEEP_CANCELLED)
        step.put(ledger.cancel_key(cancel.trigger_id), mark)
        return []

    gates = tuple(gate for gate in policy.GATES if gate is not policy.cancelled)
    with patch.object(steps, "_cancel", noted), patch.object(policy, "GATES", gates):
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

CASCADE_BUGS = (stage_decided_twice, reaction_ignored, wait_not_rebuilt)
