"""What a row holds of products, seen without unpacking the rest of it. Pure."""

from collections.abc import Collection

import msgspec

from tables.customer import Cart, Pointer
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


_read = msgspec.msgpack.Decoder(_Glance | Pointer).decode


def may_know(packed: bytes, products: Collection[str], marks: Collection[bytes]) -> bool:
    """Whether a row may be of a customer who viewed one of some products (or one with such a mark), or has it in the cart."""
    found = _read(packed)
    if isinstance(found, Pointer):
        return False
    if found.views is not None and found.views.may_have(marks):
        return True
    return found.cart is not None and any(line.product_id in products for line in found.cart.lines)
