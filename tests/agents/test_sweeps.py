"""A change of the catalogue comes to those whom it is news to: who is found, in slices, and once."""

from collections import Counter

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.scenarios.load import parse
from agents.walking import order_of
from app.codec import encode_json
from app.model.catalogue import Change, ChangeKind
from app.model.link import Changes
from app.topics import LINKS, partition_of
from tables.customer import SWEEP_PREFIX, Shelf, Sweep
from tables.glance import may_know
from tests.driver import DAY, HOUR, Engine

HEAD = """\
id: cheaper
version: 1
title: Cheaper
family: catalogue
priority: 50
reentry: 7d
cap: 0s
unless: {order_within: 0s}
"""
GREETS = "steps: [{message: {channel: email, template: hello}}]\n"
DROP = "entry: {catalogue: {change: price_drop, at_least: 10%}}\n" + GREETS


def shop_of(text=DROP, *, slice_=None, people=("u1",)):
    shop = Engine([parse(HEAD + text)], delivers=True)
    if slice_ is not None:
        shop.behaviour.sweeps._slice = slice_
    for name in people:
        shop.subscriber(name)
    return shop


def changed(shop, *changes, id="i1", at=None):
    """Tell every partition of changes: (product, price, old price), or one of another kind."""
    at = shop.clock.now() if at is None else at
    found = [
        one
        if isinstance(one, Change)
        else Change(f"{id}-{one[0]}", ChangeKind.PRICE_DROP, one[0], at, one[1], one[2], "EUR")
        for one in changes
    ]
    value = encode_json(Changes(id, at, found))
    keys = {}
    for number in range(1000):
        keys.setdefault(partition_of(f"k{number}", shop.partitions), f"k{number}")
    for number in range(shop.partitions):
        shop.record(LINKS.name, keys[number], value)


def rows_of(shop, kind):
    return [row for _, row in shop.table.rows() if isinstance(row, kind)]


def test_who_looked_at_what_costs_less_now_hears_of_both_prices():
    shop = shop_of(people=("u1", "u2"))
    shop.view("lamp", "u1", name="Lamp")
    shop.view("sofa", "u2")
    shop.wait(DAY)
    changed(shop, ("lamp", 8.0, 10.0))
    shop.wait(HOUR)
    (trigger,) = shop.triggers
    assert (trigger.customer, trigger.content.currency) == ("u1", "EUR")
    (line,) = trigger.content.items
    assert (line.product_id, line.name, line.price, line.old_price) == ("lamp", "Lamp", 8.0, 10.0)
    assert rows_of(shop, Sweep) == []  # the walk is over


def test_what_lies_in_the_cart_counts_and_the_largest_fall_comes_first():
    shop = shop_of()
    shop.add("lamp")
    shop.view("sofa")
    changed(shop, ("lamp", 8.0, 10.0), ("sofa", 50.0, 100.0))
    shop.wait(HOUR)
    (trigger,) = shop.triggers
    assert [line.product_id for line in trigger.content.items] == ["sofa", "lamp"]


@pytest.mark.parametrize("price", [9.5, 10.0, 12.0])
def test_a_price_that_fell_too_little_is_no_news(price):
    shop = shop_of()
    shop.view("lamp")
    changed(shop, ("lamp", price, 10.0))
    shop.wait(HOUR)
    assert shop.fired == []
    assert shop.reasons("cheaper") == []


def test_what_was_bought_or_viewed_long_ago_is_no_news():
    shop = shop_of(people=("u1", "u2"))
    shop.view("lamp", "u2")
    shop.wait(31 * DAY)
    shop.view("lamp", "u1")
    shop.wait(HOUR)
    shop.order("u1", products=[{"product_id": "lamp"}])
    changed(shop, ("lamp", 5.0, 10.0))
    shop.wait(HOUR)
    assert shop.fired == []


def test_a_change_that_nobody_listens_to_begins_no_walk():
    shop = shop_of()
    shop.view("lamp")
    back = Change("c", ChangeKind.BACK_IN_STOCK, "lamp", shop.clock.now(), 10.0)
    gone = Change("d", ChangeKind.PRICE_DROP, "lamp", shop.clock.now(), 5.0, 10.0, available=False)
    changed(shop, back, gone)
    assert rows_of(shop, Sweep) == []
    shop.wait(HOUR)
    assert shop.fired == []
    assert shop.behaviour.sweeps.counts == Counter(unheard=shop.partitions)


def test_goods_that_are_back_begin_a_journey_for_each_product():
    text = "entry: {catalogue: {change: back_in_stock}}\nper: product\n" + GREETS
    shop = shop_of(text)
    shop.view("lamp")
    shop.view("sofa")
    now = shop.clock.now()
    back = [Change(name, ChangeKind.BACK_IN_STOCK, name, now, 10.0) for name in ("lamp", "sofa")]
    changed(shop, *back)
    shop.wait(HOUR)
    assert sorted(trigger.content.items[0].product_id for trigger in shop.triggers) == ["lamp", "sofa"]
    assert {line.old_price for trigger in shop.triggers for line in trigger.content.items} == {0.0}


def test_a_change_of_long_ago_is_too_late_and_the_journal_says_so():
    shop = shop_of("max_lateness: 2h\n" + DROP)
    shop.view("lamp")
    at = shop.clock.now()
    shop.wait(3 * HOUR)
    changed(shop, ("lamp", 5.0, 10.0), at=at)
    shop.wait(HOUR)
    assert shop.fired == []
    assert shop.reasons("cheaper") == ["too_late"]


def test_within_the_time_of_reentry_it_is_told_and_not_said():
    shop = shop_of()
    shop.view("lamp")
    changed(shop, ("lamp", 8.0, 10.0))
    shop.wait(DAY)
    changed(shop, ("lamp", 5.0, 8.0), id="i2")
    shop.wait(DAY)
    assert shop.fired == ["cheaper"]
    assert shop.reasons("cheaper")[-1] == "reentry"


def test_a_record_that_comes_twice_begins_one_walk():
    shop = shop_of(slice_=1, people=[f"u{number}" for number in range(20)])
    for number in range(20):
        shop.view("lamp", f"u{number}")
    changed(shop, ("lamp", 5.0, 10.0))
    changed(shop, ("lamp", 5.0, 10.0))
    assert len(rows_of(shop, Sweep)) == shop.partitions
    shop.wait(HOUR)
    assert sorted(Counter(trigger.customer for trigger in shop.triggers).values()) == [1] * 20


def test_a_walk_looks_at_no_more_than_a_slice_in_a_step_and_events_go_on_meanwhile():
    people = [f"u{number}" for number in range(40)]
    shop = shop_of(slice_=3, people=people)
    for name in people:
        shop.view("lamp", name)
    changed(shop, ("lamp", 5.0, 10.0))
    shop.wait(0)
    looked = shop.behaviour.sweeps.counts["looked_at"]
    assert 0 < looked <= 3 * shop.partitions
    last = max(people, key=order_of)
    shop.order(last, products=[{"product_id": "lamp"}])  # who changes during the walk is seen as he is by then
    shop.wait(HOUR)
    assert {trigger.customer for trigger in shop.triggers} == set(people) - {last}


def test_one_customer_whose_decision_fails_keeps_nobody_else_from_hearing(monkeypatch):
    shop = shop_of(people=("u1", "u2", "u3"))
    for name in ("u1", "u2", "u3"):
        shop.view("lamp", name)
    decide = shop.decider.on_change

    def failing(key, *rest):
        if key == "u2":
            raise RuntimeError("broken")
        return decide(key, *rest)

    monkeypatch.setattr(shop.decider, "on_change", failing)
    changed(shop, ("lamp", 5.0, 10.0))
    shop.wait(HOUR)
    assert {trigger.customer for trigger in shop.triggers} == {"u1", "u3"}
    assert [line.customer for line in shop.journal if line.reason == "decision_failed"] == ["u2"]


def test_a_walk_goes_over_customers_and_leaves_shelves_alone():
    shop = shop_of()
    shop.view("lamp", category="lamps")
    assert rows_of(shop, Shelf)
    changed(shop, ("lamp", 5.0, 10.0))
    shop.wait(HOUR)
    assert shop.fired == ["cheaper"]
    assert shop.behaviour.sweeps.counts["looked_at"] == sum(key[0] != "\x00" for key, _ in shop.table.rows())


def test_walks_of_one_import_take_turns_and_each_step_looks_at_one_slice():
    people = [f"u{number}" for number in range(40)]
    shop = shop_of(slice_=3, people=people)
    for name in people:
        shop.view(f"p{int(name[1:]) % 5}", name)
    at = shop.clock.now()
    for number in range(5):
        changed(shop, (f"p{number}", 5.0, 10.0), id=f"i{number}", at=at)
    shop.wait(0)
    assert 0 < shop.behaviour.sweeps.counts["looked_at"] <= 3 * shop.partitions
    assert shop.behaviour.sweeps.counts["begun"] == 5 * shop.partitions
    shop.wait(HOUR)
    assert Counter(trigger.customer for trigger in shop.triggers) == Counter(people)
    assert not rows_of(shop, Sweep)
    assert shop.behaviour.sweeps.counts["ended"] == 5 * shop.partitions


def test_a_row_that_cannot_be_read_keeps_nobody_else_from_hearing(monkeypatch):
    people = [f"u{number}" for number in range(20)]
    shop = shop_of(slice_=5, people=people)
    for name in people:
        shop.view("lamp", name)
    bad = shop.table.partition(partition_of("u7", shop.partitions)).packed.cells["u7"].packed

    def broken(packed, *rest, **more):
        if packed == bad:
            raise ValueError("broken")
        return may_know(packed, *rest, **more)

    monkeypatch.setattr("agents.sweeps.may_know", broken)
    changed(shop, ("lamp", 5.0, 10.0))
    shop.wait(HOUR)
    told = [line.customer for line in shop.journal if line.reason == "journey_begun"]
    assert sorted(told) == sorted(trigger.customer for trigger in shop.triggers) == sorted(set(people) - {"u7"})
    assert [line.customer for line in shop.journal if line.reason == "decision_failed"] == ["u7"]


def test_the_order_of_many_customers_is_made_in_parts_and_each_is_looked_at_once(monkeypatch):
    monkeypatch.setattr("agents.walking.PART", 3)
    people = [f"u{number}" for number in range(40)]
    shop = shop_of(slice_=4, people=people)
    for name in people:
        shop.view("lamp", name)
    changed(shop, ("lamp", 5.0, 10.0))
    shop.wait(0.0)
    assert shop.behaviour.sweeps.counts["looked_at"] == 0
    shop.wait(HOUR)
    assert Counter(trigger.customer for trigger in shop.triggers) == Counter(people)
    told = [line.customer for line in shop.journal if line.reason == "journey_begun"]
    for number in range(shop.partitions):
        mine = [name for name in told if partition_of(name, shop.partitions) == number]
        assert mine == sorted(mine, key=order_of)


def test_two_customers_of_one_place_in_the_order_are_looked_at_in_one_slice(monkeypatch):
    monkeypatch.setattr("agents.walking.order_of", lambda key: order_of(key) % 5)
    people = [f"u{number}" for number in range(12)]
    shop = shop_of(slice_=1, people=people)
    for name in people:
        shop.view("lamp", name)
    changed(shop, ("lamp", 5.0, 10.0))
    for _ in range(12):
        for part in shop.table.parts.values():
            shop.behaviour.sweeps.forget(part.number)
        shop.wait(0.06)
    shop.wait(HOUR)
    assert Counter(trigger.customer for trigger in shop.triggers) == Counter(people)


def test_a_decision_that_fails_half_way_leaves_the_customer_as_he_was(monkeypatch):
    shop = shop_of(people=("u1",))
    shop.view("lamp")
    decide, before = shop.decider.on_change, msgspec.msgpack.encode(shop.customer())

    def failing(key, customer, *rest):
        decide(key, customer, *rest)
        raise RuntimeError("broken")

    monkeypatch.setattr(shop.decider, "on_change", failing)
    changed(shop, ("lamp", 5.0, 10.0))
    shop.wait(HOUR)
    assert shop.triggers == []
    assert msgspec.msgpack.encode(shop.customer()) == before


def test_who_has_seen_the_new_price_already_is_told_nothing():
    shop = shop_of(people=("u1", "u2"))
    for name in ("u1", "u2"):
        shop.view("lamp", name)
    at = shop.clock.now()
    shop.wait(5.0)
    shop.view("lamp", "u2")
    changed(shop, ("lamp", 5.0, 10.0), at=at + 1.0)
    shop.wait(HOUR)
    assert [trigger.customer for trigger in shop.triggers] == ["u1"]


@settings(max_examples=40, deadline=None)
@given(
    interested=st.lists(st.booleans(), min_size=1, max_size=30),
    slice_=st.integers(1, 40),
    forgotten=st.lists(st.booleans(), max_size=30),
)
def test_in_whatever_slices_and_whatever_is_restored_between_them_each_enters_once(interested, slice_, forgotten):
    people = [f"u{number}" for number in range(len(interested))]
    shop = shop_of(slice_=slice_, people=people)
    for name, wants in zip(people, interested, strict=True):
        shop.view("lamp" if wants else "sofa", name)
    changed(shop, ("lamp", 5.0, 10.0))
    for word in forgotten:
        if word:  # what a process that is started again has not: the order of keys, and the timers
            for part in shop.table.parts.values():
                shop.behaviour.sweeps.forget(part.number)
                part.packed.close()
                part.rebuild_timers(shop.behaviour.wake_of)
        shop.wait(0.03)
    shop.wait(HOUR)
    wanted = {name for name, wants in zip(people, interested, strict=True) if wants}
    assert Counter(trigger.customer for trigger in shop.triggers) == Counter(wanted)
    assert not any(key.startswith(SWEEP_PREFIX) for key, _ in shop.table.rows())
