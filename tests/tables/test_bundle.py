"""Bundles cut into pieces: no record and no offset is left out."""

from typing import NamedTuple

import pytest

from tables.bundle import PIECE_BYTES, PIECE_RECORDS, Bundle
from tables.step import Partition, Step


class Record(NamedTuple):
    offset: int
    value: bytes | None = b"x"
    key: bytes | None = b"k"
    timestamp: int = 0


def bundle(records, start, offset):
    return Bundle("in", 3, records, start, offset)


@pytest.mark.parametrize("records", [[], [Record(7)], [Record(number) for number in range(5, 5 + PIECE_RECORDS)]])
def test_a_small_bundle_is_its_own_only_piece(records):
    whole = bundle(records, 5, 900)
    assert list(whole.pieces()) == [whole]


@pytest.mark.parametrize(
    "records",
    [
        [Record(2 * number) for number in range(3000)],
        [Record(number, b"x" * (PIECE_BYTES // 3)) for number in range(10)],
        [Record(number, b"x" * 2 * PIECE_BYTES) for number in range(3)],
        [Record(0, None), *(Record(number, b"x" * number * 1000) for number in range(1, 200))],
    ],
    ids=["many", "large", "larger than a piece", "growing"],
)
def test_pieces_cover_all_records_and_offsets_in_their_order(records):
    pieces = list(bundle(records, 0, 7000).pieces())
    assert [record for piece in pieces for record in piece.records] == records
    assert [piece.start for piece in pieces] == [0, *(piece.offset + 1 for piece in pieces[:-1])]
    assert pieces[-1].offset == 7000
    for piece in pieces:
        assert piece.partition == 3
        assert 1 <= len(piece) <= PIECE_RECORDS
        assert len(piece) == 1 or piece.size <= PIECE_BYTES


def test_a_step_knows_about_how_large_it_is():
    step = Step(Partition(0))
    assert step.size == 0
    step.send("out", "k", b"x" * 100)
    step.read += 50
    assert step.size == 150
