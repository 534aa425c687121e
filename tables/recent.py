"""When events happened that some condition counts: the last times of each, kept only for names that a loaded condition names. Pure."""

from bisect import insort

from tables.customer import Customer
from tables.engagement import Engagement

TIMES = 20
"""Times kept of one name."""
NAMES = 16
"""Names kept of one customer: those that happened last."""


def note(customer: Customer, name: str, at: float) -> None:
    """Note that the event `name` happened at `at` (epoch seconds). A repeated event of the same moment counts once."""
    engagement = customer.engagement
    if engagement is None:
        engagement = customer.engagement = Engagement()
    kept = engagement.happened
    if kept is None:
        kept = engagement.happened = {}
    times = kept.setdefault(name, [])
    if at not in times:
        insort(times, at)
        del times[:-TIMES]
    if len(kept) > NAMES:
        del kept[min(kept, key=lambda known: (kept[known][-1], known))]


def joined(owner: dict[str, list[float]] | None, alias: dict[str, list[float]] | None) -> dict[str, list[float]] | None:
    """What two customers who are one did."""
    both = {
        name: sorted({*(owner or {}).get(name, ()), *(alias or {}).get(name, ())})[-TIMES:]
        for name in {**(owner or {}), **(alias or {})}
    }
    last = sorted(both, key=lambda name: (-both[name][-1], name))[:NAMES]
    return {name: both[name] for name in both if name in last} or None
