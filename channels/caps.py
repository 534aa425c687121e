"""Frequency caps: whether the customer has heard enough. Pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta, tzinfo
from typing import NamedTuple

from app.model.policy import Cap


class Said(NamedTuple):
    """A message that was, or may have been, said. `at` is epoch seconds: when it was decided."""

    channel: str
    topic: str
    scenario: str
    at: float
    marketing: bool


class Full(NamedTuple):
    """A cap that is used up, and when the last message that counts was decided."""

    cap: Cap
    last: float


def full(caps: Iterable[Cap], said: Iterable[Said], new: Said, zone: tzinfo) -> Full | None:
    """The first cap that a new marketing message obeys and that is used up; None: it may be said. Transactional ones are exempt."""
    if not new.marketing:
        return None
    known = list(said)
    for cap in caps:
        if not cap.obeys.covers(new.channel, new.topic, new.scenario):
            continue
        since = begin(cap, new.at, zone)
        times = [one.at for one in known if _counts(cap, one) and (one.at >= since if cap.days else one.at > since)]
        if len(times) >= cap.most:
            return Full(cap, max(times))
    return None


def _counts(cap: Cap, one: Said) -> bool:
    return (one.marketing or cap.transactional) and cap.counts.covers(one.channel, one.topic, one.scenario)


def begin(cap: Cap, now: float, zone: tzinfo) -> float:
    """Since when messages count: so many seconds ago, or the customer's midnight of the first of so many days."""
    if not cap.days:
        return now - cap.seconds
    first = datetime.fromtimestamp(now, zone).date() - timedelta(days=cap.days - 1)
    return datetime(first.year, first.month, first.day, tzinfo=zone).timestamp()
