"""Conditions: what each asks, what it says of itself, and what is wrong with one, with its line."""

from datetime import UTC, datetime
from math import inf
from zoneinfo import ZoneInfo

import msgspec
import pytest

from agents.conditions.compile import compiled, kept_events, lasting, windows
from agents.conditions.faults import condition_faults
from agents.conditions.language import HEADS, ConditionFile
from agents.conditions.verdict import Facts, Verdict
from agents.scenarios.document import read_document
from agents.scenarios.language import ScenarioError
from agents.scenarios.load import parse
from agents.scenarios.schema import scenario_schema
from agents.scenarios.shape import misfits
from app.model.event import Event, Properties
from tables.apply import apply
from tables.customer import Customer, Device, Orders, Permission, Profile
from tables.engagement import Engagement
from tests.driver import Engine

DAY, NOW = 86_400.0, 1_800_000_000.0


def event(name, **properties):
    return Event("track", datetime(2026, 1, 1, tzinfo=UTC), name, name, properties=Properties(**properties))


def condition(text):
    value = read_document(text).value
    assert not misfits(value, ConditionFile)
    assert not [*condition_faults(value, (), of_segment="rfm" in text)]
    return compiled(msgspec.convert(value, ConditionFile))


def viewer(*views):
    """A customer who has viewed (product, category, seconds ago)."""
    customer = Customer()
    for product, category, ago in sorted(views, key=lambda view: -view[2]):
        apply(customer, event("Product Viewed", product_id=product, category=category), NOW - ago)
    return customer


def shopper(**fields):
    return Customer(first_seen=1.0, last_seen=NOW - 10 * DAY, **fields)


BUYER = shopper(orders=Orders(4, 1_000.0, NOW - 100 * DAY, NOW - 20 * DAY, [], 3, 300.0, 3))
KNOWN = shopper(
    profile=Profile(email="ann@shop.example", city="Moscow", devices=[Device("webpush", "a b c", 1.0)]),
    consent={"email": Permission(False, 1.0), "sms": Permission(True, 1.0)},
    engagement=Engagement(
        {"loyal": 1.0},
        NOW + 5,
        1,
        NOW,
        {"Wish Added": [NOW - 90, NOW - 60, NOW - 30]},
        tags={"asleep": 1.0},
        traits={"level": "Gold", "points": 100.0, "vip": True},
    ),
)


@pytest.mark.parametrize(
    ("text", "customer", "expected"),
    [
        ("{profile: city, is: moscow}", KNOWN, Verdict(True)),
        ("{profile: city, in: [Paris, Rome]}", KNOWN, Verdict(False)),
        ("{profile: phone, exists: false}", KNOWN, Verdict(True)),
        ("{profile: email, exists: true}", BUYER, Verdict(False)),
        ("{trait: level, is: gold}", KNOWN, Verdict(True)),
        ("{trait: level, in: [silver, bronze]}", KNOWN, Verdict(False)),
        ("{trait: level, exists: true}", BUYER, Verdict(False)),
        ("{trait: coupon, exists: false}", KNOWN, Verdict(True)),
        ("{trait: vip, is: true}", KNOWN, Verdict(True)),
        ("{trait: points, at_least: 100, below: 101}", KNOWN, Verdict(True)),
        ("{trait: points, above: 100}", KNOWN, Verdict(False)),
        ("{trait: points, at_most: 100}", BUYER, Verdict(False)),
        ("{trait: vip, at_least: 1}", KNOWN, Verdict(False)),
        ("{trait: level, at_least: 0}", KNOWN, Verdict(False)),
        ("{tag: asleep}", KNOWN, Verdict(True)),
        ("{tag: greeted}", KNOWN, Verdict(False)),
        ("{tag: asleep}", BUYER, Verdict(False)),
        ("{consent: email, is: refused}", KNOWN, Verdict(True)),
        ("{consent: push, is: unknown}", KNOWN, Verdict(True)),
        ("{consent: 'sms:news', is: granted}", KNOWN, Verdict(True)),
        ("{device: webpush}", KNOWN, Verdict(True)),
        ("{device: fcm}", KNOWN, Verdict(False)),
        ("{segment: loyal}", KNOWN, Verdict(True, NOW + 5)),
        ("{segment: loyal}", BUYER, Verdict(False)),
        ("{orders: count, at_least: 4}", BUYER, Verdict(True)),
        ("{orders: average, above: 250}", BUYER, Verdict(False)),
        ("{orders: days, at_most: 3}", BUYER, Verdict(True)),
        ("{orders: discounted, at_least: 0.75}", BUYER, Verdict(True)),
        ("{orders: discounted, above: 0.75}", BUYER, Verdict(False)),
        ("{orders: discounted, at_most: 0}", KNOWN, Verdict(True)),
        ("{orders: total, below: 1}", KNOWN, Verdict(True)),
        ("{orders: days_since_last, at_least: 20}", BUYER, Verdict(True)),
        ("{orders: days_since_last, at_least: 21}", BUYER, Verdict(False, NOW + DAY)),
        ("{orders: days_since_last, at_most: 20}", BUYER, Verdict(True, NOW + DAY)),
        ("{orders: days_since_last, below: 20}", BUYER, Verdict(False)),
        ("{orders: days_since_first, above: 100}", BUYER, Verdict(False, NOW + DAY)),
        ("{orders: days_since_last, at_least: 0}", KNOWN, Verdict(False)),
        ("{seen_within: 11d}", BUYER, Verdict(True, NOW + DAY)),
        ("{seen_within: 10d}", BUYER, Verdict(False)),
        ("{not: {seen_within: 11d}}", BUYER, Verdict(False, NOW + DAY)),
        ("{rfm: r, at_least: 5}", BUYER, Verdict(True, NOW + 10 * DAY)),
        ("{rfm: f, at_least: 3, at_most: 3}", BUYER, Verdict(True)),
        ("{rfm: m, at_least: 4}", BUYER, Verdict(True)),
        ("{rfm: m, at_least: 1}", KNOWN, Verdict(False)),
        ("{happened: Wish Added, at_least: 2, within: 100s}", KNOWN, Verdict(True, NOW - 60 + 100)),
        ("{happened: Wish Added, at_least: 4}", KNOWN, Verdict(False)),
        ("{happened: Wish Added, at_most: 1, within: 100s}", KNOWN, Verdict(False, NOW - 60 + 100)),
        ("{happened: ordered, within: 21d}", BUYER, Verdict(True, NOW + DAY)),
        ("{cart: value, at_least: 1}", KNOWN, Verdict(False)),
    ],
)  # fmt: skip
def test_a_condition_says_whether_it_holds_and_until_when_that_is_sure(text, customer, expected):
    assert condition(text).holds(Facts(customer, NOW)) == expected


def test_views_are_counted_in_a_window_and_of_one_category():
    customer = viewer(("a", "Shoes", 100), ("b", "Shoes", 50), ("c", "Hats", 40), ("d", "Shoes", 10), ("e", "Hats", 5))
    text = "{happened: product_viewed, at_least: 3, within: 30m, same: category}"
    assert condition(text).holds(Facts(customer, NOW)) == Verdict(True, NOW - 100 + 1800)
    assert (
        condition("{happened: product_viewed, at_least: 5, within: 2m}").holds(Facts(customer, NOW)).until == NOW + 20
    )
    assert condition("{happened: product_viewed, at_least: 3, category: Hats}").holds(Facts(customer, NOW)) == (
        False,
        inf,
    )


def test_the_cart_is_measured():
    customer = Customer()
    for product, quantity in (("a", 2), ("b", 1)):
        apply(customer, event("Product Added", product_id=product, price=10.0, quantity=quantity), NOW)
    facts = Facts(customer, NOW)
    assert condition("{cart: value, at_least: 30, at_most: 30}").holds(facts).value
    assert condition("{cart: lines, below: 3}").holds(facts).value
    assert condition("{cart: quantity, above: 2}").holds(facts).value
    assert not condition("{cart: value, above: 30}").holds(facts).value


def test_the_event_at_hand_is_asked_and_without_one_nothing_holds():
    facts = Facts(Customer(), NOW, Properties(total=700.0, category="Shoes"))
    assert condition("{event: total, at_least: 700}").holds(facts).value
    assert condition("{event: category, in: [shoes, hats]}").holds(facts).value
    assert condition("{event: query, exists: false}").holds(facts).value
    assert not condition("{event: total, at_least: 0}").holds(Facts(Customer(), NOW)).value


def test_the_time_is_that_of_the_customer():
    moscow = ZoneInfo("Europe/Moscow")
    friday_night = datetime(2026, 11, 27, 21, 30, tzinfo=UTC).timestamp()  # in Moscow it is Saturday
    weekend = condition("{time: weekday, in: [sat, sun]}")
    assert not weekend.holds(Facts(Customer(), friday_night)).value
    assert weekend.holds(Facts(Customer(), friday_night, zone=moscow)) == Verdict(True, friday_night + 23.5 * 3600)
    assert condition("{time: hour, at_least: 0, below: 1}").holds(
        Facts(Customer(), friday_night, zone=moscow)
    ) == Verdict(True, friday_night + 1800)


def test_joined_conditions_are_sure_for_as_long_as_what_decides_them():
    facts = Facts(BUYER, NOW)
    both = "{%s: [{seen_within: 11d}, {orders: days_since_last, at_least: 25}, {orders: count, at_least: 9}]}"
    assert condition(both % "all").holds(facts) == Verdict(False, inf)
    assert condition(both % "any").holds(facts) == Verdict(True, NOW + DAY)
    assert (
        condition("{all: [{seen_within: 11d}, {orders: days_since_last, at_most: 24}]}").holds(facts).until == NOW + DAY
    )


def test_a_condition_tells_what_it_saw():
    facts = Facts(BUYER, NOW)
    assert condition("{orders: count, at_least: 9}").told(facts) == "the orders' count is 4, and is to be at least 9"
    text = "{all: [{orders: count, at_least: 4}, {cart: value, at_least: 5000}]}"
    assert condition(text).told(facts) == "the cart's value is 0, and is to be at least 5,000"
    assert "20 days ago" in condition("{orders: days_since_last, at_least: 30}").told(facts)
    assert "ann@shop.example" not in condition("{profile: email, exists: false}").told(Facts(KNOWN, NOW))
    for text in (
        "{not: {segment: loyal}}", "{any: [{device: fcm}, {consent: email, is: granted}]}", "{rfm: r, at_least: 2}",
        "{happened: searched, within: 1d}", "{time: hour, below: 5}", "{seen_within: 1d}", "{event: total, above: 1}",
    ):  # fmt: skip
        assert len(condition(text).told(facts)) > 10


EVERY_KIND = [
    "{profile: city, is: Moscow}",
    "{trait: level, is: gold}",
    "{trait: points, above: 3}",
    "{tag: asleep}",
    "{cart: value, at_least: 1}",
    "{orders: count, at_least: 4}",
    "{orders: days_since_last, at_least: 4}",
    "{event: total, above: 1}",
    "{happened: Wish Added, within: 2d}",
    "{happened: product_viewed, at_least: 3, within: 30m, same: category}",
    "{segment: loyal}",
    "{rfm: r, at_least: 4}",
    "{device: webpush}",
    "{consent: email, is: granted}",
    "{time: hour, in: [9]}",
    "{seen_within: 2d}",
    "{not: {tag: asleep}}",
    "{all: [{tag: asleep}, {segment: loyal}]}",
    "{any: [{tag: asleep}, {segment: loyal}]}",
]


def test_conditions_of_the_same_words_are_equal_and_all_others_are_not():
    first, second = map(condition, EVERY_KIND), map(condition, EVERY_KIND)
    assert dict(zip(first, EVERY_KIND, strict=True)) == dict(zip(second, EVERY_KIND, strict=True))
    assert len({*map(condition, EVERY_KIND)}) == len(EVERY_KIND)
    assert {word.partition(":")[0].strip("{") for word in EVERY_KIND} == set(HEADS)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("{seen_within: 2d}", "{seen_within: 3d}"),
        ("{cart: value, at_least: 1}", "{cart: value, above: 1}"),
        ("{trait: level, is: gold}", "{trait: level, is: silver}"),
        ("{happened: Wish Added, within: 2d}", "{happened: Wish Added}"),
        ("{all: [{tag: a}, {tag: b}]}", "{any: [{tag: a}, {tag: b}]}"),
        ("{not: {tag: a}}", "{not: {tag: b}}"),
    ],
)
def test_conditions_that_ask_for_something_else_are_not_equal(one, other):
    assert condition(one) != condition(other)


def test_a_condition_on_traits_and_tags_tells_what_it_saw():
    facts = Facts(KNOWN, NOW)
    assert condition("{trait: level, is: silver}").told(facts) == "the trait level is Gold, and is to be silver"
    assert (
        condition("{trait: points, at_least: 200}").told(facts)
        == "the trait points is 100.0, and is to be at least 200"
    )
    assert condition("{tag: greeted}").told(facts) == "the customer has not the tag greeted"


def test_what_has_to_be_kept_for_a_condition_is_known():
    one = condition("{any: [{happened: Wish Added}, {not: {seen_within: 2d}}, {happened: product_viewed}]}")
    assert [*kept_events(one)] == ["Wish Added"]
    assert [*windows(one)] == [2 * DAY]
    assert one.reads == {"named:Wish Added", "seen", "views"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{cart: value, orders: count, at_least: 1}", "cart and orders stand together: join them with `all`"),
        ("{at_least: 3}", "it says not what to look at"),
        ("{cart: value}", "`cart` needs what is asked of it: one of at_least"),
        ("{cart: value, is: 3}", "is: says nothing beside `cart`; there are: at_least"),
        ("{cart: worth, at_least: 3}", "cart: 'worth' is none of lines, quantity, value"),
        ("{carts: value, at_least: 3}", "carts: there is no such field; did you mean 'cart'?"),
        ("{segment: loyl}", "segment: there is no segment 'loyl'; did you mean 'loyal'?"),
        ("{happened: product_vewed}", "is neither a signal nor the name of an event"),
        ("{happened: cart_emptied}", "is a signal that nothing remembers"),
        ("{happened: searched, at_least: 6}", "only the last 5 are remembered"),
        ("{happened: ordered, at_least: 2}", "orders are counted by `orders: count`"),
        ("{happened: searched, same: category}", "no category is remembered"),
        ("{cart: value, at_least: 5, below: 3}", "no number is at least 5 and below 3"),
        ("{event: category, at_least: 3}", "`category` is no number"),
        ("{event: total, at_least: 3, is: 4}", "join two conditions with `all`"),
        ("{trait: level}", "`trait` needs what is asked of it: one of at_least"),
        ("{trait: city, is: Riga}", "this belongs to the profile: `profile: city`"),
        ("{trait: points, at_least: 3, is: 4}", "join two conditions with `all`"),
        ("{trait: points, exists: false, is: 4}", "what is unknown has no value to compare"),
        ("{tag: asleep, is: x}", "is: says nothing beside `tag`; nothing stands beside it"),
        ("{consent: email, is: given}", "'given' is none of granted"),
        ("{time: weekday, in: [friday]}", "'friday' is none of mon"),
        ("{time: hour, in: [24]}", "24 is no hour"),
        ("{orders: days_since_last, at_least: 1.5}", "whole days are counted"),
        ("{rfm: r, at_least: 6}", "scores are 1 to 5"),
        ("{seen_within: 900d}", "'900d' is longer than 400 days"),
        ("{all: []}", "at least one of them"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_condition_is_told_with_its_place(text, told):
    document = read_document("\n" + text)
    faults = [*misfits(document.value, ConditionFile), *condition_faults(document.value, (), segments=("loyal",))]
    assert any(told in document.told(fault) and "line 2" in document.told(fault) for fault in faults), faults


def test_a_scenario_asks_for_scores_by_a_segment():
    faults = [*condition_faults({"rfm": "r", "at_least": 4}, ())]
    assert "define a segment by them" in faults[0].text


def test_conditions_are_bounded():
    wide = {"any": [{"segment": "a"}] * 50}
    assert "51 conditions in one" in [*condition_faults(wide, ())][0].text
    deep = {"segment": "a"}
    for _ in range(8):
        deep = {"not": deep}
    assert "nested deeper than 8" in [*condition_faults(deep, ())][0].text


def test_a_segment_asks_neither_for_an_event_nor_for_the_hour():
    for text in ("{time: hour, below: 3}", "{event: total, above: 1}"):
        faults = [*condition_faults(read_document(text).value, (), of_segment=True)]
        assert "a segment is about the customer" in faults[0].text


RICH = """\
id: rich_cart
version: 1
title: A cart of some value was left
family: abandonment
priority: 40
absence:
  of: [cart_changed]
  for: 60m
show:
  items: cart
when:
  all:
  - {event: price, at_least: 100}
  - {cart: value, at_least: 500}
  - {not: {profile: city, is: Riga}}
cascade:
- {channel: email, template: abandoned_cart}
"""


@pytest.mark.parametrize(("price", "times", "armed"), [(300, 2, True), (300, 1, False), (90, 6, False)])
def test_a_scenario_is_armed_only_while_its_condition_holds(price, times, armed):
    shop = Engine([parse(RICH)])
    shop.subscriber()
    for number in range(times):
        shop.event("Product Added", product_id=f"p{number}", price=price, quantity=1)
    assert ("armed" in shop.reasons("rich_cart")) == armed


def test_a_condition_is_asked_again_when_the_scenario_fires_and_the_refusal_tells_why():
    shop = Engine([parse(RICH)])
    shop.subscriber()
    for name in "abc":
        shop.event("Product Added", product_id=name, price=250, quantity=1)
    shop.event("Product Removed", product_id="a")
    shop.event("Product Removed", product_id="b")
    shop.wait(2 * 3600)
    assert not shop.triggers
    refused = [line for line in shop.journal if line.reason == "condition_not_met"]
    assert [line.detail for line in refused] == [{"when": "the cart's value is 250, and is to be at least 500"}]


def test_what_was_asked_of_the_event_is_not_asked_again():
    left = lasting(
        condition(
            "{all: [{event: total, above: 3}, {cart: value, above: 3}, {any: [{event: total, above: 3}, {segment: a}]}]}"
        )
    )
    assert left.reads == {"cart"}
    assert lasting(condition("{not: {event: total, above: 3}}")) is None
    assert lasting(condition("{not: {all: [{event: total, above: 3}, {cart: value, above: 3}]}}")) is None
    assert lasting(condition("{not: {any: [{event: total, above: 3}, {cart: value, above: 3}]}}")).reads == {"cart"}
    assert lasting(condition("{not: {not: {all: [{event: total, above: 3}, {segment: a}]}}}")).reads == {"segment:a"}
    assert lasting(condition("{any: [{segment: b}, {not: {segment: a}}]}")).reads == {"segment:a", "segment:b"}


@pytest.mark.parametrize(
    "text", ["orders: days_since_last, at_least: .inf", "cart: value, at_least: .nan", "cart: null"]
)
def test_what_is_no_number_and_a_head_without_anything_are_faults(text):
    with pytest.raises(ScenarioError, match="line 13: when.all 1"):
        parse(RICH.replace("event: price, at_least: 100", text))


def test_a_fault_in_the_condition_of_a_scenario_has_its_line():
    with pytest.raises(ScenarioError, match="line 13: when.all 1.event: 'prise' is none of"):
        parse(RICH.replace("event: price", "event: prise"))


def test_editors_complete_no_more_than_a_head_takes():
    parts = scenario_schema(["email"])["$defs"]["ConditionFile"]
    by_head = {one["required"][0]: one for one in parts["oneOf"]}
    assert list(by_head) == list(HEADS)
    assert list(by_head["cart"]["properties"]) == ["cart", "at_least", "at_most", "above", "below"]
    assert parts["properties"]["cart"]["enum"] == ["lines", "quantity", "value"]
    assert all(field["description"] for field in parts["properties"].values())
