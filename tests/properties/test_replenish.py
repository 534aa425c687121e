"""When a product is needed again is what a batch over all orders would find, in whatever order they were told."""

from statistics import median

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.scenarios.load import parse
from app.codec import encode_json
from app.model.reasons import Reason
from tables import purchases
from tests.driver import DAY, Engine

SCENARIO = """\
id: again
version: 1
title: Soon used up
family: again
priority: 10
entry:
  replenish: {of: product, ahead: 2d}
reentry: always
steps:
  - delay: 30d
"""
PRODUCTS = ("tea", "rice", "milk")

ORDERS = st.lists(
    st.tuples(
        st.sets(st.sampled_from(PRODUCTS), min_size=1),
        st.sampled_from([0.0, 0.3, 1.0, 2.0, 5.0, 7.0, 29.0, 31.0, 90.0]),  # days that pass before it is told
        st.sampled_from([0.0, 0.0, 0.0, 0.5, 3.0, 40.0]),  # days that it is told late
    ),
    max_size=20,
)


def play(orders):
    shop = Engine([parse(SCENARIO)])
    bought = {name: set() for name in PRODUCTS}
    for products, wait, late in orders:
        shop.wait(wait * DAY)
        at = shop.clock.now() - late * DAY
        shop.order("u1", at=at, total=1.0, products=[{"product_id": name} for name in sorted(products)])
        for name in products:
            bought[name].add(at)
        yield shop, bought


def batch(times):
    """(last times, the next moment) of a product by all orders that are known."""
    last = sorted(times)[-purchases.TIMES :]
    starts = []
    for at in last:
        if not starts or at - starts[-1] >= DAY:
            starts.append(at)
    gaps = [starts[index] - starts[index - 1] for index in range(1, len(starts))]
    return last, starts[-1] + median(gaps) - 2 * DAY if len(gaps) >= 2 else None


@given(ORDERS)
@settings(max_examples=150, deadline=None)
def test_the_next_moment_equals_a_batch_over_all_orders_at_any_time(orders):
    for shop, bought in play(orders):
        customer = shop.customer()
        kept = {item.name: item for item in (customer.engagement.bought or ())}
        dues = []
        for name, times in bought.items():
            if not times:
                continue
            last, due = batch(times)
            assert kept[name].times == last
            if due is not None and due > max(last[-1], kept[name].decided):
                dues.append(due)
        journeys = [journey.due for journey in customer.engagement.journeys or ()]
        assert shop.decider.wake_of(customer) == min([*dues, *journeys], default=None)


@given(ORDERS)
@settings(max_examples=100, deadline=None)
def test_no_journey_is_left_about_what_was_bought_since_it_began(orders):
    for shop, bought in play(orders):
        for journey in shop.customer().engagement.journeys or ():
            assert max(bought[journey.key]) <= journey.at
    begun = (
        [(line.detail["key"], line.at) for line in shop.journal if line.reason == Reason.JOURNEY_BEGUN]
        if orders
        else []
    )
    assert len(set(begun)) == len(begun)


@given(ORDERS)
@settings(max_examples=40, deadline=None)
def test_one_log_played_twice_gives_one_journal(orders):
    runs = []
    for _ in range(2):
        played = [shop for shop, _ in play(orders)]
        for shop in played[-1:]:
            shop.wait(100 * DAY)
            runs.append([encode_json(line) for line in shop.journal])
    assert runs[:1] == runs[1:]
