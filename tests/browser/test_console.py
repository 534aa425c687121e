"""The console in Chromium: the live feed over real Kafka, on narrow and wide screens, with text that means harm."""

import asyncio
import json
import urllib.request
from email.message import EmailMessage

import pytest
from aiokafka import AIOKafkaProducer
from selenium.webdriver.common.keys import Keys

from app.clock import SYSTEM
from app.codec import encode_json
from app.engine.kafka_client import client_options
from app.engine.provision import provision
from app.inbox import InboxStore
from app.journal_store import JournalStore, Place
from app.model.journal import JournalLine
from app.model.reasons import Reason

pytestmark = pytest.mark.broker

EVIL = "<script>window.harm=1</script><img src=x onerror=window.harm=2>"
LONG = "VeryLongWordWithoutAnyBreak" * 12


def _answers(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


@pytest.fixture
def settings(make_settings):
    settings = make_settings(redis="", partitions=1)
    asyncio.run(provision(settings, create=True))
    now = SYSTEM.now()
    lines = [
        JournalLine(now - 60, "anna", Reason.ARMED, "abandoned_cart", event_id=LONG, due=now, detail={"signal": EVIL}),
        JournalLine(now - 50, "anna", Reason.JOURNEY_BEGUN, "welcome"),
        JournalLine(now - 50, "anna", Reason.JOURNEY_WAITS, "welcome", due=now + 86_400, detail={"step": "2"}),
        JournalLine(now - 40, "ben", Reason.JOURNEY_EXITED, "welcome", detail={"began": now - 90, "step": LONG}),
        JournalLine(now, "anna", Reason.SENT, "abandoned_cart", "t1", channel="email", detail={"detail": LONG}),
    ]
    journal = JournalStore(settings.sql_url)
    journal.insert([Place(0, at, encode_json(line), line) for at, line in enumerate(lines)])
    journal.close()
    mail = EmailMessage()
    mail["Subject"], mail["X-Boomerang-Trigger"], mail["X-Long"] = EVIL + LONG, "t1", LONG
    mail.set_content(LONG)
    mail.add_alternative(
        f"<html><body><script>top.harm=3</script>{EVIL}<a href='https://shop.example'>x</a></body></html>",
        subtype="html",
    )
    inbox = InboxStore(settings.data / "inbox.sqlite", SYSTEM)
    inbox.add("shop@shop.example", [f"{LONG[:60]}@shop.example"], mail.as_bytes())
    inbox.close()
    return settings


@pytest.fixture
def console(settings, process):
    child = process.boomerang("console", settings=settings)
    child.wait_ready(lambda: _answers(settings.console_port), 30)
    return f"http://127.0.0.1:{settings.console_port}"


@pytest.fixture
def browser(chromium):
    chromium.get_log("browser")
    yield chromium
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    chromium.get("about:blank")


def produce(settings, *events):
    async def send():
        producer = AIOKafkaProducer(**client_options(settings))
        await producer.start()
        for event in events:
            await producer.send_and_wait(settings.topic_prefix + "clickstream", json.dumps(event).encode(), partition=0)
        await producer.stop()

    asyncio.run(send())


def event(called, /, customer="anna", **properties):
    return {
        "type": "track",
        "timestamp": "2026-11-22T12:03:10Z",
        "event": called,
        "userId": customer,
        "properties": properties,
    }


def until(browser, condition):
    from selenium.webdriver.support.wait import WebDriverWait

    WebDriverWait(browser, 20, poll_frequency=0.05).until(lambda driver: driver.execute_script(f"return {condition}"))


def rows(browser):
    return browser.execute_script(
        "return [...document.querySelectorAll('#feed li .pill')].map((node) => node.textContent)"
    )


def test_events_appear_as_text_newest_first_and_do_no_harm(browser, console, settings):
    browser.get(console)
    until(browser, "document.getElementById('state').className === 'on'")
    produce(settings, event("Product Added", name=EVIL), event(EVIL, customer=EVIL), event("Last"))
    until(browser, "document.querySelectorAll('#feed li').length === 3")
    assert rows(browser) == ["Last", EVIL[:80], "Product Added"]
    assert browser.execute_script("return window.harm") is None
    assert browser.execute_script("return document.querySelectorAll('#feed script, #feed img').length") == 0
    browser.execute_script("document.querySelectorAll('#feed a.who')[1].click()")
    until(browser, "location.pathname.startsWith('/customers/')")
    assert browser.find_element("css selector", "h1 code").text == EVIL
    assert browser.execute_script("return window.harm") is None


def test_the_feed_is_paused_filtered_and_resumed_by_keyboard(browser, console, settings):
    browser.get(console)
    until(browser, "document.getElementById('state').className === 'on'")
    browser.find_element("id", "pause").send_keys(Keys.SPACE)
    produce(settings, event("Held"))
    until(browser, "document.getElementById('state').textContent === 'paused, 1 new'")
    assert rows(browser) == []
    browser.find_element("id", "pause").send_keys(Keys.ENTER)
    assert rows(browser) == ["Held"]
    browser.find_element("css selector", "input[name=event]").send_keys(Keys.SPACE)
    assert browser.execute_script("return document.querySelector('#feed li').hidden") is True
    assert browser.find_element("css selector", "#feed li").is_displayed() is False


@pytest.mark.parametrize("width", [400, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_its_screen_and_is_readable(browser, console, settings, width, scheme):
    produce(settings, event(LONG, customer=LONG, name=LONG))
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500},
    )
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    for path in (
        "/",
        "/customers",
        "/customers/anna",
        f"/customers/{LONG}",
        "/scenarios",
        "/journeys",
        "/inbox",
        "/inbox/1",
        "/inbox/99",
    ):
        browser.get(console + path)
        if path == "/":
            until(browser, "document.querySelectorAll('#feed li').length > 0")
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width, path
        assert contrast(browser) >= 7, path
        for node in browser.find_elements("css selector", ".pill"):
            assert contrast(browser, node) >= 4.5, (path, node.text)
    wrong = [
        entry
        for entry in browser.get_log("browser")
        if "404" not in entry["message"] and "sandboxed" not in entry["message"]
    ]
    assert wrong == []


def test_from_a_customer_one_comes_to_all_who_are_in_the_same_journey(browser, console):
    browser.get(console + "/customers/anna")
    browser.find_element("css selector", "a[href='/journeys#journeys-welcome']").click()
    until(browser, "location.pathname === '/journeys' && location.hash === '#journeys-welcome'")
    cells = [cell.text for cell in browser.find_elements("css selector", "section.worth tbody td")]
    assert cells[:2] == ["2", "1"] and "UTC, in 23 h" in cells[2], "a day, less what this test has taken"
    assert "journey exited 1" in browser.find_element("tag name", "main").text
    browser.find_element("css selector", "a[href='/scenarios#scenario-welcome']").click()
    until(browser, "location.pathname === '/scenarios'")
    wrong = [entry for entry in browser.get_log("browser") if "Content Security" in entry["message"]]
    assert wrong == []


def test_a_mail_is_shown_without_running_it(browser, console):
    browser.get(console + "/inbox/1")
    frame = browser.find_element("tag name", "iframe")
    browser.execute_script("arguments[0].scrollIntoView()", frame)
    browser.switch_to.frame(frame)
    until(browser, "document.querySelector('a') !== null")
    link = browser.find_element("tag name", "a")
    assert link.text == "x"
    browser.switch_to.default_content()
    assert browser.execute_script("return window.harm") is None


def contrast(browser, node=None):
    """Contrast between a node's text and the card or page behind it, as WCAG counts it."""
    colours = browser.execute_script(
        """
        const node = arguments[0] || document.querySelector('h1, .tiles dd');
        const solid = (at) => { const c = getComputedStyle(at).backgroundColor;
          return c === 'rgba(0, 0, 0, 0)' && at.parentElement ? solid(at.parentElement) : c; };
        return [getComputedStyle(node).color, solid(node)];
        """,
        node,
    )

    def luminance(colour):
        parts = [float(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted(map(luminance, colours))
    return (high + 0.05) / (low + 0.05)
