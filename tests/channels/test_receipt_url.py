"""Where a provider may tell what became of a message: an address of our own that only speaks of this message."""

from urllib.parse import parse_qs, urlsplit

import pytest

from agents.delivery.links import Links
from app.model.receipt import Spoken
from app.settings import load
from app.tokens import read_receipt_token
from channels.channel import provider_of
from tests.agents.speaking import Mouth, sender
from tests.agents.test_delivery import trigger

SECRET = "s" * 43


class ManyProviders(Mouth):
    provider = "carrier"


async def _spoken(channel, **settings):
    links = Links(load({}, **settings), SECRET)
    async with sender(channel, urls={"receipt": links.receipt}) as one:
        await one.feed(trigger())
        await one.settled()
    return channel.spoken[0]


async def test_a_provider_is_given_an_address_that_is_signed_for_this_message():
    message = await _spoken(ManyProviders(), public_url="https://events.shop.example/")
    parts = urlsplit(message.receipt_url)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "https://events.shop.example/receipts/carrier"
    (token,) = parse_qs(parts.query)["t"]
    expected = Spoken(trigger().customer, "email", message.message_id, trigger().scenario)
    assert read_receipt_token(SECRET, token, trigger().fired_at) == expected


async def test_where_no_provider_can_reach_us_there_is_no_address():
    assert (await _spoken(Mouth())).receipt_url == ""


@pytest.mark.parametrize(("channel", "name"), [(Mouth(), "email"), (ManyProviders(), "carrier")])
def test_receipts_come_under_the_name_of_the_provider_else_of_the_channel(channel, name):
    assert provider_of(channel) == name
