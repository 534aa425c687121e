"""Files of events: what is read, and what is said about a file that cannot be."""

import gzip

import orjson
import pytest

from app.errors import CommandError
from app.replay.http import BATCH_EVENTS, batches
from app.replay.sources import read

EVENT = {"type": "track", "event": "Product Viewed", "userId": "u", "timestamp": "2026-01-01T00:00:00Z"}
CSV = (
    "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session\n"
    "2019-10-01 00:00:00 UTC,view,44,21,furniture.sofa,acme,35.79,54,s\n"
    "2019-10-01 00:00:01 UTC,cart,44,21,,,35.79,54,s\n"
    "2019-10-01 00:00:02 UTC,purchase,44,21,,,35.79,54,s\n"
)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        orjson.dumps(EVENT) + b"\n\n" + orjson.dumps(EVENT),
        orjson.dumps([EVENT, EVENT]),
        orjson.dumps({"batch": [EVENT, EVENT]}),
    ],
)
def test_json_in_its_three_forms(tmp_path, text, packed):
    path = tmp_path / "events"
    path.write_bytes(gzip.compress(text) if packed else text)
    assert list(read(path)) == [EVENT, EVENT]


def test_rees46_rows_become_commerce_events(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text(CSV)
    view, added, ordered = read(path)
    assert (view["event"], view["userId"], view["timestamp"]) == ("Product Viewed", "54", "2019-10-01T00:00:00Z")
    assert view["properties"]["name"] == "acme sofa"
    assert (added["event"], added["messageId"]) == ("Product Added", "rees46-2")
    assert ordered["properties"]["products"][0]["product_id"] == "44"


def test_made_up_addresses_come_before_a_visitors_first_event(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text(CSV)
    assert [event["type"] for event in read(path, addresses=True)] == ["identify", "track", "track", "track"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b'{"a":1}\n{"a":', "line 2 is not JSON"),
        (b"5\n", "line 1 holds int"),
        (b'[{"a":1},\n{"a":', "line 2 is not JSON"),
        (gzip.compress(orjson.dumps(EVENT) * 1000, mtime=0)[:10] + b"\xff" * 20, "read to its end"),
        (CSV.replace("35.79,54", "cheap,54").encode(), "row 1"),
        (CSV.replace(",view,", ",stare,").encode(), "row 1"),
        (gzip.compress(orjson.dumps(EVENT) * 1000, mtime=0)[:-20], "read to its end"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_with_its_line(tmp_path, text, told):
    path = tmp_path / "events"
    path.write_bytes(text)
    with pytest.raises(CommandError, match=told):
        list(read(path))


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(CommandError, match="no such file"):
        list(read(tmp_path / "nothing"))


def test_a_folder_in_place_of_a_file_is_told(tmp_path):
    with pytest.raises(CommandError, match="cannot be read"):
        list(read(tmp_path))


def test_batches_keep_the_collectors_limits():
    small = list(batches([EVENT] * (BATCH_EVENTS * 2 + 1)))
    assert [len(batch) for batch in small] == [BATCH_EVENTS, BATCH_EVENTS, 1]
    large = list(batches([{**EVENT, "properties": {"text": "x" * 30_000}}] * 40))
    assert max(len(orjson.dumps(batch)) for batch in large) <= 420_000
    assert sum(map(len, large)) == 40
