"""Rows of customers whose visit is over are frozen beside the worker, and their memory goes back to the system."""

import ctypes
import subprocess
import sys

import pytest

from agents.behaviour import ROW_TYPE
from app import metrics
from app.clock import ManualClock
from app.engine import cooling, heap
from app.engine.cooling import SETTLE, Cooler
from tables.changelog import Codec
from tables.cooling import ROUND, SLICE
from tables.frost import Frost, is_frozen
from tables.held import HeldPartition
from tables.packed import PackedRows
from tables.windows import SESSION_GAP
from tests.tables.test_frost import somebody

CODEC = Codec(ROW_TYPE)


class Table:
    """What the cooler needs of the worker's table."""

    def __init__(self, *numbers):
        self.parts = {number: self.held(number) for number in numbers}

    def held(self, number, rows=20):
        part = HeldPartition(number, 2.0, PackedRows(CODEC.encode_row, CODEC.decode_row, Frost(10, 10)))
        for one in range(rows):
            part.packed.put_packed(f"u{one}", CODEC.encode_row(somebody(one, 1_000.0)))
        part.open = True
        return part

    def frozen(self, number):
        return sum(is_frozen(cell.packed) for cell in self.parts[number].packed.cells.values())


@pytest.fixture
def clock():
    return ManualClock(1_000.0 + SESSION_GAP + 1)


@pytest.fixture
def given_back(monkeypatch):
    """How often memory was given back."""
    times = []
    monkeypatch.setattr(cooling, "give_back", lambda: times.append(1))
    return times


async def test_the_open_partitions_are_cooled_and_no_copy_that_stands_by(clock, given_back, eventually, monkeypatch):
    monkeypatch.setattr(cooling, "PAUSE", 0.0)
    monkeypatch.setattr(cooling, "IDLE", 0.01)
    table = Table(0, 1, 2)
    table.parts[1].open = False
    before, cooler = metrics.FROZEN._value.get(), Cooler(table, clock)
    await cooler.start()
    await eventually(lambda: len(cooler._rounds) == 2)
    assert (table.frozen(0), table.frozen(1), table.frozen(2)) == (0, 0, 0)  # their backlog comes first
    clock.advance(SETTLE)
    await eventually(lambda: given_back)
    await cooler.stop()
    assert (table.frozen(0), table.frozen(1), table.frozen(2)) == (11, 0, 11)  # the first nine wait for the dictionary
    assert metrics.FROZEN._value.get() - before == 22
    assert len(given_back) == 1


def test_a_partition_that_was_held_anew_is_begun_anew(clock, given_back):
    table = Table(0)
    cooler = Cooler(table, clock)
    for _ in range(2):
        assert not cooler.look(table.parts[0])
        clock.advance(SETTLE)
        assert cooler.look(table.parts[0]) and not cooler.look(table.parts[0])
        assert table.frozen(0) == 11
        first, table.parts[0] = table.parts[0], table.held(0)
    table.parts[0] = first
    assert not cooler.look(first)  # held anew, as far as the cooler knows
    clock.advance(ROUND)
    assert cooler.look(first)
    assert table.frozen(0) == 20
    assert not given_back


def test_memory_is_given_back_as_it_becomes_free(clock, given_back, monkeypatch):
    monkeypatch.setattr(cooling, "GIVE_BACK", SLICE)
    table = Table()
    part = table.parts[0] = table.held(0, 3 * SLICE)
    cooler = Cooler(table, clock)
    assert not cooler.look(part)
    clock.advance(SETTLE)
    while cooler.look(part):
        pass
    assert len(given_back) == 2  # in the first slice nine rows waited for the dictionary


def test_rows_that_are_not_packed_are_left_alone(clock, given_back):
    part = HeldPartition(0, 2.0)
    part.open = True
    assert not Cooler(Table(), clock).look(part)


HOLES = """
import sys
sys.path.insert(0, {root!r})
from app.engine.heap import give_back
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
made = [bytes(1000 + number % 7) for number in range(100_000)]
kept, full = made[::100], resident()
del made
before = resident()
assert give_back()
assert resident() < before - 50_000_000, (full, before, resident())
print("given back")
"""


def test_what_was_freed_goes_back_to_the_system():
    if heap._trim is None:
        pytest.skip("this C library gives memory back by itself")
    root = str(__import__("pathlib").Path(__file__).parents[2])
    told = subprocess.run([sys.executable, "-c", HOLES.format(root=root)], capture_output=True, text=True, timeout=60)
    assert told.stdout == "given back\n", told.stderr


def test_a_c_library_without_that_call_is_left_to_itself(monkeypatch):
    def library(_name):
        raise OSError("no such library")

    monkeypatch.setattr(ctypes, "CDLL", library)
    assert heap._trimmer() is None
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: object())
    assert heap._trimmer() is None
    monkeypatch.setattr(heap, "_trim", None)
    assert not heap.give_back()


def test_a_partition_that_is_opened_again_is_left_alone_for_as_long_as_a_new_one(clock, given_back):
    table = Table(0)
    part, cooler = table.parts[0], Cooler(table, clock)
    assert not cooler.look(part)
    part.open = False  # a rebalance: closed, and restored from where it stands
    clock.advance(SETTLE + 1)
    assert not cooler.look(part)
    part.open = True
    assert not cooler.look(part), "opened just now, and frozen at once"
