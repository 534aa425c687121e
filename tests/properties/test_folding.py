"""What is packed and let go of within a step decides, and writes, what would be decided with all rows at hand till its end."""

from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.behaviour import ROW_TYPE, Behaviour
from agents.decide import Decider
from agents.scenarios.load import load_folder
from app.clock import moment
from app.codec import encode_json
from app.model.event import Consent, Event, Line, Properties, Traits
from app.settings import load
from tables import packed
from tables.changelog import Codec
from tables.packed import PackedRows
from tables.step import Partition, Step

FOLDERS = {
    "one scenario": Path(__file__).parent.parent.parent / "bench" / "one_scenario",
    "built in": load({}).scenarios,
}
START, MINUTE = 1_767_225_600.0, 60.0
NAMES = ("Product Viewed", "Product Added", "Product Removed", "Products Searched", "Order Completed", "Page Viewed")


def event(number, name, user, product, visitor):
    """The `number`th event; an identify where it has no name."""
    at = moment(START + number * 7 * MINUTE)
    if not name:
        traits = Traits(email=f"{user}@shop.example", consent={"email": Consent(True)})
        return Event("identify", at, "", f"m{number}", user, visitor, traits=traits, source="server")
    told = Properties(
        f"p{product}", f"Product {product}", 5.0, category=f"c{product % 2}", query=f"q{product}", order_id=f"o{number}"
    )
    if name == "Order Completed":
        told.products = [Line(f"p{product}")]
    return Event("track", at, name, f"m{number}", user, visitor, properties=told)


happenings = st.lists(
    st.tuples(
        st.sampled_from((*NAMES, "")),
        st.sampled_from(["u1", "u2", "u3"]),
        st.integers(0, 5),
        st.sampled_from([None, "a1"]),
    ),
    max_size=60,
)


def played(folder, happened, bundle, *, folding):
    """What is sent and written, step by step; with `folding` rows are let go of after every record, however often they are asked for."""
    behaviour, codec = (
        Behaviour(Decider(load_folder(folder), locale="en"), stream_time=True, partitions=1),
        Codec(ROW_TYPE),
    )
    part, written = Partition(0, PackedRows(codec.encode_row, codec.decode_row)), []
    for start in range(0, len(happened), bundle):
        step = Step(part)
        for number, what in enumerate(happened[start : start + bundle], start):
            value = encode_json(event(number, *what))
            record = SimpleNamespace(key=what[1].encode(), value=value, offset=number, timestamp=0)
            behaviour.on_bundle(step, SimpleNamespace(topic="clickstream", partition=0, records=[record]), START)
            if folding:
                step.fold()
                assert packed.RETURNED or not [key for key in part.packed.opened if key.startswith("u")]
        written.append((step.outputs, list(codec.records(step.rows, step.changed))))
    return written, part.clock, part.packed.size


@pytest.mark.parametrize("folder", FOLDERS.values(), ids=FOLDERS)
@patch("tables.packed.RETURNED", 0)
@given(happened=happenings, bundle=st.integers(1, 30))
def test_letting_go_of_rows_within_a_step_changes_nothing(folder, happened, bundle):
    assert played(folder, happened, bundle, folding=True) == played(folder, happened, bundle, folding=False)


@pytest.mark.parametrize("folder", FOLDERS.values(), ids=FOLDERS)
@given(happened=happenings)
def test_a_step_that_keeps_rows_which_come_again_changes_nothing_either(folder, happened):
    assert played(folder, happened, 60, folding=True)[0] == played(folder, happened, 60, folding=False)[0]


@patch("tables.packed.RETURNED", 0)
def test_such_steps_have_all_that_matters():
    """What is compared above is not empty: a trigger, and rows of customers and shelves."""
    happened = [("", "u1", 0, None), ("Product Viewed", "u1", 1, None), ("Product Added", "u1", 1, None)]
    happened += [("Page Viewed", "u2", 0, None)] * 40
    written, _, _ = played(FOLDERS["built in"], happened, 30, folding=True)
    assert {"outbox", "journal"} <= {output.topic for outputs, _ in written for output in outputs}
    assert {b"u1", b"u2", b"\0shelf:c1"} <= {key for _, records in written for key, _ in records}
