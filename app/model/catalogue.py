"""What the shop sells: offers of a feed, rows of the `catalogue` topic, and what changed between two imports (`catalogue-changes`)."""

from enum import StrEnum

import msgspec

IMPORT_KEY = "\x00import"
"""Key of the row that tells of the last import. No product has it: ids have no control characters."""
MOST_CHANGES = 500
"""Changes in one record."""


class Offer(msgspec.Struct, gc=False, omit_defaults=True, frozen=True):
    """A product as a feed offers it. `price` is what it costs now, `old_price` the one that is crossed out (0: none)."""

    id: str
    name: str
    price: float
    currency: str = ""
    old_price: float = 0.0
    available: bool = True
    url: str = ""
    picture: str = ""
    category: str = ""
    """Path of names from the root: `Light > Lamps`."""
    brand: str = ""
    group: str = ""
    """Id that variants of one product share."""


class Product(msgspec.Struct, gc=False, omit_defaults=True, frozen=True):
    """A row of the `catalogue` topic, keyed by product id.

    `at` is when the row was last changed, `gone_at` when the product was no longer in the feed (0: it is in it), both epoch seconds.
    `revision` counts the changes of price, stock and presence; ids of changes are made of it.
    """

    offer: Offer
    at: float
    revision: int = 1
    gone_at: float = 0.0


class ChangeKind(StrEnum):
    """What can happen to a product between two imports. A product may have one of price and one of stock."""

    PRICE_DROP = "price_drop"
    PRICE_RISE = "price_rise"
    BACK_IN_STOCK = "back_in_stock"
    OUT_OF_STOCK = "out_of_stock"
    NEW = "new"
    GONE = "gone"


def fall(price: float, old_price: float) -> float:
    """How far a price has fallen, as a share of what it was; below 0: it has risen."""
    return (old_price - price) / old_price if old_price > 0.0 else 0.0


def is_news(kind: str, price: float, old_price: float, least: float) -> bool:
    """Whether a change is one to tell of: goods are back, or a price has fallen by `least`, a share, or more.

    The importer asks it for what it sends on, and the engine for each scenario.
    """
    if kind != ChangeKind.PRICE_DROP:
        return True
    share = fall(price, old_price)
    return share > 0.0 and share >= least - 1e-9


class Change(msgspec.Struct, gc=False, omit_defaults=True, frozen=True):
    """One change of one product. `id` is a hash of what changed, the same however often an import is repeated.

    `at` is the moment of the import, epoch seconds. `available` is said of the product after the change.
    """

    id: str
    kind: ChangeKind
    product_id: str
    at: float
    price: float
    old_price: float = 0.0
    """What it cost before, in the same currency; 0 where nothing was known before."""
    currency: str = ""
    available: bool = True


class ChangeSet(msgspec.Struct, gc=False, omit_defaults=True, frozen=True):
    """A record of `catalogue-changes`: at most MOST_CHANGES changes of one import. `id` is the import's, and the number of the set."""

    id: str
    at: float
    changes: list[Change]


class Import(msgspec.Struct, gc=False, omit_defaults=True, frozen=True):
    """The last import, as the row under IMPORT_KEY. `at` is epoch seconds."""

    id: str
    at: float
    source: str
    """Host of the feed's address, or the file's name."""
    offers: int
    available: int
    bad: int = 0
    changes: dict[str, int] = {}
    """Kind -> number."""
    baseline: bool = False
    """The first one: there was nothing to compare with, so no changes were published."""
    told: bool = False
    """Whether the engine was told what cannot be had, and what is reduced."""
