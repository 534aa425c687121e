"""The cart, as events change it. Pure. Each function answers with what the change means: see `tables/apply.py` SIGNALS."""

import math
from collections.abc import Collection
from hashlib import blake2b

from app.model.event import Event, Line, Properties
from tables.customer import CART_LINES, REMOVED, SEEN, Cart, CartLine, Customer
from tables.signals import CART_BOUNDED, CART_CHANGED, CART_EMPTIED

NOTHING: tuple[str, ...] = ()
_DIGEST = 8
_EMPTY = blake2b(digest_size=_DIGEST)
"""Copied for each digest: that takes less than to set one up."""
_LEAST = 1e-9
"""What is left of a quantity after sums of fractions and is none."""
SKEW = 600.0
"""Seconds by which the clock that dates an order may be behind the one that dated its lines."""


def is_repeated(customer: Customer, event: Event) -> bool:
    """Whether this event has been applied before; notes it if not. Keeps the last few digests only."""
    product = event.properties.product_id if event.properties is not None else ""
    # Not the id alone: a client that calls all its messages alike would have its removals dropped.
    told = f"{event.messageId}\0{event.event}\0{product}"
    hashed = _EMPTY.copy()
    hashed.update(told.encode())
    digest = hashed.digest()
    seen = customer.seen
    for start in range(0, len(seen), _DIGEST):
        if seen.startswith(digest, start):
            return True
    customer.seen = (seen + digest)[-_DIGEST * SEEN :]
    return False


def added(customer: Customer, event: Event, at: float) -> tuple[str, ...]:
    """`Product Added`. One older than the last order, the last snapshot or its own removal changes nothing."""
    properties = event.properties
    if properties is None or not properties.product_id or is_repeated(customer, event):
        return NOTHING
    quantity = 1.0 if properties.quantity is None else properties.quantity
    if not quantity > 0 or _is_overtaken(customer, properties.product_id, at):
        return NOTHING
    cart = customer.cart
    if cart is None:
        cart = customer.cart = Cart([], at)
    line = _find(cart, properties.product_id)
    if line is None:
        cart.lines.append(_line(properties, quantity, at))
    else:
        line.quantity += quantity
        line.at = max(line.at, at)
    cart.currency = properties.currency or cart.currency
    cart.changed_at = max(cart.changed_at, at)
    _take_view(customer, properties.product_id)
    return _bounded(cart)


def _is_overtaken(customer: Customer, product_id: str, at: float) -> bool:
    """Whether something newer has already said what became of an addition at `at`."""
    if customer.orders is not None and at <= customer.orders.last_at:
        return True
    return at < customer.cart_known_at or at < (customer.removed or {}).get(product_id, 0.0)


def removed(customer: Customer, event: Event, at: float) -> tuple[str, ...]:
    """`Product Removed`. Without a quantity the whole line goes: better to lose a reminder than to send a false one.

    Of a line that was added to since then, the removal being late, that much stays which is not removed by number.
    """
    properties, cart = event.properties, customer.cart
    if properties is None or not properties.product_id or at < customer.cart_known_at or is_repeated(customer, event):
        return NOTHING
    line = _find(cart, properties.product_id) if cart is not None else None
    quantity = properties.quantity
    if cart is None or line is None:
        _note_removal(customer, properties.product_id, at)
        return NOTHING
    if quantity is None or not 0 < quantity < line.quantity - _LEAST:
        if at < line.at:
            _note_removal(customer, properties.product_id, at)
            return NOTHING
        cart.lines.remove(line)
        _note_removal(customer, properties.product_id, at)
    else:
        line.quantity -= quantity
    cart.changed_at = max(cart.changed_at, at)
    return _emptied(customer) if not cart.lines else (CART_CHANGED,)


def viewed(customer: Customer, event: Event, at: float) -> tuple[str, ...]:
    """`Cart Viewed` with products is a snapshot of the cart. One that changes nothing is no change."""
    properties, cart = event.properties, customer.cart
    if properties is None or properties.products is None:
        return NOTHING
    if (cart is not None and at < cart.changed_at) or (customer.orders is not None and at <= customer.orders.last_at):
        return NOTHING
    if at < customer.cart_known_at:
        return NOTHING
    gone = {product_id: when for product_id, when in (customer.removed or {}).items() if when > at}
    customer.cart_known_at, customer.removed = at, gone or None
    snapshot = {
        line.product_id: line
        for line in properties.products
        if line.product_id and line.quantity > 0 and line.product_id not in gone
    }
    if not snapshot:
        return NOTHING if cart is None else _emptied(customer)
    before = {line.product_id: line.quantity for line in cart.lines} if cart is not None else {}
    if before == {key: line.quantity for key, line in snapshot.items()}:
        return NOTHING
    old = {line.product_id: line for line in cart.lines} if cart is not None else {}
    lines = [_merged(old.get(key), line, at) for key, line in snapshot.items()]
    customer.cart = Cart(lines, at, properties.currency or (cart.currency if cart is not None else ""))
    return _bounded(customer.cart)


def bought(customer: Customer, at: float, products: Collection[str] = ()) -> bool:
    """An order at `at` ends every line that is not newer, and one of its `products` that is hardly newer.

    Whether the cart is empty now (or was).
    """
    cart = customer.cart
    if cart is None:
        return True
    cart.lines = [
        line for line in cart.lines if line.at > at and not (line.product_id in products and line.at <= at + SKEW)
    ]
    if not cart.lines:
        customer.cart = None
        return True
    return False


def caught_up(alias: Customer, owner: Customer, at: float) -> None:
    """Take out of the cart of `alias` what `owner`, to whom it belongs since `at`, has removed since then, or has shown his cart without.

    His events may have been faster than the state that moves to him. What he did before `at` was done to another cart. A removal by number
    that comes before the cart takes the whole line, since only its time is known: better to lose a reminder than to send a false one.
    """
    if alias.cart is None:
        return
    known = owner.cart_known_at if owner.cart_known_at > at else 0.0
    gone = {product_id: when for product_id, when in (owner.removed or {}).items() if when > at}
    alias.cart.lines = [
        line for line in alias.cart.lines if line.at >= known and line.at >= gone.get(line.product_id, 0.0)
    ]
    if not alias.cart.lines:
        alias.cart = None


def value(cart: Cart) -> float:
    """Price of all lines, in the cart's currency; 0 when it is beyond all numbers, which no JSON can say."""
    total: float = 0
    for line in cart.lines:
        total += line.price * line.quantity
    return total if math.isfinite(total) else 0.0


def _note_removal(customer: Customer, product_id: str, at: float) -> None:
    gone = dict(customer.removed or {})
    gone[product_id] = max(at, gone.pop(product_id, 0.0))
    while len(gone) > REMOVED:
        del gone[min(gone, key=gone.__getitem__)]
    customer.removed = gone


def _find(cart: Cart, product_id: str) -> CartLine | None:
    for line in cart.lines:
        if line.product_id == product_id:
            return line
    return None


def _line(source: Properties | Line, quantity: float, at: float) -> CartLine:
    return CartLine(
        source.product_id, quantity, at, source.price, source.name, source.category, source.url, source.image_url
    )


def _merged(old: CartLine | None, line: Line, at: float) -> CartLine:
    """A line of a snapshot; what the snapshot leaves out is kept from before."""
    new = _line(line, line.quantity, at)
    if old is not None:
        new.at = old.at if old.quantity == new.quantity else at
        new.price = new.price or old.price
        new.name = new.name or old.name
        new.category = new.category or old.category
        new.url = new.url or old.url
        new.image_url = new.image_url or old.image_url
    return new


def _bounded(cart: Cart) -> tuple[str, ...]:
    return (CART_CHANGED, CART_BOUNDED) if bound(cart) else (CART_CHANGED,)


def bound(cart: Cart) -> bool:
    """Forget the oldest lines beyond the limit. Whether there were any."""
    if len(cart.lines) <= CART_LINES:
        return False
    cart.lines = sorted(cart.lines, key=lambda line: line.at)[-CART_LINES:]
    return True


def _emptied(customer: Customer) -> tuple[str, ...]:
    customer.cart = None
    return (CART_EMPTIED,)


def _take_view(customer: Customer, product_id: str) -> None:
    if customer.views is not None:
        customer.views.take(product_id)
