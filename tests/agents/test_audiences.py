"""Who is in an audience, and as what: digests by each network's own rule."""

import pytest

from agents.audiences import DESTINATIONS, Group, is_told, row_of
from tables.customer import Customer, Permission, Profile
from tables.engagement import Engagement

LAPSED = Group("segment", "lapsed")
AGREED = {"ads": Permission(True, 1.0)}


def customer(email="Ann@Shop.Example", phone="+79876543210", consent=AGREED, **more):
    engagement = Engagement({"lapsed": 1.0})
    return Customer(profile=Profile(email=email, phone=phone), consent=consent, engagement=engagement, **more)


@pytest.mark.parametrize(
    ("format", "line"),
    [
        ("yandex", "PHONE_DIGITS,EMAIL"),
        ("vk-email", "MD5_EMAIL"),
        ("vk-phone", "MD5_PHONE"),
        ("google", "EMAIL,PHONE_PLUS"),
        ("meta", "EMAIL,PHONE_DIGITS"),
    ],
)
def test_each_network_has_its_own_normalisation(format, line):
    for name, digest in KNOWN.items():
        line = line.replace(name, digest)
    assert row_of(DESTINATIONS[format], customer()) == line


def test_what_is_not_known_is_left_empty_and_who_has_no_address_is_left_out():
    assert row_of(DESTINATIONS["yandex"], customer(phone="")) == f",{KNOWN['EMAIL']}"
    assert row_of(DESTINATIONS["meta"], customer(phone="8 987 654")) == f"{KNOWN['EMAIL']},"
    assert row_of(DESTINATIONS["vk-phone"], customer(phone="")) == ""
    assert row_of(DESTINATIONS["google"], Customer()) == ""


def test_white_space_goes_where_the_network_wants_it():
    assert row_of(DESTINATIONS["google"], customer(email=" ann @shop.example", phone="")) == f"{KNOWN['EMAIL']},"
    assert row_of(DESTINATIONS["meta"], customer(email=" ann@shop.example ", phone="")) == f"{KNOWN['EMAIL']},"


@pytest.mark.parametrize(
    ("consent", "topic", "told"),
    [
        (AGREED, "", True),
        (AGREED, "sale", True),
        (None, "", False),
        ({"email": Permission(True, 1.0)}, "", False),
        ({"ads": Permission(False, 1.0)}, "", False),
        ({"ads": Permission(True, 1.0), "ads:sale": Permission(False, 2.0)}, "sale", False),
        ({"ads": Permission(True, 1.0), "ads:sale": Permission(False, 2.0)}, "", True),
    ],
)
def test_only_who_has_agreed_is_told(consent, topic, told):
    assert is_told(customer(consent=consent), Group("segment", "lapsed", topic), "all") == told


def test_only_members_are_told():
    assert not is_told(customer(), Group("segment", "loyal"), "all")
    assert not is_told(Customer(consent=AGREED), LAPSED, "all")


def test_an_audience_is_another_thing_than_a_segment_of_the_same_name():
    added = Customer(consent=AGREED, engagement=Engagement(audiences={"lapsed": 1.0}))
    assert is_told(added, Group("audience", "lapsed"), "all")
    assert not is_told(added, LAPSED, "all")
    assert not is_told(customer(), Group("audience", "lapsed"), "all")
    refused = Customer(consent={"ads": Permission(False, 1.0)}, engagement=Engagement(audiences={"lapsed": 1.0}))
    assert not is_told(refused, Group("audience", "lapsed"), "all")


@pytest.mark.parametrize(
    ("more", "fields", "unreachable"),
    [
        ({}, {}, True),
        ({"email": Permission(True, 1.0)}, {}, False),
        ({"email": Permission(True, 1.0)}, {"suppressed": {"email": "bounced"}}, True),
        ({"sms": Permission(True, 1.0)}, {"suppressed": {"email": "bounced"}}, False),
        ({"sms": Permission(True, 1.0)}, {"phone": ""}, True),
        ({"email": Permission(False, 1.0)}, {}, True),
    ],
)
def test_unreachable_is_whom_neither_mail_nor_sms_would_reach(more, fields, unreachable):
    assert is_told(customer(consent={**AGREED, **more}, **fields), LAPSED, "unreachable") == unreachable


def test_unsubscribed_is_who_has_said_so_himself():
    said = Permission(False, 1.0, "unsubscribed")
    assert is_told(customer(consent={**AGREED, "email": said}), LAPSED, "unsubscribed")
    assert not is_told(customer(consent={**AGREED, "email": Permission(False, 1.0)}), LAPSED, "unsubscribed")
    assert not is_told(customer(), LAPSED, "unsubscribed")


KNOWN = {
    "PHONE_DIGITS": "8bf7d8ef683ac4d7cf7fc6390f99c06e76e0b2022ec0c857c92e0041a53a3d66",
    "PHONE_PLUS": "991d69faac9af42ccb7cc62cb4eb6d87be3aafbc19b8476c2f7ffd2ed3785814",
    "MD5_EMAIL": "2ec8d234688f3dbda378bad6769b8835",
    "MD5_PHONE": "5c5259938ed3e632bc5e3f94731090af",
    "EMAIL": "6a0bf011a1fc1e9a8add1728704b8ddb5d9d2701ae295a65452d9f1f1cf91be5",
}
"""Digests as coreutils make them: printf %s ann@shop.example | sha256sum."""
