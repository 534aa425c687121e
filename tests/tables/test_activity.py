"""Activity moved on in the packed row is the same as in the unpacked one."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.clock import moment
from app.model.event import Event
from app.replay.core import packed_rows
from tables.activity import first_seen, is_marked, mark, note, seen_again, was_seen
from tables.apply import apply
from tables.customer import Armed, Customer, Pointer, Profile, Row, Shelf, Sweep
from tables.dialog import Dialog
from tables.views import Product, View, ViewRing

NOW = 1_700_000_000.0
encode, decode = msgspec.msgpack.encode, msgspec.msgpack.Decoder(Row).decode
TIMES = st.floats(NOW, NOW + 10_000, allow_nan=False)


@given(TIMES, TIMES, TIMES, TIMES, st.booleans())
def test_the_patched_row_is_the_applied_row(first, last, started, at, busy):
    row = Customer(first_seen=first, last_seen=max(first, last), session_started=min(started, last))
    if busy:
        row.views, row.armed = ViewRing.of([View(Product("p1"), first)]), [Armed("abandoned_product", 1, "m1", first)]
    packed = encode(row)
    apply(row, Event("page", moment(at)), moment(at).timestamp())
    assert decode(seen_again(packed, moment(at).timestamp())) == row
    assert seen_again(packed, moment(at).timestamp()) == encode(row)


def test_what_is_no_known_customer_has_to_be_unpacked():
    for row in (Pointer("u1"), Shelf()):
        assert seen_again(encode(row), NOW) is None
    assert seen_again(b"", NOW) is None


def test_an_older_event_changes_nothing():
    packed = encode(Customer(first_seen=NOW, last_seen=NOW + 5, session_started=NOW))
    assert seen_again(packed, NOW + 1) is packed


def test_a_row_with_dialogs_has_to_be_unpacked_however_it_ends():
    assert Customer.__struct_fields__[-1] == "dialogs"
    assert Dialog.__struct_fields__[-1] == "end"
    row = Customer(first_seen=NOW, last_seen=NOW, session_started=NOW, dialogs=[Dialog("telegram:shop:1", NOW)])
    assert seen_again(encode(row), NOW + 1) is None


@given(
    st.lists(st.tuples(st.sampled_from(["new", "known", "pointer"]), st.floats(NOW - 5_000, NOW + 5_000)), max_size=12)
)
def test_noting_activity_is_applying_it(visits):
    """Whether the row is new, packed, or unpacked in this step."""
    noted, applied = packed_rows(), packed_rows()
    for rows in (noted, applied):
        rows.put_packed("known", encode(Customer(NOW - 100, NOW - 50, NOW - 100)))
        rows.put_packed("pointer", encode(Pointer("u1")))
    for number, (key, at) in enumerate(visits):
        if number % 5 == 3:
            noted.get(key)
        assert note(noted, key, moment(at).timestamp()) == (key != "pointer")
        row = applied.get(key)
        if row is None:
            row = applied[key] = Customer()
        if type(row) is Customer:
            apply(row, Event("page", moment(at)), moment(at).timestamp())
            applied.pack(key)
        noted.pack(key)
    assert {key: decode(cell.packed) for key, cell in noted.cells.items()} == {
        key: decode(cell.packed) for key, cell in applied.cells.items()
    }
    assert noted.size == sum(len(cell.packed) for cell in noted.cells.values())


@pytest.mark.parametrize("opened", [False, True])
def test_of_one_who_was_told_of_before_he_was_there_the_first_moment_is_noted_as_it_was(opened):
    """A back end has told of him. Whatever the step holds besides, his first visit is exact, and the next ones are by the day."""
    told = Customer(profile=Profile("ann@shop.example"), dialogs=None)
    rows, day = packed_rows(), NOW - NOW % 86_400.0
    rows.put_packed("told", encode(told))
    if opened:
        rows.get("told")
    assert note(rows, "told", NOW + 7.5, about=day)
    rows.pack("told")
    apply(told, Event("page", moment(NOW + 7.5)), NOW + 7.5)
    assert rows.bytes_of("told") == encode(told)
    assert note(rows, "told", NOW + 90_000.0, about=day + 86_400.0)
    assert rows.peek("told").last_seen == day + 86_400.0
    assert rows.peek("told").first_seen == NOW + 7.5


@pytest.mark.parametrize("opened", [False, True])
def test_somebody_who_was_never_there_is_read_whole_where_a_segment_may_welcome_him(opened):
    for more in ({"newcomers": True}, {"gap": 60.0}):
        rows = packed_rows()
        rows.put_packed("told", encode(Customer()))
        if opened:
            rows.get("told")
        assert not note(rows, "told", NOW, **more)
        assert rows.get("told") == Customer()


def test_a_new_row_is_that_of_a_new_customer():
    assert first_seen(NOW) == encode(Customer(NOW, NOW, NOW))


@given(st.floats(NOW - 10, NOW + 10), st.booleans())
def test_who_was_seen_later_is_known_whether_unpacked_or_not(at, opened):
    rows = packed_rows()
    rows.put_packed("known", encode(Customer(NOW - 100, NOW, NOW - 100)))
    rows.put_packed("talking", encode(Customer(NOW, NOW, NOW, dialogs=[Dialog("telegram:shop:1", NOW)])))
    rows.put_packed("pointer", encode(Pointer("u1")))
    rows.put_packed("shelf", encode(Shelf()))
    if opened:
        for key in [*rows]:
            rows.get(key)
    assert was_seen(rows, "known", at) == (at <= NOW)
    assert not any(was_seen(rows, key, at) for key in ("talking", "pointer", "shelf", "nobody"))


@given(st.floats(0.0, 2 * NOW), st.floats(0.0, 2 * NOW))
def test_a_mark_asks_the_same_of_the_bytes_alone(last, at):
    assert is_marked(encode(Customer(1.0, last, 1.0)), mark(at)) == (last >= at)
    assert not is_marked(encode(Customer(1.0, last, 1.0, dialogs=[Dialog("telegram:shop:1", NOW)])), mark(0.0))


@pytest.mark.parametrize("row", [Pointer("u1"), Shelf(), Sweep("s", NOW, [], NOW)], ids=lambda row: type(row).__name__)
def test_what_is_no_customer_was_never_there(row):
    assert not is_marked(encode(row), mark(0.0)) and not is_marked(b"", mark(0.0))
