"""Memberships at any time are those that a batch over the whole history would find, whatever happened and however time passed."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.conditions.verdict import Facts
from agents.segments.load import load_segments
from app.codec import decode_event
from tables import recent
from tables.apply import apply
from tables.customer import Customer
from tests.driver import BUILT_IN, DAY, HOUR, Engine

BUILT_IN_SEGMENTS = BUILT_IN.parent / "segments"
WISHES = """\
id: wishes
title: Two wishes in two days, and none but a buyer's cart
when:
  all:
  - {happened: Wish Added, at_least: 2, within: 2d}
  - {not: {segment: big_cart}}
"""
STRANGERS = "id: strangers\ntitle: Never bought, away for a day\nwhen:\n  not:\n    any: [{orders: count, at_least: 1}, {seen_within: 1d}]\n"

ACTS = st.lists(
    st.tuples(
        st.sampled_from(["page", "view", "add", "order", "wish", "identify", "wait"]),
        st.sampled_from(["ann", "bob"]),
        st.sampled_from([0.0, HOUR, 7 * HOUR, DAY, 2 * DAY, 20 * DAY, 35 * DAY, 100 * DAY]),
        st.integers(1, 3),
    ),
    max_size=25,
)


def segments(tmp):
    for path in BUILT_IN_SEGMENTS.glob("*.yaml"):
        (tmp / path.name).write_text(path.read_text())
    (tmp / "wishes.yaml").write_text(WISHES)
    (tmp / "strangers.yaml").write_text(STRANGERS)
    return load_segments(tmp)


class Shop(Engine):
    """Keeps the history."""

    def __init__(self, found):
        super().__init__([], segments=found)
        self.history = []

    def feed(self, event):
        self.history.append(event)
        super().feed(event)


def play(shop, acts):
    for act, who, wait, number in acts:
        shop.wait(wait)
        if act == "page":
            shop.event("", who, type="page")
        elif act == "view":
            shop.event("Product Viewed", who, product_id=f"p{number}", category="Shoes")
        elif act == "add":
            shop.event("Product Added", who, product_id=f"p{number}", price=200.0, quantity=number)
        elif act == "order":
            shop.order(who, total=100.0 * number)
        elif act == "wish":
            shop.event("Wish Added", who)
        elif act == "identify":
            shop.identify(who, email=f"{who}@shop.example", consent=number > 1)
        yield


def batch(shop, found, who):
    """The memberships by the whole history of a customer as of now."""
    customer = Customer()
    for event in shop.history:
        if event.userId == who:
            told, at = decode_event(msgspec.json.encode(event)), event.timestamp.timestamp()
            apply(customer, told, at)
            if event.event == "Wish Added":
                recent.note(customer, event.event, at)
    members = {}
    for segment in found.segments:
        if segment.when.holds(Facts(customer, shop.clock.now(), members=members)).value:
            members[segment.id] = 1.0
    return set(members)


@given(ACTS, st.sampled_from([0.0, HOUR, 31 * DAY, 400 * DAY]))
@settings(max_examples=150, deadline=None)
def test_memberships_equal_a_batch_over_the_whole_history_at_any_time(tmp_path_factory, acts, after):
    found = segments(tmp_path_factory.mktemp("segments"))
    shop = Shop(found)
    for _ in play(shop, acts):
        check(shop, found)
    shop.wait(after)
    check(shop, found)
    before = +shop.behaviour.sizes.now
    for number, part in shop.table.parts.items():
        part.rebuild_timers(shop.behaviour.rebuilding(number))
    assert +shop.behaviour.sizes.now == before


def check(shop, found):
    for who in ("ann", "bob"):
        row = shop.customer(who)
        if row is not None:
            engagement = row.engagement
            assert set((engagement.segments if engagement is not None else None) or ()) == batch(shop, found, who), who


@given(ACTS)
@settings(max_examples=50, deadline=None)
def test_one_log_played_twice_gives_the_same_journal_and_rows(tmp_path_factory, acts):
    found = segments(tmp_path_factory.mktemp("segments"))
    runs = []
    for _ in range(2):
        shop = Shop(found)
        for _ in play(shop, acts):
            pass
        shop.wait(60 * DAY)
        rows = {key: cell.packed for part in shop.table.parts.values() for key, cell in part.packed.cells.items()}
        runs.append((msgspec.json.encode(shop.journal), rows))
    assert runs[0] == runs[1]
