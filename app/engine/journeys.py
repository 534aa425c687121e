"""What workers tell of traced journeys: a decision that is committed, and each attempt at a message."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from app.clock import Clock
from app.codec import decode_outgoing
from app.model.trigger import Trigger
from app.topics import OUTBOX
from app.tracing import COLLECTED, DECIDED, SPOKEN, Journeys, Span
from channels.ledger import Move
from tables.step import Step

if TYPE_CHECKING:
    from channels.pipeline import Job, Verdict

_FAILED = frozenset({Move.FAIL, Move.LOSE, Move.POSTPONE, None})


class Telling:
    """Attached to an app: what is still to be told is sent before it ends."""

    def __init__(self, told: Journeys) -> None:
        self._told = told

    async def start(self) -> None:
        """Nothing is to be done."""

    async def stop(self) -> None:
        """Send what waits; the exporter is not asynchronous."""
        await asyncio.to_thread(self._told.close)


def decisions(told: Journeys, clock: Clock) -> Callable[[Step], None]:
    """Called with every step that is committed: a span for each trigger in it, from due to committed."""

    def committed(step: Step) -> None:
        now = clock.now()
        for output in step.outputs:
            item = decode_outgoing(output.value) if output.topic == OUTBOX.name and output.value else None
            if isinstance(item, Trigger) and told.wants(item.anchor):
                told.tell(_decided(item, now))

    return committed


def _decided(trigger: Trigger, now: float) -> Span:
    return Span(
        f"decide {trigger.scenario}",
        "CONSUMER",
        trigger.anchor,
        (DECIDED, trigger.trigger_id),
        (COLLECTED,),
        trigger.due,
        max(now, trigger.due),
        {
            "boomerang.scenario": trigger.scenario,
            "boomerang.scenario_version": trigger.version,
            "boomerang.trigger_id": trigger.trigger_id,
            "boomerang.fired_at": trigger.fired_at,
        },
    )


def attempts(told: Journeys) -> Callable[["Job", "Verdict", float, float], None]:
    """Called after every attempt at a message with what became of it, and when it began and ended (epoch seconds)."""

    def attempted(job: "Job", verdict: "Verdict", began: float, ended: float) -> None:
        if told.wants(job.trigger.anchor):
            told.tell(_spoken(job, verdict, began, ended))

    return attempted


def _spoken(job: "Job", verdict: "Verdict", began: float, ended: float) -> Span:
    trigger, channel = job.trigger, job.channel.name
    return Span(
        f"speak {channel}",
        "CLIENT" if job.spoken else "INTERNAL",
        trigger.anchor,
        (SPOKEN, job.message_id, str(job.attempt)),
        (DECIDED, trigger.trigger_id),
        began,
        ended,
        {
            "boomerang.scenario": trigger.scenario,
            "boomerang.trigger_id": trigger.trigger_id,
            "boomerang.channel": channel,
            "boomerang.attempt": job.attempt + 1,
            "boomerang.reason": str(verdict.reason),
        },
        str(verdict.reason) if verdict.move in _FAILED else "",
    )
