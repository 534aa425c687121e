"""Each kind of bad input is on the list, and each test that the list names exists."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "bad-input.md").read_text()
ROWS = {line.split("|")[1].strip(): line for line in PAGE.splitlines() if line.startswith("| ") and "`tests/" in line}
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))
PROMISED = (
    "bad JSON", "wrong types", "missing ids", "33 KB", "501 KB", "gzip bomb", "10,000 nested brackets", "NaN", "invalid UTF-8",
    "duplicate keys", "1970", "2099", "negative price", "10,000 lines", "unknown write key", "forged unsubscribe token",
    "e-mail address with CR LF", "read in two ways", "bidi and zero-width", "template of 10 MB", "301 to a metadata address",
    "receipt for an unknown message", "forged or expired token", "forged or expired confirmation", "answers 4xx", "answers 5xx", "hangs", "closes",
)  # fmt: skip


@cache
def functions_of(path):
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize(("path", "name"), NAMED, ids=[name for _, name in NAMED])
def test_each_test_that_the_list_names_exists(path, name):
    assert name.startswith("test_")
    assert name in functions_of(path)


@pytest.mark.parametrize("item", PROMISED)
def test_each_promised_item_is_on_the_list_with_a_test(item):
    assert any(item in row for row in ROWS)


def test_each_row_of_the_list_names_a_test():
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| input")]
    assert [line for line in rows if "::test_" not in line] == []
