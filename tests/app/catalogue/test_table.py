"""A table's rows, whose quoted cells may hold line breaks."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.catalogue.refusal import FeedRefusedError
from app.catalogue.table import LONGEST_LINE, MOST_LINES, TableStream

HEAD = "id\ttitle\tprice\n"
CELLS = st.text(st.sampled_from('ab "\n\té'), min_size=1, max_size=8).filter(str.strip)


def rows(text, piece=0):
    data = text.encode()
    stream, found = TableStream(), []
    for at in range(0, len(data), piece or len(data)):
        found += stream.feed(data[at : at + (piece or len(data))])
    return [*found, *stream.end()]


def told(found):
    return [(row.line, None if row.fields is None else list(row.fields.values())) for row in found]


@pytest.mark.parametrize("piece", [0, 1, 3, 7])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_quoted_cell_may_hold_line_breaks_whatever_pieces_it_comes_in(piece, end):
    text = HEAD + '1\t"A lamp\n\nof ""Nord""\t, large"\t5\n2\tRug\t6\n"3\n"\t"two\nlines"\t7\n'
    assert told(rows(text.replace("\n", end), piece)) == [
        (2, ["1", 'A lamp\n\nof "Nord"\t, large', "5"]),
        (5, ["2", "Rug", "6"]),
        (6, ["3\n", "two\nlines", "7"]),
    ]


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=6), st.integers(1, 40))
def test_what_a_csv_writer_writes_is_read(table, piece):
    out = io.StringIO()
    csv.writer(out, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(table)
    assert [tuple(row.fields.values()) for row in rows(HEAD + out.getvalue(), piece)] == table


def test_an_inch_is_no_quote():
    assert told(rows(HEAD + '1\t19" monitor\t5\n2\t24" monitor\t6\n')) == [
        (2, ["1", '19" monitor', "5"]),
        (3, ["2", '24" monitor', "6"]),
    ]


@pytest.mark.parametrize("others", [1, MOST_LINES // 2, MOST_LINES * 3])
def test_a_quote_that_is_never_closed_costs_its_own_line(others):
    text = HEAD + '1\t"Lamp\t5\n' + "".join(f"{number}\tRug\t6\n" for number in range(2, 2 + others))
    found = told(rows(text, 1_000))
    assert found[0] == (2, None)
    assert found[1:] == [(number + 1, [str(number), "Rug", "6"]) for number in range(2, 2 + others)]


def test_two_stray_quotes_cost_two_lines():
    found = told(rows(HEAD + '1\t"Lamp\t5\n2\tRug\t6\n3\t"Bag\t7\n4\tBox\t8\n'))
    assert found == [(2, None), (3, ["2", "Rug", "6"]), (4, None), (5, ["4", "Box", "8"])]


def test_a_record_of_many_long_lines_is_not_waited_for_for_ever():
    long = "x" * (LONGEST_LINE // 8)
    found = rows(HEAD + '1\t"' + f"{long}\n" * 20 + "2\tRug\t6\n", 1 << 16)
    assert found[0].line == 2
    assert found[0].fields is None
    assert told(found)[-1] == (22, ["2", "Rug", "6"])


def test_a_file_that_ends_within_a_quoted_cell_is_refused():
    with pytest.raises(FeedRefusedError, match="line 3: the file ends within it: it is cut off"):
        rows(HEAD + '1\t"Lamp\nof No')
