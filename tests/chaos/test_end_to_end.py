"""From the HTTP request to the mail, the unsubscribe, and silence; with a real client and all real parts."""

import asyncio
import re
from dataclasses import replace

import pytest

from tests.running import product
from tests.servers import eventually, free_port

pytestmark = [pytest.mark.broker, pytest.mark.slow]

SCALE = 1800.0
"""60 minutes are 2 s; the day between two messages of one scenario is 48 s, so a second cart needs another customer."""


@pytest.fixture
def settings(make_settings):
    return make_settings(time_scale=SCALE, instance="e2e", grace=0.3)


async def test_a_real_segment_client_leaves_a_cart_gets_its_mail_unsubscribes_and_is_left_alone(settings, process):
    async with product(settings, process) as shop:
        await shop.start("collector", "worker", "delivery", "console")
        await asyncio.to_thread(_with_segment, shop.url("collector"))
        (mail,) = await eventually(lambda: _mails_to(shop, "ann@shop.example"), 30, "the mail is in the inbox")
        assert mail["scenario"] == "abandoned_cart"
        assert "Blue lamp" in mail["text"]
        full = await shop.json("console", f"/api/inbox/{mail['id']}")
        headers = {name.lower(): value for name, value in dict(full["headers"]).items()}
        assert headers["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
        (link,) = re.findall(r"<(http[^>]+)>", headers["list-unsubscribe"])

        async with shop.http.get(link) as page:
            assert page.status == 200
        assert "consent_changed" not in await _reasons(shop, "ann", after_sent=True)
        async with shop.http.post(link, data={"List-Unsubscribe": "One-Click"}) as done:
            assert done.status == 200
        await eventually(lambda: _has(shop, "ann", "receipt"), 15, "the unsubscribe is journaled")

        # the day that holds back the same scenario is 48 s here: another one shows that it is the consent that refuses
        await shop.track("ann", "Product Viewed", product_id="p9", name="Sofa", price=900)
        reason = await eventually(lambda: _refused(shop, "ann"), 40, "the next trigger is refused")
        assert reason in ("no_consent", "suppressed")
        assert len(await _mails_to(shop, "ann@shop.example")) == 1

        told = process.boomerang("explain", "ann", settings=settings)
        await eventually(lambda: told.status() is not None, 20)
        assert told.status() == 0
        assert "abandoned_cart" in "\n".join(told.log.tail(100))


async def test_an_order_before_the_deadline_means_silence(settings, process):
    async with product(settings, process) as shop:
        await shop.start("collector", "worker", "delivery", "console")
        for user in ("buyer", "leaver"):
            await shop.subscribe(user)
            await shop.track(user, "Product Added", product_id="p1", name="Lamp", price=20)
        await shop.track("buyer", "Order Completed", order_id="o1", total=20)
        await eventually(lambda: _mails_to(shop, "leaver@shop.example"), 30, "the one who left gets a mail")
        assert await _mails_to(shop, "buyer@shop.example") == []
        assert "ended_by_order" in await _reasons(shop, "buyer")
        late = await shop.metric("worker", "boomerang_trigger_lateness_seconds_count")
        assert late == 1


async def test_a_worker_that_was_killed_may_come_back_on_another_port(settings, process):
    async with product(settings, process) as shop:
        await shop.start("worker")
        await shop.kill("worker")
        shop.settings = replace(settings, worker_port=free_port())
        await shop.start("worker")


async def test_a_relay_that_is_away_delays_the_mail_and_loses_nothing(settings, process):
    async with product(settings, process) as shop:
        await shop.start("collector", "worker", "delivery")  # the dev inbox lives in the console
        await shop.subscribe("ann")
        await shop.track("ann", "Product Added", product_id="p1", name="Lamp", price=20)
        await eventually(lambda: _is_down(shop), 30, "the relay was tried in vain")
        await shop.kill("delivery")
        await shop.start("console", "delivery")
        await eventually(lambda: _mails_to(shop, "ann@shop.example"), 60, "the mail came after all")
        assert len(await _mails_to(shop, "ann@shop.example")) == 1


def _with_segment(url):
    from segment.analytics.client import Client

    failures = []
    client = Client("demo-server", host=url, on_error=lambda error, _items: failures.append(error), gzip=True)
    client.identify("ann", {"email": "ann@shop.example", "firstName": "Ann", "consent": {"email": True}})
    client.track("ann", "Product Added", {"product_id": "p1", "name": "Blue lamp", "price": 20, "quantity": 1})
    client.shutdown()
    assert failures == []


async def _mails_to(shop, address):
    return await shop.json("console", f"/api/inbox?to={address}")


async def _reasons(shop, user, *, after_sent=False):
    reasons = [line["reason"] for line in await shop.json("console", f"/api/journal?customer={user}")]
    return reasons[reasons.index("sent") :] if after_sent and "sent" in reasons else reasons


async def _has(shop, user, reason):
    return reason in await _reasons(shop, user)


async def _refused(shop, user):
    refused = [
        reason for reason in await _reasons(shop, user) if reason in ("no_consent", "suppressed", "frequency_cap")
    ]
    return refused[-1] if refused else None


async def _is_down(shop):
    return await shop.metric("delivery", "boomerang_channel_down") == 1
