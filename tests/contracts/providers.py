"""What the conformance suite needs of each channel: a provider that can be told how to behave, and a message for it.

A new channel adds one function here and one line in `PROVIDERS`.
"""

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from app.clock import SYSTEM
from channels.channel import Channel, Rendered
from channels.registry import CHANNELS, Options
from tests.channels.relays import relay

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
        options = Options(f"smtp+plain://127.0.0.1:{port}", 2, 0.3, "Shop <shop@shop.example>", SYSTEM.monotonic)
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


PROVIDERS = {
    "email": email,
}
