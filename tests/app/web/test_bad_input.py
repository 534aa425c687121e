"""Each kind of bad input: a named refusal, and a neighbour who notices nothing. `docs/bad-input.md` is the list."""

import gzip
import json

import pytest

from app.clock import ManualClock
from app.topics import CLICKSTREAM
from tests.app.web.conftest import NOW, House, track
from tests.driver import HOUR, Engine

BAD = {"userId": "bad"}
BATCH = {"batch": [track("x", properties={"pad": "p" * 990}, userId="bad") for _ in range(501)]}
LINES = {"event": "Cart Viewed", **BAD, "properties": {"products": [1] * 10_000}}

CASES: dict[str, tuple[str, bytes, int, str]] = {
    "bad JSON": ("/v1/track", b'{"userId":"bad",', 400, "not_json"),
    "wrong types": ("/v1/track", json.dumps(track(properties={"price": {}}, **BAD)).encode(), 400, "wrong_type"),
    "missing ids": ("/v1/track", b'{"event":"Product Added"}', 400, "missing_id"),
    "an id of 10 kB": ("/v1/track", json.dumps(track(userId="b" * 10_000)).encode(), 400, "bad_id"),
    "33 KB event": ("/v1/track", json.dumps(track(note="n" * 33_000, **BAD)).encode(), 400, "too_large"),
    "501 KB batch": ("/v1/batch", json.dumps(BATCH).encode()[: 501 * 1024].ljust(501 * 1024), 413, "too_large"),
    "gzip bomb": ("/v1/batch", gzip.compress(b" " * (50 << 20), mtime=0), 413, "too_large"),
    "10,000 nested brackets": ("/v1/track", b"[" * 10_000 + b"]" * 10_000, 400, "too_deep"),
    "10,000 nested objects in an event": (
        "/v1/track",
        b'{"event":"x","userId":"bad","properties":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_001,
        400,
        "too_large",
    ),
    "21 levels in an event": (
        "/v1/track",
        b'{"event":"x","userId":"bad","properties":' + b'{"a":' * 21 + b"1" + b"}" * 22,
        400,
        "too_deep",
    ),
    "NaN": ("/v1/track", b'{"event":"x","userId":"bad","properties":{"price":NaN}}', 400, "not_finite"),
    "invalid UTF-8": ("/v1/track", b'{"event":"x","userId":"bad\xff"}', 400, "not_utf8"),
    "duplicate keys": ("/v1/track", b'{"event":"x","userId":"bad","userId":"u1"}', 400, "duplicate_keys"),
    "no date": ("/v1/track", json.dumps(track(timestamp="yesterday", **BAD)).encode(), 400, "bad_timestamp"),
    "negative price": ("/v1/track", json.dumps(track(properties={"price": -1}, **BAD)).encode(), 400, "negative_price"),
    "a price of 1e308": ("/v1/track", json.dumps(track(properties={"price": 1e308}, **BAD)).encode(), 400, "not_finite"),
    "a cart of 10,000 lines": ("/v1/track", json.dumps(LINES).encode(), 400, "too_many_lines"),
    "an address with CR LF": (
        "/v1/identify",
        json.dumps({**BAD, "traits": {"email": "a@b.cd\r\nBcc: u1@shop.example"}}).encode(),
        400,
        "bad_id",
    ),
}  # fmt: skip


class Shop:
    """A collector and the core behind it, with a neighbour who leaves a cart."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.core = Engine(partitions=1)
        self.core.clock = ManualClock(NOW)

    async def neighbour(self) -> None:
        traits = {"email": "u1@shop.example", "consent": {"email": True}}
        assert (await self.house.post("/v1/identify", {"userId": "u1", "traits": traits})).status_code == 200
        assert (await self.house.post("/v1/track", track(userId="u1"))).status_code == 200

    def mails(self) -> list[str]:
        for record in self.house.sink.records:
            if record.topic == CLICKSTREAM.name:
                self.core.record(CLICKSTREAM.name, record.key.decode(), record.value)
        self.core.wait(2 * HOUR)
        assert self.core.dead == []
        return [trigger.customer for trigger in self.core.triggers]


@pytest.mark.parametrize("name", CASES)
async def test_bad_input_is_refused_by_name_and_the_neighbour_gets_his_mail(house: House, name: str) -> None:
    path, body, status, reason = CASES[name]
    shop = Shop(house)
    response = await house.post(path, body)
    assert (response.status_code, response.json()["reason"]) == (status, reason)
    await shop.neighbour()
    assert [event.userId for event in house.events] == ["u1", "u1"]
    assert {letter.reason for letter in house.dead} <= {reason}
    assert shop.mails() == ["u1"]


@pytest.mark.parametrize(
    "name", [name for name, case in CASES.items() if case[0] == "/v1/track" and case[3] != "too_large"]
)
async def test_bad_input_inside_a_batch_is_a_dead_letter_or_refuses_the_batch_whole(house: House, name: str) -> None:
    _, body, _, reason = CASES[name]
    good = json.dumps(track("x", userId="good")).encode()
    event = body if b'"type"' in body else body.replace(b"{", b'{"type":"track",', 1)
    response = await house.post("/v1/batch", b'{"batch":[' + good + b"," + event + b"]}")
    if response.status_code == 200:
        assert (response.json()["accepted"], response.json()["rejected"]) == (1, 1)
        assert [letter.reason for letter in house.dead] == [reason]
    else:
        assert (response.status_code, response.json()["reason"]) == (400, reason)
        assert reason in ("not_json", "not_utf8", "too_deep")
        assert house.events == []


@pytest.mark.parametrize(("date", "year", "historical"), [("1970-01-01", 2000, True), ("2099-01-01", 2026, False)])
async def test_an_impossible_date_is_bounded_and_the_neighbour_gets_his_mail(
    house: House, date: str, year: int, historical: bool
) -> None:
    shop = Shop(house)
    for event in ("Order Completed", "Product Added"):
        sent = track(event, timestamp=f"{date}T00:00:00Z", **BAD)
        assert (await house.post("/v1/track", sent)).status_code == 200
    assert {(event.timestamp.year, event.historical) for event in house.events} == {(year, historical)}
    await shop.neighbour()
    assert shop.mails() == ["u1"]


async def test_an_unknown_write_key_is_refused_and_leaves_nothing(house: House) -> None:
    response = await house.post("/v1/track", track(userId="u1"), "nobody")
    assert (response.status_code, response.json()["reason"]) == (401, "unknown_write_key")
    assert house.sink.records == []


async def test_a_forged_unsubscribe_leaves_the_neighbour_subscribed(house: House) -> None:
    shop = Shop(house)
    await shop.neighbour()
    for token in ("x", "WyJ1MSIsImVtYWlsIiwidTFAc2hvcC5leGFtcGxlIiwibSIsMjA3Nzld.AAAA", "a" * 50_000):
        response = await house.http.post(f"/u/{token}", content=b"List-Unsubscribe=One-Click")
        assert response.status_code == 400
    assert house.receipts == []
    assert shop.mails() == ["u1"]
