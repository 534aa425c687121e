"""Wish lists: kept where a scenario asks for them, whatever order events come in, and told of changes of the catalogue."""

import msgspec
import pytest

from agents.scenarios.load import parse
from tables.customer import Cart, CartLine, Customer
from tables.engagement import Engagement
from tables.glance import may_know
from tables.identity import merge
from tables.views import VIEWS, Product, View, ViewRing, mark_of
from tests.agents.test_sweeps import GREETS, HEAD, changed, shop_of
from tests.driver import DAY, HOUR, Engine

WISHED = "entry: {catalogue: {change: price_drop, of: [wished]}}\n" + GREETS
VIEWED = "entry: {catalogue: {change: price_drop, of: [viewed, cart]}}\n" + GREETS


def wish(shop, product, user="u1", name="Product Added to Wishlist", **more):
    return shop.event(name, user, product_id=product, price=10.0, **more)


def unwish(shop, product, user="u1", **more):
    return wish(shop, product, user, "Product Removed from Wishlist", **more)


def wished(shop, user="u1"):
    engagement = shop.customer(user).engagement
    ring = engagement.wishes if engagement is not None else None
    return [view.product.product_id for view in ring.left_behind(0.0)] if ring is not None else None


def test_whose_wish_costs_less_now_hears_of_it_with_what_was_known_of_it():
    shop = shop_of(WISHED, people=("u1", "u2"))
    wish(shop, "lamp", name="Product Added to Wishlist", url="https://shop.example/lamp")
    shop.view("lamp", "u2")
    shop.wait(60 * DAY)  # a wish stands, however old
    changed(shop, ("lamp", 8.0, 10.0), ("sofa", 8.0, 10.0))
    shop.wait(HOUR)
    (trigger,) = shop.triggers
    (line,) = trigger.content.items
    assert (trigger.customer, line.product_id, line.price, line.old_price) == ("u1", "lamp", 8.0, 10.0)
    assert line.url == "https://shop.example/lamp"


def test_without_a_scenario_that_asks_for_them_nothing_is_kept_of_wishes():
    shop = shop_of(VIEWED)
    wish(shop, "lamp")
    assert wished(shop) is None
    assert "Product Added to Wishlist" not in shop.decider.meaningful
    shop.decider.take([parse(HEAD + WISHED)])
    wish(shop, "lamp")
    assert wished(shop) == ["lamp"]


def test_a_wish_that_was_taken_back_or_bought_is_over():
    shop = shop_of(WISHED)
    for product in ("lamp", "sofa", "rug", "vase"):
        wish(shop, product)
    shop.wait(60)
    unwish(shop, "sofa")
    shop.order(products=[{"product_id": "rug"}, {"product_id": "never seen"}])
    assert wished(shop) == ["lamp", "vase"]
    changed(shop, *((product, 5.0, 10.0) for product in ("lamp", "sofa", "rug", "vase")))
    shop.wait(HOUR)
    (trigger,) = shop.triggers
    assert [line.product_id for line in trigger.content.items] == ["lamp", "vase"]


def test_events_that_come_late_find_their_place():
    shop = shop_of(WISHED)
    now = shop.clock.now()
    wish(shop, "lamp", at=now - 300.0)
    unwish(shop, "lamp", at=now - 100.0)
    wish(shop, "lamp", at=now - 200.0)
    assert wished(shop) == []
    wish(shop, "lamp", at=now - 50.0)
    unwish(shop, "lamp", at=now - 60.0)
    assert wished(shop) == ["lamp"]


def test_who_has_seen_the_new_price_or_wished_after_it_is_told_nothing():
    shop = shop_of(WISHED.replace("[wished]", "[viewed, wished]"), people=("u1", "u2", "u3"))
    for name in ("u1", "u2"):
        wish(shop, "lamp", name)
    at = shop.clock.now()
    shop.wait(5.0)
    shop.view("lamp", "u2")
    wish(shop, "lamp", "u3")
    changed(shop, ("lamp", 5.0, 10.0), at=at + 1.0)
    shop.wait(HOUR)
    assert [trigger.customer for trigger in shop.triggers] == ["u1"]


def test_wishes_are_bounded_and_an_id_that_is_too_long_is_put_aside():
    shop = shop_of(WISHED)
    for number in range(VIEWS + 5):
        wish(shop, f"p{number}")
    assert wished(shop) == [f"p{number}" for number in range(5, VIEWS + 5)]
    wish(shop, "p" * 600)
    assert [letter.reason for letter in shop.dead] == ["too_large"]
    assert len(wished(shop)) == VIEWS


def test_wishes_of_two_keys_are_joined():
    shop = shop_of(WISHED)
    wish(shop, "lamp", None, anonymous="a1")
    shop.wait(1.0)
    wish(shop, "sofa")
    shop.identify("u1", anonymous="a1")
    assert sorted(wished(shop)) == ["lamp", "sofa"]
    owner, alias = Customer(engagement=Engagement()), Customer(engagement=Engagement())
    alias.engagement.wishes = ViewRing.of([View(Product("lamp"), 2.0)])
    owner.engagement.wishes = ViewRing.of([View(Product("lamp"), 3.0, True)])
    merge(owner, alias)
    assert owner.engagement.wishes.left_behind(0.0) == []


ROWS = {
    "nobody": Customer(1.0, 1.0, 1.0),
    "viewed": Customer(1.0, 1.0, 1.0, views=ViewRing.of([View(Product("lamp"), 1.0)])),
    "cart": Customer(1.0, 1.0, 1.0, cart=Cart([CartLine("lamp", 1.0, 1.0)], 1.0)),
    "wished": Customer(1.0, 1.0, 1.0, engagement=Engagement(wishes=ViewRing.of([View(Product("lamp"), 1.0)]))),
    "other": Customer(1.0, 1.0, 1.0, engagement=Engagement(wishes=ViewRing.of([View(Product("sofa"), 1.0)]))),
}


@pytest.mark.parametrize(("name", "near", "far"), [
    ("nobody", False, False), ("viewed", True, True), ("cart", True, True), ("wished", False, True), ("other", False, False),
])  # fmt: skip
def test_a_glance_at_the_bytes_sees_wishes_where_they_are_asked_for(name, near, far):
    packed, marks = msgspec.msgpack.encode(ROWS[name]), {mark_of("lamp")}
    assert may_know(packed, {"lamp"}, marks) is near
    assert may_know(packed, {"lamp"}, marks, wished=True) is far
    fields = msgspec.msgpack.decode(packed)
    if fields[20] is not None:
        fields[20] = fields[20][:13]  # as rows were before there were wishes
        assert may_know(msgspec.msgpack.encode(fields), {"lamp"}, marks, wished=True) is False
    assert may_know(msgspec.msgpack.encode([3, "owner"]), {"lamp"}, marks, wished=True) is False


def test_the_default_is_whoever_knows_the_product():
    scenario = parse(HEAD + "entry: {catalogue: {change: back_in_stock}}\n" + GREETS)
    assert scenario.program.change.of == {"viewed", "wished", "cart"}
    assert Engine([scenario]).decider.kept.wished


def test_a_wish_that_is_told_of_after_a_later_order_is_over():
    shop = shop_of(WISHED)
    began = shop.clock.now()
    shop.wait(HOUR)
    shop.order(products=[{"product_id": "lamp"}])
    wish(shop, "lamp", at=began)
    assert wished(shop) == []
    shop.wait(1.0)
    wish(shop, "sofa")
    assert wished(shop) == ["sofa"]


def test_an_order_that_names_one_product_at_its_top_ends_the_wish_for_it():
    shop = shop_of(WISHED)
    wish(shop, "lamp")
    shop.wait(HOUR)
    shop.order(product_id="lamp")
    assert wished(shop) == []
