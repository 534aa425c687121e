"""What no scenario reads is not kept, and no message is another one by that."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.scenarios.load import load_folder, parse
from agents.scenarios.needs import asks_presence, unread
from app.clock import moment
from app.codec import encode_json
from app.model.event import Event
from tests.agents.test_dialogs import room
from tests.driver import BUILT_IN, DAY, Engine
from tests.properties.test_core import HISTORIES, play, told

SCENARIOS = {scenario.id: scenario for scenario in load_folder(BUILT_IN)}
VIEW, SEARCH = "Product Viewed", "Products Searched"


@pytest.mark.parametrize(
    ("names", "events"),
    [
        ([], {VIEW, SEARCH}),
        (["abandoned_cart"], {VIEW, SEARCH}),
        (["abandoned_product"], {SEARCH}),
        (["abandoned_category"], {SEARCH}),
        (["abandoned_search"], set()),
        (list(SCENARIOS), set()),
    ],
    ids=["nothing", "cart", "product", "category", "search", "all"],
)
def test_events_that_no_scenario_reads_are_known(names, events):
    assert unread(SCENARIOS[name] for name in names) == events


@pytest.mark.parametrize(
    ("names", "asked"),
    [
        ([], False),
        (["abandoned_cart"], False),
        (["abandoned_product"], True),
        (["abandoned_search"], True),
        (["abandoned_cart", "abandoned_category"], True),
    ],
    ids=["nothing", "cart", "product", "search", "two of a family"],
)
def test_whether_it_matters_when_a_customer_was_last_there_is_known(names, asked):
    assert asks_presence(SCENARIOS[name] for name in names) == asked


def test_two_of_a_family_ask_when_the_silence_between_them_ended():
    cart = SCENARIOS["abandoned_cart"]
    assert asks_presence([cart, msgspec.structs.replace(cart, id="another")])
    assert not asks_presence([cart, msgspec.structs.replace(cart, id="another", family="others")])


def test_an_alert_to_the_team_shows_when_the_customer_was_last_there():
    head = "id: told\nversion: 1\ntitle: T\nfamily: tellers\npriority: 1\nentry: {event: Order Completed}\n"
    assert asks_presence([parse(head + "steps: [{alert: {text: Call}}]\n")])
    assert not asks_presence([parse(head + "steps: [{delay: 1h}, {tag: {add: [x]}}]\n")])


def seen(shop, key="u1"):
    return next(row for part in shop.table.parts.values() for name, row in part.packed.unpacked() if name == key)


def test_who_is_merely_there_is_noted_once_a_day_where_nobody_asks_for_more():
    shop = Engine([SCENARIOS["abandoned_cart"]])
    shop.event("Product Added", product_id="p1")
    added = shop.clock.now()
    shop.wait(1.0)
    shop.event("", type="page")
    assert seen(shop).last_seen == added
    shop.wait(2 * DAY)
    shop.event("", type="page")
    now = shop.clock.now()
    assert seen(shop).last_seen == now - now % DAY
    shop.wait(1.0)
    shop.event("Product Added", product_id="p2")
    assert seen(shop).last_seen == now + 1.0


def test_a_glance_makes_no_customer_of_a_clock_nor_of_what_cannot_be_a_key():
    shop = Engine([SCENARIOS["abandoned_cart"]])
    stamp = moment(shop.clock.now())
    shop.record("clickstream", "u1", encode_json(Event("clock", stamp)))
    shop.record("clickstream", "\x00shelf:lamps", encode_json(Event("page", stamp)))
    assert list(shop.table.rows()) == []
    assert [letter.reason for letter in shop.dead] == ["bad_record"]


@pytest.mark.parametrize("field", ['"properties":5', '"messageId":7', '"userId":[1]', '"anonymousId":{}', '"traits":3'])
def test_what_is_no_event_is_none_by_a_glance_either(field):
    shop = Engine([SCENARIOS["abandoned_cart"]])
    stamp = encode_json(moment(shop.clock.now())).decode()
    shop.record("clickstream", "u1", f'{{"type":"page","timestamp":{stamp},{field}}}'.encode())
    assert [letter.reason for letter in shop.dead] == ["bad_record"]
    assert list(shop.table.rows()) == []


def test_who_is_merely_there_is_noted_to_the_second_where_a_scenario_waits_from_leaving():
    shop = Engine([SCENARIOS["abandoned_product"]])
    shop.event("Product Viewed", product_id="p1")
    shop.wait(30.0)
    shop.event("", type="page")
    assert seen(shop).last_seen == shop.clock.now()


def cart_alone(*, everything):
    shop = Engine([SCENARIOS["abandoned_cart"]], delivers=True)
    if everything:
        shop.decider.read_all()
    shop.subscriber()
    return shop


@given(HISTORIES, st.booleans())
@settings(max_examples=200, deadline=None)
def test_a_cart_is_reminded_of_in_the_same_way_whether_views_are_kept_or_not(history, twice):
    lean, whole = cart_alone(everything=False), cart_alone(everything=True)
    for shop in (lean, whole):
        play(history, shop, twice=twice)
        shop.wait(2 * DAY)
    assert told(lean) == told(whole)
    assert lean.journal == whole.journal


def test_where_alerts_show_what_a_client_has_looked_at_views_are_kept():
    shop = room(scenarios=[SCENARIOS["abandoned_cart"]])
    shop.event(VIEW, product_id="p1")
    rows = [row for part in shop.table.parts.values() for key, row in part.packed.unpacked() if key == "u1"]
    assert [view.product.product_id for view in rows[0].views] == ["p1"]
