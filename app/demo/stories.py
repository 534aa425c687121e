"""The stories of simulated shoppers: who does what, when, and what must come of it. Pure and decided by a seed."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from app.demo.catalogue import CATEGORIES, CURRENCY, PRODUCTS, SHOP, Product, of_category
from app.demo.dice import Dice

Document = dict[str, Any]

CART, BUYER, RETURNED, EMPTIED, VIEWER, BROWSER, SEARCHER, REFUSED, STRANGER = STORIES = (
    "left a cart", "bought", "came back and bought", "emptied the cart", "looked at products", "browsed a category",
    "searched", "left a cart, no consent", "left a cart, unknown",
)  # fmt: skip
BUYERS = frozenset((BUYER, RETURNED))
SILENT = BUYERS | {REFUSED, STRANGER}
"""Shoppers of these stories must never get a mail."""

_WEIGHTS = {CART: 24, BUYER: 20, RETURNED: 8, EMPTIED: 5, VIEWER: 14, BROWSER: 8, SEARCHER: 8, REFUSED: 7, STRANGER: 6}
_DECK = tuple(story for story in STORIES for _ in range(_WEIGHTS[story]))
_OPENING = (CART, BUYER, CART, VIEWER, SEARCHER, BROWSER, RETURNED, REFUSED, STRANGER, EMPTIED)
"""The first shoppers: one of each kind, so that a short demo shows all of them; the first leaves a cart."""

_FIRST_NAMES = ("Ada", "Ben", "Clara", "Dmitri", "Elena", "Felix", "Grete", "Hugo", "Ines", "Jonas", "Katya", "Leo",
                "Mira", "Nils", "Olga", "Pavel", "Rosa", "Sven", "Tanya", "Vera")  # fmt: skip
_QUERIES = ("lamp", "wool", "mug", "linen", "clay", "candle", "samovar")
DOMAIN = "@customers.example"
"""Of all simulated shoppers."""
WORDING = "E-mail me about the things in my cart"


class Step(NamedTuple):
    """One event: seconds after the shopper's arrival, the kind of the write key, and the event without its time."""

    at: float
    kind: str
    event: Document


@dataclass
class Shopper:
    """A simulated shopper. `cart`: names of the products that a cart mail must show."""

    story: str
    name: str
    user_id: str
    anonymous_id: str
    email: str
    arrives: float
    cart: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    phone: str = ""


def line(product: Product, shop_url: str, quantity: int | None = None) -> Document:
    """A product as the tracker tells it."""
    told = {
        "product_id": product.id, "name": product.name, "price": product.price, "category": product.category,
        "currency": CURRENCY, "url": shop_url + product.path, "image_url": f"{shop_url}/picture/{product.id}.svg",
    }  # fmt: skip
    return told if quantity is None else {**told, "quantity": quantity}


def shoppers(count: int, *, seed: int, run: str, spread: float, shop_url: str) -> list[Shopper]:
    """The shoppers of one run, the earliest first. `spread`: seconds over which they arrive; `run` makes ids unique."""
    found = []
    for number in range(count):
        dice = Dice(seed, number)
        story = _OPENING[number] if number < len(_OPENING) else dice.pick(_DECK)
        name = dice.pick(_FIRST_NAMES)
        shopper = Shopper(
            story=story,
            name=name,
            user_id=f"{name.lower()}-{number}-{run}",
            anonymous_id=f"a{number}-{run}",
            email=f"{name.lower()}.{number}.{run}{DOMAIN}",
            arrives=number * spread / max(1, count),
        )
        _Script(shopper, dice, shop_url).write()
        found.append(shopper)
    return found


class _Script:
    """Writes the steps of one shopper."""

    def __init__(self, shopper: Shopper, dice: Dice, shop_url: str) -> None:
        self._shopper = shopper
        self._dice = dice
        self._shop_url = shop_url
        self._at = 0.0
        self._basket: dict[str, int] = {}

    def write(self) -> None:
        story = self._shopper.story
        self._say("browser", {"type": "page", "name": SHOP})
        known = story == STRANGER  # nobody ever asks a stranger
        if not known and self._dice.roll() < 0.5:  # half of the others have subscribed before they look around
            self._subscribe()
            known = True
        self._visit(story)
        if not known:
            self._subscribe()
        if story in BUYERS:
            if story == RETURNED:
                self._at += self._dice.between(3, 5)
                self._say("browser", {"type": "page", "name": "Cart"})
            self._buy()
        elif story in (CART, REFUSED, STRANGER):
            self._shopper.cart = [PRODUCTS[product_id].name for product_id in self._basket]

    def _visit(self, story: str) -> None:
        dice = self._dice
        category = of_category(dice.pick(tuple(CATEGORIES)))
        if story == SEARCHER:
            query = dice.pick(_QUERIES)
            self._track(
                "Products Searched", {"query": query, "results": 0 if query == "samovar" else dice.number(1, 6)}
            )
        elif story == BROWSER:
            self._track("Product List Viewed", {"category": category[0].category, "products": self._lines(category)})
            self._view(dice.some(category, 4))
        elif story == VIEWER:
            self._view(dice.some(tuple(PRODUCTS.values()), dice.number(1, 3)))
        else:
            products = dice.some(tuple(PRODUCTS.values()), dice.number(1, 4))
            self._view(products)
            self._fill(products[: dice.number(1, 3)], empty=story == EMPTIED)

    def _fill(self, products: list[Product], *, empty: bool) -> None:
        for product in products:
            quantity = self._dice.number(1, 2)
            self._track("Product Added", line(product, self._shop_url, quantity))
            self._basket[product.id] = quantity
        changed_their_mind = len(products) > 1 and self._dice.roll() < 0.3
        for product in products if empty else products[:1] if changed_their_mind else ():
            self._track("Product Removed", line(product, self._shop_url, self._basket.pop(product.id)))

    def _view(self, products: list[Product]) -> None:
        for product in products:
            self._track("Product Viewed", line(product, self._shop_url))

    def _lines(self, products: list[Product]) -> list[Document]:
        return [line(product, self._shop_url) for product in products]

    def _subscribe(self) -> None:
        """The visitor fills in a form; the shop's back end tells who it is and what was agreed to."""
        who = self._shopper
        granted = who.story != REFUSED
        consent = {"email": {"granted": granted, "source": "demo shop", "wording": WORDING}}
        traits = {"email": who.email, "firstName": who.name, "locale": "en", "consent": consent}
        self._say("server", {"type": "identify", "userId": who.user_id, "traits": traits})

    def _buy(self) -> None:
        who = self._shopper
        lines = [line(PRODUCTS[product_id], self._shop_url, quantity) for product_id, quantity in self._basket.items()]
        total = round(sum(item["price"] * item["quantity"] for item in lines), 2)
        order = {"order_id": f"O-{who.anonymous_id}", "total": total, "currency": CURRENCY, "products": lines}
        self._say("server", {"type": "track", "event": "Order Completed", "userId": who.user_id, "properties": order})
        self._basket.clear()

    def _track(self, event: str, properties: Document) -> None:
        self._say("browser", {"type": "track", "event": event, "properties": properties})

    def _say(self, kind: str, event: Document) -> None:
        who = self._shopper
        message_id = f"{who.anonymous_id}-{len(who.steps)}"
        who.steps.append(Step(self._at, kind, {**event, "anonymousId": who.anonymous_id, "messageId": message_id}))
        self._at += self._dice.between(0.15, 0.6)
