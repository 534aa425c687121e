"""Presses of an alert's buttons in Telegram: whose count, where, and what becomes of them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.codec import decode_chat
from app.errors import SettingsError
from app.model.chat import CommandKind
from app.model.team import Member, Team
from app.topics import partition_of
from app.web.chat.presses import PATH, Pressers
from app.web.collector.asgi import Collector
from tests.app.web.conftest import NOW, House

SECRET = "s3cret-of-the-bot"
ALERT = "0123456789abcdef" * 2
TEAM = """
addresses: {telegram: "-100200300"}
members:
  - {id: maria, name: Мария, addresses: {telegram: "777"}, locale: ru}
  - {id: ivan, name: Ivan, accounts: {telegram: "888"}}
"""


@pytest.fixture
async def house(web_settings, tmp_path):
    (tmp_path / "team.yaml").write_text(TEAM)
    house = House(replace(web_settings, team=tmp_path / "team.yaml", telegram_secret=SECRET))
    await house.intake.start()
    yield house
    await house.http.aclose()
    await house.intake.close()


def pressed(data=f"t:{ALERT}", user=777, chat=-100200300, callback="42", **message):
    return {
        "update_id": 1,
        "callback_query": {
            "id": callback,
            "from": {"id": user, "is_bot": False, "first_name": "Somebody"},
            "message": {"message_id": 7, "chat": {"id": chat, "type": "supergroup"}, "text": "...", **message},
            "data": data,
        },
    }


async def press(house, body, secret=SECRET):
    return await house.post(PATH, body, key="", **({"X-Telegram-Bot-Api-Secret-Token": secret} if secret else {}))


def commands(house):
    return [(record.key.decode(), record.partition, decode_chat(record.value)) for record in house.sink.records]


@pytest.mark.parametrize(
    ("data", "kind", "told"),
    [
        ("t", CommandKind.TAKE, "Взято"),
        ("s", CommandKind.SNOOZE, "Отложено на 1 ч"),
        ("d", CommandKind.DISMISS, "Отмечено как неактуальное"),
    ],
)
async def test_a_members_press_becomes_a_command_and_is_answered_at_once(house, data, kind, told):
    answer = await press(house, pressed(f"{data}:{ALERT}"))
    assert answer.json() == {"method": "answerCallbackQuery", "callback_query_id": "42", "text": told}
    ((key, partition, command),) = commands(house)
    assert key == f"alert:{ALERT}" and partition == partition_of(key, house.settings.partitions)
    assert (command.kind, command.alert, command.by, command.by_name) == (kind, ALERT, "maria", "Мария")
    assert (command.at, command.event_id, command.seconds) == (NOW, "telegram:42", 3600.0)


async def test_a_member_may_press_in_the_group_and_in_his_own_chat(house):
    assert (await press(house, pressed(user=888, callback="1"))).json()["text"] == "Taken"
    await press(house, pressed(user=777, chat=777, callback="2"))
    assert [command.by for _, _, command in commands(house)] == ["ivan", "maria"]


@pytest.mark.parametrize(
    "body",
    [
        pressed(user=999),
        pressed(chat=-999),
        pressed(user=999, chat=999),
        pressed("x:" + ALERT),
        pressed("t:"),
        pressed("t:" + "a" * 200),
        pressed("t:../../etc"),
        pressed(data=None),
        {"update_id": 1, "message": {"text": "/start", "chat": {"id": 5}, "from": {"id": 5}}},
        {"update_id": 1, "callback_query": {"id": {"a": 1}, "data": f"t:{ALERT}"}},
        {"update_id": 1, "callback_query": "x"},
        {},
    ],
)
async def test_nobody_elses_press_and_nothing_else_has_an_effect(house, body):
    assert (await press(house, body)).status_code == 200
    assert commands(house) == []


async def test_a_stranger_is_told_whom_to_ask(house):
    answer = (await press(house, pressed(user=999))).json()
    assert answer["show_alert"] is True and "team" in answer["text"]


@pytest.mark.parametrize("secret", ["", "wrong", SECRET + "x", SECRET[:-1]])
async def test_without_the_bots_secret_it_is_401_and_nothing_is_done(house, secret):
    assert (await press(house, pressed(), secret)).status_code == 401
    assert commands(house) == []


async def test_guessing_the_secret_is_slowed_down(house):
    codes = [(await press(house, pressed(), "guess")).status_code for _ in range(40)]
    assert 429 in codes


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"{not json", 400), (b"[]", 400), (b"\xff", 400), (b'"x"', 400), (b"{" + b" " * 300_000 + b"}", 413)],
)
async def test_a_body_that_cannot_be_read_is_refused(house, body, code):
    answer = await press(house, body)
    assert answer.status_code == code and answer.json()["error"]


async def test_a_press_that_cannot_be_stored_is_asked_for_again(house):
    house.sink.up = False
    answer = await press(house, pressed())
    assert answer.status_code == 503 and answer.headers["retry-after"]


async def test_other_methods_and_an_unset_bot(house, web_settings):
    assert (await house.http.get(PATH)).status_code == 405
    plain = House(web_settings)
    await plain.intake.start()
    answer = await press(plain, pressed())
    assert answer.status_code == 404 and "BOOMERANG_TELEGRAM_SECRET" in answer.text
    await plain.http.aclose()
    await plain.intake.close()


async def test_a_broken_team_file_is_told_at_the_start(house, tmp_path):
    (tmp_path / "team.yaml").write_text("members: 5")
    with pytest.raises(SettingsError, match="team.yaml"):
        Collector(house.settings, house.clock, house.intake)


anything = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=20), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "from", "message", "chat", "data", "callback_query", "username"]), inner, max_size=5), max_leaves=12)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["callback_query", "update_id", "x"]), anything, max_size=3))
def test_no_update_makes_it_raise_or_act_for_a_stranger(document):
    team = Team(addresses={"telegram": "-100200300"}, members=(Member("maria", addresses={"telegram": "777000777"}),))
    press = Pressers(team).press(document, NOW)
    assert press is None or press.command is None
