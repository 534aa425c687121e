"""Segments: who is in which, by events and by time, what scenarios hear of it, and what is wrong with a file."""

from math import inf

import pytest

from agents.conditions.words import ScenarioError
from agents.scenarios.load import parse
from agents.segments.load import check_segments, load_segments
from agents.segments.membership import Memberships
from app.bounds import BUILT_IN_SEGMENTS
from app.model.event import ANONYMOUS
from tests.driver import DAY, HOUR, Engine

ACTIVE = "id: active\ntitle: Active\nwhen: {seen_within: 30d}\n"
BUYERS = "id: buyers\ntitle: Buyers\nwhen: {orders: count, at_least: 2}\n"
SLEEPING = "id: sleeping\ntitle: Buyers who sleep\nwhen:\n  all:\n  - {segment: buyers}\n  - {not: {segment: active}}\n"
WISHES = "id: wishes\ntitle: Wishes\nwhen: {happened: Wish Added, at_least: 2, within: 2d}\n"


@pytest.fixture
def folder(tmp_path):
    def write(*texts):
        for path in tmp_path.glob("*.yaml"):
            path.unlink()
        for text in texts:
            (tmp_path / f"{text.split()[1]}.yaml").write_text(text)
        return tmp_path

    return write


def shop_of(folder, *texts, scenarios=(), **options):
    return Engine(list(scenarios), segments=load_segments(folder(*texts)), **options)


def members(shop, key="u1"):
    engagement = shop.customer(key).engagement
    return set(engagement.segments or ()) if engagement is not None else set()


def moves(shop):
    return [
        (line.reason.removeprefix("segment_"), line.detail["segment"])
        for line in shop.journal
        if "segment" in line.detail
    ]


def test_who_buys_with_discounts_is_in_the_segment_of_those_who_do_also_as_two_visitors():
    shop = Engine(segments=load_segments(BUILT_IN_SEGMENTS))
    shop.event("Order Completed", order_id="o1", total=9.0, discount=1.0)
    shop.event("Order Completed", order_id="o1", total=9.0, discount=1.0)
    shop.event("Order Completed", order_id="o2", total=9.0)
    shop.event("Order Completed", order_id="o3", total=9.0)
    assert "discount_lovers" not in members(shop)
    for number in (4, 5):
        shop.event("Order Completed", None, anonymous="a1", order_id=f"o{number}", total=9.0, coupon="SPRING")
    shop.identify("u1", anonymous="a1")
    shop.wait(1.0)
    assert "discount_lovers" in members(shop)
    shop.event("Order Completed", order_id="o6", total=9.0)
    assert "discount_lovers" not in members(shop)


def test_segments_are_entered_and_left_by_events_and_by_time_alone(folder):
    shop = shop_of(folder, ACTIVE, BUYERS, SLEEPING)
    shop.order()
    shop.order()
    assert members(shop) == {"active", "buyers"}
    began = shop.clock.now()
    shop.wait(29 * DAY)
    assert members(shop) == {"active", "buyers"}
    shop.wait(2 * DAY)
    assert members(shop) == {"buyers", "sleeping"}
    assert shop.customer("u1").engagement.segments["sleeping"] == began + 30 * DAY
    shop.event("", type="page")
    assert members(shop) == {"active", "buyers"}
    assert moves(shop) == [
        ("entered", "active"), ("entered", "buyers"), ("left", "active"), ("entered", "sleeping"), ("entered", "active"), ("left", "sleeping"),
    ]  # fmt: skip


def test_mere_activity_postpones_leaving_without_a_look_at_the_row(folder):
    shop = shop_of(folder, ACTIVE)
    shop.event("", type="page")
    for _ in range(4):
        shop.wait(20 * DAY)
        shop.event("", type="page")
    assert members(shop) == {"active"}
    assert moves(shop) == [("entered", "active")]
    shop.wait(31 * DAY)
    assert members(shop) == set()


def test_why_somebody_came_or_left_is_written_down(folder):
    shop = shop_of(folder, BUYERS)
    shop.order()
    shop.order(id="second")
    line = shop.journal[-1]
    assert (line.reason, line.event_id) == ("segment_entered", "second")
    assert line.detail == {"segment": "buyers", "why": "the orders' count is 2, and is to be at least 2"}


def test_events_of_ones_own_are_counted_within_a_window(folder):
    shop = shop_of(folder, WISHES)
    for wait in (0, DAY):
        shop.wait(wait)
        shop.event("Wish Added")
    assert members(shop) == {"wishes"}
    shop.wait(DAY)
    assert members(shop) == set()


SCENARIO = """\
id: {id}
version: 1
title: A scenario of segments
family: {id}
priority: 1
marketing: false
absence:
  of: ["{of}"]
  without: [{without}]
  for: 1h
show:
  items: cart
cascade:
- {{channel: email, template: abandoned_cart}}
"""


def test_scenarios_hear_of_segments_entered_and_left(folder):
    enters = parse(SCENARIO.format(id="enters", of="segment_entered:buyers", without=""))
    leaves = parse(SCENARIO.format(id="leaves", of="segment_left:active", without='"segment_entered:active"'))
    shop = shop_of(folder, ACTIVE, BUYERS, scenarios=[enters, leaves])
    shop.subscriber()
    shop.order()
    assert not [line for line in shop.journal if line.reason == "armed"]
    shop.order()
    shop.add("p1")
    assert [line.scenario for line in shop.journal if line.reason == "armed"] == ["enters"]
    shop.wait(30 * DAY)
    shop.add("p1")
    shop.wait(2 * HOUR)
    assert "ended_by_event" in shop.reasons("leaves")
    shop.wait(31 * DAY)
    assert "leaves" in shop.fired


def test_two_who_are_one_are_in_the_segments_of_both_together_and_counted_once(folder):
    shop = shop_of(folder, ACTIVE, BUYERS)
    shop.order(None, anonymous="v1")
    shop.order("ann")
    assert members(shop, "ann") == {"active"}
    assert sizes(shop) == {"active": 2}
    shop.subscriber("ann", anonymous="v1")
    assert members(shop, "ann") == {"active", "buyers"}
    assert sizes(shop) == {"active": 1, "buyers": 1}


def sizes(shop):
    out = {}
    for (_, name), count in shop.behaviour.sizes.now.items():
        out[name] = out.get(name, 0) + count
    return {name: count for name, count in out.items() if count}


def restored(shop):
    """What is counted when the partitions' rows are read anew."""
    before = sizes(shop)
    for number, part in shop.table.parts.items():
        part.rebuild_timers(shop.behaviour.rebuilding(number))
    return before, sizes(shop)


def test_sizes_are_the_same_after_a_restore(folder):
    shop = shop_of(folder, ACTIVE, BUYERS, SLEEPING)
    for number in range(20):
        for _ in range(number % 3):
            shop.order(f"u{number}")
        shop.event("", f"u{number}", type="page")
        shop.wait(3 * DAY)
    before, after = restored(shop)
    assert before == after
    assert before["sleeping"] > 0


def test_customers_follow_changed_definitions_without_an_event_of_theirs(folder):
    shop = shop_of(folder, BUYERS)
    shop.order()
    shop.event("", "u2", type="page")
    later = Engine([], segments=load_segments(folder(ACTIVE, BUYERS.replace("2}", "1}"))), clock=shop.clock)
    for number, part in shop.table.parts.items():
        theirs = later.table.partition(number)
        for key, cell in part.packed.cells.items():
            theirs.packed.put_packed(key, cell.packed)
        theirs.rebuild_timers(later.behaviour.rebuilding(number))
    later.wait(1.0)
    assert members(later) == {"active", "buyers"}
    assert members(later, "u2") == {"active"}
    assert sizes(later) == {"active": 2, "buyers": 1}


def test_a_segment_that_is_gone_is_left(folder):
    shop = shop_of(folder, ACTIVE)
    shop.event("", type="page")
    later = Engine([], segments=load_segments(folder()), clock=shop.clock)
    for number, part in shop.table.parts.items():
        theirs = later.table.partition(number)
        for key, cell in part.packed.cells.items():
            theirs.packed.put_packed(key, cell.packed)
        theirs.rebuild_timers(later.behaviour.rebuilding(number))
    later.wait(1.0)
    assert members(later) == set()
    assert moves(later) == [("left", "active")]


def test_only_what_segments_ask_for_is_looked_at(folder):
    found = load_segments(folder(BUYERS, WISHES))
    assert Memberships(found).gap == inf
    assert not Memberships(found).newcomers
    assert Memberships(found).heard == {"Wish Added"}
    assert Memberships(load_segments(folder(ACTIVE))).gap == 30 * DAY
    assert Memberships(load_segments(folder(ACTIVE))).newcomers
    assert Memberships(load_segments(folder("id: new\ntitle: New\nwhen: {orders: count, at_most: 0}\n"))).newcomers


def test_a_visitor_without_a_name_is_a_member_too(folder):
    shop = shop_of(folder, ACTIVE)
    shop.event("", None, anonymous="v1", type="page")
    assert members(shop, ANONYMOUS + "v1") == {"active"}


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["id: a\ntitle: A\nwhen: {segment: b}\n"], "a.yaml:3: when.segment: there is no segment 'b'; there are: a"),
        (
            ["id: a\ntitle: A\nwhen: {segment: b}\n", "id: b\ntitle: B\nwhen: {not: {segment: a}}\n"],
            "a.yaml:3: when: a asks for b asks for a: a segment cannot depend on itself",
        ),
        (["id: a\ntitle: A\nwhen: {segment: a}\n"], "a asks for a"),
        (["id: a\ntitle: A\nwhen: {time: hour, below: 3}\n"], "a.yaml:3: when.time: a segment is about the customer"),
        (["id: a\ntitel: A\nwhen: {seen_within: 3d}\n"], "a.yaml:2: titel: there is no such field; did you mean 'title'?"),
        (["id: a\ntitle: A\n"], "the field `when` is missing"),
    ],
)  # fmt: skip
def test_every_fault_of_a_segment_has_its_file_and_line(folder, texts, told):
    assert any(told in fault for fault in check_segments(folder(*texts)).faults), check_segments(folder(*texts)).faults


def test_two_files_of_one_id_and_bounds_that_do_not_rise_are_refused(tmp_path):
    (tmp_path / "a.yaml").write_text(ACTIVE)
    (tmp_path / "b.yaml").write_text(ACTIVE)
    (tmp_path / "rfm.yaml").write_text("recency: [1, 2, 2, 4]\nfrequency: [1, 2, 3, 4]\nmonetary: [1, 2, 3, 4]\n")
    with pytest.raises(ScenarioError, match="rfm.yaml: recency: four bounds") as told:
        load_segments(tmp_path)
    assert "the id 'active' is taken by a.yaml" in str(told.value)


def test_the_folder_has_to_be_there(tmp_path):
    with pytest.raises(ScenarioError, match="BOOMERANG_SEGMENTS"):
        load_segments(tmp_path / "none")


NOTES = """\
id: notes
version: 1
title: Puts tags on
family: notes
priority: 1
reentry: always
entry: {event: %s}
steps: [%s]
"""
SLEEPY = "id: sleepy\ntitle: Asleep\nwhen: {tag: asleep}\n"
GOLD = "id: gold\ntitle: Gold\nwhen: {trait: level, is: gold}\n"


def test_what_a_step_notes_changes_memberships_a_minute_later(folder):
    notes = parse(NOTES % ("Slept", "{tag: {add: [asleep]}}, {set: {level: gold}}"))
    shop = shop_of(folder, SLEEPY, GOLD, scenarios=[notes])
    shop.event("Slept")
    assert members(shop) == set()
    shop.wait(61)
    assert members(shop) == {"sleepy", "gold"}


def test_a_trait_that_the_shop_tells_changes_memberships_at_once(folder):
    shop = shop_of(folder, GOLD)
    shop.identify(custom={"level": "gold"})
    assert members(shop) == {"gold"}
    shop.identify(custom={"level": "silver"})
    assert members(shop) == set()


def test_a_segment_and_a_note_that_bring_each_other_about_come_round_once_a_minute(folder):
    put = parse(NOTES % ("segment_left:sleepy", "{tag: {add: [asleep]}}"))
    wake = parse(
        (NOTES % ("segment_entered:sleepy", "{tag: {remove: [asleep]}}"))
        .replace("id: notes", "id: wake")
        .replace("family: notes", "family: wake")
    )
    start = parse(
        (NOTES % ("Slept", "{tag: {add: [asleep]}}"))
        .replace("id: notes", "id: start")
        .replace("family: notes", "family: start")
    )
    shop = shop_of(folder, SLEEPY, scenarios=[put, wake, start])
    shop.event("Slept")
    for _ in range(10):
        shop.wait(60)
    assert 5 <= len(moves(shop)) <= 11
