"""What the conformance suite needs of each channel: a provider that can be told how to behave, and a message for it.

A new channel adds one function here and one line in `PROVIDERS`.
"""

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from app.clock import SYSTEM
from app.model.alert import AlertState
from app.model.chat import CommandKind
from channels.alert import Button, Card, Fact
from channels.channel import Channel, Rendered
from channels.registry import CHANNELS, Options, make_channels
from tests.channels.gateways import GATEWAYS
from tests.channels.hooks import hook
from tests.channels.messengers import VK_ANSWERS, WHATSAPP_ANSWERS, check_vk, check_whatsapp
from tests.channels.pushers import (
    BROWSER,
    DEVICE,
    FCM_ANSWERS,
    PRIVATE,
    PUBLIC,
    account_file,
    check_fcm,
    check_push,
    token_service,
)
from tests.channels.relays import relay
from tests.channels.smsc import OK, THROTTLED, smsc

MESSAGE = Rendered(
    "ab12.0",
    "ab12",
    "abandoned_cart",
    "anna@shop.example",
    "Anna",
    "Hello",
    "text",
    "<p>text</p>",
    "https://c.example/u/token",
    1_700_000_000.0,
)


@dataclass
class Provider:
    """`received()` counts what the provider has taken; `reached` is set when it hangs."""

    channel: Channel
    message: Rendered
    bad_addresses: tuple[str, ...]
    received: Any
    reached: Any


MODES = (
    "fine",
    "busy",
    "refuses",
    "dead_address",
    "away",
    "hangs_before",
    "hangs_after",
    "closes_before",
    "closes_after",
)


@asynccontextmanager
async def email(mode):
    faults = {
        "fine": {},
        "busy": {"rcpt": "451 4.3.0 later"},
        "refuses": {"dot": "554 5.7.1 spam"},
        "dead_address": {"rcpt": "550 5.1.1 unknown"},
        "away": {},
        "hangs_before": {"mail": "hang"},
        "hangs_after": {"after": "hang"},
        "closes_before": {"rcpt": "close"},
        "closes_after": {"after": "close"},
    }[mode]
    async with relay(faults) as server:
        port = 1 if mode == "away" else server.port
        patience = 0.3 if mode.startswith("hangs") else 30.0
        options = Options(f"smtp+plain://127.0.0.1:{port}", 2, patience, "Shop <shop@shop.example>", SYSTEM.monotonic)
        channel = CHANNELS["email"](options)
        await channel.start()
        try:
            yield Provider(
                channel,
                MESSAGE,
                ("", "nobody", "a@b@c.example", "a@b.co\r\nBcc: x@y.example"),
                lambda: len(server.mails),
                server.reached,
            )
        finally:
            await channel.stop()


def an_alert(address):
    card = Card(
        "a" * 32,
        AlertState.OPEN,
        1,
        "Anna has been silent for 31 min",
        "",
        "",
        (Fact("Cart", "Sofa"),),
        (Fact("Client", "Is it in stock?"),),
        "https://desk.example/1",
        "Open the dialog",
        "",
        "Board",
        (Button(CommandKind.TAKE, "Take"),),
    )
    return MESSAGE._replace(address=address, unsubscribe="", cards=(card,), locale="en")


def served(channel_name, message, bad_addresses, answers, count, check=lambda request: None, **settings):
    """A provider over HTTP. `answers`: mode -> answer of the server; `count(request)`: messages in a request that was taken.

    `check(request)` raises for one that is not as the provider wants it. Message and settings: values, or functions of the server's address.
    """

    @asynccontextmanager
    async def running(mode):
        fault = (
            mode.replace("hangs_", "hang_").replace("closes_", "close_")
            if "_before" in mode or "_after" in mode
            else ""
        )

        def answer(request):
            check(request)
            return answers.get(mode, answers["fine"])

        async with hook(answer, fault) as server:
            url = "http://127.0.0.1:1" if mode == "away" else server.url
            told = {name: value(url) if callable(value) else value for name, value in settings.items()}
            channel = make_channels(patient(mode)._replace(**told))[channel_name]
            await channel.start()
            taken = mode in ("fine", "hangs_after", "closes_after")
            try:
                yield Provider(
                    channel,
                    message(url) if callable(message) else message,
                    bad_addresses,
                    lambda: sum(count(request) for request in server.requests) if taken else 0,
                    server.reached,
                )
            finally:
                await channel.stop()

    return running


OPTIONS = Options(
    "smtp+plain://127.0.0.1:1",
    1,
    1.0,
    "Shop <shop@shop.example>",
    SYSTEM.monotonic,
    now=SYSTEM.now,
    http_timeout=1.0,
    egress_allow=("127.0.0.1/32",),
    pace=0.001,
)


def patient(mode):
    """A second is long enough to wait for a provider that hangs; one that answers may run on a busy machine."""
    return OPTIONS if mode.startswith("hangs") else OPTIONS._replace(http_timeout=30.0)


def _telegram(text):
    return json.dumps(text).encode()


TELEGRAM_ANSWERS = (
    {
        "fine": (200, {}, _telegram({"ok": True, "result": {"message_id": 7}})),
        "busy": (429, {}, _telegram({"ok": False, "parameters": {"retry_after": 3}, "description": "Too Many Requests"})),
        "refuses": (400, {}, _telegram({"ok": False, "description": "Bad Request: message is too long"})),
        "dead_address": (403, {}, _telegram({"ok": False, "description": "Forbidden: bot was kicked from the group chat"})),
    }
)  # fmt: skip
telegram = served(
    "telegram",
    an_alert("-100200300"),
    ("", "0", "12a", "@x", "1;2", "../getMe", "-", "9" * 30),
    TELEGRAM_ANSWERS,
    lambda request: request.body.count(b'"t:'),
    telegram_token=lambda url: "12345:secret-secret",
    telegram_api=lambda url: url,
)  # fmt: skip
ANSWERS = {
    "fine": (200, {}, b"ok"),
    "busy": (429, {"Retry-After": "3"}, b"rate_limited"),
    "refuses": (400, {}, b"invalid_payload"),
    "dead_address": (410, {}, b"channel_is_archived"),
}
NAMES = ("", "other", "https://127.0.0.1/", "sales ", "sales\r\n")
slack = served(
    "slack", an_alert("sales"), NAMES, ANSWERS, lambda request: request.body.count("|💬".encode()) or 1,
    slack_hooks=lambda url: (f"sales={url}/services/secret",),
)  # fmt: skip
mattermost = served(
    "mattermost", an_alert("sales"), NAMES, ANSWERS, lambda request: request.body.count(b"](https://desk.example/1)"),
    mattermost_hooks=lambda url: (f"sales={url}/hooks/secret",),
)  # fmt: skip
webhook = served(
    "webhook", an_alert("sales"), NAMES, ANSWERS, lambda request: 1,
    webhook_hooks=lambda url: (f"sales={url}/hook",),
    webhook_secrets=lambda url: ("whsec_" + "QUJD" * 8,),
)  # fmt: skip

SHORT = MESSAGE._replace(address="+79123456789", receipt_url="https://c.example/receipts/sms?t=token")
NUMBERS = (
    "",
    "+",
    "79123456789",
    "+7 912 345 67 89",
    "+0123456789",
    "+7912345678901234",
    "+79123456789\r\n",
    "+7912,+7913",
)


def _sms(provider):
    gateway = GATEWAYS[provider]
    return served(
        "sms", SHORT, NUMBERS, gateway.answers, lambda request: 1, gateway.check,
        sms_provider=provider, sms_api=lambda url: url, **gateway.settings,
    )  # fmt: skip


WORDS = "template: cart\nlanguage: en\nbody: Anna"
whatsapp = served(
    "whatsapp", SHORT._replace(text=WORDS, customer="u1"), NUMBERS, WHATSAPP_ANSWERS, lambda request: 1, check_whatsapp,
    whatsapp_token="whatsapp-secret-token", whatsapp_number="106540352242922", whatsapp_api=lambda url: f"{url}/v23.0",
)  # fmt: skip
vk = served(
    "vk", MESSAGE._replace(address="club:162342"), ("", "162342", "club:", "club:0", "other:1", "club:1,2", "club:1\r\n"),
    VK_ANSWERS, lambda request: 1, check_vk,
    vk_tokens=lambda url: ("club=vk1.a.secret-secret-secret",), vk_api=lambda url: url,
)  # fmt: skip
telegram_bot = served(
    "telegram", MESSAGE._replace(address="shop:4815"), ("", "4815", "shop:", "shop:-100", "shop:@name", "other:1", "shop:1:2"),
    TELEGRAM_ANSWERS, lambda request: 1,
    telegram_bots=lambda url: ("shop=12345:secret-secret",), telegram_api=lambda url: url,
)  # fmt: skip
customers = served(
    "webhook", MESSAGE._replace(address="customers:u1", customer="u1"), ("", "u1", "other:u1", "https://127.0.0.1/"),
    ANSWERS, lambda request: 1,
    webhook_hooks=lambda url: (f"customers={url}/hook",),
    webhook_secrets=lambda url: ("whsec_" + "QUJD" * 8,),
)  # fmt: skip


def check_dev_inbox(request):
    assert request.path == "/api/inbox/messages" and request.headers["authorization"] == "Bearer dev-token"
    wanted = {"channel", "to", "subject", "text", "scenario", "trigger_id", "message_id", "unsubscribe", "units"}
    assert set(request.json) == wanted and request.json["channel"] == "sms" and request.json["units"] == 1


@asynccontextmanager
async def smpp(mode):
    statuses = {"busy": THROTTLED, "refuses": 0x45, "dead_address": 0x0B}
    fault = (
        mode.replace("hangs_", "hang_").replace("closes_", "close_") if "_before" in mode or "_after" in mode else ""
    )
    async with smsc(lambda submits: statuses.get(mode, OK), fault) as server:
        url = f"smpp://shop:secret@127.0.0.1:{1 if mode == 'away' else server.port}?system_type=SALES"
        channel = CHANNELS["sms"](patient(mode)._replace(sms_provider="smpp", smpp=url, sms_from="SHOP"))
        await channel.start()
        try:
            yield Provider(channel, SHORT, NUMBERS, lambda: len(server.messages), server.reached)
        finally:
            await channel.stop()


PUSHED = MESSAGE._replace(receipt_url="https://c.example/receipts/webpush?t=token", link="https://shop.example/1")
webpush = served(
    "webpush",
    lambda url: PUSHED._replace(address=BROWSER.address(f"{url}/push/v2/abc")),
    (
        "",
        "http://127.0.0.1/push",
        BROWSER.address("https://evil.example/push"),
        BROWSER.address("https://127.0.0.1.evil.example/push"),
        BROWSER.address("http://user@127.0.0.1/push"),
        "http://127.0.0.1/push AAAA AAAA",
        f"http://127.0.0.1/push {'A' * 87} {'A' * 22}",
        BROWSER.address("http://127.0.0.1/\r\nX: y"),
        "http://127.0.0.1/push é é",
    ),
    {
        "fine": (201, {"Location": "https://push.example/m/1"}, b""),
        "busy": (429, {"Retry-After": "3"}, b""),
        "refuses": (413, {}, b"too large"),
        "dead_address": (410, {}, b"gone"),
    },
    lambda request: 1,
    lambda request: check_push(request),
    webpush_private_key=PRIVATE,
    webpush_public_key=PUBLIC,
    webpush_contact="mailto:push@shop.example",
    webpush_hosts=("127.0.0.1",),
)


@asynccontextmanager
async def fcm(mode):
    with TemporaryDirectory() as folder:
        async with token_service() as google:
            running = served(
                "fcm",
                PUSHED._replace(address=DEVICE),
                ("", "short", "a b" * 20, "x" * 2_000, f"{DEVICE}\r\n", f"{DEVICE}/../x"),
                FCM_ANSWERS,
                lambda request: 1,
                lambda request: check_fcm(request),
                fcm_account=str(account_file(Path(folder), f"{google.url}/token")),
                fcm_api=lambda url: url,
            )
            async with running(mode) as provider:
                yield provider


PROVIDERS = {
    "webpush": webpush,
    "fcm": fcm,
    "email": email,
    "telegram": telegram,
    "slack": slack,
    "mattermost": mattermost,
    "telegram:bot of customers": telegram_bot,
    "webhook": webhook,
    "webhook:customers": customers,
    "whatsapp": whatsapp,
    "vk": vk,
    "sms:dev inbox": served(
        "sms",
        SHORT,
        ("", "+7912\r\n", "\x00", "x" * 3_000),
        {
            **ANSWERS,
            "fine": (201, {}, b'{"id": 7}'),
            "dead_address": (410, {}, b"gone"),
        },
        lambda request: 1,
        lambda request: check_dev_inbox(request),
        dev_inbox=lambda url: f"{url}/api/inbox/messages",
        dev_inbox_token="dev-token",
    ),
    "sms:smpp": smpp,
    **{f"sms:{provider}": _sms(provider) for provider in GATEWAYS},
}
"""Channel -> its provider; `channel:provider` where several can carry it."""
