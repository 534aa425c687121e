"""`boomerang export` and `boomerang erase` against the running product: what is known, and that nothing of it stays."""

import asyncio
import json

import pytest

from tests.running import product
from tests.servers import eventually

pytestmark = [pytest.mark.broker, pytest.mark.slow]


async def said(process, settings, *words):
    """Run a command; its status and what it said."""
    child = process.boomerang(*words, settings=settings)
    await eventually(lambda: child.status() is not None, 90)
    return child.status(), child.log.path.read_text()


async def test_a_customer_is_exported_and_erased_while_a_message_waits_and_another_stays(make_settings, process):
    settings = make_settings(time_scale=1800.0, grace=0.3, instance="erase")
    async with product(settings, process) as shop:
        await shop.start("collector", "worker", "delivery")  # the inbox is away: the message waits
        for user in ("ann", "bob"):
            await shop.subscribe(user)
            await shop.track(user, "Product Added", product_id="p1", name="Lamp", price=20)
        await shop.post("/v1/identify", {"userId": "ann", "anonymousId": "visitor-7"})
        talk = {"conversation_id": "c1", "message_id": "m1", "message_body": "Is it in stock?"}
        await shop.track("ann", "Live Chat Message Sent", **talk)
        for user in ("ann", "bob"):  # refused events: dead letters
            await shop.post("/v1/track", {"userId": user})
        await eventually(lambda: _waiting(shop, 2), 60, "both messages wait")
        status, text = await said(process, settings, "dead-letters", "list")
        assert (status, "ann" in text, "bob" in text) == (0, True, True), text

        status, text = await said(process, settings, "export", "ann")
        assert status == 0, text
        known = json.loads(text)
        assert {"ann", "anon:visitor-7", "email:ann@shop.example"} <= set(known["keys"])
        assert known["state"]["ann"]["profile"]["email"] == "ann@shop.example"
        assert [row["state"] for row in known["messages"].values()] == ["claimed"]
        assert "fired" in [line["reason"] for line in known["journal"]]
        assert {event["event"] for event in known["events"] if "event" in event} >= {"Product Added"}
        assert [line["text"] for line in known["dialogs"]] == ["Is it in stock?"]
        assert "bob" not in text

        status, text = await said(process, settings, "explain", "ann", "--why-not", "--scenario", "abandoned_cart")
        waits, spoke = "abandoned_cart is armed, and due at 20", "is known since it last fired, at 20"
        assert status == 0, text
        assert waits in text or spoke in text, text  # the dialog holds it for a while; on a slow machine that is over

        status, text = await said(process, settings, "erase", "anon:visitor-7")
        assert (status, "nothing was erased" in text) == (0, True)
        status, text = await said(process, settings, "erase", "ann", "--yes")
        assert status == 0, text
        assert "looked again" in text
        status, text = await said(process, settings, "dead-letters", "list", "--json")
        assert (status, '\\"ann\\"' in text, '\\"bob\\"' in text) == (0, False, True), text
        status, text = await said(process, settings, "dead-letters", "replay", "--dry-run")
        assert (status, "1 cannot be sent again: its customer was erased" in text) == (0, True), text
        await eventually(lambda: _waiting(shop, 1), 20, "one message waits")

        await shop.kill("worker")  # restored from the changelog, it is still forgotten
        await shop.start("worker", "console")
        (mail,) = await eventually(shop.mails, 60, "the other one's mail comes")
        assert mail["to"] == "bob@shop.example"
        status, text = await said(process, settings, "export", "ann", "--no-events")
        assert (status, "nothing is stored about ann" in text) == (1, True)
        status, text = await said(process, settings, "erase", "ann", "--yes")
        assert (status, "nothing is stored about ann" in text) == (1, True)
        assert len(await asyncio.wait_for(shop.mails(), 20)) == 1


async def _waiting(shop, count):
    return await shop.metric("delivery", "boomerang_outbox_pending") == count
