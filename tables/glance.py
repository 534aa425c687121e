"""What a row holds of products and orders, seen without unpacking the rest of it. Pure."""

from collections.abc import Collection
from typing import Any

import msgspec

from tables.customer import Cart, Customer, Orders, Pointer
from tables.engagement import Engagement
from tables.views import ViewRing


class _Glance(msgspec.Struct, array_like=True, gc=False, tag=1):
    """The beginning of a `Customer`, up to the fields that name products."""

    first_seen: msgspec.Raw
    last_seen: msgspec.Raw
    session_started: msgspec.Raw
    profile: msgspec.Raw
    consent: msgspec.Raw
    cart: Cart | None
    views: ViewRing | None


def _beginning(kind: type[msgspec.Struct], last: str, read: dict[str, Any], **options: Any) -> Any:
    """A struct like `kind` up to its field `last`, of which only the fields `read` are looked at. Those that a row does not have are None."""
    names = kind.__struct_fields__
    fields = [(name, read.get(name, msgspec.Raw), None) for name in names[: names.index(last) + 1]]
    return msgspec.defstruct(f"_{kind.__name__}", fields, array_like=True, gc=False, **options)


_Wishes = _beginning(Engagement, "wishes", {"wishes": ViewRing | None})
_Further = _beginning(
    Customer, "engagement", {"cart": Cart | None, "views": ViewRing | None, "engagement": _Wishes | None}, tag=1
)
_Buyer = _beginning(Customer, "orders", {"orders": Orders | None}, tag=1)
_read_buyer: Any = msgspec.msgpack.Decoder(_Buyer | Pointer).decode
_read = msgspec.msgpack.Decoder(_Glance | Pointer).decode
_read_further: Any = msgspec.msgpack.Decoder(_Further | Pointer).decode


def may_know(packed: bytes, products: Collection[str], marks: Collection[bytes], *, wished: bool = False) -> bool:
    """Whether a row may be of a customer who viewed one of some products (or one with such a mark), or has it in the cart.

    `wished`: or on the wish list, which lies further back.
    """
    found = _read_further(packed) if wished else _read(packed)
    if isinstance(found, Pointer):
        return False
    wishes = found.engagement.wishes if wished and found.engagement is not None else None
    if wishes is not None and wishes.may_have(marks):
        return True
    if found.views is not None and found.views.may_have(marks):
        return True
    return found.cart is not None and any(line.product_id in products for line in found.cart.lines)


def orders_of(packed: bytes) -> Orders | None:
    """The orders of the customer whose row it is; None: there are none, or he has moved."""
    found = _read_buyer(packed)
    return None if isinstance(found, Pointer) else found.orders
