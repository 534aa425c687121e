"""What a feed changes in the catalogue. Pure; `at` is the moment of the import, epoch seconds."""

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from app.model.catalogue import Change, ChangeKind, Offer, Product

KEEP_GONE = 180 * 86_400.0
"""Seconds for which a product that has left the feed is remembered: many feeds leave out what is not in stock."""
JUMP = 5.0
"""A price that has become so many times higher or lower looks like another unit."""


class Pair(NamedTuple):
    """A product as it was known and as the feed has it. `seen`: the feed names it, though it may not be readable (`offer` is None)."""

    id: str
    former: Product | None
    offer: Offer | None
    seen: bool


class Delta(NamedTuple):
    """What becomes of a product's row (None: it goes), and the changes that this is to customers."""

    id: str
    row: Product | None
    changes: tuple[Change, ...] = ()


def paired(former: Iterable[tuple[str, Product]], feed: Iterable[tuple[str, Offer | None]]) -> Iterator[Pair]:
    """Both sides side by side. Each must come in the order of its ids, each id once."""
    known, told = iter(former), iter(feed)
    left, right = next(known, None), next(told, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left[0] < right[0]):
            assert left is not None
            yield Pair(left[0], left[1], None, seen=False)
            left = next(known, None)
        elif left is None or right[0] < left[0]:
            yield Pair(right[0], None, right[1], seen=True)
            right = next(told, None)
        else:
            yield Pair(left[0], left[1], right[1], seen=True)
            left, right = next(known, None), next(told, None)


def delta(pair: Pair, at: float) -> Delta | None:
    """What changes about one product; None: nothing, or what the feed says of it cannot be read."""
    _, former, offer, seen = pair
    if offer is None:
        return None if seen or former is None else _left(pair.id, former, at)
    if former is None:
        row = Product(offer, at)
        return Delta(pair.id, row, (_change(ChangeKind.NEW, row, 0.0),))
    kinds = [kind for kind in (_of_stock(former, offer), _of_price(former.offer, offer)) if kind]
    if offer == former.offer and not former.gone_at:
        return None
    moved = bool(kinds or former.gone_at)
    row = Product(offer, at, former.revision + moved)
    before = former.offer.price if former.offer.currency == offer.currency else 0.0
    return Delta(pair.id, row, tuple(_change(kind, row, before) for kind in kinds))


def offered(pair: Pair, found: Delta | None, *, anew: bool) -> tuple[str, float, float] | None:
    """What the engine is told of a product: its price (0: it cannot be had) and what it cost before. None: nothing is new of it.

    It is reduced by the old price that the feed names; without one, by a price that has just fallen. `anew`: everything that is not as usual is told.
    """
    row = found.row if found is not None else pair.former
    if row is None:
        return None
    offer = row.offer
    if not offer.available or row.gone_at:
        told = (pair.id, 0.0, 0.0)
    else:
        fell = (
            [one.old_price for one in found.changes if one.kind is ChangeKind.PRICE_DROP] if found is not None else []
        )
        was = offer.old_price if offer.old_price > offer.price else max(fell, default=0.0)
        told = (pair.id, offer.price, was)
    if anew:
        return told if told[1] == 0.0 or told[2] > told[1] else None
    if found is None:
        return None
    before = pair.former.offer if pair.former is not None else None
    is_same = before is not None and before.old_price == offer.old_price and not found.changes
    return None if is_same else told


def _left(product_id: str, former: Product, at: float) -> Delta | None:
    """The feed has it no more."""
    if former.gone_at:
        return Delta(product_id, None) if at - former.gone_at > KEEP_GONE else None
    row = Product(former.offer, at, former.revision + 1, at)
    return Delta(product_id, row, (_change(ChangeKind.GONE, row, former.offer.price),))


def _of_stock(former: Product, offer: Offer) -> ChangeKind | None:
    was = former.offer.available and not former.gone_at
    if was == offer.available:
        return None
    return ChangeKind.BACK_IN_STOCK if offer.available else ChangeKind.OUT_OF_STOCK


def _of_price(before: Offer, offer: Offer) -> ChangeKind | None:
    """Prices in different currencies cannot be compared."""
    if before.currency != offer.currency or before.price == offer.price:
        return None
    return ChangeKind.PRICE_DROP if offer.price < before.price else ChangeKind.PRICE_RISE


def _change(kind: ChangeKind, row: Product, before: float) -> Change:
    offer = row.offer
    told = f"{kind}\0{offer.id}\0{row.revision}\0{before!r}\0{offer.price!r}\0{offer.currency}"
    return Change(
        id=blake2b(told.encode(), digest_size=16).hexdigest(),
        kind=kind,
        product_id=offer.id,
        at=row.at,
        price=offer.price,
        old_price=before,
        currency=offer.currency,
        available=offer.available and not row.gone_at,
    )


class Tally(msgspec.Struct):
    """What an import comes to, counted product by product."""

    known: int = 0
    """Products that were in the feed before."""
    sold: int = 0
    """Of these, available ones."""
    offers: int = 0
    available: int = 0
    rows: int = 0
    """Rows to be written."""
    lost: int = 0
    """Of those that were sold before: gone, or no longer available."""
    priced: int = 0
    """Products with a price before and now, in one currency."""
    jumped: int = 0
    """Of these, whose price is JUMP times higher or lower."""
    changes: dict[str, int] = {}

    def count(self, pair: Pair, found: Delta | None) -> None:
        """Take one product into account."""
        former, offer = pair.former, pair.offer
        present = former is not None and not former.gone_at
        if former is not None and present:
            self.known += 1
            self.sold += former.offer.available
            self.lost += former.offer.available and (not pair.seen or (offer is not None and not offer.available))
        if offer is not None:
            self.offers += 1
            self.available += offer.available
        if former is not None and offer is not None and present and former.offer.currency == offer.currency:
            self.priced += 1
            ratio = offer.price / former.offer.price
            self.jumped += not 1 / JUMP < ratio < JUMP
        if found is not None:
            self.rows += 1
            for change in found.changes:
                self.changes[change.kind] = self.changes.get(change.kind, 0) + 1
