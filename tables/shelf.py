"""The shelf of a category: its cheapest products that customers of the partition have looked at. Pure."""

from collections.abc import Collection

from app.model.event import Line, Properties
from tables.customer import SHELF_ITEMS, Shelf, ShelfItem

FRESH = 7 * 86_400.0
"""Seconds after which a product that nobody looked at is no longer offered."""
REFRESH = 3_600.0
"""Seconds before a mere new view of a known product is written again."""


def put(shelf: Shelf, properties: Properties, viewer: str, at: float) -> bool:
    """Note that `viewer` looked at a product at `at`. Whether the shelf changed."""
    if not properties.price > 0:
        return False
    items, product_id, stale = shelf.items, properties.product_id, False
    for item in items:
        if item.product_id == product_id:
            return _refresh(shelf, item, properties, viewer, at)
        stale |= at - item.at > FRESH
    if stale:
        items[:] = [item for item in items if at - item.at <= FRESH]
    if len(items) >= SHELF_ITEMS and items[-1].price <= properties.price:
        return False
    items.append(
        ShelfItem(
            properties.product_id,
            properties.price,
            at,
            viewer,
            False,
            properties.name,
            properties.url,
            properties.image_url,
        )
    )
    _sort(shelf)
    return True


def _refresh(shelf: Shelf, item: ShelfItem, properties: Properties, viewer: str, at: float) -> bool:
    changed = item.price != properties.price or at - item.at > REFRESH or (item.by != viewer and not item.others)
    if changed and at >= item.at:
        item.others |= item.by != viewer
        item.price, item.at, item.by = properties.price, at, viewer
        item.name, item.url = properties.name or item.name, properties.url or item.url
        item.image_url = properties.image_url or item.image_url
        _sort(shelf)
    return changed


def cheapest(shelf: Shelf, viewer: str, known: Collection[str], at: float, most: int) -> list[Line]:
    """The cheapest products that somebody else has seen and the viewer has not (`known`: product ids to leave out)."""
    found = [
        Line(item.product_id, item.name, item.price, url=item.url, image_url=item.image_url)
        for item in shelf.items
        if (item.others or item.by != viewer) and item.product_id not in known and at - item.at <= FRESH
    ]
    return found[:most]


def _sort(shelf: Shelf) -> None:
    shelf.items.sort(key=lambda item: (item.price, item.product_id))
    del shelf.items[SHELF_ITEMS:]
