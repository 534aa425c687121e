"""Who is in which segment: worked out anew for a customer when something that segments ask for changes, or when time says so. Pure.

What an event touches is looked up once for each kind of event, so that one which no segment asks for costs a look into a dict.
A customer whose memberships follow other definitions than today's (`segments_of`) is due at once.
"""

from collections.abc import Iterable, Sequence
from math import inf
from typing import NamedTuple

from agents.conditions.absent import facts_of as absent_facts
from agents.conditions.absent import missing, sure
from agents.conditions.compile import kept_events, windows
from agents.conditions.touched import (
    CATEGORIES,
    CONSENT,
    NOTED,
    RANKS,
    SEARCHES,
    SEEN,
    SEEN_WITH,
    VIEWS,
    member,
    touched,
)
from agents.conditions.verdict import Condition, Facts
from agents.decision import Decision
from agents.segments.language import Segment, SegmentSet
from app.model.event import Event
from app.model.journal import JournalLine
from app.model.reasons import Reason
from tables.customer import Customer
from tables.engagement import Engagement
from tables.ranking import Ranks
from tables.signals import segment_entered, segment_left

"""Signals that scenarios listen to, followed by the segment's id."""
_WHY = 200

_READ_BY = {VIEWS: "Product Viewed", CATEGORIES: "Product Viewed", SEARCHES: "Products Searched"}


class Changed(NamedTuple):
    """A customer has entered a segment, or left it."""

    segment: str
    entered: bool
    why: str

    @property
    def signal(self) -> str:
        """What scenarios hear."""
        return segment_entered(self.segment) if self.entered else segment_left(self.segment)


class Memberships:
    """The segments, found by what they ask for."""

    def __init__(self, found: SegmentSet) -> None:
        self._all = found.segments
        self.mark = found.mark
        """Tells these definitions from others."""
        self._touched: dict[tuple[tuple[str, ...], str, bool, bool, bool, bool], tuple[Segment, ...]] = {}
        self._asked: dict[frozenset[str], tuple[Segment, ...]] = {}
        self._open: dict[tuple[int, int], tuple[tuple[Segment, ...], frozenset[str]]] = {}
        reads = self._reads = frozenset[str]().union(*(segment.when.reads for segment in self._all))
        conditions = [segment.when for segment in self._all]
        self.gap = min((window for one in conditions for window in windows(one)), default=inf)
        """Seconds of silence after which activity may change a membership: the smallest window that a condition names."""
        self.kept = frozenset(kept(conditions))
        """Events of which the times have to be kept."""
        self.heard = self.kept | {name for fact, name in _READ_BY.items() if fact in reads}
        """Events that say more than that the customer is there."""
        self.devices = SEEN_WITH in reads
        """Whether it is asked for what a customer was last there with."""
        self.noted = NOTED in reads
        """Whether traits and tags are asked for, which steps of scenarios set."""
        self.ranked = RANKS in reads
        """Whether it is asked where customers stand among the others of their partition."""
        self.ranks: Ranks | None = None
        """By what they are ranked in the partition of the step that is under way; whoever begins a step sees to it."""
        self.day = found.day
        """The length of a day in seconds."""
        self._whole = self.gap == inf and not self._welcomes()
        """Whether one of whom nothing is known but that he was there is in no segment, whatever time passes."""

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._all)

    @property
    def newcomers(self) -> bool:
        """Whether somebody new has to be looked at, though he does nothing that is asked for."""
        return bool(self._all) and not self._whole

    def _welcomes(self) -> bool:
        verdicts = [segment.when.holds(Facts(Customer(1.0, 1.0, 1.0), 1.0, members={})) for segment in self._all]
        return any(verdict.value or verdict.until < inf for verdict in verdicts)

    def wake_of(self, customer: Customer) -> float | None:
        """When memberships have to be looked at (epoch seconds), or None."""
        if not self._all and customer.engagement is None:
            return None
        engagement = customer.engagement
        if (engagement.segments_of if engagement is not None else 0) != self.mark:
            return customer.first_seen or 1.0
        return (engagement.segments_at or None) if engagement is not None else None

    def on_event(
        self, customer: Customer, event: Event, signals: tuple[str, ...], at: float, seen: float
    ) -> list[Changed]:
        """After an event was applied; `seen` is when the customer was last seen before it."""
        active = customer.last_seen > seen and (not seen or at - seen >= self.gap)
        key = (
            signals,
            event.event if event.event in self.heard else "",
            event.traits is not None,
            bool(event.push),
            active,
            self.devices and bool(event.deviceKind),
        )
        some = self._touched.get(key)
        if some is None:
            facts = touched(signals, key[1], traits=key[2], push=key[3], seen_with=key[5])
            some = self._touched[key] = self._asking(facts | {SEEN} if active else facts)
        return self._settle(customer, at, some)

    def on_consent(self, customer: Customer, at: float) -> list[Changed]:
        """After a receipt has changed a consent."""
        return self._settle(customer, at, self._asking(frozenset({CONSENT})))

    def on_merge(self, customer: Customer, at: float) -> list[Changed]:
        """After another's state has joined this one."""
        return self._settle(customer, at, self._all)

    def is_moved(self, customer: Customer, at: float) -> bool:
        """Whether a new ranking changes a membership, or the moment at which one has to be looked at."""
        engagement = customer.engagement
        if engagement is None or engagement.segments_of != self.mark:
            return True
        members = engagement.segments or {}
        facts = Facts(customer, max(at, engagement.segments_known), members=members, ranks=self.ranks)
        found = [(one.id in members, one.when.holds(facts)) for one in self._asking(frozenset({RANKS}))]
        soonest = engagement.segments_at or inf
        return any(is_in != verdict.value or verdict.until < soonest for is_in, verdict in found)

    def on_ranks(self, customer: Customer, at: float) -> list[Changed]:
        """After it was worked out anew where customers stand among the others."""
        return self._settle(customer, at, self._asking(frozenset({RANKS})))

    def on_due(self, customer: Customer, until: float) -> list[Changed]:
        """When a timer is up: as of `until`, up to which it is known what has happened."""
        due = self.wake_of(customer)
        return [] if due is None or due > until else self._settle(customer, until, self._all)

    def _asking(self, facts: frozenset[str]) -> tuple[Segment, ...]:
        """The segments that ask for any of these, and those that ask for such a segment."""
        known = self._asked.get(facts)
        if known is not None:
            return known
        found: list[Segment] = []
        touching = facts
        for segment in self._all:
            if segment.when.reads & touching:
                found.append(segment)
                touching |= {member(segment.id)}
        self._asked[facts] = tuple(found)
        return self._asked[facts]

    def _questions(self, some: tuple[Segment, ...], bits: int) -> tuple[tuple[Segment, ...], frozenset[str]]:
        """Which of some segments have to be worked out for a customer of whom that is missing, and the others: nobody like him is in one.

        `some` are all, or were found once and for all (`_asking`), so that their identity tells them apart.
        """
        known = self._open.get((id(some), bits))
        if known is None:
            absent, left, needless = absent_facts(bits, self._reads), [], set()
            for segment in some:
                if sure(segment.when, absent) is False:
                    needless.add(segment.id)
                    absent |= {member(segment.id)}
                else:
                    left.append(segment)
            known = self._open[id(some), bits] = (tuple(left), frozenset(needless))
        return known

    def _settle(self, customer: Customer, at: float, some: tuple[Segment, ...]) -> list[Changed]:
        """Work these out anew as of `at`, or of what is known already if that is later: nobody goes back in time."""
        engagement = customer.engagement
        if (engagement.segments_of if engagement is not None else 0) != self.mark:
            some = self._all
        elif not some:
            return []
        if engagement is None:
            engagement = customer.engagement = Engagement()
        moment = max(at, engagement.segments_known, customer.last_seen)
        members = dict(engagement.segments or {})
        asked, needless = self._questions(some, missing(customer))
        if members and not needless.isdisjoint(members):
            asked = some
        # nobody else has a rank, whatever it will be
        if self.ranked and self.ranks is None and customer.orders is not None:
            asked = tuple(one for one in asked if RANKS not in one.when.reads)
        changed, until = _worked_out(Facts(customer, moment, members=members, ranks=self.ranks), members, asked)
        if some is self._all:
            changed += _gone(members, self._all) if members else []
        elif engagement.segments_at:
            until = min(until, engagement.segments_at)
        engagement.segments = members or None
        engagement.segments_at = until if until < inf else 0.0
        engagement.segments_of, engagement.segments_known = self.mark, moment
        return changed


def _worked_out(facts: Facts, members: dict[str, float], some: Sequence[Segment]) -> tuple[list[Changed], float]:
    """What changed in `members`, and until when nothing changes by itself."""
    changed: list[Changed] = []
    until = inf
    for segment in some:
        value, lasts = segment.when.holds(facts)
        until = min(until, lasts)
        if value != (segment.id in members):
            changed.append(Changed(segment.id, value, segment.when.told(facts)[:_WHY]))
            if value:
                members[segment.id] = facts.now
            else:
                del members[segment.id]
    return changed, until


def _gone(members: dict[str, float], known: Sequence[Segment]) -> list[Changed]:
    """Memberships of segments that there are no more."""
    names = {segment.id for segment in known}
    gone = sorted(name for name in members if name not in names)
    for name in gone:
        del members[name]
    return [Changed(name, False, "there is no such segment any more") for name in gone]


def kept(conditions: Iterable[Condition]) -> set[str]:
    """Events of which conditions count the times."""
    return {name for condition in conditions for name in kept_events(condition)}


def note_changes(decision: Decision, key: str, changed: Sequence[Changed], event_id: str, at: float) -> float:
    """Write down who entered and left what, and why. Returns as of when (epoch seconds)."""
    engagement = decision.customer.engagement
    moment = max(at, engagement.segments_known) if engagement is not None else at
    for one in changed:
        reason = Reason.SEGMENT_ENTERED if one.entered else Reason.SEGMENT_LEFT
        detail: dict[str, str | float | int] = {"segment": one.segment, "why": one.why}
        decision.reasons.append(JournalLine(moment, key, reason, event_id=event_id, detail=detail))
        decision.moved.append((one.segment, one.entered))
    return moment


def segments_of(customer: Customer) -> frozenset[str]:
    """The segments that a customer is in."""
    engagement = customer.engagement
    return frozenset((engagement.segments if engagement is not None else None) or ())


def difference(before: frozenset[str], after: frozenset[str]) -> list[tuple[str, bool]]:
    """(segment, whether it was entered) from one set of memberships to another."""
    return [*((name, False) for name in sorted(before - after)), *((name, True) for name in sorted(after - before))]
