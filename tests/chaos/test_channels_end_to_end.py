"""One trigger through three channels with all real parts: a mail, a message for WhatsApp that the dev inbox takes, an SMS over SMPP with its receipt."""

from dataclasses import replace
from pathlib import Path

import pytest

from app.settings import load
from tests.channels.smsc import smsc
from tests.running import product
from tests.servers import eventually

pytestmark = [pytest.mark.broker, pytest.mark.slow]

SCALE = 1800.0
"""60 minutes are 2 s."""
CASCADE = """cascade:
  - channel: email
    template: abandoned_cart
    wait: 30m
    reaction: clicked
  - channel: whatsapp
    template: abandoned_cart
    wait: 30m
    reaction: opened
  - channel: sms
    template: abandoned_cart
"""
RECEIPT = b"id:%s sub:001 dlvrd:001 submit date:2511252200 done date:2511252201 stat:DELIVRD err:000 text:x"


@pytest.fixture
def settings(make_settings, tmp_path):
    told = (load({}).scenarios / "abandoned_cart.yaml").read_text()
    head, _, _ = told.partition("cascade:")
    folder = Path(tmp_path) / "scenarios"
    folder.mkdir()
    (folder / "abandoned_cart.yaml").write_text(head + "quiet: ignore\n" + CASCADE)
    made = make_settings(time_scale=SCALE, instance="e2e", grace=0.3, scenarios=folder, phone_country="RU")
    inbox = f"http://127.0.0.1:{made.console_port}/api/inbox/messages"
    return replace(made, dev_inbox=inbox, sms_provider="smpp", sms_from="SHOP")


async def test_a_cart_is_spoken_of_by_mail_whatsapp_and_sms(settings, process):
    async with smsc() as provider:
        url = f"smpp://shop:secret@127.0.0.1:{provider.port}?system_type=SALES"
        async with product(replace(settings, smpp=url), process) as shop:
            await shop.start("collector", "worker", "delivery", "console")
            consent = dict.fromkeys(("email", "whatsapp", "sms"), True)
            traits = {"email": "ann@shop.example", "phone": "8 (912) 345-67-89", "locale": "ru", "consent": consent}
            assert (await shop.post("/v1/identify", {"userId": "ann", "traits": traits}))[0] == 200
            await shop.track("ann", "Product Added", product_id="p1", name="Лампа", price=20, quantity=1)

            await eventually(lambda: provider.messages, 60, "the SMS has come")
            (source, to, text) = provider.messages[0]
            assert (source, to) == ((5, 0, "SHOP"), "79123456789") and "корзин" in text
            found = sorted(await shop.mails(), key=lambda mail: mail["id"])
            assert [(mail["channel"], mail["to"]) for mail in found] == [
                ("email", "ann@shop.example"),
                ("whatsapp", "+79123456789"),
            ]
            assert len({mail["trigger_id"] for mail in found}) == 1
            assert found[1]["text"].startswith("template: abandoned_cart\nlanguage: ru\n")

            provider.deliver(RECEIPT % (b"%08X" % len(provider.submits)))
            heard = 'boomerang_message_receipts_total{channel="sms",outcome="delivered"}'
            await eventually(lambda: shop.metric("delivery", heard), 30, "the receipt is in the ledger")
            assert (await provider.delivered.get())[1] == 0
            assert len(provider.messages) == 1
