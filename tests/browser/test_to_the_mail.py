"""From the button in Chromium to the mail in the inbox, the way back into the shop, the unsubscribe, and silence."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest

from app.demo.backend import customer_id
from app.demo.shop import shop_app
from app.settings import Settings
from tests import servers
from tests.browser.conftest import Visitor
from tests.browser.servers import served
from tests.browser.test_shop import press
from tests.running import product
from tests.servers import eventually

pytestmark = [pytest.mark.broker, pytest.mark.slow]

SCALE = 900.0
"""60 minutes are 4 s, 3 hours 12 s."""
ANN = "ann@mail.example"


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    shop, metrics = servers.free_port(), servers.free_port()
    url = f"http://127.0.0.1:{shop}"
    return make_settings(
        shop_port=shop, collector_metrics_port=metrics, shop_url=url, cors_origins=url, time_scale=SCALE, grace=0.3, instance="chromium"
    )  # fmt: skip


async def test_a_cart_left_in_the_browser_brings_a_mail_and_unsubscribing_brings_silence(
    visitor: Visitor, settings: Settings, process: servers.Children
) -> None:
    visitor.base = settings.shop_url
    async with product(settings, process) as running:
        await running.start("collector", "worker", "delivery", "console")
        with served(shop_app(settings), settings.shop_port):
            try:
                await _story(visitor, settings, running)
            finally:
                visitor.driver.delete_all_cookies()


async def _story(visitor: Visitor, settings: Settings, running: Any) -> None:
    await asyncio.to_thread(_leave_a_cart, visitor)
    (mail,) = await eventually(lambda: running.json("console", f"/api/inbox?to={ANN}"), 40, "the mail is in the inbox")
    assert mail["scenario"] == "abandoned_cart"
    assert "Round teapot" in mail["text"]
    assert f"{settings.shop_url}/product/teapot" in await _leads_to(running, mail["text"])
    assert "Milk jug" not in mail["text"]

    link = mail["unsubscribe"].partition("<")[2].partition(">")[0]
    await asyncio.to_thread(_unsubscribe, visitor, link)
    customer = customer_id(ANN)

    async def reasons() -> list[str]:
        return [line["reason"] for line in await running.json("console", f"/api/journal?customer={customer}")]

    async def received() -> bool:
        return "receipt" in await reasons() or "unsubscribed" in await reasons()

    await eventually(received, 20, "the unsubscribe is known")
    await asyncio.to_thread(visitor.open, "/product/rug")

    async def refused() -> bool:
        return bool({"no_consent", "suppressed"} & set(await reasons()))

    await eventually(refused, 150, "the next reminder is refused")
    assert len(await running.json("console", f"/api/inbox?to={ANN}")) == 1


async def _leads_to(running: Any, text: str) -> set[str]:
    """Where the tracked links of a text lead."""
    found = set()
    for link in re.findall(r"http\S+/r/\S+", text):
        async with running.http.head(link, allow_redirects=False) as response:
            found.add(response.headers["location"])
    return found


def _leave_a_cart(visitor: Visitor) -> None:
    visitor.open("/product/jug")
    visitor.open("/product/teapot")
    press(visitor, "form[data-action=add]")
    visitor.run(f"document.querySelector('[name=email]').value = '{ANN}'")
    press(visitor, "form[action='/subscribe']")


def _unsubscribe(visitor: Visitor, link: str) -> None:
    visitor.driver.get(link)
    visitor.run("document.querySelector('form').requestSubmit()")
    visitor.until("/Done|Готово/.test(document.title)")
