"""Messages of channels without a provider, from our own sender into the dev inbox of a real console."""

import asyncio
import socket

import httpx
import pytest

from app.clock import SYSTEM
from app.inbox import InboxStore
from app.settings import load
from app.tokens import inbox_token, load_secret
from app.web.console.app import create, server_of
from app.web.console.state import Console
from channels.channel import Misconfigured, Sent
from channels.registry import make_channels
from tests.contracts.providers import MESSAGE, OPTIONS


@pytest.fixture
def settings(tmp_path):
    return load({}, data=tmp_path, console_users="")


@pytest.fixture
async def console(settings):
    made = Console(settings, SYSTEM)
    yield made
    await made.close()


@pytest.fixture
async def url(console):
    server = server_of(create(console))
    listener = socket.create_server(("127.0.0.1", 0))
    task = asyncio.ensure_future(server.serve(sockets=[listener]))
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/api/inbox/messages"
    server.should_exit = True
    await task
    listener.close()


async def granted():
    pass


def channels_of(settings, url):
    return make_channels(OPTIONS._replace(dev_inbox=url, dev_inbox_token=inbox_token(load_secret(settings))))


async def test_every_channel_without_a_provider_speaks_into_the_dev_inbox(settings, console, url):
    channels = channels_of(settings, url)
    assert {"sms", "telegram", "webhook"} <= set(channels)
    words = "Анна, 5 160 ₽\r\nждут \u202eвас\u200b: https://c.example/r/x"
    for name in ("sms", "telegram"):
        answer = await channels[name].send(MESSAGE._replace(address=f"for-{name}", text=words), granted)
        assert isinstance(answer, Sent) and answer.provider_id.startswith("inbox ")
    for channel in channels.values():
        await channel.stop()
    async with httpx.AsyncClient() as client:
        base = url.removesuffix("/api/inbox/messages")
        found = (await client.get(f"{base}/api/inbox")).json()
        page = (await client.get(f"{base}/inbox")).text
        one = (await client.get(f"{base}/api/inbox/{found[0]['id']}")).json()
    assert [(item["channel"], item["to"], item["scenario"], item["trigger_id"]) for item in found] == [
        ("telegram", "for-telegram", MESSAGE.scenario, MESSAGE.trigger_id),
        ("sms", "for-sms", MESSAGE.scenario, MESSAGE.trigger_id),
    ]
    assert one["text"].strip() == "Анна, 5 160 ₽\nждут вас: https://c.example/r/x"
    assert "for-sms" in page and ">sms<" in page


async def test_only_our_own_sender_is_believed(settings, console, url):
    stranger = make_channels(OPTIONS._replace(dev_inbox=url, dev_inbox_token="a guess"))["sms"]
    assert isinstance(await stranger.send(MESSAGE._replace(address="+79123456789"), granted), Misconfigured)
    await stranger.stop()
    token = {"authorization": f"Bearer {inbox_token(load_secret(settings))}"}
    async with httpx.AsyncClient(headers=token) as client:
        assert (await client.post(url, content=b"x" * 300_000)).status_code == 413
        assert (await client.post(url, content=b"{}")).status_code == 400
        assert (await client.post(url, content=b"\xff")).status_code == 400
        elsewhere = {**token, "host": "evil.example"}
        assert (await client.post(url, content=b"{}", headers=elsewhere)).status_code == 421
    assert len(console.inbox) == 0


async def test_with_a_relay_there_is_no_dev_inbox(tmp_path):
    console = Console(load({}, data=tmp_path, smtp="smtp://relay.example:25", console_users=""), SYSTEM)
    transport = httpx.ASGITransport(create(console), client=("127.0.0.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        assert (await client.post("/api/inbox/messages", content=b"{}")).status_code == 404
    await console.close()


def test_an_inbox_of_an_older_version_is_read_and_written(tmp_path):
    store = InboxStore(tmp_path / "inbox.sqlite", SYSTEM)
    store.add("a@shop.example", ["b@shop.example"], b"Subject: old\r\n\r\ntext")
    store._db.execute("ALTER TABLE inbox DROP COLUMN channel")
    store.close()
    store = InboxStore(tmp_path / "inbox.sqlite", SYSTEM)
    store.add("sms", ["+79123456789"], b"Subject: new\r\n\r\ntext", "sms")
    assert [(mail.channel, mail.subject) for mail in store.find()] == [("sms", "new"), ("email", "old")]
    store.close()


def test_an_address_of_the_console_that_cannot_be_used_is_told():
    with pytest.raises(ValueError, match="BOOMERANG_DEV_INBOX"):
        make_channels(OPTIONS._replace(dev_inbox="ftp://127.0.0.1/"))
    with pytest.raises(ValueError, match=r"such as 127\.0\.0\.1"):
        make_channels(OPTIONS._replace(dev_inbox="http://console/api/inbox"))


def test_a_real_provider_takes_the_place_of_the_stand_in():
    made = make_channels(OPTIONS._replace(dev_inbox="http://127.0.0.1:1/", sms_provider="smsc", sms_key="key"))
    assert type(made["sms"]).__name__ == "Sms"
    assert "slack" not in made
