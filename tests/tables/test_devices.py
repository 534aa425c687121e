"""Devices for notifications: who may tell of them, and who is spoken to."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.addresses import addresses_of
from agents.receipts import on_receipt
from app.model.event import Event
from app.model.receipt import Outcome, Receipt
from tables.apply import apply
from tables.customer import Customer, Permission
from tables.devices import DEVICES, forget, joined
from tables.identity import merge
from tables.signals import CONSENT_CHANGED

ONE = "https://push.example/1 PUBLIC SECRET"
TWO = "https://push.example/2 PUBLIC SECRET"


def tell(customer, push, at=100.0, *, source="browser", user=None):
    event = Event(
        "track", datetime.fromtimestamp(at, UTC), "Push Subscribed", "m", user, "v1", source=source, push=push
    )
    return apply(customer, event, at)


def test_a_browser_that_subscribes_is_spoken_to_as_the_visitor_and_its_permission_is_the_consent():
    customer = Customer()
    assert CONSENT_CHANGED in tell(customer, f"webpush:{ONE}")
    assert addresses_of(customer, "anon:v1")["webpush"] == ONE
    consent = customer.consent["webpush"]
    assert (consent.granted, consent.at, consent.source) == (True, 100.0, "browser permission")


def test_nobody_becomes_the_receiver_of_a_users_notifications_by_claiming_to_be_him():
    user = Customer(consent={"webpush": Permission(False, 50.0, "unsubscribed")})
    tell(user, f"webpush:{ONE}", user="anna")
    assert user.profile is None
    visitor = Customer()
    tell(visitor, f"webpush:{ONE}")
    merge(user, visitor)  # as an identify with a public key does
    assert "webpush" not in addresses_of(user, "anna")
    assert not user.consent["webpush"].granted
    tell(user, f"webpush:{ONE}", 200.0)  # a late event of the visitor finds the user's row
    user.aliases = ["anon:v1"]
    tell(user, f"webpush:{TWO}", 210.0)
    assert "webpush" not in addresses_of(user, "anna")


def test_what_a_server_vouches_for_is_the_users():
    user = Customer()
    tell(user, f"webpush:{ONE}", source="server", user="anna")
    tell(user, "fcm:token-of-a-telephone-1", source="server", user="anna")
    found = addresses_of(user, "anna")
    assert (found["webpush"], found["fcm"]) == (ONE, "token-of-a-telephone-1")
    assert user.consent["webpush"].granted and "fcm" not in user.consent


def test_a_page_cannot_push_out_what_was_vouched_for():
    user = Customer()
    tell(user, f"webpush:{ONE}", 1.0, source="server", user="anna")
    for number in range(20):
        tell(user, f"webpush:https://push.example/x{number} P S", 10.0 + number)
    assert len(user.profile.devices) == DEVICES
    assert addresses_of(user, "anna")["webpush"] == ONE


def test_the_device_that_was_told_last_is_spoken_to_and_one_that_is_gone_makes_room_for_the_other():
    customer = Customer()
    tell(customer, f"webpush:{ONE}", 100.0)
    tell(customer, f"webpush:{TWO}", 200.0)
    assert addresses_of(customer, "anon:v1")["webpush"] == TWO
    tell(customer, f"webpush:{ONE}", 300.0)
    assert addresses_of(customer, "anon:v1")["webpush"] == ONE
    on_receipt(customer, Receipt(Outcome.BOUNCED, "anon:v1", "webpush", 400.0, address=ONE))
    assert addresses_of(customer, "anon:v1")["webpush"] == TWO
    assert not customer.suppressed
    on_receipt(customer, Receipt(Outcome.BOUNCED, "anon:v1", "webpush", 400.0, address=TWO))
    assert "webpush" not in addresses_of(customer, "anon:v1")


def test_telling_again_of_a_subscription_does_not_lift_an_unsubscribe_and_a_new_one_does():
    customer = Customer()
    tell(customer, f"webpush:{ONE}", 100.0)
    on_receipt(customer, Receipt(Outcome.UNSUBSCRIBED, "anon:v1", "webpush", 200.0))
    tell(customer, f"webpush:{ONE}", 300.0)
    assert not customer.consent["webpush"].granted
    tell(customer, f"webpush:{TWO}", 400.0)
    assert customer.consent["webpush"].granted


def test_a_browser_that_withdraws_its_permission_is_not_spoken_to():
    customer = Customer()
    tell(customer, f"webpush:{ONE}", 100.0)
    tell(customer, f"webpush:{TWO}", 110.0)
    tell(customer, f"-webpush:{ONE.split()[0]}", 120.0)
    assert customer.consent["webpush"].granted and addresses_of(customer, "anon:v1")["webpush"] == TWO
    tell(customer, f"-webpush:{TWO.split()[0]}", 130.0)
    assert "webpush" not in addresses_of(customer, "anon:v1")
    consent = customer.consent["webpush"]
    assert (consent.granted, consent.source) == (False, "browser permission withdrawn")


@pytest.mark.parametrize("push", ["x:1", "webpush:", ":", "-", "webpush", f"webpush:{'y' * 2000}", "email:a@b.co"])
def test_what_is_no_device_changes_nothing(push):
    customer = Customer()
    tell(customer, push)
    assert customer.profile is None and customer.consent is None


@given(
    st.lists(
        st.tuples(st.sampled_from(["webpush", "fcm", "-webpush"]), st.integers(0, 9), st.booleans(), st.integers(0, 99))
    )
)
def test_whatever_is_told_the_devices_are_few_and_never_twice(told):
    both = [Customer(), Customer()]
    for channel, number, server, at in told:
        tell(
            both[at % 2],
            f"{channel}:https://push.example/{number} P S",
            float(at),
            source="server" if server else "browser",
        )
    devices = joined(*(row.profile.devices if row.profile else None for row in both)) or []
    assert len(devices) <= DEVICES
    assert len({(item.channel, item.address) for item in devices}) == len(devices)
    merge(*both)
    assert forget(both[0], "webpush", "https://push.example/none P S") in (True, False)
