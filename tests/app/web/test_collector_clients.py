"""What each client library really sends, as recorded, and what it asks for before it sends anything."""

import base64
import gzip
import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from app.web.collector.script import TRACKER
from tests.app.web.conftest import ORIGIN, House

BASIC = "Basic " + base64.b64encode(b"server-key:").decode()


async def send(house: House, path: str, body: Any, headers: dict[str, str], *, packed: bool = False) -> httpx.Response:
    content = json.dumps(body).encode()
    response = await house.http.post(path, content=gzip.compress(content) if packed else content, headers=headers)
    assert response.status_code == 200, response.text
    return response


async def test_segment_analytics_python(house: House) -> None:
    batch = [
        {
            "integrations": {}, "anonymousId": None, "properties": {"product_id": 5}, "timestamp": "2026-11-22T07:19:58.123456+00:00",
            "context": {"library": {"name": "analytics-python", "version": "2.4.0"}}, "userId": "u1", "type": "track",
            "event": "Product Added", "messageId": "5a7c2c1e-4a56-4f3e-8c0a-1d2f3a4b5c6d", "groupId": None,
        }
    ]  # fmt: skip
    body = {"sentAt": "2026-11-22T07:20:00+00:00", "batch": batch, "writeKey": "server-key"}
    headers = {"Content-Type": "application/json", "User-Agent": "analytics-python/2.4.0", "Authorization": BASIC}
    await send(house, "/v1/batch", body, headers)
    await send(house, "/v1/batch", body, {**headers, "Content-Encoding": "gzip"}, packed=True)
    (event,) = house.events
    assert (event.userId, event.anonymousId, event.properties.product_id) == ("u1", None, "5")
    assert event.timestamp == datetime(2026, 11, 22, 7, 19, 58, 123456, tzinfo=UTC)


async def test_segment_analytics_node_puts_sent_at_on_top(house: House) -> None:
    item = {
        "type": "page",
        "userId": "u1",
        "messageId": "node-next-1",
        "timestamp": "2031-01-01T00:00:00.000Z",
        "_metadata": {"nodeVersion": "20"},
    }
    await send(
        house,
        "/v1/batch",
        {"batch": [item], "writeKey": "server-key", "sentAt": "2031-01-01T00:00:07.000Z"},
        {"authorization": BASIC},
    )
    assert house.events[0].timestamp == datetime(2026, 11, 22, 7, 19, 53, tzinfo=UTC)


async def test_rudder_python_sends_traits_in_the_context_and_gzip(house: House) -> None:
    item = {
        "type": "identify",
        "userId": "u1",
        "messageId": "r1",
        "originalTimestamp": "2026-11-22T07:20:00Z",
        "context": {"traits": {"email": "a@b.c"}},
    }
    await send(
        house,
        "/v1/batch",
        {"batch": [item], "sentAt": "2026-11-22T07:20:00Z"},
        {"authorization": BASIC, "Content-Encoding": "gzip"},
        packed=True,
    )
    assert house.events[0].traits.email == "a@b.c"


async def test_rudder_node_sends_gzip_as_a_form(house: House) -> None:
    item = {
        "type": "track",
        "event": "Viewed Product",
        "userId": "u1",
        "messageId": "r1",
        "originalTimestamp": "2026-11-22T07:19:00Z",
        "properties": {"sku": "S"},
    }
    await send(
        house,
        "/v1/batch",
        {"batch": [item]},
        {"authorization": BASIC, "content-type": "application/x-www-form-urlencoded"},
        packed=True,
    )
    assert (house.events[0].event, house.events[0].properties.product_id) == ("Product Viewed", "S")
    assert house.events[0].timestamp.minute == 19


async def test_analytics_next_finds_its_settings_and_sends_text_plain(house: House) -> None:
    asked = await house.http.get("/v1/projects/browser-key/settings", headers={"origin": ORIGIN})
    assert asked.headers["access-control-allow-origin"] == ORIGIN
    segment = asked.json()["integrations"]["Segment.io"]
    assert (segment["apiKey"], segment["apiHost"], segment["protocol"]) == (
        "browser-key",
        "events.shop.example/v1",
        "https",
    )
    body = {
        "timestamp": "2026-11-22T07:19:59.500Z", "integrations": {}, "anonymousId": "a-1", "type": "page", "userId": None,
        "properties": {"path": "/", "title": "Shop", "url": "https://shop.example/"}, "messageId": "ajs-next-1-2",
        "context": {"page": {"url": "https://shop.example/"}, "locale": "ru-RU"}, "writeKey": "browser-key",
        "sentAt": "2026-11-22T07:20:00.000Z", "_metadata": {"bundled": ["Segment.io"]},
    }  # fmt: skip
    await send(house, "/v1/p", body, {"content-type": "text/plain", "origin": ORIGIN})
    assert (house.events[0].type, house.events[0].anonymousId, house.events[0].source) == ("page", "a-1", "browser")


@pytest.mark.parametrize(
    ("short", "kind"),
    [("t", "track"), ("p", "page"), ("i", "identify"), ("a", "alias"), ("g", "group"), ("s", "screen")],
)
@pytest.mark.parametrize("long", [False, True])
async def test_long_and_short_paths_say_the_type(house: House, short: str, kind: str, long: bool) -> None:
    body = {"userId": "u", "event": "x", "previousId": "p", "groupId": "g", "type": "ignored"}
    await send(house, f"/v1/{kind if long else short}", body, {"authorization": BASIC})
    assert house.events[0].type == kind


async def test_the_segment_snippet_gets_the_tracker_under_its_own_path(house: House) -> None:
    script = await house.http.get("/analytics.js/v1/browser-key/analytics.min.js")
    assert script.status_code == 200
    assert script.headers["content-type"].startswith("text/javascript")
    assert (await house.http.get("/analytics.js/v1/nobody/analytics.min.js")).status_code == 404


async def test_rudder_js_gets_its_source_and_sends_ids_in_headers(house: House) -> None:
    asked = await house.http.get(
        "/sourceConfig/?p=npm&v=3.34&writeKey=browser-key",
        headers={"origin": ORIGIN, "authorization": "Basic YnJvd3Nlci1rZXk6"},
    )
    source = asked.json()["source"]
    assert (source["enabled"], source["writeKey"], source["destinations"]) == (True, "browser-key", [])
    assert (await house.http.get("/sourceConfig/?writeKey=nobody")).status_code == 401
    headers = {
        "authorization": "Basic YnJvd3Nlci1rZXk6", "anonymousid": base64.b64encode(b"rudder-anon").decode(), "origin": ORIGIN,
        "sentat": "2031-01-01T00:00:05.000Z", "content-type": "application/json",
    }  # fmt: skip
    body = {
        "type": "track",
        "event": "Product Viewed",
        "userId": "",
        "messageId": "rj1",
        "originalTimestamp": "2031-01-01T00:00:00.000Z",
        "properties": {"product_id": 1},
        "traits": None,
    }
    await send(house, "/v1/track", body, headers)
    assert house.events[0].anonymousId == "rudder-anon"
    assert house.events[0].timestamp == datetime(2026, 11, 22, 7, 19, 55, tzinfo=UTC)


async def test_rudder_beacons_name_the_key_in_the_query(house: House) -> None:
    body = {"batch": [{"type": "page", "anonymousId": "a", "messageId": "b1"}]}
    await send(
        house,
        "/beacon/v1/batch?writeKey=browser-key",
        body,
        {"content-type": "text/plain;charset=UTF-8", "origin": ORIGIN},
    )
    assert house.events[0].anonymousId == "a"


async def test_jitsu_names_key_and_secret(house: House) -> None:
    body = {
        "type": "track",
        "event": "order completed",
        "anonymousId": "j",
        "messageId": "j1",
        "properties": {"order_id": 9},
    }
    answer = await send(house, "/api/s/s2s/track", body, {"x-write-key": "id:secret"})
    assert answer.json()["ok"] is True
    await send(house, "/api/s/page", {"anonymousId": "j", "messageId": "j2"}, {"x-write-key": "browser-key"})
    assert [(e.type, e.event, e.source) for e in house.events] == [
        ("track", "Order Completed", "server"),
        ("page", "", "browser"),
    ]


async def test_a_batchs_context_stands_below_each_items(house: House) -> None:
    items = [{"type": "page", "userId": "u", "context": {"locale": "ru"}}, {"type": "page", "userId": "v"}]
    await send(
        house,
        "/v1/batch",
        {"batch": items, "context": {"locale": "en", "app": {"name": "x"}}},
        {"authorization": BASIC},
    )
    assert [raw["context"] for raw in house.raw] == [
        {"locale": "ru", "app": {"name": "x"}},
        {"locale": "en", "app": {"name": "x"}},
    ]


async def test_the_tracker_is_cached_revalidated_and_packed(house: House) -> None:
    plain = await house.http.get("/boomerang.js", headers={"accept-encoding": "identity"})
    assert plain.content == TRACKER.read_bytes()
    assert "max-age" in plain.headers["cache-control"]
    packed = await house.http.get("/boomerang.js", headers={"accept-encoding": "gzip, br"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content
    again = await house.http.get("/boomerang.js", headers={"if-none-match": plain.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert (await house.http.head("/boomerang.js")).status_code == 200


async def test_the_tracker_learns_whether_the_shop_respects_do_not_track(rebuilt) -> None:
    async with rebuilt(respect_dnt=True) as house:
        assert 'DNT = "respect"' in (await house.http.get("/boomerang.js")).text
