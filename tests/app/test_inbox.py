"""The dev inbox, spoken to over real SMTP."""

import asyncio
import smtplib
from email.message import EmailMessage

import msgspec
import pytest

from app.clock import ManualClock
from app.inbox import MAX_MESSAGE, Inbox, InboxStore


def message(subject="Your cart", to="anna@shop.example", **headers):
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Shop <shop@shop.example>", to, subject
    mail["Message-ID"] = "<t1.0@shop.example>"
    mail["X-Boomerang-Scenario"], mail["X-Boomerang-Trigger"] = "abandoned_cart", "t1"
    mail["List-Unsubscribe"] = "<https://shop.example/u/1>"
    mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content("Чайник × 1\n")
    mail.add_alternative("<p>Чайник × 1</p>", subtype="html")
    return mail


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def store(tmp_path, clock):
    store = InboxStore(tmp_path / "data" / "inbox.sqlite", clock)
    yield store
    store.close()


@pytest.fixture
async def inbox(store):
    inbox = Inbox(store, "127.0.0.1", 0)
    await inbox.start()
    yield inbox
    await inbox.stop()


async def talk(inbox, work):
    """Run `work(smtp)` with the standard library's client, in a thread."""

    def run():
        with smtplib.SMTP("127.0.0.1", inbox.port, timeout=10) as smtp:
            return work(smtp)

    return await asyncio.to_thread(run)


async def test_a_mail_is_kept_with_what_its_headers_say(inbox, store, clock):
    await talk(inbox, lambda smtp: smtp.send_message(message("Вы забыли корзину")))
    (mail,) = store.find()
    assert mail.as_json() == {
        "channel": "email",
        "id": 1,
        "sent_at": clock.now(),
        "sender": "shop@shop.example",
        "to": "anna@shop.example",
        "subject": "Вы забыли корзину",
        "scenario": "abandoned_cart",
        "trigger_id": "t1",
        "message_id": "<t1.0@shop.example>",
        "unsubscribe": "<https://shop.example/u/1>",
        "text": "Чайник × 1\r\n",
        "size": mail.size,
    }


async def test_a_mail_is_opened_into_its_parts(inbox, store):
    await talk(inbox, lambda smtp: smtp.send_message(message()))
    _, body = store.get(1)
    assert body.text.strip() == "Чайник × 1"
    assert body.html.strip() == "<p>Чайник × 1</p>"
    assert ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click") in body.headers
    assert store.get(2) is None
    assert store.get(10**30) is None


async def test_a_mail_sent_twice_is_seen_twice(inbox, store):
    await talk(inbox, lambda smtp: [smtp.send_message(message()), smtp.send_message(message())])
    assert [mail.message_id for mail in store.find()] == ["<t1.0@shop.example>"] * 2


async def test_each_recipient_has_a_copy(inbox, store):
    await talk(inbox, lambda smtp: smtp.sendmail("a@b.example", ["x@y.example", "z@y.example"], message().as_bytes()))
    assert [mail.to for mail in store.find()] == ["z@y.example", "x@y.example"]


async def test_mails_are_found_by_recipient_scenario_and_trigger(inbox, store):
    other = message("Other", "boris@shop.example")
    del other["X-Boomerang-Scenario"], other["X-Boomerang-Trigger"]
    other["X-Boomerang-Scenario"], other["X-Boomerang-Trigger"] = "abandoned_view", "t2"
    await talk(inbox, lambda smtp: [smtp.send_message(message()), smtp.send_message(other)])
    assert [mail.id for mail in store.find(to="ANNA@shop.example")] == [1]
    assert [mail.id for mail in store.find(scenario="abandoned_view")] == [2]
    assert [mail.id for mail in store.find(trigger="t2")] == [2]
    assert [mail.id for mail in store.find(trigger="t2", to="anna@shop.example")] == []
    assert [mail.id for mail in store.find(limit=1)] == [2]
    assert [mail.id for mail in store.find(before=2)] == [1]


async def test_mails_survive_a_restart(inbox, store, tmp_path, clock):
    await talk(inbox, lambda smtp: smtp.send_message(message()))
    store.close()
    again = InboxStore(tmp_path / "data" / "inbox.sqlite", clock)
    assert len(again) == len(again.find()) == 1
    again.add("a", ["b@c.example"], b"Subject: next\r\n\r\n")
    assert again.find()[0].id == 2
    again.close()


async def test_many_connections_speak_at_once(inbox, store):
    import aiosmtplib

    raw = message().as_bytes()

    async def send(number):
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=inbox.port, start_tls=False)
        async with client:
            for at in range(5):
                await client.sendmail("a@b.example", [f"c{number}-{at}@d.example"], raw)

    await asyncio.gather(*(send(number) for number in range(60)))
    assert len({mail.to for mail in store.find(limit=1_000)}) == len(store) == 300


async def test_a_connection_that_breaks_off_in_the_middle_leaves_nothing(inbox, store, eventually):
    reader, writer = await asyncio.open_connection("127.0.0.1", inbox.port)
    for line in (b"EHLO x\r\n", b"MAIL FROM:<a@b.example>\r\n", b"RCPT TO:<c@d.example>\r\n", b"DATA\r\n"):
        writer.write(line)
    while b"354" not in await reader.readline():
        pass
    writer.write(b"Subject: half\r\n\r\nnever fin")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    await talk(inbox, lambda smtp: smtp.send_message(message()))
    await eventually(lambda: not inbox._open)
    assert [mail.subject for mail in store.find()] == ["Your cart"]


async def test_a_mail_over_the_limit_is_refused_for_good(inbox, store):
    big = message()
    big.add_attachment(b"x" * MAX_MESSAGE, maintype="application", subtype="octet-stream")
    with pytest.raises(smtplib.SMTPResponseException) as refused:
        await talk(inbox, lambda smtp: smtp.send_message(big))
    assert refused.value.smtp_code == 552
    assert len(store) == 0


async def test_too_many_recipients_are_refused_for_now(inbox):
    many = [f"c{at}@d.example" for at in range(101)]
    refused = await talk(inbox, lambda smtp: smtp.sendmail("a@b.example", many, message().as_bytes()))
    assert [code for code, _ in refused.values()] == [452]


async def test_a_mail_is_not_acknowledged_when_it_cannot_be_stored(inbox, store):
    store.close()
    with pytest.raises(smtplib.SMTPDataError) as refused:
        await talk(inbox, lambda smtp: smtp.send_message(message()))
    assert refused.value.smtp_code == 451


async def test_stopping_ends_open_connections(store):
    inbox = Inbox(store, "127.0.0.1", 0)
    await inbox.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", inbox.port)
    assert (await reader.readline()).startswith(b"220")
    await inbox.stop()
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()


def test_the_newest_are_kept_by_number(tmp_path, clock):
    store = InboxStore(tmp_path / "i.sqlite", clock, max_messages=5)
    for at in range(12):
        store.add("a@b.example", ["c@d.example"], b"Subject: %d\r\n\r\n" % at)
    assert [mail.subject for mail in store.find()] == ["11", "10", "9", "8", "7"]
    assert len(store) == 5
    store.close()


def test_the_newest_are_kept_by_size(tmp_path, clock):
    store = InboxStore(tmp_path / "i.sqlite", clock, max_bytes=3_000)
    for at in range(5):
        store.add("a@b.example", ["c@d.example"], b"Subject: %d\r\n\r\n" % at + b"x" * 1_000)
    assert [mail.subject for mail in store.find()] == ["4", "3"]
    again = InboxStore(tmp_path / "i.sqlite", clock, max_bytes=3_000)
    again.add("a@b.example", ["c@d.example"], b"Subject: 5\r\n\r\n" + b"x" * 1_000)
    assert [mail.subject for mail in again.find()] == ["5", "4"]
    store.close()
    again.close()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00\xff\xfe",
        b"Subject: =?utf-8?b?broken?=\r\n\r\nx",
        b"Subject: =?no-such-charset?q?x?=\r\n\r\nx",
        b"Content-Type: text/plain; charset=no-such\r\n\r\n\xff",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n",
        b"Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!",
        b"Subject: raw \xd0\x9f\xff\r\n\r\nx",
    ],
)
def test_a_broken_mail_is_kept_and_can_be_opened(store, raw):
    store.add("a@b.example", ["c@d.example"], raw)
    mail, body = store.get(1)
    assert mail.size == len(raw)
    assert msgspec.json.encode([mail.as_json(), body, store.find()[0].as_json()])
