"""Products on the customer's wish list, kept only where a scenario asks for them: the last VIEWS of them. Pure.

A wish stands until it is taken off the list, or the product is bought. What is kept of one that is over is that it is, so that
a late event does not bring it back.
"""

from app.model.event import Event
from tables import bounds
from tables.customer import Customer
from tables.engagement import Engagement
from tables.views import Product, ViewRing, product_of

ADDED, REMOVED, ORDERED = "Product Added to Wishlist", "Product Removed from Wishlist", "Order Completed"
EVENTS = frozenset((ADDED, REMOVED, ORDERED))


def note(customer: Customer, event: Event, at: float) -> None:
    """Note what one of EVENTS, which happened at `at` (epoch seconds), says of wishes. Raises TooLargeError for an id that is too long."""
    properties = event.properties
    if properties is None:
        return
    bounds.trim(properties)
    wishes = customer.engagement.wishes if customer.engagement is not None else None
    if event.event == ORDERED:
        for line in properties.lines() if wishes is not None else ():
            _end(wishes, line.product_id, at)
    elif event.event == REMOVED:
        _end(wishes, properties.product_id, at)
    elif properties.product_id and not event.historical:
        if customer.engagement is None:
            customer.engagement = Engagement()
        wishes = customer.engagement.wishes = wishes or ViewRing()
        orders = customer.orders  # a wish that is told of after a later order may be for what was bought with it
        wishes.put(product_of(properties), at, taken=orders is not None and at <= orders.last_at)


def _end(wishes: ViewRing | None, product_id: str, at: float) -> None:
    """The wish for a product is over at `at`, unless it was wished for anew later."""
    for wish in wishes or ():
        if wish.product.product_id == product_id and wishes is not None:
            wishes.put(Product(product_id), at, taken=True)
            return
