"""From a browser's subscription to the notification that only it can read; with all real parts but the push service."""

import pytest

from app.clock import SYSTEM
from tests.carts import cart_scenario
from tests.channels.hooks import hook
from tests.channels.pushers import BROWSER, PRIVATE, PUBLIC, b64, check_push
from tests.channels.relays import self_signed
from tests.running import product
from tests.servers import eventually

pytestmark = [pytest.mark.broker, pytest.mark.slow]

SCENARIO = cart_scenario(
    "  - channel: webpush\n    template: abandoned_cart\n", id="abandoned_cart", more="quiet: ignore\n"
)


@pytest.fixture
def settings(make_settings, tmp_path):
    folder = tmp_path / "scenarios"
    folder.mkdir()
    (folder / "cart.yaml").write_text(SCENARIO)
    return make_settings(
        time_scale=1800.0,
        instance="push",
        grace=0.3,
        scenarios=folder,
        webpush_private_key=PRIVATE,
        webpush_public_key=PUBLIC,
        webpush_contact="mailto:push@shop.example",
        webpush_hosts="127.0.0.1",
        egress_allow="127.0.0.1/32",
        public_url="https://collector.shop.example",
    )


async def test_a_nameless_visitor_who_subscribed_gets_his_cart_pushed(settings, process, tmp_path, monkeypatch):
    context, certificate = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with hook(lambda _request: (201, {}, b""), tls=context) as service, product(settings, process) as shop:
        await shop.start("collector", "worker", "delivery")
        subscription = {
            "endpoint": f"https://127.0.0.1:{service.port}/push/1",
            "keys": {"p256dh": b64(BROWSER.public), "auth": b64(BROWSER.secret)},
        }

        async def does(event, **properties):
            body = {"anonymousId": "v1", "event": event, "properties": properties}
            assert (await shop.post("/v1/track", body, key="demo-browser"))[0] == 200

        await does("Push Subscribed", subscription=subscription)
        await does("Product Added", product_id="p1", name="Lamp", price=20)
        await eventually(lambda: service.requests, 40, "the notification came")
        told = check_push(service.requests[0], SYSTEM.now())
        assert told["title"].startswith("Your cart is waiting") and told["url"]
        assert told["receipt"].startswith("https://collector.shop.example/receipts/webpush?t=")

        async with shop.http.post(
            told["receipt"].replace(settings.public_url, shop.url("collector")), json={"outcome": "clicked"}
        ) as answer:
            assert answer.status == 200
