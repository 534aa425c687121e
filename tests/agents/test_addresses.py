"""Where a customer can be spoken to."""

import pytest

from agents.addresses import address_of, addresses_of, met
from app.codec import encode_json
from app.model.chat import ChatEvent, ChatKind, Speaker, client_key
from app.model.event import PHONE
from app.model.policy import CHANNELS
from app.topics import CHAT
from tables.customer import Customer, Device, Pointer, Profile
from tables.identity import merge
from tests.driver import Engine


def said(provider, source, client, dialog="", at=1_700_000_000.0, **more):
    return ChatEvent(
        provider, source, dialog or client, client_key(provider, source, client), ChatKind.MESSAGE, at, f"m{at}",
        received_at=at, speaker=Speaker.CLIENT, text="hello", **more,
    )  # fmt: skip


def test_a_phone_number_serves_sms_and_whatsapp_only_when_it_is_whole():
    assert addresses_of(Customer(profile=Profile(email="a@shop.example", phone="+79123456789"))) == {
        "email": "a@shop.example", "sms": "+79123456789", "whatsapp": "+79123456789",
    }  # fmt: skip
    assert addresses_of(Customer(profile=Profile(phone="89123456789"))) == {}
    assert addresses_of(Customer(), "u1") == {"webhook": "customers:u1"}


DEVICES = [Device("webpush", "https://push.example/1 k a", 1.0, True), Device("fcm", "token", 2.0)]


@pytest.mark.parametrize("key", ["", "u1", "anon:v1"])
@pytest.mark.parametrize(
    "profile",
    [
        None,
        Profile(),
        Profile(email="a@shop.example", phone="+79123456789", messengers={"telegram": "shop:1", "vk": "club:3"}),
        Profile(phone="89123456789", messengers={"vk": "club:3"}, devices=DEVICES),
        Profile(email="a@shop.example", devices=DEVICES[::-1]),
    ],
)
def test_one_address_is_that_which_stands_among_all(profile, key):
    customer = Customer(profile=profile)
    known = addresses_of(customer, key)
    assert {name: found for name in CHANNELS if (found := address_of(customer, key, name))} == known


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (said("telegram", "shop", "4815"), {"telegram": "shop:4815"}),
        (said("vk", "club", "162342"), {"vk": "club:162342"}),
        (said("telegram", "shop", "4815", dialog="business-connection:4815"), {}),
        (said("telegram", "shop", "4815", dialog="-100200"), {}),
        (said("chatwoot", "desk", "4815"), {}),
        (said("telegram", "s" * 100, "4815"), {}),
    ],
)
def test_a_person_can_be_written_to_where_he_has_written_to_our_bot(event, expected):
    customer = Customer()
    met(customer, event)
    assert addresses_of(customer) == expected


def test_messengers_of_two_who_turn_out_to_be_one_are_joined():
    owner = Customer(profile=Profile(messengers={"telegram": "shop:1"}))
    merge(owner, Customer(profile=Profile(messengers={"telegram": "shop:2", "vk": "club:3"})))
    assert addresses_of(owner) == {"telegram": "shop:1", "vk": "club:3"}


def test_who_shares_his_number_in_a_messenger_is_reachable_there_under_his_own_name():
    shop = Engine(partitions=4)
    shop.identify("ann", phone="+79123456789")
    at = shop.clock.now()
    event = said("telegram", "shop", "4815", at=at, phone="+79123456789")
    shop.record(CHAT.name, event.client, encode_json(event))
    found = addresses_of(shop.customer("ann"))
    assert found["telegram"] == "shop:4815" and found["sms"] == "+79123456789"


def test_a_national_number_joins_nobody():
    shop = Engine(partitions=4)
    shop.identify("ann", phone="89123456789")
    shop.identify("bob", phone="89123456789")
    rows = {key: row for part in shop.table.parts.values() for key, row in part.packed.unpacked()}
    assert not any(key.startswith(PHONE) or isinstance(row, Pointer) for key, row in rows.items())
