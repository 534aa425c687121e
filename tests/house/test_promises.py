"""Each promise about what must hold whatever happens has a test, and each test that the list names exists; each part of `make chaos` is on it."""

import re

import pytest

from tests.chaos.__main__ import PARTS
from tests.house.test_bad_input import ROOT, functions_of

PAGE = (ROOT / "tests" / "chaos" / "README.md").read_text()
TABLE = PAGE.partition("## What is promised")[2].partition("\n## ")[0]
ROWS = [line for line in TABLE.splitlines() if line.startswith("| ") and not line.startswith("| promise")]
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TABLE)))
PROMISED = (
    "2,000 seeds x 2,000 events", "planted bugs", "100 kills", "outbox's and the changelog's acknowledgement", "within SMTP DATA", "10,000 orders",
    "10 restarts", "5 wipes", "20 rebalances", "20 kinds of broken records x 4 codecs", "every event twice", "12 h", "hangs for 60 s", "within 30 s",
    "100,000 lines", "truncated", "compacted", "newer version",
)  # fmt: skip


@pytest.mark.parametrize(("path", "name"), NAMED, ids=[name for _, name in NAMED])
def test_each_test_that_the_list_names_exists(path, name):
    assert name.startswith("test_")
    assert name in functions_of(path)


def test_each_promise_is_on_the_list_with_a_test():
    assert [words for words in PROMISED if not any(words in row for row in ROWS)] == []
    assert [row for row in ROWS if "::test_" not in row] == []


def test_each_part_at_full_size_is_on_the_list():
    named = set(re.findall(r"\| `(\w+)`", TABLE))
    assert named == set(PARTS)
