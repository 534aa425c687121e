"""Which products stand beside a message's own, in which order, and for whom; and what the catalogue told of them."""

from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest

from agents.scenarios.load import parse
from agents.segments.load import load_segments
from agents.similar import LOVER_ORDERS, LOVER_SHARE, bonus_of, loves_discounts
from app.bounds import BUILT_IN_SEGMENTS
from app.clock import moment
from app.codec import encode_json
from app.model.link import Offered
from app.model.trigger import Bonus, Content
from app.topics import LINKS
from channels import examples
from channels.render import TEMPLATES, Templates
from tables import bought, offers
from tables.customer import Customer, Orders
from tables.engagement import Engagement
from tables.identity import merge
from tables.memory import MemoryTable
from tables.offers import offer_of
from tests.driver import DAY, HOUR, MINUTE, Engine

SCENARIO = """\
id: looked
version: 1
title: Looked
family: looking
priority: 1
cap: 0s
reentry: 0s
unless: {order_within: 0s}
absence: {of: [product_viewed], for: 3h, after: leaving}
show: {items: views, similar: 3, similar_by: viewed, within: 1h, prefer: PREFER}
cascade: [{channel: email, template: abandoned_product}]
"""


def shop_of(prefer="[]", by="viewed"):
    text = SCENARIO.replace("PREFER", prefer).replace("similar_by: viewed", f"similar_by: {by}")
    shop = Engine([parse(text)], partitions=1, delivers=True)
    shop.subscriber()
    return shop


def looks(shop, user, *names, **more):
    for name in names:
        shop.view(name, user, **more)
        shop.wait(MINUTE)
    shop.wait(HOUR)


def shown(shop):
    """What the next message shows beside."""
    before = len(shop.triggers)
    shop.wait(4 * HOUR)
    (trigger,) = shop.triggers[before:]
    return [line.product_id for line in trigger.content.similar]


def told(shop, *products, anew=False):
    shop.record(LINKS.name, "u1", encode_json(Offered(shop.clock.now(), list(products), anew)))


def test_what_most_looked_at_together_comes_first_and_the_category_fills_up():
    shop = shop_of()
    looks(shop, "a", "lamp", "sofa")
    looks(shop, "b", "sofa", "lamp", "vase")
    looks(shop, "c", "mug", category="lamps", price=1.0)
    looks(shop, "u1", "lamp", category="lamps")
    assert shown(shop) == ["sofa", "vase", "mug"]


def test_without_anything_together_the_shelf_of_the_category_is_shown():
    shop = shop_of()
    looks(shop, "c", "mug", category="lamps", price=1.0)
    looks(shop, "u1", "lamp", category="lamps")
    assert shown(shop) == ["mug"]


def test_what_goes_with_several_of_the_items_counts_for_each():
    shop = shop_of()
    looks(shop, "a", "lamp", "sofa")
    looks(shop, "b", "lamp", "vase")
    looks(shop, "c", "rug", "vase")
    looks(shop, "u1", "lamp", "rug")
    assert shown(shop) == ["vase", "sofa"]


@pytest.mark.parametrize("order", [{"products": [{"product_id": "rug"}]}, {"product_id": "rug"}])
def test_what_he_looked_at_has_in_the_cart_or_bought_is_not_shown(order):
    shop = shop_of()
    for number, name in enumerate(("sofa", "vase", "rug", "mug")):
        looks(shop, f"a{number}", "lamp", name)
    looks(shop, "u1", "sofa")
    shop.order(**order)
    shop.wait(MINUTE)
    shop.add("vase")
    shop.wait(DAY)
    looks(shop, "u1", "lamp")
    assert shown(shop) == ["mug"]


def test_what_was_bought_long_ago_under_another_key_is_not_shown_either():
    owner, alias = Customer(), Customer(engagement=Engagement(had=b"rug1mug1"))
    owner.engagement = Engagement(had=b"mug1sofa")
    merge(owner, alias)
    assert owner.engagement.had == b"rug1mug1sofa"
    merge(owner, Customer(engagement=Engagement(had=b"".join(b"%04d" % number for number in range(200)))))
    assert len(owner.engagement.had) == 4 * bought.BOUGHT
    assert owner.engagement.had.endswith(b"rug1mug1sofa")


def test_what_cannot_be_had_is_not_shown_until_it_is_back():
    shop = shop_of()
    looks(shop, "a", "lamp", "sofa")
    looks(shop, "b", "lamp", "vase")
    told(shop, ("sofa", 0.0, 0.0))
    looks(shop, "u1", "lamp")
    assert shown(shop) == ["vase"]
    told(shop, ("sofa", 10.0, 0.0))
    looks(shop, "u1", "lamp")
    assert shown(shop) == ["vase", "sofa"]  # the later one weighs more


def test_what_nobody_met_for_a_month_is_not_shown():
    shop = shop_of(by="bought")
    shop.order("a", products=[{"product_id": "lamp", "price": 5.0}, {"product_id": "sofa", "price": 5.0}])
    looks(shop, "u1", "lamp")
    assert shown(shop) == ["sofa"]
    shop.wait(30 * DAY)
    looks(shop, "u1", "lamp")
    assert shown(shop) == []


def test_what_nobody_knows_the_price_of_is_not_shown():
    shop = shop_of()
    looks(shop, "a", "lamp", "sofa", price=0.0)
    looks(shop, "u1", "lamp")
    assert shown(shop) == []


def test_partitions_know_what_their_own_customers_do():
    shop = Engine([parse(SCENARIO.replace("PREFER", "[]"))], partitions=64, delivers=True)
    shop.subscriber()
    looks(shop, "other", "lamp", "sofa")
    looks(shop, "u1", "lamp")
    assert shown(shop) == []


def test_prices_of_the_catalogue_are_shown_to_all_where_reduced_goods_come_first_for_some():
    shop = shop_of("[discounted]")
    looks(shop, "a", "lamp", "sofa")
    told(shop, ("sofa", 8.0, 10.0), ("lamp", 7.0, 10.0))
    looks(shop, "u1", "lamp")
    assert shown(shop) == ["sofa"]
    content = shop.triggers[-1].content
    assert [(line.price, line.old_price) for line in (*content.items, *content.similar)] == [(7.0, 10.0), (8.0, 10.0)]


def test_the_total_of_a_cart_follows_the_prices_of_the_catalogue():
    text = SCENARIO.replace("items: views", "items: cart").replace("product_viewed", "cart_changed")
    shop = Engine([parse(text.replace("PREFER", "[discounted]"))], partitions=1, delivers=True)
    shop.subscriber()
    shop.add("lamp", quantity=2.0)
    shop.add("sofa", price=50.0)
    told(shop, ("lamp", 8.0, 10.0))
    shop.wait(4 * HOUR)
    content = shop.triggers[-1].content
    assert (content.value, [line.price for line in content.items]) == (66.0, [8.0, 50.0])


def test_what_an_order_was_about_keeps_its_price_and_its_place():
    text = (
        "id: more\nversion: 1\ntitle: More\nfamily: more\npriority: 1\nreentry: always\nentry: {event: Order Completed}\n"
        "exit_on: end\nsteps:\n  - delay: 1h\n  - message: {channel: email, template: order_more,"
        " show: {items: begun, most: 1, similar: 2, similar_by: bought, prefer: [discounted]}}\n"
    )
    shop = Engine([parse(text)], partitions=1, delivers=True)
    shop.subscriber()
    told(shop, ("lamp", 1.0, 5.0), ("rug", 2.0, 5.0))
    names = ("lamp", "sofa", "rug", "mug")
    for number in range(2):
        shop.order("other", products=[{"product_id": name, "price": 5.0} for name in names[number:]])
        shop.order(discount=1.0, products=[{"product_id": f"x{number}", "price": 5.0}])
        shop.wait(2 * DAY)
    shop.order(discount=1.0, total=10.0, products=[{"product_id": name, "price": 5.0} for name in ("sofa", "lamp")])
    shop.wait(2 * HOUR)
    content = shop.triggers[-1].content
    assert [(line.product_id, line.price, line.old_price) for line in content.items] == [("sofa", 5.0, 0.0)]
    assert content.value == 10.0
    beside = [(line.product_id, line.price, line.old_price) for line in content.similar]
    assert beside == [("rug", 2.0, 5.0), ("mug", 5.0, 0.0)]


def test_who_loves_discounts_is_whom_the_segment_has():
    text = (BUILT_IN_SEGMENTS / "discount_lovers.yaml").read_text()
    assert f"{{orders: count, at_least: {LOVER_ORDERS}}}" in text
    assert f"{{orders: discounted, at_least: {LOVER_SHARE}}}" in text
    assert "discount_lovers" in {segment.id for segment in load_segments(BUILT_IN_SEGMENTS).segments}
    assert loves_discounts(Orders(5, 50.0, discounted=3))
    assert not loves_discounts(Orders(5, 50.0, discounted=2))
    assert not loves_discounts(Orders(2, 50.0, discounted=2))
    assert not loves_discounts(None)


@pytest.mark.parametrize(
    ("prefer", "bonus", "first"), [("[bonus, discounted]", True, "lamp"), ("[discounted, bonus]", False, "rug")]
)
def test_of_a_reduction_and_a_bonus_the_one_that_is_named_first_comes_first(prefer, bonus, first):
    shop = shop_of(prefer)
    for number in range(3):
        shop.order(discount=1.0, total=10.0, products=[{"product_id": f"x{number}"}])
    day = (shop.clock.now() + 3 * DAY) // DAY * DAY
    shop.identify(custom={"bonus_expires": _date(day), "bonus": 200.0})
    told(shop, ("rug", 8.0, 10.0))
    shop.wait(MINUTE)
    looks(shop, "u1", "rug", "lamp")
    shown(shop)
    content = shop.triggers[-1].content
    assert content.bonus == (Bonus(_date(day), 200.0) if bonus else None)
    assert content.items[0].product_id == first


def _date(at):
    return moment(at).date().isoformat()


@pytest.mark.parametrize(
    ("bonus", "en", "ru"),
    [
        (
            Bonus("2026-05-17", 300.0),
            "Your bonus of 300 can be used until May 17.",
            "Ваш бонус 300 действует до 17 мая.",
        ),
        (Bonus("2026-12-01", "1 000 ₽"), "of 1 000 ₽ can be used until December 1.", "1 000 ₽ действует до 1 декабря."),
        (Bonus("someday"), "Your bonus can be used until someday.", "Ваш бонус действует до someday."),
    ],
)
def test_a_bonus_and_a_price_of_before_are_told_in_both_languages(bonus, en, ru):
    templates = Templates(TEMPLATES)
    for locale, expected in (("en", en), ("ru", ru)):
        trigger = examples.example_of("abandoned_product", locale)
        items = [msgspec.structs.replace(item, old_price=99.0) for item in trigger.content.items]
        trigger.content = Content(items=items, bonus=bonus)
        texts = templates.render("abandoned_product", trigger, "https://shop.example/u/x")
        for text in (texts.text, texts.html):
            assert expected in text.replace("\u00a0", " ")
        assert "(99)" in texts.text
        assert "99</s>" in texts.html
        trigger.content = Content(items=trigger.content.items)
        assert expected not in templates.render("abandoned_product", trigger, "https://shop.example/u/x").text


def take(table, *products, anew=False):
    table.run(0, lambda step: offers.take(step, Offered(0.0, list(products), anew)))


def test_what_the_catalogue_told_is_kept_replaced_and_forgotten():
    table = MemoryTable(lambda _number, _output: None)
    rows = table.partition(0).rows
    take(table, *((f"p{number}", 0.0 if number % 2 else 5.0, 9.0) for number in range(2_000)))
    assert [offer_of(rows.get, f"p{number}").price for number in range(4)] == [5.0, 0.0, 5.0, 0.0]
    assert offer_of(rows.get, "other") is None
    take(table, ("p1", 5.0, 5.0), ("p2", 3.0, 4.0), ("p3", 5.0, 0.0))
    assert (offer_of(rows.get, "p1"), offer_of(rows.get, "p2"), offer_of(rows.get, "p3")) == (None, (3.0, 4.0), None)
    assert offer_of(rows.get, "p4") == (5.0, 9.0)
    take(table, ("p7", 0.0, 0.0), anew=True)
    assert len(rows) == 1
    take(table, ("p7", 1.0, 0.0))
    assert len(rows) == 0


def test_of_too_many_products_those_told_first_are_forgotten(monkeypatch):
    monkeypatch.setattr(offers, "_digest", lambda name: b"same" + name.encode().rjust(4))
    monkeypatch.setattr(offers, "MOST", 3)
    table = MemoryTable(lambda _number, _output: None)
    take(table, *((f"p{number}", 0.0, 0.0) for number in range(5)))
    known = [offer_of(table.partition(0).rows.get, f"p{number}") is not None for number in range(5)]
    assert known == [False, False, True, True, True]


def test_what_a_message_showed_changes_nothing_of_what_is_known():
    """A reduction that is over is shown no more, though an earlier message of the journey showed it."""
    says = "  - message: {channel: email, template: hello, show: {items: begun, prefer: [discounted]}}\n"
    text = (
        "id: more\nversion: 1\ntitle: More\nfamily: more\npriority: 1\ncap: 0s\nreentry: always\nunless: {order_within: 0s}\n"
        f"entry: {{event: Wished}}\nexit_on: end\nsteps:\n  - delay: 1h\n{says}  - delay: 5d\n{says}"
    )
    shop = Engine([parse(text)], partitions=1, delivers=True)
    shop.subscriber()
    told(shop, ("lamp", 60.0, 100.0))
    shop.event("Wished", product_id="lamp", name="Lamp", price=100.0)
    shop.wait(2 * HOUR)
    told(shop, ("lamp", 100.0, 0.0))
    shop.wait(6 * DAY)
    assert [[(line.price, line.old_price) for line in one.content.items] for one in shop.triggers] == [
        [(60.0, 100.0)],
        [(100.0, 0.0)],
    ]


def test_a_bonus_is_told_of_no_longer_once_its_day_is_over_anywhere():
    customer = Customer(1.0, 1.0, 1.0, engagement=Engagement(traits={"bonus_expires": "2026-05-17"}))
    far_east = datetime(2026, 5, 18, 0, 1, tzinfo=ZoneInfo("Asia/Kamchatka")).timestamp()
    assert bonus_of(customer, far_east) is None
    assert bonus_of(customer, far_east - 5 * HOUR) is not None
