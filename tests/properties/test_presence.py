"""Presence kept to the day decides what presence kept to the moment decides, where nobody asks for the moment."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.behaviour import ROW_TYPE, Behaviour
from agents.decide import Decider
from agents.scenarios.load import load_folder
from app.clock import moment
from app.codec import encode_json
from app.model.event import CLOCK, Event, Properties
from tables.changelog import Codec
from tables.customer import Customer, Pointer
from tables.dialog import Dialog
from tables.packed import PackedRows
from tables.step import Partition, Step

SCENARIOS = load_folder(Path(__file__).parent.parent.parent / "bench" / "one_scenario")
START, HOUR, DAY = 1_767_225_600.0, 3_600.0, 86_400.0
MERE = ("Page Viewed", "Products Searched", "Product Viewed", "")
MEANT = ("Product Added", "Product Removed", "Order Completed")
BROKEN = (
    b"",
    b"{",
    b"null",
    b'{"type":"page"}',
    b'{"type":"page","timestamp":"now"}',
    b"[" * 5_000,
    b'{"type":"page","timestamp":"2026-01-01T00:00:00Z"}' + b" " * 200_000,
)
KEYS = (b"u1", b"u2", b"u3", b"", b"\xff", b"\x00shelf", b"k" * 20_000, None)


def values():
    events = st.builds(
        lambda type, name, hours, historical: encode_json(
            Event(
                type,
                moment(START + hours * HOUR),
                name,
                "",
                "u1",
                properties=Properties(product_id="p1", order_id="o1", price=5.0),
                historical=historical,
            )
        ),
        st.sampled_from(["track", "page", "screen", "identify", CLOCK]),
        st.sampled_from(MERE * 3 + MEANT),
        st.integers(-30, 100),
        st.booleans(),
    )
    return st.one_of(events, events, events, st.sampled_from(BROKEN))


records = st.lists(
    st.tuples(st.one_of(st.sampled_from(KEYS[:3]), st.sampled_from(KEYS[:3]), st.sampled_from(KEYS)), values()),
    max_size=40,
)


def played(bundles, *, coarse, stream_time):
    """Outputs and rows, with days instead of moments, after all bundles; each is a step of its own."""
    decider = Decider(SCENARIOS, locale="en")
    assert decider.coarse
    decider.coarse = coarse
    behaviour, codec = Behaviour(decider, stream_time=stream_time, partitions=1), Codec(ROW_TYPE)
    part, outputs, offset = Partition(0, PackedRows(codec.encode_row, codec.decode_row)), [], 0
    for bundle in bundles:
        batch = SimpleNamespace(topic="clickstream", partition=0, records=[])
        for key, value in bundle:
            batch.records.append(SimpleNamespace(key=key, value=value, offset=offset, timestamp=0))
            offset += 1
        step = Step(part)
        behaviour.on_bundle(step, batch, START + 200 * HOUR)
        [*codec.records(step.rows, step.changed)]
        outputs += step.outputs
    rows = {}
    for key, row in part.packed.unpacked():
        if isinstance(row, Customer):
            row.first_seen, row.last_seen, row.session_started = 0.0, row.last_seen // DAY, 0.0
        rows[key] = row
    return outputs, rows, part.clock, behaviour.dead


@pytest.mark.parametrize("stream_time", [True, False])
@given(st.lists(records, max_size=4))
def test_the_day_is_enough(stream_time, bundles):
    assert played(bundles, coarse=True, stream_time=stream_time) == played(
        bundles, coarse=False, stream_time=stream_time
    )


def test_such_histories_have_all_that_matters():
    """What is compared above is not empty: a trigger, a dead letter, a customer of whom only the day is known."""
    at = [encode_json(Event("track", moment(START + n * HOUR), "Product Added", f"m{n}", "u1")) for n in (0, 3)]
    seen = encode_json(Event("page", moment(START + HOUR), "Page Viewed", "m9", "u2"))
    outputs, rows, clock, dead = played(
        [[(b"u1", at[0]), (b"u2", seen), (b"u2", b"{"), (b"u1", at[1])]], coarse=True, stream_time=True
    )
    assert {output.topic for output in outputs} >= {"journal", "dead-letters"}
    assert rows["u2"].last_seen == START // DAY and rows["u2"].cart is None
    assert clock == START + 3 * HOUR and sum(dead.values()) == 1


def page(key, hours):
    return encode_json(Event("page", moment(START + hours * HOUR), "Page Viewed", "m1", key))


def stepped(behaviour, part, records=(), change=None):
    """One step, with a change of rows before its records, packed as the fenced table does; what it sends."""
    step = Step(part)
    if change is not None:
        change(step)
    batch = SimpleNamespace(topic="clickstream", partition=0, records=[])
    for key, value in records:
        batch.records.append(SimpleNamespace(key=key, value=value, offset=0, timestamp=0))
    behaviour.on_bundle(step, batch, START)
    for key in step.changed:
        part.packed.pack(key)
    return step.outputs


def pointed(step):
    step.put("u1", Pointer("u2"))


def forgotten(step):
    step.delete("u1")


def talked_to(step):
    step.rows.get("u1").dialogs = [Dialog("telegram:shop:1", START)]
    step.touch("u1")


@pytest.mark.parametrize("change", [pointed, forgotten, talked_to])
def test_who_is_passed_over_by_his_key_is_so_no_longer_once_his_row_is_another(change):
    codec = Codec(ROW_TYPE)
    behaviour = Behaviour(Decider(SCENARIOS, locale="en"), stream_time=True, partitions=1)
    part = Partition(0, PackedRows(codec.encode_row, codec.decode_row))
    for hours in (1, 2, 3):
        assert stepped(behaviour, part, [(b"u1", page("u1", hours))]) == []
    assert part.packed.settled == {b"u1"}
    stepped(behaviour, part, change=change)
    assert part.packed.settled == set()
    sent = stepped(behaviour, part, [(b"u1", page("u1", 4))])
    row = part.packed.peek("u1")
    assert {
        pointed: [output.key for output in sent] == ["u2"] and row == Pointer("u2"),
        forgotten: sent == [] and row == Customer(START, START, START),
        talked_to: row.last_seen == START + 4 * HOUR if isinstance(row, Customer) else False,
    }[change]


def test_a_new_day_is_noted_of_everybody_and_an_old_one_of_nobody():
    codec = Codec(ROW_TYPE)
    behaviour = Behaviour(Decider(SCENARIOS, locale="en"), stream_time=True, partitions=1)
    part = Partition(0, PackedRows(codec.encode_row, codec.decode_row))
    seen = []
    for hours in (1, 2, 3, 30, 31, 32, 5, 60):
        stepped(behaviour, part, [(b"u1", page("u1", hours))])
        seen.append((part.packed.peek("u1").last_seen - START) / DAY)
    assert seen == [0, 0, 0, 1, 1, 1, 1, 2]
