"""What is looked at and bought together: against a slow reference, within its bounds, the same after a crash, and free where nobody asks."""

from collections import defaultdict
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.behaviour import ROW_TYPE, Behaviour
from agents.decide import Decider
from agents.relating import Relations
from agents.scenarios.load import parse
from app.clock import moment
from app.codec import encode_json
from app.model.event import Event, Line, Properties
from app.replay.core import MemoryBatch, MemoryRecord
from app.topics import CLICKSTREAM
from tables import related
from tables.changelog import Codec
from tables.packed import PackedRows
from tables.related import (
    HALF_BOUGHT,
    HALF_VIEWED,
    MOST,
    NOTHING,
    RELATED_PREFIX,
    Related,
    begun,
    count,
    grown,
    heaviest,
)
from tables.step import Partition, Step
from tables.views import Product
from tests.driver import DAY, HOUR, MINUTE

NOW = 1_700_000_000.0
SCENARIO = """\
id: looked
version: 1
title: Looked
family: looking
priority: 1
absence: {of: [product_viewed], for: 3h, after: leaving}
show: {items: views, similar: 4, similar_by: BY}
cascade: [{channel: email, template: abandoned_product}]
"""
CODEC = Codec(ROW_TYPE)


class Shop:
    """One partition of the core under events, which may be begun anew from what it wrote."""

    def __init__(self, by="viewed", most=20_000):
        self.by, self.most, self.written, self.offset = by, most, {}, 0
        self.begin()

    def begin(self):
        """As a process begins: from the changelog."""
        self.behaviour = Behaviour(Decider([parse(SCENARIO.replace("BY", self.by))]), stream_time=True, partitions=1)
        self.behaviour._relations = Relations(self.most)
        self.part = Partition(0, PackedRows(CODEC.encode_row, CODEC.decode_row))
        for key, value in self.written.items():
            self.part.packed.put_packed(key, value)
        self.part.rebuild_timers(self.behaviour.rebuilding(0))

    def feed(self, events):
        """A step."""
        step = Step(self.part)
        records = []
        for event in events:
            self.offset += 1
            records.append(MemoryRecord((event.userId or "").encode(), encode_json(event), self.offset, 0))
        self.behaviour.on_bundle(step, MemoryBatch(CLICKSTREAM.name, 0, records), 0.0)
        for key, value in CODEC.records(step.rows, step.changed):
            if value is None:
                self.written.pop(key.decode(), None)
            else:
                self.written[key.decode()] = value

    @property
    def rows(self):
        return {
            key.removeprefix(RELATED_PREFIX): CODEC.decode_row(value)
            for key, value in self.written.items()
            if key.startswith(RELATED_PREFIX)
        }


def viewed(user, product, at, **more):
    return Event(
        "track", moment(at), "Product Viewed", f"{user}{product}{at}", user, properties=Properties(product, price=10.0, **more)
    )  # fmt: skip


def ordered(user, products, at, order="", **more):
    lines = [Line(name, price=5.0) for name in products]
    told = Properties(order_id=order or f"{user}{at}", products=lines)
    return Event("track", moment(at), "Order Completed", f"{user}o{at}", user, properties=told, **more)


def reference(events, most_before=2):
    """Every pair and when it was, worked out from the whole history by itself: product -> other -> moments, of views and of orders."""
    views, orders = defaultdict(lambda: defaultdict(list)), defaultdict(lambda: defaultdict(list))
    looked, had = defaultdict(dict), set()
    for event in events:
        at, told = event.timestamp.timestamp(), event.properties
        if event.event == "Order Completed":
            if told.order_id not in had:
                had.add(told.order_id)
                names = list(dict.fromkeys(line.product_id for line in told.products))[:8]
                for one in names:
                    for other in names:
                        if one != other:
                            orders[one][other].append(at)
            continue
        known, name = looked[event.userId], told.product_id
        if not (name in known and at - 1800 <= known[name] <= at):
            recent = sorted((item for item in known.items() if at - 1800 <= item[1] <= at), key=lambda item: item[1])
            for other, _ in recent[::-1][:most_before]:
                views[name][other].append(at)
                views[other][name].append(at)
        known.pop(name, None)
        known[name] = at
    return views, orders


def worth(moments, half, now):
    return sum(0.5 ** ((now - at) / half) for at in moments)


def check(rows, expected, kind, half, now):
    """The rows hold what space-saving promises of the reference, and exactly the reference where all of it has room."""
    for name, others in expected.items():
        row = rows.get(name)
        assert row is not None, name
        found = getattr(row, kind)
        shrunk = 0.5 ** ((now - row.at) / half)
        whole = sum(worth(moments, half, now) for moments in others.values())
        for other, moments in others.items():
            true = worth(moments, half, now)
            if other in found.weights:
                weight, error = found.weights[other] * shrunk, found.errors.get(other, 0.0) * shrunk
                assert weight - error - 2 * NOTHING <= true <= weight + 2 * NOTHING
                if len(others) <= MOST:
                    assert weight == pytest.approx(true, rel=1e-9, abs=2 * NOTHING)
                    assert error == 0.0
            else:
                assert len(others) > MOST or true < 2 * NOTHING
                assert true <= max(whole / MOST, 2 * NOTHING) + 1e-9
        assert set(found.weights) <= set(others)
        assert len(found.weights) <= MOST


names = st.integers(0, 17).map("p{}".format)
steps = st.lists(
    st.tuples(
        st.sampled_from(["ann", "bob", "cid"]),
        st.one_of(names, st.lists(names, min_size=1, max_size=10)),
        st.sampled_from([1.0, 5 * MINUTE, 20 * MINUTE, 3 * HOUR, 9 * DAY, 400 * DAY]),
    ),
    max_size=120,
)


def history(drawn):
    at, events = NOW, []
    for user, what, after in drawn:
        at += after
        events.append(viewed(user, what, at) if isinstance(what, str) else ordered(user, what, at))
    return events, at


def holds_against_the_reference(drawn):
    events, now = history(drawn)
    shop = Shop()
    for start in range(0, len(events), 7):
        shop.feed(events[start : start + 7])
    views, orders = reference(events)
    check(shop.rows, views, "viewed", HALF_VIEWED, now)
    check(shop.rows, orders, "bought", HALF_BOUGHT, now)


@settings(max_examples=60, deadline=None)
@given(steps)
def test_what_is_kept_is_what_a_batch_over_the_whole_history_finds(drawn):
    holds_against_the_reference(drawn)


@pytest.mark.parametrize(
    ("name", "mistake"),
    [
        ("grown", lambda _seconds, _half: 1.0),
        ("HALF_VIEWED", None),
        ("_add", lambda found, name, weight: found.weights.__setitem__(name, weight)),
    ],
)
def test_the_reference_finds_a_planted_mistake(monkeypatch, name, mistake):
    """Weights that do not shrink, shrink at another pace, or are not summed."""
    drawn = [("ann", "p1", 60.0), ("ann", "p2", 60.0), ("bob", "p1", 9 * DAY), ("bob", "p2", 60.0)]
    holds_against_the_reference(drawn)
    if mistake is None:
        monkeypatch.setitem(related._HALF, "viewed", HALF_VIEWED / 2)
    else:
        monkeypatch.setattr(related, name, mistake)
    with pytest.raises(AssertionError):
        holds_against_the_reference(drawn)


def test_the_reference_finds_a_newcomer_that_takes_a_place_without_the_weight(monkeypatch):
    drawn = []
    for number in range(2 * MOST):
        drawn += [(f"u{number}", "hub", 60.0), (f"u{number}", f"p{number}", 60.0)]
    drawn += [("ann", "hub", 60.0), ("ann", "p0", 60.0)]
    holds_against_the_reference(drawn)

    def thrifty(found, name, weight):
        if name not in found.weights and len(found.weights) >= MOST:
            found.weights.pop(min(found.weights, key=lambda known: (found.weights[known], known)))
        found.weights[name] = found.weights.get(name, 0.0) + weight

    monkeypatch.setattr(related, "_add", thrifty)
    with pytest.raises(AssertionError):
        holds_against_the_reference(drawn)


@settings(max_examples=40, deadline=None)
@given(steps, st.sets(st.integers(0, 30)), st.integers(3, 12))
def test_a_crash_at_any_step_and_few_places_change_nothing(drawn, crashes, most):
    events, _ = history(drawn)
    whole, broken = Shop(most=most), Shop(most=most)
    for number, start in enumerate(range(0, len(events), 5)):
        if number in crashes:
            broken.begin()
        whole.feed(events[start : start + 5])
        broken.feed(events[start : start + 5])
        assert len(whole.rows) <= max(most, 8)
    assert broken.written == whole.written


def test_the_product_that_was_met_least_gives_its_place():
    shop = Shop(most=4)
    for number in range(6):
        shop.feed([viewed(f"u{number}", "lamp", NOW + number), viewed(f"u{number}", "sofa", NOW + number + 0.5)])
    shop.feed([viewed("x", "rug", NOW + 10), viewed("x", "mat", NOW + 11)])
    assert set(shop.rows) == {"lamp", "sofa", "rug", "mat"}
    shop.feed([viewed("y", "vase", NOW + 20), viewed("y", "bowl", NOW + 21)])
    assert set(shop.rows) == {"lamp", "sofa", "vase", "bowl"}


def test_a_product_that_is_looked_at_again_or_an_order_told_twice_counts_once():
    shop = Shop()
    shop.feed([viewed("ann", name, NOW + number) for number, name in enumerate(("lamp", "sofa", "lamp", "sofa"))])
    shop.feed([ordered("ann", ["lamp", "sofa"], NOW + 60, "o1"), ordered("ann", ["lamp", "sofa"], NOW + 90, "o1")])
    row = shop.rows["lamp"]
    assert list(row.viewed.weights) == list(row.bought.weights) == ["sofa"]
    assert row.viewed.weights["sofa"] == pytest.approx(1.0, rel=1e-4)
    assert row.bought.weights["sofa"] == pytest.approx(1.0, rel=1e-4)


def test_imported_orders_say_nothing_of_what_goes_together_now():
    shop = Shop()
    shop.feed([ordered("ann", ["lamp", "sofa"], NOW, historical=True)])
    assert shop.rows == {}


def test_a_name_that_is_too_long_is_cut_and_an_id_that_is_too_long_changes_nothing():
    shop = Shop()
    shop.feed(
        [viewed("ann", "lamp", NOW), viewed("ann", "sofa", NOW + 1, name="x" * 999), viewed("ann", "y" * 999, NOW + 2)]
    )
    assert set(shop.rows) == {"lamp", "sofa"}
    assert len(shop.rows["sofa"].product.name) == 200


@pytest.mark.parametrize(
    "text", [SCENARIO.replace("BY", "category"), SCENARIO.replace("similar: 4, similar_by: BY", "similar: 0")]
)
def test_where_no_scenario_asks_nothing_is_kept(text):
    shop = Shop()
    shop.behaviour._decider.take([parse(text)])
    shop.feed([viewed("ann", "lamp", NOW), viewed("ann", "sofa", NOW + 1), ordered("ann", ["lamp", "sofa"], NOW + 2)])
    assert shop.rows == {}


def test_what_scenarios_ask_for_is_asked_anew_when_they_change():
    shop = Shop("category")
    assert not shop.behaviour._decider.kept.related
    shop.behaviour._decider.take([parse(SCENARIO.replace("BY", "bought"))])
    assert shop.behaviour._decider.kept.related


def test_weights_of_years_stay_numbers_and_old_ones_are_forgotten():
    row = begun(Product("lamp"), NOW)
    count(row, "viewed", ["sofa"], NOW)
    for year in range(1, 40):
        count(row, "viewed", [f"p{year % 3}"], NOW + year * 365 * DAY)
        count(row, "bought", [f"p{year % 3}"], NOW + year * 365 * DAY)
    end = NOW + 39 * 365 * DAY
    assert "sofa" not in row.viewed.weights
    assert list(heaviest(row, "viewed", end)) == ["p0"]
    assert heaviest(row, "bought", end)["p0"] == pytest.approx(1.0, rel=1e-3)
    assert all(weight < 1e18 for weight in row.viewed.weights.values())


def test_a_late_event_counts_what_it_would_have_counted_in_time():
    first, second = begun(Product("lamp"), NOW), begun(Product("lamp"), NOW - 5 * HOUR)
    for row, order in ((first, (0, -5)), (second, (-5, 0))):
        for hours in order:
            count(row, "viewed", ["sofa"], NOW + hours * HOUR)
    assert heaviest(first, "viewed", NOW)["sofa"] == pytest.approx(heaviest(second, "viewed", NOW)["sofa"])


def test_a_score_never_falls_and_halves_its_lead_with_time():
    row = begun(Product("lamp"), NOW)
    scores = [row.score]
    for at in (NOW + DAY, NOW - DAY, NOW + 20 * DAY, NOW + 4_000 * DAY, NOW):
        related.meet(row, at)
        scores.append(row.score)
    assert all(earlier <= later for earlier, later in pairwise(scores))
    assert grown(HALF_VIEWED, HALF_VIEWED) == 2.0


def test_a_row_of_many_neighbours_stays_small():
    row = begun(Product("x" * 512, "y" * 200, 1.0, "z" * 200, "u" * 1000, "i" * 1000), NOW)
    for number in range(300):
        count(row, "viewed", [f"{number:0>512}"], NOW + number)
        count(row, "bought", [f"{number:0>512}"], NOW + number)
    assert len(row.viewed.weights) == MOST
    assert len(CODEC.encode_row(row)) < 32_000
    assert isinstance(CODEC.decode_row(CODEC.encode_row(row)), Related)
