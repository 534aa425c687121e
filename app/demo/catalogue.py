"""What the demo shop sells: four categories, 24 products. Pure."""

from typing import NamedTuple

SHOP = "Northlight"
CURRENCY = "EUR"


class Product(NamedTuple):
    """A product. `shape` and `colour` are its picture (app/demo/pictures.py)."""

    id: str
    name: str
    price: float
    category: str
    shape: str
    colour: str
    text: str

    @property
    def path(self) -> str:
        """Path of its page."""
        return f"/product/{self.id}"


CATEGORIES = {"kitchen": "Kitchen", "light": "Light", "textiles": "Textiles", "green": "Green"}
"""Slug -> name."""

_ROWS = (
    (
        "mug-blue",
        "Blue stoneware mug",
        14.0,
        "Kitchen",
        "mug",
        "#5b7fa6",
        "Holds a slow morning: 350 ml, dishwasher safe.",
    ),
    ("mug-sand", "Sand stoneware mug", 14.0, "Kitchen", "mug", "#c9a878", "The same mug in the colour of a dry beach."),
    ("bowl-moss", "Moss bowl", 19.5, "Kitchen", "bowl", "#7d9468", "Deep enough for soup, pretty enough for fruit."),
    ("bowl-plum", "Plum bowl", 19.5, "Kitchen", "bowl", "#8c5a78", "Glazed by hand; no two are alike."),
    (
        "teapot",
        "Round teapot",
        46.0,
        "Kitchen",
        "teapot",
        "#b5654a",
        "Pours without a drop beside the cup. 0.9 litres.",
    ),
    ("jug", "Milk jug", 22.0, "Kitchen", "jug", "#8fa3a8", "Small, stubborn, useful."),
    ("lamp-desk", "Desk lamp Arc", 89.0, "Light", "lamp", "#d6a13d", "One arm, one joint, warm light where you read."),
    ("lamp-table", "Table lamp Dune", 74.0, "Light", "dome", "#c98d63", "A linen shade on a clay foot."),
    (
        "lamp-floor",
        "Floor lamp Reed",
        149.0,
        "Light",
        "floor",
        "#6d7f72",
        "Stands beside the sofa and asks for nothing.",
    ),
    ("lamp-globe", "Globe lamp", 64.0, "Light", "globe", "#e0c27a", "A small moon for the shelf."),
    ("lantern", "Garden lantern", 39.0, "Light", "lantern", "#4f6f76", "For candles and for summer."),
    ("candle", "Beeswax candle", 9.5, "Light", "candle", "#d9b45b", "Burns for thirty quiet hours."),
    ("throw-rust", "Rust wool throw", 95.0, "Textiles", "throw", "#b5654a", "Woven from mountain wool, washed soft."),
    ("throw-grey", "Grey wool throw", 95.0, "Textiles", "throw", "#8d9296", "The same throw for a quieter room."),
    ("cushion-ink", "Ink linen cushion", 34.0, "Textiles", "cushion", "#44546a", "Linen outside, feathers inside."),
    ("cushion-rose", "Rose linen cushion", 34.0, "Textiles", "cushion", "#c58a8a", "A gentle colour for a hard chair."),
    ("towel", "Waffle towel", 18.0, "Textiles", "towel", "#9db0a5", "Dries you, then dries itself."),
    ("rug", "Striped rug", 129.0, "Textiles", "rug", "#a9825a", "Flat woven, 120 by 180 cm."),
    ("fern", "Boston fern", 24.0, "Green", "fern", "#5f8a5a", "Likes shade, a shower now and then, and you."),
    ("monstera", "Monstera", 38.0, "Green", "leaf", "#3f7a58", "Grows a new window in each leaf."),
    ("cactus", "Column cactus", 16.5, "Green", "cactus", "#6f9a6a", "Forgives everything but water."),
    ("olive", "Young olive tree", 59.0, "Green", "tree", "#87976a", "Sun in, olives out, in some years."),
    ("pot-clay", "Clay pot", 12.0, "Green", "pot", "#b8704f", "With a saucer. 18 cm."),
    ("can", "Watering can", 27.0, "Green", "can", "#5d8a94", "A long neck for shy plants."),
)

PRODUCTS = {row[0]: Product(*row) for row in _ROWS}
"""Id -> product."""


def of_category(slug: str) -> list[Product]:
    """Products of a category; empty for an unknown one."""
    return [product for product in PRODUCTS.values() if product.category == CATEGORIES.get(slug)]


def search(query: str) -> list[Product]:
    """Products whose name, category or text holds every word of the query; nothing for an empty one."""
    words = query.lower().split()
    return [
        product
        for product in PRODUCTS.values()
        if words and all(word in f"{product.name} {product.category} {product.text}".lower() for word in words)
    ]
