import asyncio
from email import message_from_bytes
from email.policy import default

import pytest

from app.clock import SYSTEM
from channels.channel import Ambiguous, Down, Misconfigured, Rejected, Rendered, Retry, Sent
from channels.email import Email
from tests.channels.relays import relay, self_signed

MESSAGE = Rendered(
    "ab12.0",
    "ab12",
    "abandoned_cart",
    "anna@shop.example",
    "Анна",
    "Ваша корзина ждёт",
    "текст",
    "<p>текст</p>",
    "http://127.0.0.1:8000/u/token",
    1_700_000_000.0,
)


def email(port, *, scheme="smtp+plain", timeout=5.0, connections=2, **kwargs):
    return Email(
        smtp=f"{scheme}://127.0.0.1:{port}",
        connections=connections,
        timeout=timeout,
        sender="Магазин <shop@shop.example>",
        monotonic=SYSTEM.monotonic,
        **kwargs,
    )


async def granted():
    return None


async def send(faults, *, grant=granted, timeout=5.0, once=False):
    async with relay(faults, once=once) as server:
        channel = email(server.port, timeout=timeout)
        try:
            return await channel.send(MESSAGE, grant), server
        finally:
            await channel.stop()


async def test_a_mail_arrives_whole():
    answer, server = await send({})
    assert answer == Sent("2.0.0 taken as 12345")
    sender, to, content = server.mails[0]
    assert (sender, to) == ("shop@shop.example", ["anna@shop.example"])
    mail = message_from_bytes(content, policy=default)
    assert mail["subject"] == "Ваша корзина ждёт"
    assert mail["from"] == "Магазин <shop@shop.example>"
    assert mail["to"] == "Анна <anna@shop.example>"
    assert mail["message-id"] == "<ab12.0@shop.example>"
    assert mail["list-unsubscribe"] == "<http://127.0.0.1:8000/u/token>"
    assert mail["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    assert mail["x-boomerang-scenario"] == "abandoned_cart"
    assert mail["x-boomerang-trigger"] == "ab12"
    assert mail["auto-submitted"] == "auto-generated"
    assert mail["date"].datetime.timestamp() == 1_700_000_000
    assert mail.get_body(("plain",)).get_content().strip() == "текст"
    assert mail.get_body(("html",)).get_content().strip() == "<p>текст</p>"
    assert not mail.defects and not any(part.defects for part in mail.walk())


async def test_a_mail_that_is_not_marketing_has_no_unsubscribe_header():
    async with relay() as server:
        channel = email(server.port)
        await channel.send(MESSAGE._replace(unsubscribe=""), granted)
        await channel.stop()
        assert "list-unsubscribe" not in message_from_bytes(server.mails[0][2])


async def test_one_connection_serves_many_mails():
    async with relay() as server:
        channel = email(server.port)
        for _ in range(5):
            assert isinstance(await channel.send(MESSAGE, granted), Sent)
        assert (server.connections, channel.connections) == (1, 1)
        await channel.stop()
        assert channel.connections == 0


async def test_a_pool_never_opens_more_connections_than_it_may():
    async with relay({"dot": "hang"}, once=True) as server:
        channel = email(server.port, connections=2)
        sends = [asyncio.create_task(channel.send(MESSAGE, granted)) for _ in range(8)]
        await asyncio.wait_for(server.reached.wait(), 5)
        server.release.set()
        answers = await asyncio.gather(*sends)
        assert sum(isinstance(answer, Sent) for answer in answers) == 7
        assert server.connections <= 3  # one was dropped after the 421
        await channel.stop()


REPLIES = [
    ("mail", "451 4.3.0 try later", Retry),
    ("mail", "550 5.7.1 you may not send", Misconfigured),
    ("mail", "530 5.7.0 authenticate first", Misconfigured),
    ("rcpt", "450 4.2.0 greylisted", Retry),
    ("rcpt", "421 4.7.0 too fast", Retry),
    ("data", "451 4.3.0 later", Retry),
    ("data", "554 5.5.1 no", Rejected),
    ("dot", "452 4.3.1 disk full", Retry),
    ("dot", "554 5.7.1 spam", Rejected),
    ("mail", "close", Retry),
    ("rcpt", "close", Retry),
    ("data", "close", Retry),
    ("dot", "close", Ambiguous),
    ("after", "close", Ambiguous),
    ("connect", "close", Down),
    ("connect", "421 4.3.2 come back later", Down),
    ("connect", "554 5.3.2 no service", Down),
    ("ehlo", "close", Down),
]


@pytest.mark.parametrize(("phase", "reply", "kind"), REPLIES, ids=lambda value: str(value).replace(" ", "_")[:20])
async def test_each_ending_of_a_conversation_has_its_meaning(phase, reply, kind):
    asked = []

    async def grant():
        asked.append(1)

    answer, server = await send({phase: reply}, grant=grant)
    assert isinstance(answer, kind), answer
    spoken = phase in ("dot", "after")
    assert bool(asked) == spoken
    assert bool(server.mails) == (phase == "after")


@pytest.mark.parametrize(
    ("phase", "kind"),
    [
        ("connect", Down),
        ("ehlo", Down),
        ("mail", Retry),
        ("rcpt", Retry),
        ("data", Retry),
        ("dot", Ambiguous),
        ("after", Ambiguous),
    ],
)
async def test_a_relay_that_hangs_is_left_after_the_timeout(phase, kind):
    answer, _ = await asyncio.wait_for(send({phase: "hang"}, timeout=0.2), 5)
    assert isinstance(answer, kind), answer


@pytest.mark.parametrize(
    ("reply", "suppress"),
    [
        ("550 no such user", True),
        ("551 not here", True),
        ("553 no such mailbox", True),
        ("550 5.1.1 unknown", True),
        ("550 5.2.1 mailbox disabled", True),
        ("554 5.1.2 no such domain", True),
        ("550 5.7.1 blocked by policy", False),
        ("552 5.2.2 mailbox full", False),
        ("554 no", False),
    ],
)
async def test_only_a_dead_address_is_suppressed(reply, suppress):
    answer, _ = await send({"rcpt": reply})
    assert answer == Rejected(reply, suppress)


async def test_a_connection_goes_on_after_a_refused_recipient():
    async with relay({"rcpt": "550 5.1.1 unknown"}, once=True) as server:
        channel = email(server.port)
        assert isinstance(await channel.send(MESSAGE, granted), Rejected)
        assert isinstance(await channel.send(MESSAGE, granted), Sent)
        assert server.connections == 1
        await channel.stop()


async def test_a_421_drops_the_connection():
    async with relay({"rcpt": "421 4.3.2 shutting down"}, once=True) as server:
        channel = email(server.port)
        assert isinstance(await channel.send(MESSAGE, granted), Retry)
        assert channel.connections == 0
        assert isinstance(await channel.send(MESSAGE, granted), Sent)
        assert server.connections == 2
        await channel.stop()


async def test_an_idle_connection_that_the_relay_has_closed_costs_no_attempt():
    async with relay() as server:
        channel = email(server.port)
        assert isinstance(await channel.send(MESSAGE, granted), Sent)
        server.faults["mail"], server.once = "close", True
        assert isinstance(await channel.send(MESSAGE, granted), Sent)
        assert server.connections == 2
        await channel.stop()


async def test_a_withheld_message_is_not_transmitted():
    class Held(Exception):
        pass

    async def withhold():
        raise Held

    async with relay() as server:
        channel = email(server.port)
        with pytest.raises(Held):
            await channel.send(MESSAGE, withhold)
        assert isinstance(await channel.send(MESSAGE, granted), Sent)
        assert len(server.mails) == 1
        await channel.stop()


@pytest.mark.parametrize("kind", ["tls", "starttls"])
async def test_a_self_signed_relay_gets_nothing(kind, tmp_path):
    context, _ = self_signed(tmp_path)
    async with relay(**{kind: context}) as server:
        channel = email(server.port, scheme={"tls": "smtps", "starttls": "smtp"}[kind])
        answer = await channel.send(MESSAGE, granted)
        assert isinstance(answer, Misconfigured) and "certificate" in answer.reason
        assert not server.mails and "mail" not in server.commands
        await channel.stop()


@pytest.mark.parametrize("kind", ["tls", "starttls"])
async def test_a_relay_with_a_trusted_certificate_gets_the_mail(kind, tmp_path):
    context, certificate = self_signed(tmp_path)
    async with relay(**{kind: context}) as server:
        channel = email(server.port, scheme={"tls": "smtps", "starttls": "smtp"}[kind], trust=str(certificate))
        assert isinstance(await channel.send(MESSAGE, granted), Sent)
        await channel.stop()


async def test_a_relay_without_starttls_gets_nothing_in_clear():
    async with relay() as server:
        channel = email(server.port, scheme="smtp")
        assert isinstance(await channel.send(MESSAGE, granted), Misconfigured)
        assert not server.mails
        await channel.stop()


@pytest.mark.parametrize(
    "url",
    [
        "smtp+plain://relay.example:25",
        "smtp+plain://10.0.0.1:25",
        "smtp+plain://127.0.0.1.example:25",
        "http://127.0.0.1",
        "smtp://",
        "smtp+plain://[2001:db8::1]:25",
    ],
)
def test_a_relay_that_would_get_mail_in_clear_over_a_network_is_refused(url):
    with pytest.raises(ValueError, match="BOOMERANG_SMTP"):
        Email(smtp=url, connections=1, timeout=1, sender="shop@shop.example", monotonic=SYSTEM.monotonic)


@pytest.mark.parametrize("sender", ["", "nobody", "a@b@c.example", "Shop <shop@>"])
def test_a_sender_without_an_address_is_refused(sender):
    with pytest.raises(ValueError, match="BOOMERANG_MAIL_FROM"):
        Email(smtp="smtps://relay.example", connections=1, timeout=1, sender=sender, monotonic=SYSTEM.monotonic)


async def test_the_envelope_names_the_bounce_address_and_the_mail_the_token_of_its_receipts():
    async with relay() as server:
        channel = Email(
            smtp=f"smtp+plain://127.0.0.1:{server.port}",
            connections=1,
            timeout=5,
            sender="Shop <shop@shop.example>",
            monotonic=SYSTEM.monotonic,
            bounce_address="bounces@shop.example",
        )
        message = MESSAGE._replace(receipt_url="https://c.example/receipts/email?t=tok.en-1_2")
        assert isinstance(await channel.send(message, granted), Sent)
        await channel.stop()
        ((sender, _, raw),) = server.mails
    assert sender == "bounces@shop.example"
    assert message_from_bytes(raw)["X-Boomerang-Receipt"] == "tok.en-1_2"


def test_a_token_that_would_make_a_line_too_long_is_left_out():
    prepared = email(1).prepare(MESSAGE._replace(receipt_url="https://c.example/receipts/email?t=" + "x" * 2_000))
    assert b"X-Boomerang-Receipt" not in prepared
    assert max(map(len, prepared.split(b"\r\n"))) <= 998


@pytest.mark.parametrize("address", ["nobody", "a@b@c.example", "a@b.co\r\nRCPT TO:<x@y.example>", "<a@b.co>"])
def test_a_bounce_address_that_is_none_is_refused(address):
    with pytest.raises(ValueError, match="BOOMERANG_BOUNCE_ADDRESS"):
        Email(
            smtp="smtp+plain://127.0.0.1:1",
            connections=1,
            timeout=5,
            sender="Shop <shop@shop.example>",
            monotonic=SYSTEM.monotonic,
            bounce_address=address,
        )


async def test_a_mail_with_a_code_has_a_return_path_of_its_own():
    async with relay() as server:
        channel = email(server.port, bounce_address="bounces@shop.example", verp="+")
        for code in ("0123456789abcdef", ""):
            await channel.send(MESSAGE._replace(return_code=code), granted)
        await channel.stop()
    assert [sender for sender, _, _ in server.mails] == [
        "bounces+0123456789abcdef@shop.example",
        "bounces@shop.example",
    ]


@pytest.mark.parametrize(
    ("address", "sign", "told"),
    [
        ("bounces@shop.example", "*", "write [+] or -"),
        ("", "+", "set BOOMERANG_BOUNCE_ADDRESS"),
        (f"{'b' * 48}@shop.example", "+", "too long for a code"),
    ],
)
def test_a_return_path_that_cannot_be_made_is_told_at_the_start(address, sign, told):
    with pytest.raises(ValueError, match=told):
        email(25, bounce_address=address, verp=sign)
