"""Rows that earlier versions wrote are read as what they were."""

import msgspec
import pytest

from tables.changelog import Codec
from tables.customer import Armed, Customer, Orders, Pointer, Profile, Row, Shelf
from tables.dialog import Dialog
from tables.engagement import Engagement
from tables.upcast import current
from tables.views import Product, View, ViewRing

NOW = 1_700_000_000.0
FORMAT_1 = [
    "first_seen", "last_seen", "session_started", "profile", "consent", "cart", "views", "categories", "searches", "orders",
    "armed", "open", "sends", "fired", "suppressed", "aliases", "seen", "cart_known_at", "removed", "dialogs",
]  # fmt: skip
encode = msgspec.msgpack.encode
read = Codec(Row).read_row


def as_format_1(customer):
    """The customer as format 1 had it: an array of the tag and twenty fields."""
    return encode([1, *(getattr(customer, name) for name in FORMAT_1)])


def somebody(**more):
    return Customer(
        first_seen=NOW - 10,
        last_seen=NOW,
        session_started=NOW - 5,
        profile=Profile(email="a@example.com"),
        views=ViewRing.of([View(Product("p1"), NOW)]),
        orders=Orders(1, 10.0, NOW, NOW, ["o1"]),
        armed=[Armed("abandoned_product", 1, "m1", NOW)],
        seen=b"\x00\xff12345678",
        **more,
    )


@pytest.mark.parametrize(
    "customer",
    [
        Customer(),
        somebody(),
        somebody(dialogs=[Dialog("telegram:shop:1", NOW)]),
        somebody(removed={"p2": NOW}, dialogs=[Dialog("telegram:shop:1", NOW), Dialog("telegram:shop:2", NOW)]),
    ],
    ids=["new", "without dialogs", "with a dialog", "with dialogs"],
)
def test_a_customer_of_format_1_is_the_same_customer(customer):
    packed = as_format_1(customer)
    assert current(packed) == encode(customer)
    assert read(packed) == customer


@pytest.mark.parametrize(
    "row",
    [
        somebody(engagement=Engagement({"loyal": NOW})),
        somebody(dialogs=[Dialog("telegram:shop:1", NOW)]),
        Shelf(),
        Pointer("u1"),
    ],
)
def test_a_row_of_today_stays_as_it_is(row):
    packed = encode(row)
    assert current(packed) is packed


def test_what_is_cut_off_is_refused():
    packed = as_format_1(somebody(dialogs=[Dialog("telegram:shop:1", NOW)]))
    with pytest.raises(msgspec.MsgspecError):
        read(packed[:-3])
