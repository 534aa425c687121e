"""The collector over HTTP: bad bodies, write keys, origins, limits, and what is answered when Kafka is away."""

import asyncio
import gc
import gzip
import json
import tracemalloc
from typing import Any

import pytest

from app.metrics import REGISTRY, render
from app.web.collector.body import BODY_LIMIT
from app.web.collector.limits import Buckets, Proxies
from tests.app.web.conftest import NOW, ORIGIN, House, track


def sample(name: str, **labels: str) -> float:
    render()  # brings what was only tallied into the registry
    return REGISTRY.get_sample_value(f"boomerang_{name}", labels) or 0.0


async def reason_of(house: House, body: bytes, status: int = 400, path: str = "/v1/track") -> str:
    response = await house.post(path, body)
    assert response.status_code == status
    assert "\n" not in response.text
    assert response.json()["success"] is False
    return response.json()["reason"]


async def test_an_accepted_event_is_on_its_customers_partition(house: House) -> None:
    response = await house.post("/v1/track", track(userId="u1"))
    assert (response.status_code, response.json()["success"]) == (200, True)
    (record,) = house.sink.records
    assert (record.topic, record.key) == ("clickstream", b"u1")
    from app.topics import partition_of

    assert record.partition == partition_of("u1", house.settings.partitions)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b"{'a': 1}", "not_json"),
        (b"[1,]", "not_json"),
        (b'\xff\xfe{"event":"x"}', "not_utf8"),
        (b'{"event":"\xff"}', "not_utf8"),
        (b"[" * 10_000 + b"]" * 10_000, "too_deep"),
        (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "too_deep"),
        (b"[" * 10_000, "too_deep"),
        (b"null", "wrong_type"),
        (b"42", "wrong_type"),
        (b'"text"', "wrong_type"),
        (b"[]", "wrong_type"),
        (b'{"event":"x","userId":"u","properties":{"price":NaN}}', "not_finite"),
        (b'{"event":"x","userId":"u","properties":{"price":-Infinity}}', "not_finite"),
        (b'{"event":"x","userId":"u","properties":{"price":1e999}}', "not_finite"),
        (b'{"event":"Product Added","userId":"u","properties":{"price":' + b"9" * 5000 + b"}}", "not_json"),
        (b"\x1f\x8b garbage", "not_json"),
        (gzip.compress(b"{}", mtime=0)[:-4], "not_json"),
        (gzip.compress(b"{}", mtime=0) + b"trailing", "not_json"),
    ],
)
async def test_a_body_that_is_no_event_gets_400_and_its_reason(house: House, body: bytes, reason: str) -> None:
    assert await reason_of(house, body) == reason
    assert house.events == []


async def test_an_event_of_33_kb_is_refused_and_one_of_31_kb_taken(house: House) -> None:
    assert await reason_of(house, json.dumps(track(note="n" * 33_000)).encode()) == "too_large"
    assert (await house.post("/v1/track", track(note="n" * 31_000))).status_code == 200


async def test_a_batch_of_501_kb_gets_413_and_one_of_499_kb_is_taken(house: House) -> None:
    def batch(size: int) -> bytes:
        events = [track("x", properties={"pad": "p" * 990, "i": i}) for i in range(size // 1000)]
        return json.dumps({"batch": events, "pad": ""}).encode()

    body = batch(450_000)
    assert (await house.post("/v1/batch", body + b" " * (BODY_LIMIT - len(body)))).status_code == 200
    assert await reason_of(house, body + b" " * (501 * 1024 - len(body)), 413, "/v1/batch") == "too_large"


async def test_a_gzip_bomb_gets_413_in_bounded_memory(house: House) -> None:
    bomb = gzip.compress(b" " * (200 << 20))
    assert len(bomb) < BODY_LIMIT
    tracemalloc.start()
    try:
        assert await reason_of(house, bomb, 413) == "too_large"
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20


async def test_2501_events_are_too_many(house: House) -> None:
    events = [{"type": "page", "userId": "u", "messageId": str(i)} for i in range(2_501)]
    assert await reason_of(house, json.dumps({"batch": events}).encode(), 400, "/v1/batch") == "too_large"
    response = await house.post("/v1/batch", {"batch": events[:2_500]})
    assert (response.status_code, response.json()["accepted"]) == (200, 2_500)


@pytest.mark.parametrize("body", [{}, {"batch": None}, {"batch": {}}, {"batch": "x"}, 7])
async def test_a_batch_without_a_list_is_refused(house: House, body: Any) -> None:
    assert await reason_of(house, json.dumps(body).encode(), 400, "/v1/batch") == "wrong_type"


@pytest.mark.parametrize(
    "body",
    [
        b'{"event":"x","userId":"a","userId":"b"}',
        b'{"event":"x","userId":"a","userId" :"b"}',
        b'{"event":"x","userId":"a","user\\u0049d":"b"}',
        b'{"event":"x","userId":"a","properties":{"k":1,"k":1}}',
        b'{"event":"x","userId":"a","properties":{"a":[{"b":{"k":1,"k"\n:1}}]}}',
    ],
)
async def test_an_object_that_says_a_key_twice_is_refused(house: House, body: bytes) -> None:
    assert await reason_of(house, body) == "duplicate_keys"
    (letter,) = await house.dead_letters(1)
    assert (letter.reason, json.loads(letter.value)["type"]) == ("duplicate_keys", "track")
    assert house.events == []


async def test_duplicate_keys_in_a_batch_refuse_their_event_or_the_whole_head(house: House) -> None:
    good = b'{"type":"page","userId":"a","messageId":"1","properties":{"title":"say \\":\\" twice"}}'
    body = b'{"batch":[' + good + b',{"type":"page","userId":"b","userId":"c"}]}'
    answer = (await house.post("/v1/batch", body)).json()
    assert (answer["accepted"], answer["errors"]) == (1, [{"index": 1, "reason": "duplicate_keys", "detail": ""}])
    assert [letter.reason for letter in house.dead] == ["duplicate_keys"]
    assert house.raw[0]["properties"]["title"] == 'say ":" twice'
    assert await reason_of(house, b'{"batch":[],"batch":[' + good + b"]}", 400, "/v1/batch") == "duplicate_keys"
    assert await reason_of(house, b'{"batch":[],"context":{"a":1,"a":2}}', 400, "/v1/batch") == "duplicate_keys"


async def test_a_bad_event_rejects_itself_and_not_its_batch(house: House) -> None:
    rejected = sample("collector_rejected_events_total", reason="negative_price")
    bad = [
        track(properties={"price": -1}),
        {"type": "nonsense"},
        7,
        track(note="n" * 33_000),
        track(properties={"products": [{}] * 600}),
    ]
    good = [track("x", messageId=f"m{i}") for i in range(3)]
    response = await house.post("/v1/batch", {"batch": [good[0], *bad[:3], good[1], *bad[3:], good[2]]})
    assert response.status_code == 200
    answer = response.json()
    assert (answer["success"], answer["accepted"], answer["rejected"]) == (True, 3, 5)
    assert [(e["index"], e["reason"]) for e in answer["errors"]] == [
        (1, "negative_price"), (2, "unknown_type"), (3, "wrong_type"), (5, "too_large"), (6, "too_many_lines"),
    ]  # fmt: skip
    assert [event.messageId for event in house.events] == ["m0", "m1", "m2"]
    assert [letter.reason for letter in house.dead] == [e["reason"] for e in answer["errors"]]
    assert json.loads(house.dead[0].value) == bad[0]
    assert (house.dead[0].source, house.dead[0].detail, house.dead[0].at) == (
        "collector:server",
        "properties.price",
        NOW,
    )
    assert sample("collector_rejected_events_total", reason="negative_price") == rejected + 1


async def test_nan_and_half_an_emoji_touch_only_their_own_events(house: House) -> None:
    body = (
        b'{"batch":[{"type":"page","userId":"a","messageId":"1"},'
        b'{"type":"page","userId":"b","properties":{"price":NaN}},'
        b'{"type":"page","userId":"c","messageId":"3","properties":{"title":"\\ud83d"}},'
        b'{"type":"page","userId":"d","messageId":"4","properties":{"n":%d}}]}' % 10**30
    )
    answer = (await house.post("/v1/batch", body)).json()
    assert (answer["accepted"], answer["rejected"], answer["errors"][0]["reason"]) == (3, 1, "not_finite")
    assert house.raw[1]["properties"]["title"] == "\ufffd"
    assert json.loads(house.dead[0].value)["userId"] == "b"


async def test_a_refused_single_event_is_a_dead_letter_that_says_its_type(house: House) -> None:
    assert (await house.post("/v1/track", {"userId": "u"})).json()["reason"] == "missing_event"
    (letter,) = await house.dead_letters(1)
    assert (letter.reason, json.loads(letter.value)) == ("missing_event", {"type": "track", "userId": "u"})


async def test_an_unknown_or_missing_write_key_gets_401(house: House) -> None:
    for key in ("", "nobody"):
        response = await house.post("/v1/track", track(), key)
        assert (response.status_code, response.json()["reason"]) == (401, "unknown_write_key")
        assert "www-authenticate" not in response.headers
    assert house.sink.records == []


@pytest.mark.parametrize(
    ("path", "headers", "body"),
    [
        ("/v1/track", {"authorization": "Basic c2VydmVyLWtleTo="}, {}),
        ("/v1/track", {"authorization": "basic c2VydmVyLWtleQ=="}, {}),
        ("/v1/track", {"authorization": "Bearer server-key"}, {}),
        ("/v1/track", {"authorization": "Bearer oauth"}, {"writeKey": "server-key"}),
        ("/v1/track", {"authorization": "nonsense"}, {"writeKey": "server-key"}),
        ("/v1/track", {"authorization": "Basic \xff\xfe"}, {"writeKey": "server-key"}),
        ("/v1/track", {}, {"writeKey": "server-key"}),
        ("/v1/track?writeKey=server-key", {}, {}),
        ("/api/s/track", {"x-write-key": "id:secret"}, {}),
        ("/api/s/s2s/track", {"x-write-key": "server-key:whatever"}, {}),
    ],
)
async def test_a_write_key_is_found_wherever_clients_put_it(house: House, path: str, headers: Any, body: Any) -> None:
    encoded = {name: value.encode("latin-1") for name, value in headers.items()}
    response = await house.http.post(path, content=json.dumps({**track(), **body}), headers=encoded)
    assert response.status_code == 200


async def test_a_write_key_of_a_wrong_type_is_no_key(house: House) -> None:
    response = await house.post("/v1/track", {**track(), "writeKey": {"a": 1}}, "")
    assert response.status_code == 401


async def test_a_known_origin_may_send_and_is_named_with_credentials(house: House) -> None:
    response = await house.post("/v1/track", track(), "browser", origin=ORIGIN)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert response.headers["access-control-allow-credentials"] == "true"
    assert response.headers["vary"] == "Origin"


async def test_an_allowed_origin_can_read_errors_too(house: House) -> None:
    response = await house.post("/v1/track", {}, "browser", origin=ORIGIN)
    assert (response.status_code, response.headers["access-control-allow-origin"]) == (400, ORIGIN)


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "https://shop.example.evil.example",
        "http://shop.example",
        "https://shop.example:444",
        "https://sub.shop.example",
        "*",
    ],
)
async def test_an_unknown_origin_is_refused_and_gets_no_cors_headers(house: House, origin: str) -> None:
    response = await house.post("/v1/track", track(), "browser", origin=origin)
    assert (response.status_code, response.json()["reason"]) == (403, "origin_not_allowed")
    assert not [name for name in response.headers if name.startswith("access-control")]
    assert house.sink.records == []


async def test_a_preflight_allows_what_the_libraries_send(house: House) -> None:
    asked = {
        "origin": ORIGIN,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization",
    }
    response = await house.http.options("/v1/t", headers=asked)
    assert (response.status_code, response.content) == (204, b"")
    allowed = response.headers["access-control-allow-headers"]
    assert {"authorization", "content-type", "anonymousid", "sentat", "x-write-key"} <= set(allowed.split(", "))
    assert "POST" in response.headers["access-control-allow-methods"]
    assert response.headers["access-control-allow-credentials"] == "true"


async def test_a_preflight_of_an_unknown_origin_allows_nothing(house: House) -> None:
    response = await house.http.options("/v1/t", headers={"origin": "https://evil.example"})
    assert not [name for name in response.headers if name.startswith("access-control")]


async def test_an_import_is_historical_and_needs_a_server_key(house: House) -> None:
    body = {"batch": [track(timestamp="2020-01-01T00:00:00Z")]}
    assert (await house.post("/v1/import", body, "browser")).status_code == 403
    assert (await house.post("/v1/import", body)).status_code == 200
    assert house.events[0].historical
    assert house.events[0].timestamp.isoformat() == "2020-01-01T00:00:00+00:00"


async def test_stripped_fields_are_counted(house: House) -> None:
    before = sample("collector_stripped_fields_total")
    await house.post("/v1/identify", {"userId": "u", "traits": {"email": "a@b.c", "phone": "1"}}, "browser")
    assert sample("collector_stripped_fields_total") == before + 2


async def test_names_outside_the_specification_share_one_label(house: House) -> None:
    before = sample("collector_event_names_total", event="other")
    for name in ("Quiz Finished", "x" * 100):
        await house.post("/v1/track", track(name))
    assert sample("collector_event_names_total", event="other") == before + 2
    assert sample("collector_event_names_total", event="Quiz Finished") == 0


async def test_the_same_message_id_counts_once_for_each_write_key(house: House) -> None:
    event = track("x", messageId="m1")
    for _ in range(3):
        assert (await house.post("/v1/track", event)).status_code == 200
    assert len(house.events) == 1
    await house.post("/v1/track", event, "browser")
    assert len(house.events) == 2
    answer = (
        await house.post("/v1/batch", {"batch": [event, track("x", messageId="m2"), track("x", messageId="m2")]})
    ).json()
    assert (answer["accepted"], answer["duplicates"]) == (1, 2)


async def test_a_batch_sent_again_counts_what_it_refuses_as_refused_alone(house: House) -> None:
    batch = {"batch": [track("x", messageId="m1"), {"type": "foo"}, 3]}
    before = sample("collector_events_total", outcome="duplicate")
    for accepted, duplicates in ((1, 0), (0, 1)):
        answer = (await house.post("/v1/batch", batch)).json()
        assert (answer["accepted"], answer["rejected"], answer["duplicates"]) == (accepted, 2, duplicates)
    fresh = {"batch": [track("x", messageId="m2"), {"type": "foo"}, 3]}
    answer = (await house.post("/v1/batch", fresh)).json()
    assert (answer["accepted"], answer["rejected"], answer["duplicates"]) == (1, 2, 0)
    assert sample("collector_events_total", outcome="duplicate") == before + 1


async def test_a_client_that_calls_all_its_messages_alike_loses_nobody_elses(house: House) -> None:
    same = {"messageId": "1", "timestamp": "2026-11-22T07:19:00Z"}
    await house.post("/v1/track", track("Product Added", userId="u1", **same))
    await house.post("/v1/track", track("Order Completed", userId="u1", **same))
    await house.post("/v1/track", track("Order Completed", userId="u2", **same))
    assert [(event.userId, event.event) for event in house.events] == [
        ("u1", "Product Added"),
        ("u1", "Order Completed"),
        ("u2", "Order Completed"),
    ]


async def test_a_repeated_event_waits_for_the_first_ones_acknowledgement(house: House) -> None:
    house.sink.held = True
    first, second = (asyncio.ensure_future(house.post("/v1/track", track("x", messageId="m1"))) for _ in range(2))
    while not house.sink.waiting:
        await asyncio.sleep(0)
    done, _ = await asyncio.wait((first, second), timeout=0.05)
    assert not done
    house.sink.release()
    assert [(await task).status_code for task in (first, second)] == [200, 200]
    assert len(house.events) == 1


async def test_events_that_two_batches_share_are_stored_once_and_settle_both(house: House) -> None:
    house.sink.held = True
    batches = [[track("x", messageId=f"m{number}") for number in numbers] for numbers in ((1, 2, 2), (2, 3))]
    first, second = (asyncio.ensure_future(house.post("/v1/batch", {"batch": batch})) for batch in batches)
    while len(house.sink.waiting) < 3:
        await asyncio.sleep(0)
    assert not first.done()
    assert not second.done()
    house.sink.release()
    assert [(await task).json()["duplicates"] for task in (first, second)] == [1, 1]
    assert sorted(event.messageId for event in house.events) == ["m1", "m2", "m3"]
    assert house.intake._buffered == 0


async def test_a_request_that_waits_for_kafka_holds_nothing_of_its_document(house: House) -> None:
    house.sink.held = True
    name = "kept" + "-for-nothing"
    bodies = [json.dumps({"batch": [track("x", context={name: {"a": {}}})], name: [[]]}).encode(),
              json.dumps({"batch": [{"type": "no such type", name: [{}]}], name: [[]]}).encode()]  # fmt: skip
    asked = [asyncio.ensure_future(house.post("/v1/batch", body)) for body in bodies]
    while len(house.sink.waiting) < 2:
        await asyncio.sleep(0)
    held = [item for item in gc.get_objects() if type(item) is dict and name in item]
    assert held == []
    house.sink.release()
    assert [(await task).status_code for task in asked] == [200, 200]


async def test_what_kafka_does_not_take_is_answered_with_503_and_taken_later(house: House) -> None:
    house.sink.up = False
    response = await house.post("/v1/track", track("x", messageId="m1"))
    assert (response.status_code, response.json()["reason"]) == (503, "unavailable")
    assert int(response.headers["retry-after"]) >= 1
    assert (await house.http.get("/readyz")).status_code == 503
    house.sink.up = True
    assert (await house.post("/v1/track", track("x", messageId="m1"))).status_code == 200
    assert len(house.events) == 1
    assert (await house.http.get("/readyz")).status_code == 200


async def test_a_full_buffer_is_answered_with_503_until_it_empties(
    house: House, monkeypatch: pytest.MonkeyPatch, eventually
) -> None:
    monkeypatch.setattr("app.web.collector.intake.BUFFER_BYTES", 10_000)
    house.sink.held = True
    events = [track("x", messageId=str(i), properties={"pad": "p" * 4_000}) for i in range(3)]
    waiting = [asyncio.ensure_future(house.post("/v1/track", event)) for event in events[:2]]
    await eventually(lambda: len(house.sink.waiting) == 2)
    assert (await house.post("/v1/track", events[2])).status_code == 503
    house.sink.release()
    assert [(await task).status_code for task in waiting] == [200, 200]
    assert (await house.post("/v1/track", events[2])).status_code == 200
    assert len(house.events) == 3


async def test_shutting_down_delivers_what_was_taken(house: House) -> None:
    house.sink.held = True
    request = asyncio.ensure_future(house.post("/v1/track", track()))
    while not house.intake._pending and not house.sink.waiting:
        await asyncio.sleep(0)
    await house.intake.close()
    assert (await request).status_code == 200
    assert len(house.events) == 1


async def test_one_address_is_slowed_down_and_others_are_not(rebuilt) -> None:
    async with rebuilt(rate_per_address=2, trusted_proxies="203.0.113.7") as house:
        statuses = [
            (
                await house.post("/v1/track", track(messageId=str(i)), "browser", x_forwarded_for="198.51.100.1")
            ).status_code
            for i in range(5)
        ]
        assert statuses == [200] * 4 + [429]
        slow = await house.post("/v1/track", track(), "browser", x_forwarded_for="198.51.100.1")
        assert (slow.json()["reason"], slow.headers["retry-after"]) == ("rate_limited", "1")
        other = await house.post("/v1/track", track(), "browser", x_forwarded_for="198.51.100.2")
        assert other.status_code == 200
        house.clock.advance(1)
        again = await house.post("/v1/track", track(messageId="z"), "browser", x_forwarded_for="198.51.100.1")
        assert again.status_code == 200


async def test_a_browser_cannot_make_thousands_of_visitors_with_one_request(rebuilt) -> None:
    async with rebuilt(rate_per_address=20) as house:

        async def batch(number: int, key: str = "browser") -> int:
            events = [{"type": "page", "anonymousId": f"{number}-{i}"} for i in range(number)]
            return (await house.post("/v1/batch", {"batch": events}, key)).status_code

        assert [await batch(20) for _ in range(3)] == [200] * 3
        assert [await batch(500), await batch(500)] == [200, 429]
        assert await batch(2_500, "server") == 200
        house.clock.advance(2)
        assert await batch(500) == 200


async def test_one_write_key_is_slowed_down(rebuilt) -> None:
    async with rebuilt(rate_per_key=1) as house:
        statuses = [(await house.post("/v1/track", track(messageId=str(i)))).status_code for i in range(4)]
        assert statuses == [200, 200, 429, 429]
        assert (await house.post("/v1/track", track(), "browser")).status_code == 200


async def test_guessing_write_keys_is_slowed_down(rebuilt) -> None:
    async with rebuilt(rate_per_address=1) as house:
        statuses = [(await house.post("/v1/track", track(), "wrong")).status_code for _ in range(3)]
        assert statuses == [401, 401, 429]


async def test_bodies_of_strangers_are_not_read_for_ever(rebuilt) -> None:
    async with rebuilt(rate_per_address=1) as house:
        for body in (b"{", b"[" * 10_000, b" " * (BODY_LIMIT + 1)):
            statuses = [(await house.post("/v1/batch", body, "")).status_code for _ in range(3)]
            assert 429 in statuses[:3]
            assert statuses[-1] == 429
            house.clock.advance(10)
        named = {**track(), "writeKey": "server-key"}
        assert (await house.post("/v1/track", named, "")).status_code == 200


async def test_a_browser_cannot_make_our_mails_point_elsewhere(house: House) -> None:
    line = {"product_id": "1", "url": "https://evil.example/p", "image_url": "https://cdn.shop.example/1.jpg"}
    event = track("Cart Viewed", properties={**line, "products": [line, {"product_id": "2", "url": "/p/2"}]})
    for key in ("browser", "server"):
        await house.post("/v1/track", event, key)
    page = {"page": {"url": "https://evil.example/"}}
    await house.post("/v1/track", track("Product Viewed", properties={"product_id": "1"}, context=page), "browser")
    theirs, ours, viewed = (event.properties for event in house.events)
    assert [(item.url, item.image_url) for item in (theirs, *theirs.products)] == [
        ("", "https://cdn.shop.example/1.jpg"),
        ("", "https://cdn.shop.example/1.jpg"),
        ("/p/2", ""),
    ]
    assert ours.url == ours.products[0].url == "https://evil.example/p"
    assert viewed.url == ""


def test_forwarded_addresses_count_only_from_trusted_proxies() -> None:
    trusting = Proxies(["10.0.0.0/8"])
    assert trusting.client("10.1.1.1", "6.6.6.6, 9.9.9.9, 10.2.2.2") == "9.9.9.9"
    assert trusting.client("8.8.8.8", "9.9.9.9") == "8.8.8.8"
    assert trusting.client("10.1.1.1", "9.9.9.9, nonsense") == "10.1.1.1"
    assert trusting.client("10.1.1.1", "") == "10.1.1.1"
    assert trusting.client("10.1.1.1", "2001:db8:1:2:3:4:5:6") == "2001:db8:1:2::/64"
    assert Proxies([]).client("::ffff:8.8.8.8", "9.9.9.9") == "8.8.8.8"


def test_the_table_of_buckets_is_bounded() -> None:
    buckets = Buckets(1, limit=100)
    for i in range(1_000):
        assert buckets.take(str(i), 0.0) == 0
    assert len(buckets) == 100


async def test_answers_carry_no_banner_and_forbid_sniffing(house: House) -> None:
    for response in (
        await house.post("/v1/track", track()),
        await house.http.get("/nothing"),
        await house.http.get("/healthz"),
    ):
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "server" not in response.headers


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/metrics",
        "/v1",
        "/v1/m",
        "/r/x",
        "/receipts/x",
        "/chat/x",
        "/v1/projects/nobody/settings",
        "/../etc/passwd",
    ],
)
async def test_other_paths_are_404(house: House, path: str) -> None:
    assert (await house.http.get(path)).status_code == 404
    assert (await house.post(path, {})).status_code in (404, 405)


async def test_a_wrong_method_is_told_the_right_one(house: House) -> None:
    response = await house.http.get("/v1/track")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert (await house.post("/healthz", {})).status_code == 405


async def test_nobodys_data_is_logged(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    await house.post("/v1/identify", {"userId": "canary-1", "traits": {"email": "canary@shop.example"}})
    await house.post("/v1/identify", {"userId": "canary-2", "traits": {"email": "canary\r\n@shop.example"}})
    house.sink.up = False
    await house.post("/v1/track", track(userId="canary-3"))
    assert "canary" not in caplog.text
    from app.metrics import render

    assert b"canary" not in render()
