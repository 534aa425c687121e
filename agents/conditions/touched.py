"""Names of the facts that conditions read, and which of them an event touches. Pure."""

from tables.signals import (
    CART_BOUNDED,
    CART_CHANGED,
    CART_EMPTIED,
    CATEGORY_VIEWED,
    CONSENT_CHANGED,
    ORDERED,
    PRODUCT_VIEWED,
    SEARCHED,
)

CART, CATEGORIES, CONSENT, DEVICES, EVENT = "cart", "categories", "consent", "devices", "event"
SEEN_WITH = "seen_with"
NOTED, ORDERS, PROFILE, SEARCHES, SEEN = "noted", "orders", "profile", "searches", "seen"
RANKS, TIME, VIEWS = "ranks", "time", "views"
"""`noted` are traits and tags, which the shop tells or steps set; `ranks` where customers stand among the others."""

_BY_SIGNAL = {
    CART_BOUNDED: (CART,),
    CART_CHANGED: (CART,),
    CART_EMPTIED: (CART,),
    PRODUCT_VIEWED: (VIEWS,),
    CATEGORY_VIEWED: (CATEGORIES,),
    SEARCHED: (SEARCHES,),
    ORDERED: (ORDERS, CART),
    CONSENT_CHANGED: (CONSENT,),
}


def member(segment: str) -> str:
    """The fact of being in a segment."""
    return f"segment:{segment}"


def named(event: str) -> str:
    """The fact that an event of this name happened."""
    return f"named:{event}"


def is_named(fact: str) -> bool:
    """Whether a fact is that an event of some name happened."""
    return fact.startswith("named:")


def touched(
    signals: tuple[str, ...], event: str, *, traits: bool, push: bool, seen_with: bool = False
) -> frozenset[str]:
    """The facts that an event may have changed, `seen` apart."""
    found = {fact for signal in signals for fact in _BY_SIGNAL.get(signal, ())}
    if event:
        found.add(named(event))
    if event == "Order Completed":
        found |= {ORDERS, CART}
    if traits:
        found |= {PROFILE, CONSENT, NOTED}
    if push:
        found |= {DEVICES, CONSENT}
    if seen_with:
        found.add(SEEN_WITH)
    return frozenset(found)
