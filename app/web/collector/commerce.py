"""E-commerce events: canonical (v2) names and typed properties. Pure.

A property that the core reads (`app.model.event.Properties`) must have its type. In an event of the specification a wrong
one refuses the event; in any other event the value is moved to `untyped`, so that a shop's own event with
`price: "free"` is kept whole.
"""

from collections.abc import Callable
from typing import Any

from app.model.reasons import BadInput
from app.web.collector import fields
from app.web.collector.refusal import Refused

LINES_LIMIT = 500
"""Most lines that a cart, an order or a list may have; more refuse the event (`too_many_lines`)."""

SPEC_NAMES = (
    "Products Searched", "Product List Viewed", "Product List Filtered", "Promotion Viewed", "Promotion Clicked",
    "Product Clicked", "Product Viewed", "Product Added", "Product Removed", "Cart Viewed", "Checkout Started",
    "Checkout Step Viewed", "Checkout Step Completed", "Payment Info Entered", "Order Completed", "Order Updated",
    "Order Refunded", "Order Cancelled", "Coupon Entered", "Coupon Applied", "Coupon Denied", "Coupon Removed",
    "Product Added to Wishlist", "Product Removed from Wishlist", "Wishlist Product Added to Cart", "Product Shared",
    "Cart Shared", "Product Reviewed", "Live Chat Conversation Started", "Live Chat Conversation Ended",
    "Live Chat Message Sent", "Live Chat Message Received",
)  # fmt: skip

ALIASES = {
    "viewed product": "Product Viewed", "viewed product category": "Product List Viewed",
    "viewed product list": "Product List Viewed", "filtered product list": "Product List Filtered",
    "clicked product": "Product Clicked", "added product": "Product Added", "removed product": "Product Removed",
    "searched products": "Products Searched", "product searched": "Products Searched",
    "viewed cart": "Cart Viewed", "started checkout": "Checkout Started",
    "viewed checkout step": "Checkout Step Viewed", "completed checkout step": "Checkout Step Completed",
    "entered payment info": "Payment Info Entered", "completed order": "Order Completed",
    "updated order": "Order Updated", "refunded order": "Order Refunded", "cancelled order": "Order Cancelled",
    "canceled order": "Order Cancelled", "order canceled": "Order Cancelled", "viewed promotion": "Promotion Viewed",
    "clicked promotion": "Promotion Clicked", "added product to wishlist": "Product Added to Wishlist",
    "shared product": "Product Shared", "reviewed product": "Product Reviewed",
}  # fmt: skip

_CANONICAL = {name.lower(): name for name in SPEC_NAMES} | ALIASES
_EXACT = {name: name for name in SPEC_NAMES}
SPEC = frozenset(SPEC_NAMES)

_SYNONYMS = {
    "productId": "product_id", "orderId": "order_id", "cartId": "cart_id", "imageUrl": "image_url", "image": "image_url",
}  # fmt: skip
_TYPED: dict[str, Callable[[Any], Any]] = {
    "product_id": fields.identifier, "cart_id": fields.identifier, "order_id": fields.identifier,
    "name": fields.text, "category": fields.category, "brand": fields.text, "currency": fields.text,
    "url": fields.url, "image_url": fields.url, "query": fields.query,
    "price": fields.number, "quantity": fields.number, "total": fields.number, "results": fields.count,
    "discount": fields.number, "coupon": fields.text,
}  # fmt: skip
_LINE_TYPED = {
    name: _TYPED[name] for name in ("product_id", "name", "category", "brand", "url", "image_url", "price", "quantity")
}
_SOFT = frozenset(("url", "image_url", "results", "total", "discount", "coupon"))
"""Of these a bad value is never worth the event: it moves to `untyped`."""
_AS_IT_STANDS = frozenset((fields.text, fields.category, fields.query))
"""These leave a short printable text as it stands."""
_THEIR_NAMES = frozenset(_SYNONYMS)


def canonical(name: str) -> str:
    """The specification's name of an event, whatever its case, separators or version; other names stay as they are."""
    exact = _EXACT.get(name)
    if exact is not None:
        return exact
    words = " ".join(name.replace("_", " ").replace("-", " ").lower().split())
    return _CANONICAL.get(words, name)


def properties(raw: dict[str, Any], *, strict: bool) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Typed properties, and those that could not be typed. Raises Refused when `strict` (an event of the specification)."""
    out = dict(raw)
    untyped: dict[str, Any] = {}
    if not _THEIR_NAMES.isdisjoint(out):
        _rename(out)
    if strict and "product_id" not in out:
        _fall_back(out)
    _type_all(out, _TYPED, untyped, strict=strict, where="properties.")
    if "total" not in out and ("revenue" in out or "value" in out):
        _total(out)
    if "products" in out:
        _products(out, untyped, strict=strict)
    return out, untyped or None


def _type_all(
    out: dict[str, Any], typed: dict[str, Callable[[Any], Any]], untyped: dict[str, Any], *, strict: bool, where: str
) -> None:
    """Types in place. Most values are right already and pass a cheap check; this is the hottest loop of the collector."""
    doubtful = []
    for name, value in out.items():
        convert = typed.get(name)
        if convert is None:
            continue
        kind = value.__class__
        if kind is str:
            if (
                value.isprintable()
                and len(value) <= fields.ID_LIMIT
                and (
                    convert in _AS_IT_STANDS or (convert is fields.identifier and value.isascii() and " " not in value)
                )
            ):
                continue
        elif (kind is int or kind is float) and convert is fields.number and 0 <= value < fields.LARGEST:
            continue
        doubtful.append((name, convert))
    for name, convert in doubtful:
        _type(out, name, convert, untyped, strict=strict and name not in _SOFT, where=where)


def _rename(out: dict[str, Any]) -> None:
    for theirs, ours in _SYNONYMS.items():
        if theirs in out and out.get(ours) is None:
            out[ours] = out.pop(theirs)


def _fall_back(out: dict[str, Any]) -> None:
    for name in ("id", "sku"):
        if out.get(name) not in (None, ""):
            out["product_id"] = out[name]
            return


def _type(
    out: dict[str, Any], name: str, convert: Callable[[Any], Any], untyped: dict[str, Any], *, strict: bool, where: str
) -> None:
    value = out[name]
    if value is None:
        del out[name]
        return
    try:
        typed = convert(value)
    except OverflowError:
        reason = BadInput.NOT_FINITE
    except (ValueError, TypeError):
        reason = BadInput.WRONG_TYPE
    else:
        if typed.__class__ is not float or typed >= 0:
            out[name] = typed
            return
        reason = BadInput.NEGATIVE_PRICE if name == "price" else BadInput.WRONG_TYPE
    if strict:
        raise Refused(reason, where + name)
    untyped[name] = out.pop(name)


def _total(out: dict[str, Any]) -> None:
    """`value` and `revenue` stand for a missing total."""
    for name in ("revenue", "value"):
        if name in out:
            try:
                total = fields.number(out[name])
            except (ValueError, OverflowError):
                continue
            if total >= 0:
                out["total"] = total
                return


def _products(out: dict[str, Any], untyped: dict[str, Any], *, strict: bool) -> None:
    lines = out["products"]
    if lines is None:
        del out["products"]
        return
    try:
        out["products"] = _lines([lines] if type(lines) is dict else lines)
    except Refused:
        if strict:
            raise
        untyped["products"] = out.pop("products")


def _lines(raw: Any) -> list[dict[str, Any]]:
    if type(raw) is not list:
        raise Refused(BadInput.WRONG_TYPE, "properties.products")
    if len(raw) > LINES_LIMIT:
        raise Refused(BadInput.TOO_MANY_LINES, "properties.products")
    return [_line(line) for line in raw]


def _line(raw: Any) -> dict[str, Any]:
    if type(raw) is not dict:
        try:
            return {"product_id": fields.identifier(fields.text(raw))}
        except ValueError:
            raise Refused(BadInput.WRONG_TYPE, "properties.products") from None
    line = dict(raw)
    if not _THEIR_NAMES.isdisjoint(line):
        _rename(line)
    if "product_id" not in line:
        _fall_back(line)
    _type_all(line, _LINE_TYPED, {}, strict=True, where="properties.products.")
    return line
