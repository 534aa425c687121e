"""Rows at rest are bytes; a step sees structs, and only what it touched stays."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tables.packed import PackedRows
from tables.step import Partition, Step


class Row(msgspec.Struct, array_like=True):
    count: int = 0


@pytest.fixture
def part():
    return Partition(0, PackedRows(msgspec.msgpack.encode, msgspec.msgpack.Decoder(Row).decode))


def keep(step):
    for key in step.changed:
        step.packed.pack(key)


def test_what_a_step_touched_stays_and_what_it_only_changed_does_not(part):
    step = Step(part)
    step.put("a", Row(1))
    step.put("b", Row(1))
    keep(step)
    step = Step(part)
    step.rows["a"].count = 5
    step.touch("a")
    step.rows["b"].count = 5
    keep(step)
    step = Step(part)
    assert (step.rows["a"].count, step.rows["b"].count) == (5, 1)


def test_a_row_that_was_made_and_not_touched_is_forgotten(part):
    step = Step(part)
    step.rows["a"] = Row()
    assert "a" in Step(part).packed.cells or len(part.rows) == 0
    Step(part)
    assert part.rows.get("a") is None
    assert len(part.rows) == 0


def test_one_step_sees_one_row(part):
    step = Step(part)
    step.put("a", Row())
    assert step.rows["a"] is step.rows.get("a")


def test_deleting_forgets_the_row_and_its_timer(part):
    step = Step(part)
    step.put("a", Row())
    step.wake("a", 5.0)
    keep(step)
    step = Step(part)
    step.delete("a")
    assert step.packed.pack("a") is None
    assert part.timers.next_due() is None
    with pytest.raises(KeyError):
        step.rows["a"]


def test_timers_are_rebuilt_without_keeping_anything_unpacked(part):
    step = Step(part)
    for number in range(10):
        step.put(str(number), Row(number))
    keep(step)
    part.packed.close()
    part.rebuild_timers(lambda row: float(row.count) if row.count % 2 else None)
    assert [due for due, _ in part.timers.pop_due(100.0)] == [1.0, 3.0, 5.0, 7.0, 9.0]
    assert part.packed.opened == {}
    assert [key for key, _ in part.packed.unpacked()] == list(part.rows)


def test_asking_whether_a_row_is_there_does_not_unpack_it(part):
    part.packed.put_packed("a", msgspec.msgpack.encode(Row(3)))
    assert "a" in part.rows
    assert part.packed.opened == {}
    assert part.rows["a"] == Row(3)


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["put", "made", "delete", "restored"]), st.integers(0, 2**40))
    )
)
def test_the_bytes_of_all_rows_are_counted(history):
    rows = PackedRows(msgspec.msgpack.encode, msgspec.msgpack.Decoder(Row).decode)
    part = Partition(0, rows)
    for key, what, count in history:
        step = Step(part)
        if what == "put":
            step.put(key, Row(count))
        elif what == "made":
            step.rows[key] = Row(count)  # and not kept
        elif what == "delete":
            step.delete(key)
        else:
            rows.put_packed(key, msgspec.msgpack.encode(Row(count)))
        keep(step)
        rows.close()
        assert rows.size == sum(len(cell.packed) for cell in rows.cells.values())


def test_what_a_step_has_changed_is_packed_on_the_way_and_can_be_changed_again(part):
    step = Step(part)
    step.put("a", Row(1))
    step.fold()
    assert part.packed.opened == {}
    step.rows["a"].count += 1
    step.touch("a")
    step.fold()
    keep(step)
    assert part.packed.bytes_of("a") == msgspec.msgpack.encode(Row(2))
    assert part.packed.size == len(part.packed.bytes_of("a"))


def test_what_a_step_has_only_read_is_let_go_of_on_the_way(part):
    part.packed.put_packed("a", msgspec.msgpack.encode(Row(3)))
    step = Step(part)
    step.rows["a"].count = 7
    step.fold()
    assert part.packed.opened == {}
    assert step.rows["a"].count == 3


def test_a_row_that_was_made_stays_until_it_is_touched(part):
    step = Step(part)
    step.rows["a"] = Row(1)
    step.fold()
    assert step.rows["a"].count == 1
    step.touch("a")
    step.fold()
    keep(step)
    assert Step(part).rows["a"].count == 1


def test_rows_that_all_customers_share_stay_at_hand_for_the_whole_step(part):
    step = Step(part)
    step.put("\0shelf:shoes", Row(1))
    step.put("a", Row(1))
    step.fold()
    assert list(part.packed.opened) == ["\0shelf:shoes"]


def test_a_row_that_was_deleted_stays_so(part):
    part.packed.put_packed("a", msgspec.msgpack.encode(Row(3)))
    step = Step(part)
    step.rows["a"].count = 7
    step.delete("a")
    step.fold()
    assert step.packed.pack("a") is None


def test_a_row_that_a_step_unpacks_again_is_counted_once(part, monkeypatch):
    monkeypatch.setattr("tables.packed.RETURNED", 0)  # however often they come again
    part.packed.put_packed("a", packed := msgspec.msgpack.encode(Row(3)))
    part.packed.put_packed("b", packed)
    step = Step(part)
    for _ in range(3):
        assert step.rows["b"].count == 3  # and is only read
        step.rows["a"].count = 4
        step.touch("a")
        assert step.size == 2 * len(packed)
        step.fold()
        assert step.size == len(packed), "what is only read is not written"


def test_a_step_whose_customers_come_again_and_again_keeps_their_rows(part):
    step = Step(part)
    for key in "abcd":
        step.put(key, Row(1))
    step.fold()
    step.rows["a"].count += 1
    step.touch("a")
    step.fold()
    assert part.packed.opened == {}, "one of four came again"
    for key in "abcd":
        step.rows[key].count += 1
        step.touch(key)
    step.fold()
    assert len(part.packed.opened) == 4
    keep(step)
    step = Step(part)
    assert [step.rows[key].count for key in "abcd"] == [3, 2, 2, 2]
    step.fold()
    assert part.packed.opened == {}, "another step begins anew"


def test_shared_rows_are_passed_over_once_they_were_looked_at(part):
    step = Step(part)
    step.put("\0shelf:shoes", Row(1))
    step.put("a", Row(1))
    step.fold()
    step.delete("\0shelf:shoes")
    step.put("\0shelf:bags", Row(1))
    step.put("b", Row(2))
    step.fold()
    keep(step)
    assert [(key, row.count) for key, row in Step(part).packed.unpacked()] == [("a", 1), ("\0shelf:bags", 1), ("b", 2)]
