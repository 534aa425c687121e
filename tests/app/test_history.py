"""What is read of history is decided as the worker would decide it: with rows that stay open, and without looking twice at an event."""

import json
import random
from functools import partial

import msgspec
import pytest

from agents.decide import Decider
from agents.scenarios.load import load_folder, parse
from agents.segments.load import needed_segments
from app.bounds import BUILT_IN_SEGMENTS
from app.clock import moment
from app.codec import encode_json
from app.model.event import Event, Traits
from app.model.policy import Policy
from app.replay import core
from app.replay.backtest import BUNDLE, Backtest
from app.replay.core import CoreReplay, packed_rows
from tables.customer import Customer
from tables.open_rows import OpenRows
from tests.driver import BUILT_IN

PACK = BUILT_IN.parent / "pack"
START = 1_767_225_600.0


def shop():
    """The scenarios of the site and those of the pack that a recording can begin, with the segments they ask for."""
    pack = [one for one in load_folder(PACK) if one.program is None or one.program.change is None]
    scenarios = [*load_folder(BUILT_IN), *pack]
    return scenarios, needed_segments(scenarios, BUILT_IN_SEGMENTS)


def history(count=4_000, people=60):
    """Forty days of a small shop: visitors who become users, carts, orders that are given back, pages, and records that are no events."""
    dice, at = random.Random(11), START
    for number in range(count):
        at += dice.random() * 1_700.0
        who = dice.randrange(people)
        known = number > count // 4 and who % 3
        name = dice.choice(
            ("", "", "", "Product Viewed", "Product Added", "Products Searched", "Order Completed", "Told")
        )
        told = {
            "type": "track" if name else "page", "event": name, "messageId": f"m{number}", "anonymousId": f"a{who}",
            "timestamp": moment(at).isoformat(),
            "properties": {"product_id": f"p{dice.randrange(40)}", "category": f"c{dice.randrange(4)}", "price": 9.0,
                           "query": f"q{dice.randrange(9)}", "order_id": f"o{number}", "total": 20.0},
        }  # fmt: skip
        if known:
            told["userId"] = f"u{who}"
            if dice.random() < 0.1:
                traits = {"email": f"u{who}@shop.example", "consent": {"email": {"granted": dice.random() < 0.9}}}
                told |= {"type": "identify", "event": "", "traits": traits, "source": "server"}
        if dice.random() < 0.02:
            told |= {"event": "Order Refunded", "type": "track"}
            told["properties"]["order_id"] = f"o{max(0, number - dice.randrange(90))}"
        key = told.get("userId") or f"anon:{told['anonymousId']}"
        value = json.dumps(told).encode()
        yield key, value if dice.random() > 0.002 else value[:-9], at


def as_the_worker_would(scenarios, segments, feed):
    """Reasons, triggers and rows of the ordinary replay, with steps of the same size."""
    fired = []
    decider = Decider(scenarios, policy=Policy().without_mailboxes, segments=segments)
    replay = CoreReplay(decider, 4, fired.append, bundle=BUNDLE)
    feed(replay)
    replay.flush()
    return replay, fired


def from_history(scenarios, segments, feed):
    test = Backtest(scenarios, Policy(), segments=segments, samples=1_000_000)
    feed(test.replay)
    test.replay.flush()
    return test


def assert_same(test, replay, fired):
    assert test.reasons == replay.reasons
    kept = [trigger for triggers in test.samples.values() for trigger in triggers]
    assert sorted(kept, key=lambda one: one.trigger_id) == sorted(fired, key=lambda one: one.trigger_id)
    assert dict(test.replay.table.rows()) == dict(replay.table.rows())
    assert [letter.offset for letter in test.replay.dead] == [letter.offset for letter in replay.dead]


def feed_shop(replay):
    for key, value, at in history():
        replay.feed(key, value, at)


@pytest.fixture(scope="module")
def worker():
    return as_the_worker_would(*shop(), feed_shop)


@pytest.mark.parametrize("most", [3, 50_000])
def test_journeys_segments_and_merges_come_out_the_same_however_many_rows_stay_open(worker, monkeypatch, most):
    monkeypatch.setattr(core, "open_rows", lambda: packed_rows(partial(OpenRows, most=most)))
    replay, fired = worker
    assert len(fired) > 100 and replay.dead
    reasons = {reason for _, reason in replay.reasons}
    assert {"linked", "journey_begun", "goal_reached", "armed", "moved", "segment_entered"} <= reasons
    assert_same(from_history(*shop(), feed_shop), replay, fired)


def test_scenarios_that_ask_for_the_day_alone_come_out_the_same():
    scenarios = [one for one in load_folder(BUILT_IN) if one.id == "abandoned_cart"]
    assert Decider(scenarios).coarse
    assert_same(from_history(scenarios, None, feed_shop), *as_the_worker_would(scenarios, None, feed_shop))


def test_no_more_rows_stay_open_than_allowed():
    rows = packed_rows(partial(OpenRows, most=10))
    for number in range(25):
        rows[f"u{number}"] = Customer(first_seen=float(number))
        rows.close()
        assert len(rows.opened) <= 10
    assert [rows[f"u{number}"].first_seen for number in range(25)] == [float(number) for number in range(25)]


def test_what_somebody_is_there_with_counts_in_a_backtest_as_in_the_worker():
    scenario = parse(
        "id: more\nversion: 1\ntitle: More\nfamily: more\npriority: 1\ncap: 0s\nreentry: always\nunless: {order_within: 0s}\n"
        "entry: {event: Subscribed, when: {device: kind, is: mobile}}\nsteps: [{message: {channel: email, template: hello}}]\n"
    )
    start = START
    told = {"email": "a@shop.example", "consent": {"email": {"granted": True}}}
    events = [
        Event(
            "identify",
            moment(start),
            "",
            "m0",
            "u1",
            traits=msgspec.convert(told, Traits),
            source="server",
            deviceKind="desktop windows",
        ),
        Event("page", moment(start + 1_800), "", "m1", "u1", deviceKind="desktop windows"),
        Event("page", moment(start + 3_600), "", "m2", "u1", deviceKind="mobile android"),
        Event("track", moment(start + 7_200), "Subscribed", "m3", "u1"),
    ]
    fired = []
    worker = CoreReplay(Decider([scenario], policy=Policy().without_mailboxes), 4, fired.append, bundle=BUNDLE)
    past = Backtest([scenario], Policy())
    for replay in (worker, past.replay):
        for event in events:
            replay.feed("u1", encode_json(event), event.timestamp.timestamp())
        replay.flush()
    assert len(fired) == 1 and worker.reasons == past.reasons
