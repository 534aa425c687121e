"""The demo shop with the real tracker on it: a visitor walks through, the collector of another origin is told."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.demo.backend import customer_id
from app.demo.shop import shop_app
from app.settings import load
from tests.browser.conftest import Visitor
from tests.browser.servers import Recorder, served

WIDTHS = (400, 1200)


@pytest.fixture
def shopper(visitor: Visitor, recorder: Recorder, free_port: Callable[[], int]) -> Iterator[Visitor]:
    """A visitor of the demo shop, whose events and whose shop's events go to the recorder."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = load({}, collector_port=recorder.port, shop_port=port, shop_url=url)
    with served(shop_app(settings), port):
        visitor.base = url
        yield visitor
        visitor.run("localStorage.clear()")
        visitor.driver.delete_all_cookies()
        visitor.driver.get("about:blank")


def press(visitor: Visitor, selector: str) -> None:
    """Send a form and wait for the page behind it."""
    visitor.run(f"window.before = true; document.querySelector({selector!r}).requestSubmit()")
    visitor.until("!window.before && document.readyState === 'complete'")
    visitor.until_ready()


def test_a_cart_is_put_together_and_left(shopper: Visitor, recorder: Recorder) -> None:
    shopper.open("/category/kitchen")
    listed = recorder.wait_for("Product List Viewed")[0]["properties"]
    assert (listed["category"], len(listed["products"])) == ("Kitchen", 6)
    shopper.open("/product/teapot")
    viewed = recorder.wait_for("Product Viewed")[0]["properties"]
    assert viewed["url"] == f"{shopper.base}/product/teapot"
    assert viewed["image_url"] == f"{shopper.base}/picture/teapot.svg"
    press(shopper, "form[data-action=add]")
    added = recorder.wait_for("Product Added")[0]["properties"]
    assert (added["product_id"], added["quantity"], added["price"]) == ("teapot", 1, 46)
    assert added["url"] == viewed["url"]
    cart = recorder.wait_for("Cart Viewed")[0]["properties"]
    assert [(p["product_id"], p["quantity"]) for p in cart["products"]] == [("teapot", 1)]
    press(shopper, "form[data-action=remove]")
    removed = recorder.wait_for("Product Removed")[0]["properties"]
    assert (removed["product_id"], removed["quantity"]) == ("teapot", 1)
    assert recorder.wait_for("Cart Viewed", 2)[1]["properties"]["products"] == []


def test_a_search_is_told_with_what_it_found(shopper: Visitor, recorder: Recorder) -> None:
    shopper.open("/search?q=Mug")
    assert recorder.wait_for("Products Searched")[0]["properties"]["results"] == 2
    shopper.open("/search?q=samovar")
    assert recorder.wait_for("Products Searched", 2)[1]["properties"] == {
        "query": "samovar",
        "results": 0,
        "products": [],
    }


def test_the_shops_server_tells_address_and_consent_with_its_own_key(shopper: Visitor, recorder: Recorder) -> None:
    shopper.open("/")
    anonymous = recorder.wait_for("page")[0]["anonymousId"]
    shopper.run("document.querySelector('[name=email]').value = 'ann@mail.example'")
    press(shopper, "form[action='/subscribe']")
    told = recorder.wait_for("identify", 2)
    server = next(e for e in told if e.get("traits"))
    assert server["traits"]["email"] == "ann@mail.example"
    assert server["traits"]["consent"]["email"]["granted"] is True
    assert server["anonymousId"] == anonymous
    assert {e["userId"] for e in told} == {customer_id("ann@mail.example")}
    keys = {r["body"]["writeKey"] for r in recorder.requests if "ann@mail.example" in str(r["body"])}
    assert keys == {"demo-server"}


def test_a_visitor_who_does_not_agree_is_told_of_as_such(shopper: Visitor, recorder: Recorder) -> None:
    shopper.open("/")
    shopper.run(
        "document.querySelector('[name=email]').value = 'bo@mail.example'; document.querySelector('[name=consent]').checked = false"
    )
    press(shopper, "form[action='/subscribe']")
    server = recorder.wait(lambda: [e for e in recorder.events if e.get("traits")], "the server's identify")[0]
    assert server["traits"]["consent"]["email"]["granted"] is False


def test_an_order_is_told_once_by_the_page_and_once_by_the_server(shopper: Visitor, recorder: Recorder) -> None:
    shopper.open("/product/fern")
    press(shopper, "form[data-action=add]")
    shopper.open("/checkout")
    shopper.run("document.querySelector('[name=email]').value = 'cy@mail.example'")
    press(shopper, "form[action='/checkout']")
    orders = recorder.wait_for("Order Completed", 2)
    assert len({e["properties"]["order_id"] for e in orders}) == 1
    assert {e["properties"]["total"] for e in orders} == {24}
    assert all([p["product_id"] for p in e["properties"]["products"]] == ["fern"] for e in orders)
    shopper.driver.refresh()
    shopper.until_ready()
    shopper.pass_a_batch()
    assert len(recorder.tracked("Order Completed")) == 2
    assert "Empty" in shopper.run("return fetch('/cart').then((answer) => answer.text())")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    "path", ["/", "/category/light", "/product/rug", "/search?q=wool", "/cart", "/checkout", "/nowhere"]
)
def test_a_page_fits_its_screen(shopper: Visitor, path: str, width: int) -> None:
    size = {"width": width, "height": 860, "deviceScaleFactor": 1, "mobile": width < 600}
    shopper.open("/product/lantern")
    press(shopper, "form[data-action=add]")
    shopper.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        shopper.open(path)
        assert shopper.run("return document.documentElement.scrollWidth") <= width
        cut = shopper.run("""return Array.from(document.querySelectorAll("h1, button, .price, .card span, nav a"))
          .filter((e) => e.getBoundingClientRect().right > innerWidth || e.scrollWidth > e.clientWidth + 1 && e.clientWidth)
          .map((e) => e.textContent)""")
        assert cut == []
    finally:
        shopper.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_shop_loads_nothing_from_elsewhere(shopper: Visitor, recorder: Recorder) -> None:
    shopper.open("/product/rug")
    recorder.wait_for("Product Viewed")
    loaded: list[Any] = shopper.run("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert all(name.startswith((shopper.base, recorder.origin)) for name in loaded)
