"""What a condition says of the time until which it is sure: nothing changes before, against a look at every quarter of an hour."""

from datetime import UTC, datetime
from math import inf
from zoneinfo import ZoneInfo

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.conditions.absent import facts_of, missing, sure
from agents.conditions.compile import compiled
from agents.conditions.faults import condition_faults
from agents.conditions.language import ConditionFile
from agents.conditions.verdict import Facts
from agents.scenarios.shape import misfits
from app.model.event import Event, Properties
from tables.apply import apply
from tables.customer import Customer
from tables.recent import note

HOUR, DAY = 3_600.0, 86_400.0
START = datetime(2026, 10, 24, tzinfo=UTC).timestamp()
"""Two days later clocks are put back in Europe."""
QUARTER = 900.0

counts = st.integers(0, 4)
asked = st.one_of(
    *(st.fixed_dictionaries({name: counts}) for name in ("at_least", "at_most", "above", "below")),
    st.tuples(counts, counts).map(lambda pair: {"at_least": min(pair), "at_most": max(pair)}),
)
durations = st.sampled_from(["45m", "3h", "1d", "36h", "3d"])
leaves = st.one_of(
    st.builds(lambda field, bounds: {"orders": field, **bounds}, st.sampled_from(["count", "days_since_last", "days_since_first"]), asked),
    st.builds(lambda window: {"seen_within": window}, durations),
    st.builds(
        lambda name, bounds, window: {"happened": name, "within": window, **bounds},
        st.sampled_from(["product_viewed", "searched", "Wish Added"]), asked, durations,
    ),
    st.builds(lambda bounds, window: {"happened": "product_viewed", "same": "category", "within": window, **bounds}, asked, durations),
    st.builds(lambda bounds: {"rfm": "r", **bounds}, asked.filter(lambda bounds: 0 not in bounds.values())),
    st.builds(lambda bounds: {"cart": "lines", **bounds}, asked),
    st.sampled_from([{"time": "weekday", "in": ["sat", "sun"]}, {"time": "hour", "at_least": 2, "below": 4}, {"time": "hour", "in": [0, 23]}]),
)  # fmt: skip
conditions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda some: {"all": some}),
        st.lists(inner, min_size=1, max_size=3).map(lambda some: {"any": some}),
        inner.map(lambda one: {"not": one}),
    ),
    max_leaves=5,
)
happenings = st.lists(
    st.tuples(
        st.sampled_from(["Product Viewed", "Products Searched", "Order Completed", "Wish Added", "Product Added"]),
        st.floats(0, 5 * DAY).map(lambda ago: START - ago),
        st.sampled_from("abcd"),
        st.sampled_from(["Shoes", "Hats"]),
    ),
    max_size=8,
)


def customer_of(history):
    customer = Customer()
    for number, (name, at, product, category) in enumerate(sorted(history, key=lambda item: item[1])):
        told = Properties(product_id=product, category=category, query=product, order_id=str(number), price=1.0)
        apply(customer, Event("track", datetime.fromtimestamp(at, UTC), name, str(number), properties=told), at)
        if name == "Wish Added":
            note(customer, name, at)
    return customer


@given(conditions, happenings, st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe"]))
@settings(max_examples=300, deadline=None)
def test_nothing_changes_before_the_moment_that_a_condition_names(file, history, zone):
    if [*misfits(file, ConditionFile), *(fault for fault in condition_faults(file, ()) if "scores" not in fault.text)]:
        return
    condition, customer = compiled(msgspec.convert(file, ConditionFile)), customer_of(history)
    where, value, until = ZoneInfo(zone), None, START
    for step in range(int(4 * DAY / QUARTER)):
        now = START + step * QUARTER
        verdict = condition.holds(Facts(customer, now, zone=where))
        assert verdict.until > now
        if now < until:
            assert verdict.value == value, (now, until)
        value, until = verdict


@given(conditions, happenings)
@settings(max_examples=200, deadline=None)
def test_going_from_one_such_moment_to_the_next_finds_the_value_of_any_time(file, history):
    """Exactly at the moment itself the new value holds, and just before it the old one."""
    if [*misfits(file, ConditionFile), *(fault for fault in condition_faults(file, ()) if "scores" not in fault.text)]:
        return
    condition, customer = compiled(msgspec.convert(file, ConditionFile)), customer_of(history)
    now = START
    for _ in range(40):
        value, until = condition.holds(Facts(customer, now))
        if until > START + 10 * DAY:
            return
        assert condition.holds(Facts(customer, (now + until) / 2)).value == value
        assert condition.holds(Facts(customer, until - 0.001)).value == value
        now = until


@given(conditions, happenings, st.sampled_from([0.0, HOUR, 3 * DAY]))
@settings(max_examples=400, deadline=None)
def test_what_is_sure_where_something_is_missing_is_so_for_everybody_of_whom_it_is(file, history, after):
    if [*misfits(file, ConditionFile), *(fault for fault in condition_faults(file, ()) if "scores" not in fault.text)]:
        return
    condition, customer = compiled(msgspec.convert(file, ConditionFile)), customer_of(history)
    found = sure(condition, facts_of(missing(customer), condition.reads))
    if found is not None:
        assert condition.holds(Facts(customer, START + after)) == (found, inf)
