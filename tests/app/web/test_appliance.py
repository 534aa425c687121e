"""What a visitor's device is: by what the context says, else by the browser's name."""

import json

import pytest

from app.web.collector.appliance import device_of
from app.web.collector.normalise import Envelope, normalise

IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
IPAD = "Mozilla/5.0 (iPad; CPU OS 16_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/126.0.6478.153 Mobile/15E148 Safari/604.1"
PIXEL = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Mobile Safari/537.36"
)
GALAXY_TAB = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Safari/537.36"
FIREFOX_TAB = "Mozilla/5.0 (Android 14; Tablet; rv:139.0) Gecko/139.0 Firefox/139.0"
WINDOWS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Safari/537.36"
)
YANDEX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/134.0.0.0 YaBrowser/25.4.0.0 Safari/537.36"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15"
LINUX = "Mozilla/5.0 (X11; Linux x86_64; rv:139.0) Gecko/20100101 Firefox/139.0"
CHROMEBOOK = (
    "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Safari/537.36"
)
TV = "Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/4.0 Chrome/76.0.3809.146 TV Safari/537.36"
GOOGLEBOT = "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0 Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


@pytest.mark.parametrize(
    ("agent", "told"),
    [
        (IPHONE, "mobile ios"),
        (IPAD, "tablet ios"),
        (PIXEL, "mobile android"),
        (GALAXY_TAB, "tablet android"),
        (FIREFOX_TAB, "tablet android"),
        (WINDOWS, "desktop windows"),
        (YANDEX, "desktop windows"),
        (MAC, "desktop macos"),
        (LINUX, "desktop linux"),
        (CHROMEBOOK, "desktop chromeos"),
        ("okhttp/4.12.0", "app android"),
        ("Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8 Build/UQ1A)", "app android"),
        ("Shop/3.1 CFNetwork/1496.0.7 Darwin/23.5.0", "app ios"),
        (TV, ""),
        (
            "Mozilla/5.0 (Linux; Android 14; CUBOT KINGKONG X) AppleWebKit/537.36 Chrome/137.0 Mobile Safari/537.36",
            "mobile android",
        ),
        (GOOGLEBOT, ""),
        ("python-requests/2.32", ""),
        ("", ""),
    ],
)
def test_a_browsers_name_tells_kind_and_system(agent, told):
    assert device_of({}, agent) == told
    assert device_of({"userAgent": agent}, WINDOWS) == told


@pytest.mark.parametrize(
    ("context", "told"),
    [
        ({"device": {"type": "ios"}, "os": {"name": "iPhone OS"}}, "app ios"),
        ({"device": {"type": "android"}, "os": {"name": "Android"}}, "app android"),
        ({"device": {"type": "Android"}}, "app android"),
        ({"device": {"type": "tablet"}, "os": {"name": "iPadOS"}}, "tablet ios"),
        ({"device": {"type": "desktop"}, "os": {"name": "Mac OS X"}}, "desktop macos"),
        ({"device": {"type": "mobile"}, "os": {"name": "KaiOS"}}, "mobile android"),
        ({"device": {"type": "fridge"}}, "mobile android"),
        ({"device": {"type": 7}, "os": ["x"]}, "mobile android"),
        ({"device": "phone"}, "mobile android"),
        ({"userAgent": 7}, "mobile android"),
    ],
)
def test_what_the_context_says_of_itself_counts_first(context, told):
    assert device_of(context, PIXEL) == told


def test_without_a_system_it_is_another_one():
    assert device_of({"device": {"type": "mobile"}}, "") == "mobile other"


def test_an_event_carries_it_and_a_client_cannot_write_it_itself():
    raw = {"type": "track", "event": "Any", "userId": "u1", "deviceKind": "desktop linux", "timestamp": "2026-01-05T12:00:00Z"}  # fmt: skip
    told = json.loads(normalise(raw, "", Envelope(1_767_614_400.0, "browser", agent=IPHONE)).value)
    assert told["deviceKind"] == "mobile ios"
    told = json.loads(normalise(raw, "", Envelope(1_767_614_400.0, "server")).value)
    assert "deviceKind" not in told
