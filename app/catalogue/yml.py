"""Offers of YML, the format of Yandex Market. Pure."""

from app.catalogue.elements import Element
from app.catalogue.refusal import FeedRefusedError
from app.catalogue.values import address, currency, identifier, money, named, needed_price, picture, text, yes
from app.model.catalogue import Offer

FIELDS = frozenset(
    {
        "price", "oldprice", "currencyId", "categoryId", "picture", "name", "typePrefix", "vendor", "model", "url", "count", "disabled",
    }
)  # fmt: skip
MOST_CATEGORIES = 100_000
LONGEST_PATH = 10
"""Categories above each other; those above are left out."""


class Categories:
    """The tree of categories, which stands before the offers."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, str]] = {}
        self._paths: dict[str, str] = {}

    def take(self, element: Element) -> None:
        """One of the tree. Raises FeedRefusedError when there are too many."""
        if len(self._known) >= MOST_CATEGORIES:
            raise FeedRefusedError(f"line {element.line}: more than {MOST_CATEGORIES:,} categories")
        attributes = element.attributes
        self._known[attributes.get("id", "").strip()] = (attributes.get("parentId", "").strip(), text(element.text))

    def path(self, number: str) -> str:
        """The names from the root to a category; "" for an unknown one."""
        found = self._paths.get(number)
        if found is None:
            names: list[str] = []
            above, seen = number, set[str]()
            while above in self._known and above not in seen and len(names) < LONGEST_PATH:
                seen.add(above)
                above, name = self._known[above]
                names.append(name)
            found = " > ".join(reversed([name for name in names if name]))
            if number in self._known:
                self._paths[number] = found
        return found


def offer(element: Element, categories: Categories) -> Offer:
    """What an `<offer>` says. Raises BadOfferError."""
    attributes, fields = element.attributes, element.fields
    price, _ = money(fields.get("price", ""))
    old, _ = money(fields.get("oldprice", ""), "oldprice")
    sold = yes(attributes.get("available", ""), default=True) and not yes(fields.get("disabled", ""), default=False)
    return Offer(
        id=identifier(attributes.get("id", "")),
        name=named(fields.get("name", "") or _made(element)),
        price=needed_price(price),
        currency=currency(fields.get("currencyId", "")),
        old_price=old if old > price else 0.0,
        available=sold and fields.get("count", "").strip() != "0",
        url=address(fields.get("url", "")),
        picture=picture(fields.get("picture", "")),
        category=categories.path(fields.get("categoryId", "").strip()),
        brand=text(fields.get("vendor", "")),
        group=attributes.get("group_id", "").strip()[:100],
    )


def _made(element: Element) -> str:
    """The name of an offer of the type vendor.model, which has none of its own."""
    parts = (element.fields.get(name, "") for name in ("typePrefix", "vendor", "model"))
    return " ".join(part for part in parts if part)
