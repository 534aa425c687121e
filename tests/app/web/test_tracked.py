"""`/r/TOKEN` and `/o/TOKEN`: where they lead, whose requests count, and that nothing else comes of them."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.metrics import TRACKED
from app.model.receipt import Spoken
from app.tokens import (
    LINK_LIFE,
    Tracked,
    Unsubscribe,
    link_token,
    pixel_token,
    receipt_token,
    short_code,
    unsubscribe_token,
)
from app.web.tracking.robots import Sign, sign
from app.web.tracking.watch import HOLD, MOST, MUTE, OPEN, Seen, Watch
from channels.references import SHORT_LINK, References
from tests.app.web.conftest import NOW, House

SPOKEN = Spoken("42", "email", "0" * 32 + ".0", "abandoned_cart")
SOFA = "https://shop.example/sofa?color=red&size=2#top"
PERSON = {
    "user-agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Safari/537.36"
}
AN_HOUR_AGO = NOW - 3_600.0


def link(house, number=0, target=SOFA, issued=AN_HOUR_AGO, spoken=SPOKEN):
    return "/r/" + link_token(house.settings.secret, Tracked(spoken, issued, number, target))


def pixel(house, issued=AN_HOUR_AGO):
    return "/o/" + pixel_token(house.settings.secret, SPOKEN, issued)


def counted(kind, verdict):
    return TRACKED.labels(kind, verdict)._value.get()


async def get(house, path, method="GET", **headers):
    return await house.http.request(
        method, path, headers={**PERSON, **{k.replace("_", "-"): v for k, v in headers.items()}}
    )


async def a_second_later(house):
    house.clock.advance(HOLD)
    await house.app._tracked.close()


def told(house):
    return [(receipt.outcome, receipt.message_id, receipt.scenario) for receipt in house.receipts]


async def test_a_click_is_led_on_at_once_and_becomes_a_receipt(house: House):
    response = await get(house, link(house))
    assert (response.status_code, response.headers["location"]) == (302, SOFA)
    assert response.headers["cache-control"] == "no-store"
    assert house.receipts == []
    await a_second_later(house)
    (receipt,) = house.receipts
    assert (receipt.outcome, receipt.customer, receipt.channel, receipt.at) == ("clicked", "42", "email", NOW)
    assert (receipt.message_id, receipt.trigger_id, receipt.scenario) == ("0" * 32 + ".0", "0" * 32, "abandoned_cart")
    assert house.sink.records[0].key == b"42"


async def test_a_receipt_is_written_without_anybody_asking_again(house: House, eventually):
    await get(house, link(house))
    house.clock.advance(HOLD)
    await eventually(lambda: len(house.receipts) == 1)


async def test_an_open_is_noticed(house: House):
    response = await get(house, pixel(house))
    assert (response.status_code, response.headers["content-type"], len(response.content)) == (200, "image/gif", 43)
    await a_second_later(house)
    assert told(house) == [("opened", SPOKEN.message_id, "abandoned_cart")]


async def test_the_same_link_twice_is_one_click_and_another_one_later_is_another(house: House):
    for _ in range(3):
        await get(house, link(house))
    await a_second_later(house)
    await get(house, link(house))
    await a_second_later(house)
    await get(house, link(house, 1, "https://shop.example/lamp"))
    await a_second_later(house)
    assert len(house.receipts) == 2


async def test_an_open_and_a_click_together_are_a_persons(house: House):
    await get(house, pixel(house))
    await get(house, link(house))
    await a_second_later(house)
    assert {outcome for outcome, *_ in told(house)} == {"opened", "clicked"}


async def test_who_follows_several_links_of_a_message_in_a_second_is_led_on_and_not_counted(house: House):
    before = counted("link", Sign.BURST)
    await get(house, pixel(house))
    for number in range(5):
        response = await get(house, link(house, number, f"https://shop.example/{number}"))
        assert response.headers["location"] == f"https://shop.example/{number}"
    await a_second_later(house)
    assert house.receipts == []
    assert counted("link", Sign.BURST) > before


@pytest.mark.parametrize(
    ("method", "headers", "found"),
    [
        ("HEAD", {}, Sign.HEAD),
        ("GET", {"purpose": "prefetch"}, Sign.AHEAD),
        ("GET", {"sec_purpose": "prefetch;prerender"}, Sign.AHEAD),
        ("GET", {"x_purpose": "preview"}, Sign.AHEAD),
        ("GET", {"x_moz": "prefetch"}, Sign.AHEAD),
        ("GET", {"user_agent": "facebookexternalhit/1.1"}, Sign.AGENT),
        ("GET", {"user_agent": "TelegramBot (like TwitterBot)"}, Sign.AGENT),
        ("GET", {"user_agent": "WhatsApp/2.23.20.0"}, Sign.AGENT),
        ("GET", {"user_agent": "Mozilla/5.0 (compatible; vkShare; +http://vk.com/dev/Share)"}, Sign.AGENT),
        ("GET", {"user_agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}, Sign.AGENT),
        ("GET", {"user_agent": "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)"}, Sign.AGENT),
        ("GET", {"user_agent": "BarracudaCentral/1.0"}, Sign.AGENT),
        ("GET", {"user_agent": "Microsoft Office/16.0"}, Sign.AGENT),
        ("GET", {"user_agent": "python-requests/2.32"}, Sign.AGENT),
        ("GET", {"user_agent": "curl/8.5.0"}, Sign.AGENT),
        ("GET", {"user_agent": ""}, Sign.AGENT),
        ("GET", {"user_agent": "Mozilla/5.0"}, Sign.PROXY),
        ("GET", {"user_agent": "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"}, Sign.PROXY),
    ],
)  # fmt: skip
async def test_robots_are_led_on_and_not_counted(house: House, method, headers, found):
    before = counted("link", found)
    response = await get(house, link(house), method, **headers)
    assert (response.status_code, response.headers["location"], response.content) == (302, SOFA, b"")
    await a_second_later(house)
    assert house.receipts == []
    assert counted("link", found) == before + 1


@pytest.mark.parametrize(
    "agent",
    [
        PERSON["user-agent"],
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
        "Mozilla/5.0 (Linux; Android 14; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Mobile Safari/537.36",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 YaBrowser/24.6.0.0 Safari/537.36",
        "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        "Mozilla/5.0 (Linux; Android 13; SM-G998B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 Instagram 330.0.0.0",
    ],
)  # fmt: skip
def test_browsers_of_people_are_no_robots(agent):
    assert sign("GET", agent, "", 60.0, picture=False) is None


def test_gmail_fetches_pictures_when_a_mail_is_opened_and_apple_always():
    gmail = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
    ahead = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0"
    assert sign("GET", gmail, "", 60.0, picture=True) is None
    assert sign("GET", ahead, "", 60.0, picture=True) is Sign.PROXY
    assert sign("GET", "Mozilla/5.0", "", 60.0, picture=True) is Sign.PROXY


async def test_nobody_reads_a_message_in_the_second_in_which_it_is_made(house: House):
    await get(house, link(house, issued=NOW - 0.3))
    await get(house, pixel(house, issued=NOW - 0.3))
    await a_second_later(house)
    assert house.receipts == []


def bad_tokens(house):
    secret, good = house.settings.secret, link(house).removeprefix("/r/")
    return {
        "nothing": "",
        "a word": "x",
        "an address": "https://evil.example/",
        "an address, encoded": "aHR0cHM6Ly9ldmlsLmV4YW1wbGUv",
        "cut": good[:-1],
        "another secret": link_token("another secret, long enough", Tracked(SPOKEN, NOW, 0, SOFA)),
        "expired": link_token(secret, Tracked(SPOKEN, NOW - LINK_LIFE - 10, 0, SOFA)),
        "of the future": link_token(secret, Tracked(SPOKEN, NOW + 1_000, 0, SOFA)),
        "a script": link_token(secret, Tracked(SPOKEN, NOW, 0, "javascript:alert(1)")),
        "another host hidden": link_token(secret, Tracked(SPOKEN, NOW, 0, "https://shop.example@evil.example/")),
        "no message": link_token(secret, Tracked(SPOKEN._replace(message_id=""), NOW, 0, SOFA)),
        "a pixel's": pixel_token(secret, SPOKEN, NOW),
        "a receipt's": receipt_token(secret, SPOKEN, NOW),
        "an unsubscribe's": unsubscribe_token(secret, Unsubscribe("42", "email", "a@shop.example", "m.0"), NOW),
        "long": "a" * 20_000,
        "not ASCII": "%D1%8F" * 5 + ".x",
        "a short code of nobody": short_code(secret, "m.0", 0),
    }  # fmt: skip


async def test_a_link_that_is_not_ours_leads_nowhere_and_has_no_effect(house: House):
    for name, token in bad_tokens(house).items():
        response = await get(house, "/r/" + token, accept_language="ru")
        assert response.status_code == 404, name
        assert "location" not in response.headers, name
        assert "Ссылка не работает" in response.text, name
        assert "evil" not in response.text, name
    await a_second_later(house)
    assert house.sink.records == []


async def test_every_changed_letter_of_a_link_is_noticed(house: House):
    path = link(house)
    for at in range(3, len(path) - 1):  # the last letter of base64 has bits that mean nothing
        changed = path[:at] + ("A" if path[at] != "A" else "B") + path[at + 1 :]
        assert (await get(house, changed)).status_code == 404, at


async def test_a_pixel_that_is_not_ours_is_a_picture_all_the_same_and_has_no_effect(house: House):
    for token in bad_tokens(house).values():
        if not token.startswith(pixel(house)[3:20]):
            await get(house, "/o/" + token)
    await get(house, pixel(house, NOW - LINK_LIFE - 10))
    response = await get(house, "/o/x.gif")
    assert (response.status_code, len(response.content)) == (200, 43)


async def test_a_target_beyond_ascii_is_written_as_bytes(house: House):
    response = await get(house, link(house, target="https://shop.example/диван?цвет=красный&x=%20#a"))
    assert (
        response.headers["location"]
        == "https://shop.example/%D0%B4%D0%B8%D0%B2%D0%B0%D0%BD?%D1%86%D0%B2%D0%B5%D1%82=%D0%BA%D1%80%D0%B0%D1%81%D0%BD%D1%8B%D0%B9&x=%20#a"
    )


@pytest.mark.parametrize("path", ["/r/x", "/o/x"])
async def test_nothing_can_be_posted(house: House, path):
    response = await house.http.post(path, content=b"x", headers=PERSON)
    assert (response.status_code, response.headers["allow"]) in ((405, "GET, HEAD"),)


async def test_while_kafka_is_away_customers_are_led_on_and_the_click_waits(house: House, eventually):
    house.sink.up = False
    assert (await get(house, link(house))).status_code == 302
    house.clock.advance(HOLD)
    await eventually(lambda: house.app._tracked._waiting)
    house.sink.up = True
    await eventually(lambda: len(house.receipts) == 1)


# -- short links, over a real Valkey


@pytest.fixture
async def short(valkey_url, web_settings):
    from app.clock import SYSTEM
    from app.web.collector.asgi import Collector

    house = House(web_settings)
    house.references = References(valkey_url, "t-", SYSTEM.monotonic, lambda: None)
    house.app = house.http._transport.app = Collector(house.settings, house.clock, house.intake, house.references)
    await house.intake.start()
    yield house
    await house.http.aclose()
    await house.intake.close()
    await house.references.stop()


async def test_a_short_link_leads_where_its_long_one_does(short):
    code = short_code(short.settings.secret, SPOKEN.message_id, 3)
    assert len(code) == 11
    assert (await get(short, "/r/" + code)).status_code == 404
    await short.references.remember(SHORT_LINK, code, link(short, 3).removeprefix("/r/"))
    response = await get(short, "/r/" + code)
    assert (response.status_code, response.headers["location"]) == (302, SOFA)
    await a_second_later(short)
    assert told(short) == [("clicked", SPOKEN.message_id, "abandoned_cart")]


async def test_what_stands_in_redis_without_our_signature_leads_nowhere(short):
    await short.references.remember(SHORT_LINK, "AAAAAAAAAAA", "https://evil.example/")
    response = await get(short, "/r/AAAAAAAAAAA")
    assert (response.status_code, "location" in response.headers) == (404, False)


async def test_without_redis_a_short_link_asks_to_be_tried_again(short):
    class Gone:
        async def find(self, kind, name):
            from channels.references import Away

            raise Away

    short.app._tracked._references = Gone()
    response = await get(short, "/r/AAAAAAAAAAA")
    assert (response.status_code, response.headers["retry-after"]) == (503, "5")


# -- the watch


@given(st.lists(st.tuples(st.floats(0.0, 0.9), st.integers(0, 1), st.integers(OPEN, 2)), max_size=60))
def test_links_of_a_message_count_a_second_apart_and_one_that_stands_alone_always_does(requests):
    watch, now, asked, found = Watch(), 0.0, [], []
    for pause, message, number in requests:
        now += pause
        seen = Seen(SPOKEN._replace(message_id=f"{message}.0"), number, now)
        asked.append(seen)
        watch.saw(seen, now)
        found += watch.due(now)
    found += watch.due(now + HOLD + MUTE)
    assert len(watch) == 0
    assert all(seen in asked for seen in found), "nothing is made up"
    links = [seen for seen in found if seen.number != OPEN]
    for one in links:
        for other in links:
            if one.spoken == other.spoken and one.number != other.number:
                assert abs(one.at - other.at) >= HOLD
    for seen in asked:
        near = [other for other in asked if other.spoken == seen.spoken and abs(other.at - seen.at) <= 2 * MUTE + HOLD]
        if all(other.number in (OPEN, seen.number) for other in near):
            assert any(other.spoken == seen.spoken and other.number == seen.number for other in found)


def test_what_is_watched_is_bounded():
    watch = Watch()
    for number in range(MOST + 10):
        watch.saw(Seen(SPOKEN._replace(message_id=str(number)), 0, 0.0), 0.0)
    assert len(watch) == MOST
    assert len(watch.due(0.0)) == 10


async def test_closing_twice_is_fine(house: House):
    await asyncio.gather(house.app._tracked.close(), house.app._tracked.close())
