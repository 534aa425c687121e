"""Offers of Google Merchant's feeds, as RSS 2.0, Atom or a table. Pure."""

from collections.abc import Mapping

from app.catalogue.refusal import BadOfferError
from app.catalogue.values import address, identifier, money, named, needed_price, picture, text, within
from app.model.catalogue import Offer

COLUMNS = (
    "id", "title", "link", "image_link", "price", "sale_price", "sale_price_effective_date", "availability", "brand", "product_type",
    "google_product_category", "item_group_id",
)  # fmt: skip
FIELDS = frozenset({*(f"g:{name}" for name in COLUMNS), "title", "link", "id"})
SOLD = {
    "in_stock": True,
    "limited_availability": True,
    "available_for_order": True,
    "out_of_stock": False,
    "preorder": False,
    "backorder": False,
}
"""Availability -> whether it can be had now. Without a word it can."""


def offer(fields: Mapping[str, str], now: float) -> Offer:
    """What an item says. A sale's price counts in its period alone; `now` is epoch seconds. Raises BadOfferError."""

    def told(name: str) -> str:
        return fields.get("g:" + name, "") or fields.get(name, "")

    price, currency = money(told("price"))
    sale, sale_currency = money(told("sale_price"), "sale_price")
    if sale and sale_currency in ("", currency) and within(told("sale_price_effective_date"), now):
        paid, old = sale, price if price > sale else 0.0
    else:
        paid, old = price, 0.0
    word = "_".join(told("availability").lower().split())
    if word and word not in SOLD:
        raise BadOfferError(f"its availability {word[:30]!r} is not one of {', '.join(SOLD)}")
    category = told("product_type") or told("google_product_category")
    return Offer(
        id=identifier(told("id")),
        name=named(told("title")),
        price=needed_price(paid),
        currency=currency,
        old_price=old,
        available=SOLD.get(word, True),
        url=address(told("link"), "link"),
        picture=picture(told("image_link")),
        category="" if category.strip().isdigit() else text(category),
        brand=text(told("brand")),
        group=told("item_group_id").strip()[:100],
    )
