"""A frozen row is the row, wherever it is read, patched, written or looked through; only memory knows the difference."""

import random
from functools import cache

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from agents.behaviour import ROW_TYPE
from tables import frost as frosts
from tables.activity import has_dialogs, is_marked, last_seen, mark, note, seen_again, was_seen
from tables.changelog import Codec
from tables.cooling import ROUND, SLICE, Cooling
from tables.customer import Armed, Cart, CartLine, Customer, Pointer, Profile, Shelf, ShelfItem
from tables.dialog import Dialog
from tables.frost import FIRST, LEAST, MARK, MARK_AT, MOST_DICTIONARIES, Frost, is_frozen, size_of
from tables.packed import PackedRows
from tables.step import Partition
from tables.views import Product, View, ViewRing
from tables.windows import SESSION_GAP
from tests.frozen import FIRST as FEW
from tests.frozen import EagerRows

NOW = 1_700_000_000.0
CODEC = Codec(ROW_TYPE)
encode, decode = CODEC.encode_row, CODEC.decode_row


def somebody(number=0, at=NOW, **more):
    """A customer as a shop has many."""
    product = Product(
        f"p{number % 50}", "lamps", 20.0, f"Lamp number {number % 50}", f"https://shop.example/{number % 50}"
    )
    return Customer(
        at - 90, at, at - 60,
        profile=Profile(f"u{number}@shop.example", first_name="Ann"),
        cart=Cart([CartLine(product.product_id, 1.0, at, 20.0, product.name, "lamps", product.url)], at),
        views=ViewRing.of([View(product, at - 80)]),
        armed=[Armed("abandoned_cart", 1, f"m{number}", at), Armed("abandoned_product", 1, f"v{number}", at)],
        **more,
    )  # fmt: skip


@pytest.fixture
def frost():
    """One that has its dictionary."""
    made = Frost()
    for number in range(FIRST):
        made.freeze(encode(somebody(number)))
    return made


def rows_of(frost, rows):
    """Packed rows of a dictionary of rows, each frozen that can be."""
    made = PackedRows(encode, decode, frost)
    for key, row in rows.items():
        made.put_packed(key, encode(row))
        made.freeze(key)
    return made


def test_a_row_comes_back_as_it_was_in_a_third_of_its_bytes(frost):
    packed = encode(somebody(7_777))
    frozen = frost.freeze(packed)
    assert is_frozen(frozen) and not is_frozen(packed)
    assert len(frozen) < len(packed) / 2
    assert frost.thaw(frozen) == packed
    assert size_of(frozen) == size_of(packed) == len(packed)


def test_what_is_frozen_twice_is_frozen_once(frost):
    frozen = frost.freeze(encode(somebody()))
    assert frost.freeze(frozen) is frozen


@pytest.mark.parametrize(
    "row",
    [
        Customer(NOW, NOW, NOW),
        Customer(profile=Profile("x" * LEAST)),
        Pointer("u" * 200),
        Shelf([ShelfItem("p" * 50, 1.0, NOW, "u1")] * 8),
    ],
)
def test_other_rows_are_frozen_only_if_they_are_customers_and_long(frost, row):
    packed = encode(row)
    frozen = frost.freeze(packed)
    assert is_frozen(frozen) == (type(row) is Customer and len(packed) >= LEAST)
    assert frost.thaw(frozen) == packed


def test_what_does_not_become_shorter_stays_as_it_is(frost):
    noise = random.Random(1).randbytes(2_000).hex()
    packed = encode(Customer(NOW, NOW, NOW, seen=random.Random(1).randbytes(2_000)))
    assert frost.freeze(packed) is packed
    assert is_frozen(frost.freeze(encode(Customer(NOW, NOW, NOW, profile=Profile(noise)))))


def test_the_first_rows_wait_for_a_dictionary():
    made = Frost()
    rows = [encode(somebody(number)) for number in range(FIRST)]
    assert [made.freeze(packed) for packed in rows[:-1]] == rows[:-1]
    assert is_frozen(made.freeze(rows[-1]))


def test_a_shop_that_changes_gets_dictionaries_anew_and_what_was_frozen_before_can_be_read():
    made, kept = Frost(FEW, 8), []
    for number in range(FEW * 8 * 8 * 2):
        packed = encode(somebody(number, aliases=[f"anon:{'abcdefg'[number // FEW % 7]}{number}"] * (number // 200)))
        kept.append((packed, made.freeze(packed)))
    numbers = [frozen[32] for _, frozen in kept if is_frozen(frozen)]
    assert numbers == sorted(numbers) and set(numbers) == {0, 1, 2}
    assert [made.thaw(frozen) for _, frozen in kept] == [packed for packed, _ in kept]


def test_there_are_never_more_dictionaries_than_their_number_has_room_for(monkeypatch):
    monkeypatch.setattr(frosts, "GROWTH", 1)
    made = Frost(2, 2)
    for number in range(MOST_DICTIONARIES * 4):
        packed = encode(somebody(number))
        assert made.thaw(made.freeze(packed)) == packed
    assert is_frozen(made.freeze(packed)) and made.freeze(packed)[32] == MOST_DICTIONARIES - 1


def test_rows_that_no_dictionary_can_be_made_of_are_one_themselves(monkeypatch):
    def refuse(*_args):
        raise zstandard.ZstdError("cannot train dict: Src size is incorrect")

    monkeypatch.setattr(zstandard, "train_dictionary", refuse)
    made = Frost(FEW, 8)
    for number in range(FEW * 2):
        packed = encode(somebody(number))
        frozen = made.freeze(packed)
        assert made.thaw(frozen) == packed
    assert is_frozen(frozen)


def test_what_only_looks_frozen_is_a_row_that_cannot_be_read(frost):
    """A changelog may hold anything; a row that is broken is refused as such (MsgspecError), not by what presses rows."""
    broken = bytearray(encode(somebody()))
    broken[MARK_AT] = MARK
    for number in (0, 200):
        broken[32] = number
        packed = bytes(broken)
        assert frost.freeze(packed) is packed
        with pytest.raises(msgspec.MsgspecError):
            frost.thaw(packed)
    for packed in (encode(Pointer("\u00e1" * 40)), b"", MARK * 40, b"\xdc" + MARK * 60):
        assert frost.thaw(packed) == packed


@given(
    st.floats(NOW - 9_000, NOW + 9_000),
    st.floats(NOW - 9_000, NOW + 9_000),
    st.booleans(),
    st.sampled_from([30.0, 4_000.0, float("inf")]),
)
def test_activity_is_noted_in_a_frozen_row_as_in_any(seen, at, talks, gap):
    row = somebody(3, seen, **({"dialogs": [Dialog("telegram:shop:1", NOW)]} if talks else {}))
    made = Frost(1, 1)
    packed = encode(row)
    frozen = made.freeze(packed)
    assert is_frozen(frozen)
    assert last_seen(frozen) == last_seen(packed)
    assert has_dialogs(frozen) == has_dialogs(packed) == talks
    assert is_marked(frozen, mark(at)) == is_marked(packed, mark(at))
    again, plain = seen_again(frozen, at, gap), seen_again(packed, at, gap)
    assert (again is None) == (plain is None)
    if again is not None:
        assert is_frozen(again) and made.thaw(again) == plain


def test_reading_leaves_a_row_frozen_and_writing_does_not(frost):
    rows = rows_of(frost, {"a": somebody(1), "b": somebody(2)})
    packed = encode(somebody(1))
    assert rows.get("a") == rows.peek("a") == somebody(1)
    assert rows.looked_at == len(packed)
    assert rows.bytes_of("a") == packed and rows.bytes_of("nobody") is None
    rows.close()
    assert dict(rows.unpacked()) == {"a": somebody(1), "b": somebody(2)}
    assert is_frozen(rows.cells["a"].packed)
    rows.get("a").last_seen += 1
    rows.pack("a")
    rows.close()
    assert not is_frozen(rows.cells["a"].packed) and is_frozen(rows.cells["b"].packed)
    assert rows.size == sum(len(cell.packed) for cell in rows.cells.values())


def test_the_changelog_gets_a_patched_row_whole(frost):
    rows = rows_of(frost, {"a": somebody(1)})
    assert not was_seen(rows, "a", NOW + 5) and note(rows, "a", NOW + 5) and was_seen(rows, "a", NOW + 5)
    assert is_frozen(rows.cells["a"].packed)
    assert rows.looked_at == len(encode(somebody(1)))
    row = somebody(1)
    row.last_seen = NOW + 5
    assert rows.pack("a") == encode(row) == rows.cells["a"].packed
    assert rows.size == len(encode(row))


def test_without_a_frost_nothing_is_frozen():
    rows = rows_of(None, {str(number): somebody(number) for number in range(FIRST * 2)})
    assert not rows.freeze("1") and not any(is_frozen(cell.packed) for cell in rows.cells.values())


def test_a_row_that_is_unpacked_or_was_just_made_is_not_frozen(frost):
    rows = rows_of(frost, {})
    rows.put_packed("a", encode(somebody(1)))
    rows["new"] = somebody(2)
    rows.get("a")
    assert not rows.freeze("a") and not rows.freeze("new") and not rows.freeze("nobody")
    rows.close()
    assert rows.freeze("a")


STEPS = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.sampled_from(["put", "change", "look", "note", "delete", "restore", "forget", "made", "close"]),
        st.integers(0, 400),
    ),
    max_size=60,
)


def played(rows, steps):
    """What each step shows of the rows, and what they are in the end, by bytes; with the sizes that do not depend on frost."""
    shown = []
    for who, what, number in steps:
        key, row = f"u{who}", somebody(number, NOW + number)
        if what == "put":
            rows[key] = row
            shown.append(rows.pack(key))
        elif what == "change" and key in rows:
            rows[key].aliases = [f"anon:{number}"] * (number % 5)
            shown.append(rows.pack(key))
        elif what == "look":
            shown.append((rows.get(key), rows.bytes_of(key), key in rows, len(rows)))
        elif what == "note":
            shown.append((note(rows, key, NOW + number), rows.pack(key)))
        elif what == "delete":
            shown.append(rows.pop(key, None))
        elif what == "restore":
            rows.put_packed(key, encode(row))
        elif what == "forget" and key in rows:
            rows.get(key).aliases = ["changed"]
            rows.forget(key)
        elif what == "made":
            rows[f"made{who}"] = row
        shown.append(rows.looked_at)
        if what == "close":
            rows.close()
            shown.append(sorted(dict(rows.unpacked()).items(), key=repr))
    rows.close()
    assert rows.size == sum(len(cell.packed) for cell in rows.cells.values())
    return shown, {key: rows.bytes_of(key) for key in rows}


@cache
def grown():
    """A frost that has its dictionary: made once, since every example begins with one."""
    made = Frost(FEW, FEW)
    for number in range(FEW):
        made.freeze(encode(somebody(number)))
    return made


@given(STEPS)
def test_whatever_is_done_with_rows_gives_the_same_whether_they_are_frozen_or_not(steps):
    steps = [(0, "put", 0), (1, "restore", 1), (0, "close", 0), *steps]
    eager = EagerRows(encode, decode, grown())
    assert played(eager, steps) == played(PackedRows(encode, decode), steps)
    assert eager.frozen


def test_customers_whose_visit_is_over_are_frozen_in_slices_and_nobody_else(frost):
    rows = PackedRows(encode, decode, frost)
    for number in range(SLICE + 10):
        rows.put_packed(f"old{number}", encode(somebody(number, NOW - SESSION_GAP - 1)))
    for number in range(5):
        rows.put_packed(f"new{number}", encode(somebody(number, NOW - SESSION_GAP + 1)))
    rows.put_packed("pointer", encode(Pointer("old1")))
    cooling = Cooling(NOW)
    assert cooling.is_due(NOW) and not cooling.is_due(NOW - 1)
    first = cooling.look(rows, NOW)
    assert 0 < first <= SLICE and cooling.is_due(NOW)
    assert cooling.look(rows, NOW) == SLICE + 10 - first
    assert {key[:3] for key, cell in rows.cells.items() if is_frozen(cell.packed)} == {"old"}
    assert rows.size == sum(len(cell.packed) for cell in rows.cells.values())
    rows.put_packed("old1", encode(somebody(1, NOW - SESSION_GAP - 1)))
    assert not cooling.is_due(NOW + ROUND - 1)
    assert cooling.is_due(NOW + ROUND)
    assert cooling.look(rows, NOW + ROUND) + cooling.look(rows, NOW + ROUND) == 1 + 5  # whose visits are over by now
    assert is_frozen(rows.cells["old1"].packed) and is_frozen(rows.cells["old2"].packed)


def test_a_row_that_went_during_a_round_is_passed_over(frost):
    rows = PackedRows(encode, decode, frost)
    for number in range(SLICE + 1):
        rows.put_packed(f"u{number}", encode(somebody(number, NOW - 2 * SESSION_GAP)))
    cooling = Cooling(NOW)
    assert cooling.look(rows, NOW) == SLICE
    for key in list(rows):
        del rows[key]
    assert cooling.look(rows, NOW) == 0
    assert len(rows) == rows.size == 0


class Deadlines:
    """Timers of a partition, of frozen rows and of others."""

    def __init__(self, rows):
        self.part = Partition(0, rows)
        self.part.rebuild_timers(lambda row: row.last_seen if type(row) is Customer else None)

    def all(self):
        return list(self.part.timers.pop_due(NOW * 2))


def test_timers_are_rebuilt_from_frozen_rows(frost):
    rows = {f"u{number}": somebody(number, NOW + number) for number in range(50)} | {"pointer": Pointer("u1")}
    frozen, plain = rows_of(frost, rows), rows_of(None, rows)
    assert is_frozen(frozen.cells["u1"].packed) and not is_frozen(plain.cells["u1"].packed)
    assert Deadlines(frozen).all() == Deadlines(plain).all() == [(NOW + number, f"u{number}") for number in range(50)]
    assert frozen.opened == {} and is_frozen(frozen.cells["u1"].packed)
