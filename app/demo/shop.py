"""The demo shop: a small ASGI app with the real tracker of the collector's origin. Keeps the cart in a cookie."""

from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import blake2b
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs, quote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from app.clock import SYSTEM, Clock
from app.demo import pages
from app.demo.backend import Backend, address, visitor
from app.demo.catalogue import CATEGORIES, PRODUCTS
from app.demo.catalogue import search as find
from app.demo.pictures import picture
from app.demo.sender import Sender
from app.settings import Settings

FORM_LIMIT = 4096
"""Bytes of a form."""
PIECES_LIMIT = 20
ORDERS_KEPT = 1000
_TYPES = {"shop.css": "text/css", "shop.js": "text/javascript"}


def addresses(settings: Settings) -> tuple[str, str]:
    """The shop's own base URL and the collector's."""
    return settings.shop_url.rstrip("/"), settings.public_base


def key_of(settings: Settings, kind: str) -> str:
    """The first write key of a kind; empty when there is none."""
    return next((key for key, its in settings.write_keys_by_key.items() if its == kind), "")


def read_cart(cookie: str) -> pages.Cart:
    """The cart of a cookie; what cannot be read is left out."""
    cart: pages.Cart = {}
    for item in cookie[:2000].split("."):
        product_id, _, pieces = item.partition(":")
        if product_id in PRODUCTS and pieces.isascii() and pieces.isdigit():
            cart[product_id] = max(1, min(int(pieces[:4]), PIECES_LIMIT))
    return cart


def write_cart(cart: pages.Cart) -> str:
    """A cart as a cookie."""
    return ".".join(f"{product_id}:{pieces}" for product_id, pieces in cart.items())


async def read_form(request: Request) -> dict[str, str]:
    """The first value of each field of a small form; an overlong form is empty."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_LIMIT:
            return {}
    fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=20)
    return {name: values[0] for name, values in fields.items()}


class Shop:
    """The pages and what their forms do."""

    def __init__(self, settings: Settings, backend: Backend, clock: Clock) -> None:
        self._settings = settings
        self._backend = backend
        self._clock = clock
        self._orders: OrderedDict[str, pages.Cart] = OrderedDict()

    def routes(self) -> list[Route]:
        """All routes."""
        return [
            Route("/", self.home),
            Route("/category/{slug}", self.category),
            Route("/product/{product}", self.product),
            Route("/search", self.search),
            Route("/cart", self.cart),
            Route("/cart/{change:str}", self.change, methods=["POST"]),
            Route("/subscribe", self.subscribe, methods=["POST"]),
            Route("/checkout", self.checkout),
            Route("/checkout", self.order, methods=["POST"]),
            Route("/done/{order}", self.done),
            Route("/picture/{product}.svg", self.picture),
            Route("/static/{name}", self.static),
            Route("/healthz", self.health),
        ]

    def _here(self, request: Request) -> pages.Surroundings:
        shop, collector = addresses(self._settings)
        return pages.Surroundings(
            collector=collector,
            shop=shop,
            browser_key=key_of(self._settings, "browser"),
            customer=visitor(request.cookies.get("customer", "")),
            pieces=sum(_cart(request).values()),
        )

    async def home(self, request: Request) -> Response:
        """All products."""
        note = (
            '<p class="note">Thank you. Now leave something in your cart.</p>'
            if "thanks" in request.query_params
            else ""
        )
        return _html(pages.home(self._here(request), note))

    async def category(self, request: Request) -> Response:
        """One category."""
        slug = request.path_params["slug"]
        return _html(pages.category(self._here(request), slug)) if slug in CATEGORIES else self._missing(request)

    async def product(self, request: Request) -> Response:
        """One product."""
        shown = PRODUCTS.get(request.path_params["product"])
        return _html(pages.product(self._here(request), shown)) if shown else self._missing(request)

    async def search(self, request: Request) -> Response:
        """What a search finds."""
        query = request.query_params.get("q", "").strip()[:100]
        return _html(pages.search(self._here(request), query, find(query)))

    async def cart(self, request: Request) -> Response:
        """The cart."""
        return _html(pages.cart(self._here(request), _cart(request)))

    async def change(self, request: Request) -> Response:
        """Add a piece of a product, or remove the product."""
        cart, product_id = _cart(request), (await read_form(request)).get("product", "")
        if product_id not in PRODUCTS or request.path_params["change"] not in ("add", "remove"):
            return self._missing(request)
        if request.path_params["change"] == "add":
            cart[product_id] = min(cart.get(product_id, 0) + 1, PIECES_LIMIT)
        else:
            cart.pop(product_id, None)
        return _go("/cart", cart=write_cart(cart))

    async def subscribe(self, request: Request) -> Response:
        """A visitor leaves an address."""
        form = await read_form(request)
        try:
            email = address(form.get("email", ""))
        except ValueError as error:
            return _html(pages.message(self._here(request), "That did not work", str(error)), 400)
        customer = await self._backend.subscribed(
            email, visitor(form.get("anonymous_id", "")), consent="consent" in form
        )
        return _go("/cart" if _cart(request) else "/?thanks", customer=customer)

    async def checkout(self, request: Request) -> Response:
        """The form before the order."""
        cart = _cart(request)
        return _html(pages.checkout(self._here(request), cart)) if cart else _go("/cart")

    async def order(self, request: Request) -> Response:
        """A visitor orders."""
        form, cart = await read_form(request), _cart(request)
        if not cart:
            return _go("/cart")
        try:
            email = address(form.get("email", ""))
        except ValueError as error:
            typed = form.get("email", "")[:254]
            return _html(pages.checkout(self._here(request), cart, str(error), typed), 400)
        who, name = visitor(form.get("anonymous_id", "")), form.get("name", "").strip()[:80]
        order_id = "N-" + blake2b(f"{email}{self._clock.now()!r}".encode(), digest_size=4).hexdigest().upper()
        customer = await self._backend.subscribed(email, who, name=name, consent="consent" in form)
        await self._backend.ordered(customer, who, order_id, cart)
        self._orders[order_id] = cart
        while len(self._orders) > ORDERS_KEPT:
            self._orders.popitem(last=False)
        return _go(f"/done/{quote(order_id)}", cart="", customer=customer)

    async def done(self, request: Request) -> Response:
        """After the order."""
        order_id = request.path_params["order"]
        cart = self._orders.get(order_id)
        return _html(pages.done(self._here(request), order_id, cart)) if cart else self._missing(request)

    async def picture(self, request: Request) -> Response:
        """The picture of a product."""
        shown = PRODUCTS.get(request.path_params["product"])
        if shown is None:
            return self._missing(request)
        return Response(picture(shown), media_type="image/svg+xml", headers={"Cache-Control": "max-age=3600"})

    async def static(self, request: Request) -> Response:
        """Style and script."""
        name = request.path_params["name"]
        if name not in _TYPES:
            return self._missing(request)
        return Response(files("app.demo").joinpath("static", name).read_bytes(), media_type=_TYPES[name])

    async def health(self, _request: Request) -> Response:
        """The process answers."""
        return Response("ok\n", media_type="text/plain")

    async def missing(self, request: Request, _error: Exception) -> Response:
        """A path that the shop does not have."""
        return self._missing(request)

    def _missing(self, request: Request) -> Response:
        return _html(pages.message(self._here(request), "Not here", "We do not have this page."), 404)


def _cart(request: Request) -> pages.Cart:
    return read_cart(request.cookies.get("cart", ""))


def _html(text: str, status: int = 200) -> Response:
    return HTMLResponse(text, status, headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"})


def _go(path: str, **cookies: str) -> Response:
    """To another page; an empty cookie is deleted."""
    answer = RedirectResponse(path, 303)
    for name, value in cookies.items():
        if value:
            answer.set_cookie(name, value, max_age=86_400 * 30, httponly=True, samesite="lax")
        else:
            answer.delete_cookie(name)
    return answer


def shop_app(settings: Settings, clock: Clock = SYSTEM) -> Starlette:
    """The shop as an ASGI app; its lifespan holds the connection to the collector."""
    shop_url, _ = addresses(settings)
    collector = f"http://{settings.collector_host}:{settings.collector_port}"
    sender = Sender(collector, key_of(settings, "browser"), key_of(settings, "server"))

    @asynccontextmanager
    async def lifespan(_app: Any) -> AsyncIterator[None]:
        async with sender:
            yield

    shop = Shop(settings, Backend(sender, clock, shop_url), clock)
    return Starlette(routes=shop.routes(), lifespan=lifespan, exception_handlers={404: shop.missing})
