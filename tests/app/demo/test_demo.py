"""`boomerang demo` as a process: the first cart mail within a minute, none for buyers, an orderly end."""

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.demo.backend import customer_id
from app.embedded.state import port_is_free
from app.settings import Settings
from tests import servers

pytestmark = [pytest.mark.broker, pytest.mark.slow]


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    """Everything embedded, on ports of our own."""
    return make_settings(kafka="", redis="", collector_metrics_port=servers.free_port(), topic_prefix="", grace=2.0)


def said(child: Any) -> str:
    return "\n".join(child.log.tail(400))


async def test_the_demo_keeps_its_promise_and_can_be_tried_by_hand(
    settings: Settings, process: servers.Children, eventually: Any
) -> None:
    child = process.boomerang("demo", "--shoppers", "60", "--seed", "7", settings=settings)
    await eventually(lambda: "Ctrl-C ends it" in said(child), 90, "the demo is ready")
    shop, console = f"http://127.0.0.1:{settings.shop_port}", f"http://127.0.0.1:{settings.console_port}"
    async with httpx.AsyncClient(base_url=shop, follow_redirects=True) as visitor:
        await visitor.post("/cart/add", data={"product": "teapot"})
        await visitor.post("/subscribe", data={"email": "me@mail.example", "anonymous_id": "by-hand", "consent": "yes"})
        added = {
            "type": "track", "event": "Product Added", "anonymousId": "by-hand", "messageId": "by-hand-1", "userId": customer_id("me@mail.example"),
            "properties": {"product_id": "teapot", "name": "Round teapot", "price": 46, "quantity": 1},
        }  # fmt: skip
        told = await visitor.post(
            f"http://127.0.0.1:{settings.collector_port}/v1/batch", json={"writeKey": "demo-browser", "batch": [added]}
        )
        assert told.status_code == 200

        async def mine() -> Any:
            mails = (await visitor.get(f"{console}/api/inbox", params={"to": "me@mail.example"})).json()
            return [mail for mail in mails if mail["scenario"] == "abandoned_cart"]

        (mail,) = await eventually(mine, 60, "the mail to the person at the browser")
        assert "Round teapot" in mail["text"]
    await eventually(lambda: "The first abandoned-cart mail" in said(child), 60, "the first cart mail")
    seconds = re.search(r"first abandoned-cart mail, (\d+) s after", said(child))
    assert seconds is not None
    assert int(seconds[1]) <= 60
    os.kill(child.pid, signal.SIGINT)
    await eventually(lambda: child.status() is not None, 40, "the demo has ended")
    text = said(child)
    assert child.status() == 0, text
    assert "BROKEN PROMISE" not in text
    assert re.search(r"buyers with a mail +0 of \d+", text)
    assert re.search(r"mails to others +abandoned_cart 1", text)
    for port in ("collector_port", "console_port", "shop_port", "worker_port", "delivery_port", "inbox_port"):
        assert port_is_free(getattr(settings, port)), port


async def test_a_demo_without_a_mail_in_its_time_fails(
    settings: Settings, process: servers.Children, eventually: Any, tmp_path: Path
) -> None:
    child = process.boomerang("demo", "--shoppers", "5", "--seconds", "12", settings=settings)
    await eventually(lambda: child.status() is not None, 90, "the demo has ended")
    assert child.status() == 1, said(child)
    assert "no abandoned-cart mail in 12 s" in said(child)


async def test_a_demo_that_is_stopped_while_it_starts_ends_in_order(
    settings: Settings, process: servers.Children, eventually: Any
) -> None:
    child = process.boomerang("demo", settings=settings)
    await eventually(lambda: "Boomerang demo" in said(child), 30, "the demo begins")
    os.kill(child.pid, signal.SIGINT)
    await eventually(lambda: child.status() is not None, 40, "the demo has ended")
    assert child.status() == 0, said(child)
    assert port_is_free(settings.shop_port)
