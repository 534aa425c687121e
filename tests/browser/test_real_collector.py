"""Chromium on the demo shop against the real collector and a real Kafka."""

import asyncio
import urllib.request
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from app.codec import decode_event
from app.demo.backend import customer_id
from app.demo.shop import shop_app
from app.engine.provision import provision
from app.model.event import Event
from app.settings import Settings
from tests import servers
from tests.broker.conftest import Broker
from tests.browser.conftest import Visitor
from tests.browser.servers import Site, served
from tests.browser.test_shop import press

pytestmark = [pytest.mark.broker, pytest.mark.slow]


class Mall:
    """The demo shop, its real collector, and what has reached Kafka."""

    def __init__(self, settings: Settings, process: servers.Children) -> None:
        self.settings = settings
        self._process = process
        self.collector: Any = None

    async def open_collector(self) -> None:
        self.collector = self._process.boomerang("collector", settings=self.settings)
        await servers.eventually(self._ready, 30, "the collector is ready")

    def _ready(self) -> bool:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.settings.collector_port}/readyz", timeout=2) as answer:
            return answer.status == 200

    async def events(self) -> list[Event]:
        broker = Broker(
            self.settings.kafka.removeprefix("kafka://"), self.settings.topic_prefix, self.settings.partitions
        )
        return [decode_event(record.value) for record in await broker.read("clickstream")]

    async def until(self, name: str, count: int = 1) -> list[Event]:
        """The events of this name or type, as soon as there are `count` in Kafka."""

        async def found() -> list[Event]:
            have = [event for event in await self.events() if name in (event.event, event.type)]
            return have if len(have) >= count else []

        return await servers.eventually(found, 20, f"{count} {name} in Kafka")


@pytest.fixture
async def mall(make_settings: Callable[..., Settings], process: servers.Children) -> AsyncIterator[Mall]:
    settings = make_settings(collector_metrics_port=servers.free_port())
    url = f"http://127.0.0.1:{settings.shop_port}"
    mall = Mall(
        make_settings(
            **{name: getattr(settings, name) for name in ("collector_port", "collector_metrics_port", "shop_port")},
            shop_url=url,
            cors_origins=url,
            rate_per_address=30,  # less than the slowest machine's browser can ask
        ),
        process,
    )
    await provision(mall.settings)
    await mall.open_collector()
    with served(shop_app(mall.settings), mall.settings.shop_port):
        yield mall


@pytest.fixture
def shopper(visitor: Visitor, mall: Mall) -> Any:
    visitor.base = mall.settings.shop_url
    yield visitor
    visitor.run("localStorage.clear()")
    visitor.driver.delete_all_cookies()
    visitor.driver.get("about:blank")


async def test_a_visit_to_the_shop_is_in_kafka(shopper: Visitor, mall: Mall) -> None:
    def visit() -> None:
        shopper.open("/search?q=mug")
        shopper.open("/product/mug-blue")
        press(shopper, "form[data-action=add]")
        shopper.open("/checkout")
        shopper.run("document.querySelector('[name=email]').value = 'ann@mail.example'")
        press(shopper, "form[action='/checkout']")

    await asyncio.to_thread(visit)
    orders = await mall.until("Order Completed", 2)
    (added,) = await mall.until("Product Added")
    (viewed,) = await mall.until("Product Viewed")
    (searched,) = await mall.until("Products Searched")
    assert added.properties is not None
    assert (added.properties.product_id, added.properties.price, added.properties.quantity) == ("mug-blue", 14, 1)
    assert added.properties.url == viewed.properties.url == f"{mall.settings.shop_url}/product/mug-blue"  # type: ignore[union-attr]
    assert (searched.properties.query, searched.properties.results) == ("mug", 2)  # type: ignore[union-attr]
    assert {order.source for order in orders} == {"browser", "server"}
    assert len({order.properties.order_id for order in orders}) == 1  # type: ignore[union-attr]
    told = [event for event in await mall.until("identify", 2) if event.source == "server"]
    assert told[0].userId == customer_id("ann@mail.example")
    assert told[0].anonymousId == added.anonymousId
    assert told[0].traits.email == "ann@mail.example"  # type: ignore[union-attr]


async def test_nothing_is_lost_while_the_collector_is_away(shopper: Visitor, mall: Mall) -> None:
    await asyncio.to_thread(shopper.open, "/product/can")
    await mall.until("Product Viewed")
    await asyncio.to_thread(shopper.until_stored, 0)
    await asyncio.to_thread(mall.collector.stop)
    shopper.run("for (let n = 0; n < 10; n++) boomerang.track('Meanwhile', {n})")
    await asyncio.to_thread(shopper.until_stored, 10)
    await mall.open_collector()
    shopper.run("dispatchEvent(new Event('online'))")
    await mall.until("Meanwhile", 10)
    await asyncio.to_thread(shopper.until_stored, 0)
    assert len([event for event in await mall.events() if event.event == "Meanwhile"]) == 10


async def test_a_foreign_site_is_refused_and_not_harmed(visitor: Visitor, site: Site, mall: Mall) -> None:
    collector = f"http://127.0.0.1:{mall.settings.collector_port}"
    site.put("/", f'<script async src="{collector}/boomerang.js" data-key="demo-browser"></script>', tracker=False)
    await asyncio.to_thread(visitor.open)
    visitor.run("boomerang.view({id: 1})")
    await asyncio.to_thread(visitor.pass_a_batch)
    assert await mall.events() == []


async def test_a_browser_that_asks_too_often_may_read_when_to_come_back(shopper: Visitor, mall: Mall) -> None:
    await asyncio.to_thread(shopper.open, "/")
    told = await asyncio.to_thread(
        shopper.run_async,
        f"""const ask = () => fetch("http://127.0.0.1:{mall.settings.collector_port}/v1/batch", {{method: "POST",
              body: '{{"writeKey": "demo-browser", "batch": []}}'}});
            Promise.all(Array.from({{length: 600}}, ask)).then((answers) => done(answers.filter((answer) => answer.status === 429)
              .map((answer) => answer.headers.get("Retry-After"))), (error) => done(String(error)))""",
    )
    assert told
    assert all(int(seconds) >= 1 for seconds in told)
