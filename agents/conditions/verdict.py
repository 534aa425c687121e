"""What a condition looks at, and what it answers. Pure."""

from collections.abc import Mapping
from datetime import UTC, tzinfo
from math import inf
from typing import NamedTuple, Protocol

import msgspec

from app.model.event import Properties
from tables.customer import Customer
from tables.ranking import Ranks

EVERYTHING: Mapping[str, float] = {}


class Verdict(NamedTuple):
    """Whether a condition holds, and the earliest moment (epoch seconds; inf: never) at which that may change though nothing happens."""

    value: bool
    until: float = inf


NEVER, ALWAYS = Verdict(False), Verdict(True)
"""Nothing but an event changes it."""


class Facts(msgspec.Struct, gc=False):
    """A customer at a moment: `now` is epoch seconds, `event` what has just happened, `zone` where the customer lives."""

    customer: Customer
    now: float
    event: Properties | None = None
    zone: tzinfo = UTC
    members: Mapping[str, float] | None = None
    """Segment -> since when; None: as the customer's state has it."""
    ranks: Ranks | None = None
    """What customers are ranked by; None: it is not known, or nobody asks."""

    @property
    def segments(self) -> Mapping[str, float]:
        """The customer's segments."""
        if self.members is not None:
            return self.members
        engagement = self.customer.engagement
        return (engagement.segments if engagement is not None else None) or EVERYTHING

    @property
    def segments_until(self) -> float:
        """When a membership may change though nothing happens."""
        engagement = self.customer.engagement
        if self.members is not None or engagement is None:
            return inf
        return engagement.segments_at or inf


class Condition(Protocol):
    """A compiled condition."""

    reads: frozenset[str]
    """The facts that its answer depends on, by name: see `agents/conditions/touched.py`."""

    def holds(self, facts: Facts) -> Verdict:
        """Whether it holds, and until when that is sure."""
        ...

    def told(self, facts: Facts) -> str:
        """In a sentence: what it saw, and what it asks."""
        ...
