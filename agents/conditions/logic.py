"""`all`, `any` and `not`. Pure.

A conjunction that does not hold cannot hold before each of its members that do not hold may have changed, so it is sure until the
last of these; likewise a disjunction that holds.
"""

from math import inf

from agents.conditions.alike import Alike
from agents.conditions.verdict import ALWAYS, NEVER, Condition, Facts, Verdict


class Every(Alike):
    """`all`."""

    __slots__ = ("members", "reads")

    def __init__(self, members: tuple[Condition, ...]) -> None:
        self.members = members
        self.reads = frozenset[str]().union(*(member.reads for member in members))

    def holds(self, facts: Facts) -> Verdict:
        """Whether all hold."""
        holding, failing = inf, -inf
        for member in self.members:
            value, until = member.holds(facts)
            if value:
                holding = min(holding, until)
            elif until == inf:
                return NEVER
            else:
                failing = max(failing, until)
        return Verdict(True, holding) if failing == -inf else Verdict(False, failing)

    def told(self, facts: Facts) -> str:
        """What does not hold, else all of it."""
        failing = [member for member in self.members if not member.holds(facts).value]
        return "; ".join(member.told(facts) for member in failing or self.members)


class Either(Alike):
    """`any`."""

    __slots__ = ("members", "reads")

    def __init__(self, members: tuple[Condition, ...]) -> None:
        self.members = members
        self.reads = frozenset[str]().union(*(member.reads for member in members))

    def holds(self, facts: Facts) -> Verdict:
        """Whether one holds."""
        holding, failing = -inf, inf
        for member in self.members:
            value, until = member.holds(facts)
            if not value:
                failing = min(failing, until)
            elif until == inf:
                return ALWAYS
            else:
                holding = max(holding, until)
        return Verdict(False, failing) if holding == -inf else Verdict(True, holding)

    def told(self, facts: Facts) -> str:
        """What holds, else why none does."""
        holding = [member for member in self.members if member.holds(facts).value]
        if holding:
            return "; ".join(member.told(facts) for member in holding)
        return "none of: " + "; ".join(member.told(facts) for member in self.members)


class Opposite(Alike):
    """`not`."""

    __slots__ = ("member", "reads")

    def __init__(self, member: Condition) -> None:
        self.member = member
        self.reads = member.reads

    def holds(self, facts: Facts) -> Verdict:
        """Whether it does not hold."""
        value, until = self.member.holds(facts)
        return Verdict(not value, until)

    def told(self, facts: Facts) -> str:
        """What is not to hold."""
        return f"not ({self.member.told(facts)})"
