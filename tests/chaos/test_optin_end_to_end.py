"""Double opt-in with all real parts: a consent, the mail that asks, its page, its button, and only then the mail about the cart."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.running import product
from tests.servers import eventually

pytestmark = [pytest.mark.broker, pytest.mark.slow]

SCALE = 1800.0
"""60 minutes are 2 s; the two days of the link 10 min, so that it works however slow the machine is."""
POLICY = "caps: []\nconfirm: {consents: email, within: 12d, again: 30d}\n"


@pytest.fixture
def settings(make_settings, tmp_path):
    policy = Path(tmp_path) / "policy.yaml"
    policy.write_text(POLICY)
    return replace(make_settings(time_scale=SCALE, instance="e2e", grace=0.3), policy=policy)


async def test_a_cart_is_spoken_of_only_once_the_consent_was_confirmed(settings, process):
    async with product(settings, process) as shop:
        await shop.start("collector", "worker", "delivery", "console")
        for user in ("ann", "eve"):
            await shop.subscribe(user)
        mails = await eventually(lambda: _two_mails(shop), 60, "both are asked")
        assert {mail["scenario"] for mail in mails} == {"confirm_consent"}
        (asked,) = [mail for mail in mails if mail["to"] == "ann@shop.example"]
        (link,) = set(re.findall(r"http\S+/c/[\w.-]+", asked["text"]))
        async with shop.http.get(link) as page:
            assert (page.status, "<form" in await page.text()) == (200, True)
        traits = {"email": "ann@shop.example", "consent": {"email": {"granted": True, "source": "nightly"}}}
        assert (await shop.post("/v1/identify", {"userId": "ann", "traits": traits}))[0] == 200
        await eventually(lambda: _has(shop, "ann", "confirmation_asked_before"), 30, "said once more, asked no more")
        assert not await _has(shop, "ann", "consent_confirmed")

        async with shop.http.post(link, data={"confirm": "1"}) as done:
            assert done.status == 200
        await eventually(lambda: _has(shop, "ann", "consent_confirmed"), 30, "the consent is confirmed")
        for user in ("ann", "eve"):
            await shop.track(user, "Product Added", product_id="p1", name="Lamp", price=20)
        await eventually(lambda: _has(shop, "eve", "no_consent"), 60, "who has not confirmed hears nothing")
        await eventually(lambda: _has(shop, "ann", "sent", "abandoned_cart"), 60, "who has, does")
        assert sorted((mail["to"], mail["scenario"]) for mail in await shop.mails()) == [
            ("ann@shop.example", "abandoned_cart"),
            ("ann@shop.example", "confirm_consent"),
            ("eve@shop.example", "confirm_consent"),
        ]

        told = process.boomerang("explain", "eve", settings=settings)
        await eventually(lambda: told.status() is not None, 30)
        story = "\n".join(told.log.tail(100))
        assert "waits until it is confirmed" in story
        assert "no consent for email (asked at" in story


async def _two_mails(shop):
    mails = await shop.mails()
    return mails if len(mails) == 2 else None


async def _has(shop, user, reason, scenario=""):
    lines = await shop.json("console", f"/api/journal?customer={user}&limit=200")
    return any(line["reason"] == reason and (not scenario or line["scenario"] == scenario) for line in lines)
