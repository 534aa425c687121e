"""The demo shop's own answers, without a browser and with a collector that is away."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from app.clock import ManualClock
from app.demo import sender
from app.demo.backend import address, customer_id, visitor
from app.demo.sender import NotSent, Sender
from app.demo.shop import read_cart, shop_app, write_cart
from app.settings import load


@pytest.fixture
async def client(free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the shop; no collector listens."""
    monkeypatch.setattr(sender, "ATTEMPTS", 1)
    monkeypatch.setattr(sender, "LONGEST_WAIT", 0.0)
    app = shop_app(load({}, collector_port=free_port()), ManualClock())
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://shop") as client,
    ):
        yield client


async def test_all_pages_answer(client: httpx.AsyncClient) -> None:
    for path in ("/", "/category/green", "/product/can", "/search?q=lamp", "/search", "/cart", "/picture/rug.svg",
                 "/static/shop.css", "/static/shop.js", "/healthz"):  # fmt: skip
        assert (await client.get(path)).status_code == 200, path


@pytest.mark.parametrize("path", ["/category/none", "/product/none", "/picture/none.svg", "/static/shop.py", "/done/x",
                                  "/static/..%2fshop.py", "/x"])  # fmt: skip
async def test_what_is_not_there_is_404(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


async def test_the_cart_lives_in_a_cookie(client: httpx.AsyncClient) -> None:
    for _ in range(2):
        await client.post("/cart/add", data={"product": "can"})
    assert "Watering can &times; 2" in (await client.get("/cart")).text
    await client.post("/cart/remove", data={"product": "can"})
    assert "Empty" in (await client.get("/cart")).text
    assert (await client.post("/cart/add", data={"product": "none"})).status_code == 404


@pytest.mark.parametrize(
    "cookie", ["", ".", "none:1", "can", "can:", "can:x", "can:²", ":" * 5000, "can:1" * 3000, "\x00"]
)
def test_any_cookie_is_a_cart(cookie: str) -> None:
    cart = read_cart(cookie)
    assert read_cart(write_cart(cart)) == cart
    assert all(1 <= pieces <= 20 for pieces in cart.values())


async def test_a_collector_that_is_away_does_not_stop_an_order(client: httpx.AsyncClient) -> None:
    await client.post("/cart/add", data={"product": "can"})
    answer = await client.post("/checkout", data={"email": "ann@mail.example", "name": "Ann"})
    assert answer.status_code == 303
    done = await client.get(answer.headers["location"])
    assert "Thank you" in done.text
    assert "ann@mail.example" not in done.text


@pytest.mark.parametrize("email", ["", "ann", "ann@", "@x.example", "ann@x", "a b@x.example", "ann@x.example\r\nBcc: b@x.example",
                                   "a" * 300 + "@x.example", "ann@x.example,b@x.example", "<b>@x.example"])  # fmt: skip
async def test_a_bad_address_is_refused_in_words(client: httpx.AsyncClient, email: str) -> None:
    await client.post("/cart/add", data={"product": "can"})
    for path in ("/subscribe", "/checkout"):
        answer = await client.post(path, data={"email": email})
        assert answer.status_code == 400
        assert "not an e-mail address" in answer.text
        assert "<b>" not in answer.text


async def test_what_a_visitor_types_cannot_become_markup(client: httpx.AsyncClient) -> None:
    text = (await client.get("/search", params={"q": "</script><script>alert(1)</script>"})).text
    assert "<script>alert" not in text
    assert text.count("</script>") == 3


async def test_an_overlong_form_is_refused(client: httpx.AsyncClient) -> None:
    assert (await client.post("/subscribe", data={"email": "a" * 10_000})).status_code == 400


def test_a_customers_id_is_not_the_address() -> None:
    assert customer_id("Ann@mail.example") == customer_id("ann@mail.example")
    assert "ann" not in customer_id("ann@mail.example")
    assert address(" ann@mail.example ") == "ann@mail.example"
    assert [visitor(text) for text in ("abc-1", "", "a b", "<x>", "a" * 81)] == ["abc-1", "", "", "", ""]


async def test_sending_gives_up_with_the_reason(free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "LONGEST_WAIT", 0.0)
    async with Sender(f"http://127.0.0.1:{free_port()}", "b", "s") as mine:
        with pytest.raises(NotSent, match="Cannot connect"):
            await mine.send("browser", [{"type": "page"}])
        assert mine.sent == 0


async def test_sending_tries_again_and_stops_at_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    from tests.browser.servers import served

    monkeypatch.setattr(sender, "LONGEST_WAIT", 0.0)
    statuses = [503, 429, 200, 401]
    bodies: list[Any] = []

    async def batch(request: Request) -> PlainTextResponse:
        bodies.append(await request.json())
        return PlainTextResponse("no", statuses.pop(0))

    with served(Starlette(routes=[Route("/v1/batch", batch, methods=["POST"])])) as port:
        async with Sender(f"http://127.0.0.1:{port}/", "b", "s") as mine:
            await mine.send("server", [{"n": 1}, {"n": 2}])
            assert (len(bodies), mine.sent) == (3, 2)
            assert bodies[2] == {"writeKey": "s", "batch": [{"n": 1}, {"n": 2}]}
            with pytest.raises(NotSent, match="401 no"):
                await mine.send("browser", [{"n": 3}])
    assert statuses == []
