"""From the mail in the inbox to the receipts: a scanner, a person, a provider; over real Kafka and Valkey, with a sender that is killed."""

import base64
import hmac
import json
import re
from html import unescape

import pytest

from tests.running import product
from tests.servers import eventually

pytestmark = [pytest.mark.broker, pytest.mark.slow]

PERSON = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"}
KEY = b"k" * 32
SECRET = "whsec_" + base64.b64encode(KEY).decode()


async def outcomes(shop, customer):
    lines = await shop.json("console", f"/api/journal?customer={customer}")
    return [line["detail"]["outcome"] for line in lines if line["reason"] == "receipt"]


async def follow(shop, url, **headers):
    async with shop.http.get(url, headers={**PERSON, **headers}, allow_redirects=False) as response:
        return response.status, response.headers.get("location")


async def tell(shop, document, now):
    body = json.dumps(document).encode()
    signature = base64.b64encode(hmac.digest(KEY, f"msg_1.{int(now)}.".encode() + body, "sha256")).decode()
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(now)), "webhook-signature": f"v1,{signature}"}
    async with shop.http.post(shop.url("collector", "/receipts/email"), data=body, headers=headers) as response:
        return response.status


async def test_what_becomes_of_a_mail_is_known_once_and_for_good(make_settings, process):
    from app.clock import SYSTEM

    settings = make_settings(
        time_scale=1800.0, grace=0.3, instance="receipts", receipt_secrets=f"email={SECRET}", utm="utm_source=boomerang"
    )
    async with product(settings, process) as shop:
        await shop.start("collector", "worker", "delivery", "console")
        await shop.subscribe("ann")
        await shop.track(
            "ann", "Product Added", product_id="p1", name="Lamp", price=20, url=f"{settings.shop_url}/lamp"
        )
        (mail,) = await eventually(shop.mails, 60, "the mail comes")
        page = await shop.json("console", f"/api/inbox/{mail['id']}")
        html = page["html"]
        links = [unescape(url) for url in re.findall(r'href="([^"]*/r/[^"]*)"', html)]
        (pixel,) = re.findall(r'src="([^"]*/o/[^"]*)"', html)
        assert f"{settings.shop_url}/lamp" not in html

        status, location = await follow(shop, links[0], **{"user-agent": "BarracudaCentral/1.0"})
        assert (status, location.startswith(settings.shop_url)) == (302, True)
        targets = [(await follow(shop, url, purpose="prefetch"))[1] for url in links]
        assert f"{settings.shop_url}/lamp?utm_source=boomerang" in targets
        other = "y" if links[0][-9] == "x" else "x"  # not the last letter: some of its bits say nothing
        assert (await follow(shop, f"{links[0][:-9]}{other}{links[0][-8:]}"))[0] == 404
        await eventually(lambda: SYSTEM.now() - mail["sent_at"] > 1.5, 15, "somebody can have read it")
        assert (await follow(shop, pixel))[0] == 200
        await eventually(lambda: _are(shop, "ann", ["opened"]), 30, "the open is known, and nothing of the robots")

        await shop.kill("delivery")
        assert (await follow(shop, links[0]))[0] == 302
        message = f"{mail['trigger_id']}.0"
        event = {"message_id": message, "customer": "ann"}
        for outcome in ("delivered", "complained", "delivered"):
            assert await tell(shop, {"outcome": outcome, **event}, SYSTEM.now()) == 200
        assert await tell(shop, {"outcome": "delivered", **event, "message_id": "f" * 32 + ".0"}, SYSTEM.now()) == 200
        await shop.start("delivery")
        expected = ["clicked", "complained", "delivered", "delivered", "opened"]
        await eventually(lambda: _are(shop, "ann", expected), 30, "all is in the journal, repetitions once")
        for outcome in ("delivered", "clicked", "complained", "unknown"):
            await eventually(lambda outcome=outcome: _counted(shop, outcome), 30, f"{outcome} is counted once")

        await shop.subscribe("ann")  # a nightly `true` does not undo it
        await shop.track("ann", "Product Added", product_id="p2", name="Sofa", price=200)
        await eventually(lambda: _refused(shop, "ann"), 60, "who complained is not written to")
        assert len(await shop.mails()) == 1


async def _are(shop, customer, expected):
    return sorted(await outcomes(shop, customer)) == expected


async def _counted(shop, outcome):
    return (
        await shop.metric("delivery", f'boomerang_message_receipts_total{{channel="email",outcome="{outcome}"}}') == 1
    )


async def _refused(shop, customer):
    lines = await shop.json("console", f"/api/journal?customer={customer}")
    return any(line["reason"] in ("no_consent", "suppressed", "reentry") for line in lines)
