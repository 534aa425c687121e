"""The demo shop's pages as HTML. Pure."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from app.demo.catalogue import CATEGORIES, CURRENCY, PRODUCTS, SHOP, Product, of_category
from app.demo.pictures import picture
from app.demo.stories import WORDING, line

Cart = dict[str, int]
"""Product id -> pieces."""


@dataclass(frozen=True)
class Surroundings:
    """What every page needs: addresses, the browser key, and whose page it is. `customer` is empty for a stranger."""

    collector: str
    shop: str
    browser_key: str
    customer: str = ""
    pieces: int = 0


def money(value: float) -> str:
    """An amount for people."""
    return f"€{value:,.2f}"


def products_of(cart: Cart) -> list[tuple[Product, int]]:
    """The products of a cart and their pieces."""
    return [(PRODUCTS[product_id], pieces) for product_id, pieces in cart.items()]


def total_of(cart: Cart) -> float:
    """What a cart costs."""
    return round(sum(product.price * pieces for product, pieces in products_of(cart)), 2)


def _page(here: Surroundings, title: str, body: str, data: dict[str, Any], *, current: str = "", head: str = "") -> str:
    """A whole page. `data` goes to the shop's script; its text cannot end the script element."""
    told = {"currency": CURRENCY, "customer": here.customer, "products": [], **data}
    script = json.dumps(told).replace("<", "\\u003c")
    links = "".join(
        f'<a href="/category/{slug}"{" aria-current=page" if slug == current else ""}>{name}</a>'
        for slug, name in CATEGORIES.items()
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)} · {SHOP}</title>
<link rel="stylesheet" href="/static/shop.css">
<link rel="icon" href="/picture/lamp-globe.svg">
{head}
<script async src="{escape(here.collector)}/boomerang.js" data-key="{escape(here.browser_key)}"></script>
</head>
<body>
<header><div class="page">
<a class="logo" href="/">{SHOP}</a>
<nav>{links}</nav>
<div class="tools"><form action="/search" role="search"><input type="search" name="q" placeholder="Search" aria-label="Search"></form>
<a class="cart" href="/cart">Cart{f" · {here.pieces}" if here.pieces else ""}</a></div>
</div></header>
<main class="page">{body}</main>
<footer><div class="page">A demo shop. Nothing here can be bought; the mails are real and stay in the inbox of this machine.</div></footer>
<script type="application/json" id="data">{script}</script>
<script src="/static/shop.js" defer></script>
</body>
</html>
"""


def _card(product: Product) -> str:
    return (
        f'<a class="card" href="{product.path}">{picture(product)}'
        f"<div><span>{escape(product.name)}</span><span>{money(product.price)}</span></div></a>"
    )


def _grid(products: Sequence[Product]) -> str:
    return f'<div class="grid">{"".join(map(_card, products))}</div>'


def _subscribe(here: Surroundings, note: str) -> str:
    if here.customer:
        return ""
    return f"""<section class="box" id="mail"><h2>Shall we remind you?</h2>
<p>Leave something in your cart and we write once, no more.</p>{note}
<form method="post" action="/subscribe" class="form"><input type="hidden" name="anonymous_id">
<div class="row"><input type="email" name="email" required maxlength="254" placeholder="you@mail.example" aria-label="E-mail"><button>Yes</button></div>
<label class="check"><input type="checkbox" name="consent" value="yes" checked> {WORDING}</label></form></section>"""


def home(here: Surroundings, note: str = "") -> str:
    """All products by category."""
    sections = "".join(
        f'<section><h2><a href="/category/{slug}">{name}</a></h2>{_grid(of_category(slug))}</section>'
        for slug, name in CATEGORIES.items()
    )
    body = f"""{note}<h1>Things for a calm home</h1><p class="lead">Twenty-four of them, made slowly. Look around.</p>
{sections}{_subscribe(here, "")}"""
    return _page(here, "Things for a calm home", body, {"page": "home"})


def category(here: Surroundings, slug: str) -> str:
    """One category."""
    name, products = CATEGORIES[slug], of_category(slug)
    body = f'<h1>{name}</h1><p class="lead">{len(products)} things.</p>{_grid(products)}{_subscribe(here, "")}'
    told = {"page": "category", "category": name, "products": [line(p, here.shop) for p in products]}
    return _page(here, name, body, told, current=slug)


def product(here: Surroundings, shown: Product) -> str:
    """One product."""
    slug = next(slug for slug, name in CATEGORIES.items() if name == shown.category)
    others = [other for other in of_category(slug) if other != shown][:4]
    body = f"""<div class="product"><div class="large">{picture(shown)}</div><div>
<div class="crumb"><a href="/category/{slug}">{shown.category}</a></div><h1>{escape(shown.name)}</h1>
<div class="price">{money(shown.price)}</div><p>{escape(shown.text)}</p>
<form method="post" action="/cart/add" data-action="add" data-product="{shown.id}">
<input type="hidden" name="product" value="{shown.id}"><button>Add to cart</button></form></div></div>
<section class="small"><h2>Also in {shown.category}</h2>{_grid(others)}</section>{_subscribe(here, "")}"""
    head = (
        f'<link rel="canonical" href="{escape(here.shop + shown.path)}">'
        f'<meta property="og:image" content="{escape(here.shop)}/picture/{shown.id}.svg">'
    )
    told = {"page": "product", "products": [line(shown, here.shop)]}
    return _page(here, shown.name, body, told, current=slug, head=head)


def search(here: Surroundings, query: str, found: Sequence[Product]) -> str:
    """What a search found."""
    words = f"{len(found)} found." if found else "Nothing found. Perhaps a lamp?"
    title = f"“{escape(query)}”" if query else "Search"
    body = f'<h1>{title}</h1><p class="lead">{words}</p>{_grid(found)}'
    told = {"page": "search" if query else "home", "query": query, "products": [line(p, here.shop) for p in found]}
    return _page(here, "Search", body, told)


def _cart_line(shown: Product, pieces: int) -> str:
    return f"""<li>{picture(shown)}<a href="{shown.path}">{escape(shown.name)}{f" &times; {pieces}" if pieces > 1 else ""}</a>
<span class="price">{money(shown.price * pieces)}</span>
<form method="post" action="/cart/remove" data-action="remove" data-product="{shown.id}">
<input type="hidden" name="product" value="{shown.id}"><button class="quiet">remove</button></form></li>"""


def cart(here: Surroundings, basket: Cart, note: str = "") -> str:
    """The cart."""
    lines = products_of(basket)
    told = {"page": "cart", "products": [line(p, here.shop, pieces) for p, pieces in lines]}
    if not lines:
        body = f'{note}<h1>Your cart</h1><p class="lead">Empty, for now.</p><a class="button" href="/">Look around</a>'
        return _page(here, "Cart", body, told)
    shown = "".join(_cart_line(p, pieces) for p, pieces in lines)
    body = f"""{note}<h1>Your cart</h1><ul class="lines">{shown}</ul>
<p class="total"><span>Total</span><strong>{money(total_of(basket))}</strong></p>
<a class="button" href="/checkout">To the checkout</a>{_subscribe(here, "")}"""
    return _page(here, "Cart", body, told)


def checkout(here: Surroundings, basket: Cart, error: str = "", email: str = "") -> str:
    """The form before the order."""
    wrong = f'<p class="error">{escape(error)}</p>' if error else ""
    body = f"""<h1>Checkout</h1><p class="lead">{sum(basket.values())} things, {money(total_of(basket))}. No payment: it is a demo.</p>
{wrong}<form method="post" action="/checkout" class="form"><input type="hidden" name="anonymous_id">
<label>Name<input type="text" name="name" maxlength="80" autocomplete="name"></label>
<label>E-mail<input type="email" name="email" required maxlength="254" autocomplete="email" value="{escape(email)}"></label>
<label class="check"><input type="checkbox" name="consent" value="yes" checked> {WORDING}</label>
<div><button>Order</button></div></form>"""
    return _page(here, "Checkout", body, {"page": "checkout"})


def done(here: Surroundings, order_id: str, basket: Cart) -> str:
    """After the order."""
    shown = ", ".join(escape(p.name) for p, _ in products_of(basket))
    body = f"""<h1>Thank you</h1><p class="lead">Order {escape(order_id)}: {shown}. {money(total_of(basket))}.</p>
<p>Nothing will remind you of this cart any more.</p><a class="button" href="/">Back to the shop</a>"""
    products = [line(p, here.shop, pieces) for p, pieces in products_of(basket)]
    told = {"page": "order", "order_id": order_id, "total": total_of(basket), "products": products}
    return _page(here, "Thank you", body, told)


def message(here: Surroundings, title: str, text: str) -> str:
    """A page with one sentence."""
    body = f'<h1>{escape(title)}</h1><p class="lead">{escape(text)}</p><a class="button" href="/">Back to the shop</a>'
    return _page(here, title, body, {"page": "message"})
