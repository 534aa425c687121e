"""Whatever a body says twice is found, however it is written, and what it says once is read as it stands."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.web.collector.body import Repeated, mend, parse

WORDS = st.sampled_from(["a", "b", ":", '":', '"', "\\", "é", "\\u003a", "", "a:b", '{"a":1}'])
DOCUMENTS: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 53), 1 << 53) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)
SEPARATORS = st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : "), ("\n,\t", "\r:")])


class Twice(dict[str, Any]):
    """An object whose first key is written once more, before the others."""

    def __init__(self, more: dict[str, Any], first: Any) -> None:
        super().__init__(more)
        self.first = first


def text_of(value: Any, separators: tuple[str, str], *, ascii_only: bool, escaped: bool) -> str:
    """JSON as somebody else writes it; `escaped`: with the colons of its texts as escapes."""
    comma, colon = separators
    if isinstance(value, str):
        told = json.dumps(value, ensure_ascii=ascii_only)
        return told.replace(":", "\\u003a") if escaped else told
    if isinstance(value, list):
        return f"[{comma.join(text_of(item, separators, ascii_only=ascii_only, escaped=escaped) for item in value)}]"
    if isinstance(value, dict):
        pairs = list(value.items())
        if isinstance(value, Twice):
            pairs.insert(0, (pairs[0][0], value.first))
        told = (
            colon.join(text_of(part, separators, ascii_only=ascii_only, escaped=escaped) for part in pair)
            for pair in pairs
        )
        return "{" + comma.join(told) + "}"
    return json.dumps(value)


def has(value: Any, kind: type) -> bool:
    """Whether an object of the kind is anywhere in it."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return isinstance(value, kind) or any(has(item, kind) for item in inner)


@settings(max_examples=400, deadline=None)
@given(DOCUMENTS, SEPARATORS, st.booleans(), st.booleans())
def test_a_body_without_repeated_keys_says_what_it_says(
    document: Any, separators: tuple[str, str], ascii_only: bool, escaped: bool
) -> None:
    body = text_of(document, separators, ascii_only=ascii_only, escaped=escaped).encode()
    read, lenient = parse(body)
    assert (mend(read, 20) if lenient else read) == document
    assert not has(read, Repeated)


@settings(max_examples=400, deadline=None)
@given(DOCUMENTS, st.dictionaries(WORDS, DOCUMENTS, min_size=1, max_size=3), DOCUMENTS, SEPARATORS, st.booleans(), st.booleans())  # fmt: skip
def test_a_key_that_is_said_twice_is_always_found(
    around: Any, twice: Any, first: Any, separators: tuple[str, str], ascii_only: bool, escaped: bool
) -> None:
    document = {"around": around, "events": [Twice(twice, first)]}
    read, lenient = parse(text_of(document, separators, ascii_only=ascii_only, escaped=escaped).encode())
    assert lenient
    assert isinstance(read["events"][0], Repeated)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a" :1,"a":2}',
        b'{"a":1,"a":"\\u003a"}',
        b'{"a":1,"a":"\\u003A"}',
        b'{"a":":","a":"\\u003a:"}',
        b'{"a":1,"a":"\\":"}',
        b'{"\\u0061":1,"a":2}',
        b'{"a":{"b":1,"b":1}}',
    ],
)
def test_no_way_of_writing_hides_it(body: bytes) -> None:
    assert parse(body)[1]


@pytest.mark.parametrize("levels", [200, 300])
def test_what_is_deeper_than_we_write_is_still_looked_through(levels: int) -> None:
    deep = b'{"a":' * levels + b'{"k":1}' + b"}" * levels
    assert not parse(deep)[1]
    read, lenient = parse(deep.replace(b'"k":1', b'"k":1,"k":2'))
    assert lenient
    assert has(read, Repeated)


def test_a_plain_body_is_taken_as_it_was_read() -> None:
    written = orjson.dumps({"batch": [{"event": "Просмотр: лампа", "price": 12.5, "at": "07:20:08"}] * 3})
    for body in (written, json.dumps(json.loads(written)).encode(), json.dumps(json.loads(written), indent=1).encode()):
        assert parse(body) == (json.loads(written), False)
