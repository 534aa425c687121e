"""Which products a customer has bought, as far back as they are kept: by the marks of a ring of views. Pure."""

from app.model.event import Event
from tables.customer import Customer
from tables.engagement import Engagement
from tables.views import mark_of

BOUGHT = 100
"""Products kept of one customer; the ones bought last."""
_MARK = 4


def note(customer: Customer, event: Event) -> None:
    """Note the products of an order, also of one that is told late."""
    lines = event.properties.lines() if event.properties is not None else ()
    marks = [mark_of(line.product_id) for line in lines if line.product_id]
    if not marks:
        return
    if customer.engagement is None:
        customer.engagement = Engagement()
    customer.engagement.had = joined(b"".join(marks), customer.engagement.had)


def joined(later: bytes, earlier: bytes) -> bytes:
    """Both, each mark once, those of `later` last."""
    marks = dict.fromkeys(_marks(later))
    kept = [mark for mark in dict.fromkeys(_marks(earlier)) if mark not in marks]
    return b"".join([*kept, *marks][-BOUGHT:])


def marks_of(customer: Customer) -> frozenset[bytes]:
    """Marks of what the customer has bought. One product in thousands of millions has the mark of another."""
    return frozenset(_marks(customer.engagement.had)) if customer.engagement is not None else frozenset()


def _marks(column: bytes) -> list[bytes]:
    return [column[place : place + _MARK] for place in range(0, len(column), _MARK)]
