"""Reports that a real Postfix writes about our own mails: whose they are, by the mail that it brings back or by the address that it writes to."""

import re

import pytest

from app.bounces.desk import BounceDesk, Mail
from app.clock import SYSTEM
from app.tokens import receipt_token, return_code
from channels.channel import Sent
from channels.email import Email
from channels.references import PROVIDER_ID, RETURNED, References
from tests.app.web.conftest import NOW
from tests.app.web.receipts.test_mailreport import MAILED
from tests.channels.real_postfix import postfix
from tests.channels.relays import relay
from tests.channels.test_email import MESSAGE, granted
from tests.servers import eventually

DEAD = "550 5.1.1 <anna@shop.example>: Recipient address rejected: User unknown"


async def reported(secret, refused, **options):
    """The mail that Postfix sends to the bounce address when the recipient's server says `refused` to a mail of ours."""
    token = receipt_token(secret, MAILED, NOW)
    message = MESSAGE._replace(
        message_id=MAILED.message_id,
        receipt_url=f"https://c.example/receipts/email?t={token}",
        return_code=return_code(secret, MAILED.message_id),
    )
    async with relay({"rcpt": refused}, once=True) as theirs:
        with postfix(theirs.port, **options) as port:
            channel = Email(
                smtp=f"smtp+plain://127.0.0.1:{port}",
                connections=1,
                timeout=30.0,
                sender="Shop <shop@shop.example>",
                monotonic=SYSTEM.monotonic,
                bounce_address="bounces@shop.example",
                verp="+",
            )
            answer = await eventually(lambda: _sent(channel, message), 60, "Postfix takes mails")
            assert isinstance(answer, Sent)
            await channel.stop()
            await eventually(lambda: theirs.mails, 60, "Postfix reports")
    ((sender, to, raw),) = theirs.mails
    assert (sender, to) == ("<>", [f"bounces+{message.return_code}@shop.example"])
    return raw


async def _sent(channel, message):
    answer = await channel.send(message, granted)
    return answer if isinstance(answer, Sent) else None


async def test_a_report_of_postfix_suppresses_the_dead_address(rebuilt):
    async with rebuilt() as house:
        raw = await reported(house.settings.secret, DEAD)
        assert await BounceDesk(house.settings, house.clock, house.intake).take(raw) is Mail.TOLD
        (receipt,) = house.receipts
        assert (receipt.outcome, receipt.message_id) == ("bounced", MAILED.message_id)
        assert receipt.detail.startswith("5.1.1 smtp; 550 5.1.1 <<address>>")


async def test_a_report_of_postfix_with_the_headers_alone_is_known_too(rebuilt):
    async with rebuilt() as house:
        raw = await reported(house.settings.secret, "552 5.2.2 mailbox full", most_returned=1)
        assert b"text/rfc822-headers" in raw
        assert await BounceDesk(house.settings, house.clock, house.intake).take(raw) is Mail.TOLD
        (receipt,) = house.receipts
        assert (receipt.outcome, receipt.message_id) == ("failed", MAILED.message_id)


async def test_a_report_that_brings_nothing_back_is_known_by_the_address_that_it_went_to(rebuilt, valkey_url):
    async with rebuilt(receipt_secrets="mail=a-word-of-ours") as house:
        secret = house.settings.secret
        raw = await reported(secret, DEAD)
        stripped = re.sub(rb"Content-Description: Undelivered Message.*?(?=\r?\n--[^\n]+--)", b"", raw, flags=re.DOTALL)
        assert b"X-Boomerang-Receipt" not in stripped and b"message/delivery-status" in stripped
        references = References(valkey_url, "t-", SYSTEM.monotonic, lambda: None)
        desk = BounceDesk(house.settings, house.clock, house.intake, references)
        assert await desk.take(stripped) is Mail.FORGED  # a code that nobody has noted speaks of nobody
        name = f"{RETURNED}:{return_code(secret, MAILED.message_id)}"
        assert await references.remember(PROVIDER_ID, name, receipt_token(secret, MAILED, NOW))
        shouted = stripped.replace(b"To: bounces+", b"Delivered-To: BOUNCES+")
        assert (await desk.take(stripped), await desk.take(shouted)) == (Mail.TOLD, Mail.REPEATED)
        (receipt,) = house.receipts
        assert (receipt.outcome, receipt.customer, receipt.message_id) == (
            "bounced",
            MAILED.customer,
            MAILED.message_id,
        )
        await references.stop()


@pytest.mark.parametrize("answer", ["551 5.7.1 we do not like you", "554 5.6.0 content"])
async def test_a_refusal_that_is_not_about_the_address_suppresses_nothing(rebuilt, answer):
    async with rebuilt() as house:
        raw = await reported(house.settings.secret, answer)
        await BounceDesk(house.settings, house.clock, house.intake).take(raw)
        (receipt,) = house.receipts
        assert receipt.outcome == "failed"
