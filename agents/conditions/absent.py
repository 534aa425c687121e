"""What is sure of a condition where some of what it reads is not there at all: most visitors have bought nothing. Pure.

So a segment of buyers is not asked about them again at every event.
"""

from collections.abc import Iterable
from math import inf

from agents.conditions.logic import Either, Every, Opposite
from agents.conditions.touched import (
    CART,
    CATEGORIES,
    CONSENT,
    DEVICES,
    NOTED,
    ORDERS,
    PROFILE,
    RANKS,
    SEARCHES,
    VIEWS,
    is_named,
)
from agents.conditions.verdict import Condition, Facts
from tables.customer import Customer

_BLANK = Facts(Customer(), 1.0, members={})
_FACTS = ((ORDERS, RANKS), (CART,), (PROFILE, DEVICES), (CONSENT,), (VIEWS,), (CATEGORIES,), (SEARCHES,), (NOTED,))
"""The facts of each bit; the bit after the last is of all named events."""
_NAMED = 1 << len(_FACTS)


def missing(customer: Customer) -> int:
    """Of what nothing is known of a customer, a bit each."""
    engagement = customer.engagement
    return (
        (customer.orders is None)
        | (customer.cart is None) << 1
        | (customer.profile is None) << 2
        | (customer.consent is None) << 3
        | (customer.views is None) << 4
        | (customer.categories is None) << 5
        | (customer.searches is None) << 6
        | (engagement is None or (engagement.traits is None and engagement.tags is None)) << 7
        | (engagement is None or engagement.happened is None) << 8
    )


def facts_of(bits: int, read: Iterable[str]) -> frozenset[str]:
    """The facts behind these bits; `read` are those that anybody reads."""
    found = {fact for number, facts in enumerate(_FACTS) if bits >> number & 1 for fact in facts}
    return frozenset(found | {fact for fact in read if is_named(fact)} if bits & _NAMED else found)


def sure(condition: Condition, absent: frozenset[str]) -> bool | None:
    """What a condition says as long as nothing is known of these facts, whatever else is known and whenever; None: that is not sure."""
    if isinstance(condition, Opposite):
        inner = sure(condition.member, absent)
        return None if inner is None else not inner
    if isinstance(condition, Every | Either):
        decides = isinstance(condition, Either)
        said = {sure(member, absent) for member in condition.members}
        return decides if decides in said else None if None in said else not decides
    if not condition.reads or not condition.reads <= absent:
        return None
    value, until = condition.holds(_BLANK)
    return value if until == inf else None
