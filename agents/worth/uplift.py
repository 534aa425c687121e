"""What recipients do beyond those who get nothing, and how sure that is. Pure."""

from enum import StrEnum
from typing import NamedTuple

from agents.worth.intervals import Interval, Sample, newcombe, welch, wilson

FEWEST = 50
"""Customers that either group must have before anything is said of the difference."""


class Verdict(StrEnum):
    """How sure a difference is, at 95 %."""

    NO_CONTROL = "no_control_group"
    TOO_FEW = "too_few_to_tell"
    NOT_SURE = "not_sure"
    MORE = "sure_more"
    LESS = "sure_less"


class Reached(NamedTuple):
    """Customers of a group for whom a scenario came due, and those among them who reached its goal."""

    customers: int = 0
    reached: int = 0


class Uplift(NamedTuple):
    """A difference, recipients less control group, with the interval at 95 % and what it means."""

    difference: Interval
    verdict: Verdict


NOTHING = Interval(0.0, 0.0, 0.0)


def of_goals(recipients: Reached, control: Reached) -> Uplift:
    """The difference of the shares that reach the goal."""
    early = _early(recipients.customers, control.customers)
    if early is not None:
        return Uplift(NOTHING, early)
    shares = [wilson(min(group.reached, group.customers), group.customers) for group in (recipients, control)]
    return _judged(newcombe(*shares))


def of_money(recipients: Sample, control: Sample) -> Uplift:
    """The difference of what a customer spends, those who spend nothing included."""
    early = _early(recipients.size, control.size)
    return Uplift(NOTHING, early) if early is not None else _judged(welch(recipients, control))


def _early(recipients: int, control: int) -> Verdict | None:
    """Why nothing can be said of a difference."""
    if not control:
        return Verdict.NO_CONTROL
    return Verdict.TOO_FEW if min(recipients, control) < FEWEST else None


def _judged(difference: Interval) -> Uplift:
    verdict = Verdict.MORE if difference.low > 0 else Verdict.LESS if difference.high < 0 else Verdict.NOT_SURE
    return Uplift(difference, verdict)
