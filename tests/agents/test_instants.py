"""Times as the collector writes them are read as any reader would read them; other texts are left to the others."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.instants import Instants

MOMENTS = st.datetimes(timezones=st.just(UTC))
ODD = (
    "",
    "now",
    "2026-01-01T00:00:00Z",
    "2026-01-01T00:00:00.1Z",
    "2026-01-01T00:00:00.123456Z",
    "2026-01-01T00:00:00.123+02:00",
    "2026-02-30T00:00:00.000Z",
    "2026-01-01T24:00:00.000Z",
    "2026-01-01T00:00:60.000Z",
    "2026-01-01T00:00: 1.000Z",
    "2026-01-01T00:00:\u0661\u0662.000Z",
    "2026-01-01T00:0\\u0030:01.00Z",
    '2026-01-01T00:00"00.000Z',
    "2026-01-01T00:00:00.000Z ",
)


def written(at: datetime) -> str:
    return f"{at.year:04d}-{at:%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def by_the_codec(text: str) -> float | None:
    try:
        return msgspec.json.decode(msgspec.json.encode(text), type=datetime).timestamp()
    except msgspec.ValidationError:
        return None


@given(
    st.lists(st.one_of(MOMENTS, st.datetimes(datetime(2026, 1, 1), datetime(2026, 1, 1, 0, 2), timezones=st.just(UTC))))
)
def test_what_the_collector_writes_is_read_to_the_last_bit(moments):
    instants = Instants()
    for text in map(written, moments):
        assert instants.read(text) == by_the_codec(text)


@given(
    st.lists(
        st.one_of(st.sampled_from(ODD), MOMENTS.map(written), MOMENTS.map(datetime.isoformat), st.text(max_size=30))
    )
)
def test_no_other_text_is_read_as_another_time(texts):
    instants = Instants()
    for text in texts:
        at = instants.read(text)
        assert at is None or at == by_the_codec(text)


@pytest.mark.parametrize("text", ODD)
def test_odd_texts_are_left_to_other_readers(text):
    assert Instants().read(text) is None
