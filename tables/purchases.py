"""When which product, or which category, was bought: kept only where a loaded scenario predicts the next time from it. Pure."""

from bisect import insort
from collections.abc import Collection, Iterable, Iterator

from app.model.event import Line
from tables.customer import Customer
from tables.engagement import Bought, Engagement

PRODUCT, CATEGORY = "product", "category"
TIMES = 6
"""Times kept of one product."""
NAMES = 24
"""Products kept of one customer, and as many categories: those that were bought last."""


def note(customer: Customer, lines: Iterable[Line], at: float, kinds: Collection[str]) -> list[Bought]:
    """Note that these were bought at `at` (epoch seconds), by product or category. Returns those of which no later purchase is known."""
    engagement = customer.engagement
    if engagement is None:
        engagement = customer.engagement = Engagement()
    known = {(one.name, one.is_category): one for one in engagement.bought or ()}
    newest: list[Bought] = []
    for name, is_category, line in _named(lines, kinds):
        item = known.get((name, is_category))
        if item is None:
            item = known[name, is_category] = Bought(name, [], line, is_category)
        if at not in item.times:
            insort(item.times, at)
            del item.times[:-TIMES]
        if item.times[-1] == at:
            item.line = line
            newest.append(item)
    engagement.bought = _bounded(list(known.values())) or None
    return newest


def _named(lines: Iterable[Line], kinds: Collection[str]) -> Iterator[tuple[str, bool, Line]]:
    seen: set[tuple[str, bool]] = set()
    for line in lines:
        for kind, name in ((PRODUCT, line.product_id), (CATEGORY, line.category)):
            if name and kind in kinds and (name, kind == CATEGORY) not in seen:
                seen.add((name, kind == CATEGORY))
                yield name, kind == CATEGORY, line


def joined(owner: list[Bought] | None, alias: list[Bought] | None) -> list[Bought] | None:
    """What two customers who are one bought."""
    both: dict[tuple[str, bool], Bought] = {}
    for item in (*(alias or ()), *(owner or ())):
        name = item.name, item.is_category
        other = both.get(name)
        if other is None:
            both[name] = item
            continue
        line = item.line if item.times[-1] >= other.times[-1] else other.line
        times = sorted({*item.times, *other.times})[-TIMES:]
        both[name] = Bought(item.name, times, line, item.is_category, max(item.decided, other.decided))
    return _bounded(list(both.values())) or None


def _bounded(known: list[Bought]) -> list[Bought]:
    """Of each kind the last NAMES, the newest last."""
    known.sort(key=lambda item: (item.times[-1], item.is_category, item.name))
    if len(known) <= NAMES:
        return known
    kept = [
        *[one for one in known if not one.is_category][-NAMES:],
        *[one for one in known if one.is_category][-NAMES:],
    ]
    return [item for item in known if any(item is one for one in kept)]
