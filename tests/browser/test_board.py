"""The board in Chromium, over real Kafka: live rows, countdowns, keys, a phone's width, a lost connection; a picture of it is kept."""

import asyncio
import base64
import os
import signal
import urllib.request
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from argon2 import PasswordHasher
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from app.clock import SYSTEM
from app.codec import decode_chat, encode_json
from app.engine.kafka_client import client_options
from app.engine.provision import provision
from app.model.alert import AlertState, Deadline, DialogView, Watch, Word
from app.model.chat import Speaker
from app.topics import CHAT, DIALOGS

pytestmark = pytest.mark.broker

ARTEFACTS = Path(__file__).resolve().parents[1] / "artefacts"
EVIL = "<img src=x onerror=window.harm=1><script>window.harm=2</script>"
PASSWORD = "correct horse battery"
HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)


def dialog(name, **changes):
    now = SYSTEM.now()
    values = {
        "customer": "anna",
        "at": now,
        "provider": "telegram",
        "who": "Anna",
        "waiting": Speaker.MANAGER,
        "since": now - 1900,
        "words": [Word(Speaker.CLIENT, now, "Is the sofa in stock?")],
        **changes,
    }
    return DialogView(name, **values)


def silent(name, **changes):
    return dialog(
        name,
        waiting=Speaker.CLIENT,
        alert_id=(name + "0" * 32)[:32],
        alert_watch=Watch.SILENT_CLIENT,
        alert_state=changes.pop("state", AlertState.OPEN),
        **changes,
    )


@pytest.fixture
def settings(make_settings):
    settings = make_settings(redis="", partitions=1, console_users=f"maria:{HASH}")
    asyncio.run(provision(settings, create=True))
    return settings


@pytest.fixture
def console(settings, process):
    return start(settings, process)


def start(settings, process):
    def answers():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{settings.console_port}/healthz", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    child = process.boomerang("console", settings=settings)
    child.wait_ready(answers, 60)
    return child


@pytest.fixture
def browser(chromium, settings, console):
    chromium.get(f"http://127.0.0.1:{settings.console_port}/dialogs")
    chromium.find_element("name", "name").send_keys("maria")
    chromium.find_element("name", "password").send_keys(PASSWORD, Keys.ENTER)
    until(chromium, "location.pathname === '/dialogs' && document.getElementById('state')?.className === 'on'")
    yield chromium
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chromium.delete_all_cookies()
    chromium.get("about:blank")


def until(browser, condition):
    WebDriverWait(browser, 30, poll_frequency=0.05).until(lambda driver: driver.execute_script(f"return {condition}"))


def publish(settings, *records):
    async def send():
        producer = AIOKafkaProducer(**client_options(settings))
        await producer.start()
        for key, value in records:
            data = encode_json(value) if value is not None else None
            await producer.send_and_wait(settings.topic_prefix + DIALOGS.name, data, key=key.encode(), partition=0)
        await producer.stop()

    asyncio.run(send())


def commands(settings):
    async def read():
        partition = TopicPartition(settings.topic_prefix + CHAT.name, 0)
        consumer = AIOKafkaConsumer(**client_options(settings))
        await consumer.start()
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        end, found = (await consumer.end_offsets([partition]))[partition], []
        while await consumer.position(partition) < end:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += [decode_chat(record.value) for record in records]
        await consumer.stop()
        return found

    return asyncio.run(read())


def names(browser):
    return browser.execute_script(
        "return [...document.querySelectorAll('#board .who')].map((node) => node.textContent)"
    )


def show(browser, settings, *views):
    publish(settings, *((view.dialog, view) for view in views))
    until(browser, f"document.querySelectorAll('#board li').length === {len(views)}")


def test_rows_come_live_in_order_of_what_is_at_stake_and_do_no_harm(browser, settings):
    now = SYSTEM.now()
    show(
        browser,
        settings,
        dialog("waits", who=EVIL, words=[Word(Speaker.CLIENT, now, EVIL)], url="javascript:alert(1)", deadlines=[Deadline(Watch.NEXT_RESPONSE, "s", now + 590)]),
        silent("rich", who="Борис", value=48_000.0, currency="RUB", items=2, note="she is looking at the sofa again"),
        silent("taken", who="مريم", state=AlertState.TAKEN, taken_by="ivan", taken_by_name="Ivan", words=[Word(Speaker.CLIENT, now, "هل الأريكة متوفرة؟ 🛋")]),
    )  # fmt: skip
    assert names(browser) == ["Борис", EVIL, "مريم"]
    assert browser.execute_script("return window.harm") is None
    assert browser.execute_script("return document.querySelectorAll('#board img, #board script').length") == 0
    clock = browser.execute_script("return document.querySelectorAll('#board .clock')[1].textContent")
    assert clock.startswith("due in 9:") and browser.find_element("id", "total").text == "3"
    until(browser, f"document.querySelectorAll('#board .clock')[1].textContent !== {clock!r}")
    ARTEFACTS.mkdir(exist_ok=True)
    (ARTEFACTS / "board.png").write_bytes(base64.b64decode(browser.get_screenshot_as_base64()))
    publish(settings, ("waits", dialog("waits", who="Waits", priority=3)), ("rich", None))
    until(browser, "document.querySelectorAll('#board li').length === 2")
    assert names(browser) == ["Waits", "مريم"]


def test_a_dialog_is_taken_snoozed_and_resolved_by_keyboard_alone(browser, settings):
    show(browser, settings, silent("a", who="A", value=2.0), silent("b", who="B", value=1.0))
    body = browser.find_element("tag name", "body")
    body.send_keys("j")
    assert browser.execute_script("return document.activeElement.dataset.dialog") == "a"
    browser.switch_to.active_element.send_keys("t")
    until(browser, "document.querySelector('#board li.chosen button').disabled")
    publish(
        settings,
        ("a", silent("a", who="A", value=2.0, state=AlertState.TAKEN, taken_by="maria", taken_by_name="Maria")),
    )
    until(browser, "document.querySelector('#board li:last-child .taken')?.textContent === 'taken by Maria'")
    assert names(browser) == ["B", "A"]
    browser.switch_to.active_element.send_keys("k")
    assert browser.execute_script("return document.querySelector('#board li.chosen').dataset.dialog") == "b"
    browser.switch_to.active_element.send_keys("s")
    until(browser, "document.querySelector('#board li.chosen button').disabled")
    browser.find_element("css selector", "#board li[data-dialog=a] button[data-kind=resolve]").send_keys(Keys.ENTER)
    WebDriverWait(browser, 20).until(lambda _: len(commands(settings)) == 3)
    assert [(one.kind.value, one.dialog, one.by) for one in commands(settings)] == [
        ("take", "a", "maria"),
        ("snooze", "b", "maria"),
        ("resolve", "a", "maria"),
    ]
    assert not browser.find_element("id", "told").is_displayed()


def test_one_manager_is_chosen_and_only_his_dialogs_are_shown(browser, settings):
    show(
        browser,
        settings,
        dialog("mine", who="Mine", member="maria", manager_name="Maria"),
        dialog("other", who="Other"),
    )
    browser.find_element("css selector", "#member option[value=maria]").click()
    until(browser, "document.querySelectorAll('#board li').length === 1")
    assert names(browser) == ["Mine"]
    publish(
        settings,
        ("new", dialog("new", who="New", member="maria", manager_name="Maria", priority=1)),
        ("far", dialog("far")),
    )
    until(browser, "document.querySelectorAll('#board li').length === 2")
    assert names(browser) == ["New", "Mine"]
    assert browser.execute_script("return document.getElementById('member').value") == "maria"


def test_a_restart_of_the_console_loses_no_row_and_doubles_none(browser, settings, console, process):
    show(browser, settings, dialog("stays", who="Stays"), dialog("goes", who="Goes"))
    os.kill(console.pid, signal.SIGKILL)
    until(browser, "document.getElementById('state').className === 'off'")
    assert names(browser) == ["Goes", "Stays"] or names(browser) == ["Stays", "Goes"]
    publish(
        settings,
        ("goes", None),
        ("comes", dialog("comes", who="Comes", priority=1)),
        ("stays", dialog("stays", who="Stays")),
    )
    start(settings, process)
    until(browser, "document.getElementById('state').className === 'on'")
    until(browser, "document.querySelector('#board .who')?.textContent === 'Comes'")
    assert names(browser) == ["Comes", "Stays"]


@pytest.mark.parametrize("width", [360, 1200])
def test_the_board_and_the_login_fit_their_screen(browser, settings, width):
    long = "VeryLongWordWithoutAnyBreak" * 12
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500},
    )
    show(
        browser,
        settings,
        silent("long", who=long, note=long, value=1e9, currency="RUB", member="maria", manager_name=long, tags=[long[:80]] * 8,
               words=[Word(Speaker.CLIENT, SYSTEM.now(), long)], url="https://desk.example/1", items=3, orders=2, orders_total=5.0),
    )  # fmt: skip
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    tops = browser.execute_script("return [...document.querySelectorAll('.actions button')].map((n) => n.offsetHeight)")
    assert len(tops) == 4 and (width > 500 or min(tops) >= 36), "large enough for a thumb"
    if width < 500:
        ARTEFACTS.mkdir(exist_ok=True)
        (ARTEFACTS / "board-phone.png").write_bytes(base64.b64decode(browser.get_screenshot_as_base64()))
    browser.find_element("css selector", ".session button").click()
    until(browser, "location.pathname === '/login'")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
