"""Telegram: the exact requests, and what each answer of the Bot API means."""

import asyncio
import json

import pytest

from app.clock import SYSTEM
from app.model.alert import AlertState
from channels.channel import Ambiguous, Down, Misconfigured, Rejected, Retry, Sent
from channels.destination import networks
from channels.egress import Egress, Reply
from channels.telegram import Telegram, meaning
from tests.channels.alerts import BOARD, ID, alert, rendered, update
from tests.channels.hooks import hook

TOKEN = "12345:secret-secret"


class Api:
    """The Bot API's side: checks what it is sent, counts messages, answers as told."""

    def __init__(self):
        self.calls, self.answers, self.number = [], [], 0

    def __call__(self, request):
        assert request.path.startswith(f"/bot{TOKEN}/") and request.headers["content-type"] == "application/json"
        method, body = request.path.rsplit("/", 1)[1], request.json
        self.calls.append((method, body))
        if self.answers:
            status, answer = self.answers.pop(0)
            return status, {}, json.dumps(answer).encode()
        self.number += 1
        return 200, {}, json.dumps({"ok": True, "result": {"message_id": self.number}}).encode()


@pytest.fixture
async def telegram():
    api = Api()
    async with hook(api) as server:
        egress = Egress(timeout=10, now=SYSTEM.now, allow=networks(["127.0.0.1/32"]))
        channel = Telegram(token=TOKEN, api=server.url, egress=egress, monotonic=SYSTEM.monotonic, pace=0.001)
        yield channel, api
        await channel.stop()


async def granted():
    pass


def error(status, description, **parameters):
    return status, {
        "ok": False,
        "error_code": status,
        "description": description,
        **({"parameters": parameters} if parameters else {}),
    }


async def test_an_alert_goes_out_with_its_buttons_and_links(telegram):
    channel, api = telegram
    assert await channel.send(rendered(), granted) == Sent("-100200300:1")
    assert api.calls == [
        (
            "sendMessage",
            {
                "chat_id": "-100200300",
                "parse_mode": "HTML",
                "link_preview_options": {"is_disabled": True},
                "text": "<b>💬 Anna has been silent for 31 min</b>\n\n"
                "<b>Client:</b> Is it in stock?\n<b>Manager:</b> It is.\n\n"
                "Cart: Sofa × 2, Lamp · €520\nOn the site: 10 min ago\nSearched for: “green sofa”\n"
                "Orders: 3, €900 in all\nManager: Maria",
                "reply_markup": {
                    "inline_keyboard": [
                        [
                            {"text": "Take", "callback_data": f"t:{ID}"},
                            {"text": "Snooze 1 h", "callback_data": f"s:{ID}"},
                            {"text": "Not relevant", "callback_data": f"d:{ID}"},
                        ],
                        [
                            {"text": "Open the dialog", "url": "https://desk.example/dialogs/1"},
                            {"text": "Board", "url": f"{BOARD}/dialogs#{ID}"},
                        ],
                    ]
                },
            },
        )
    ]


async def test_a_change_edits_the_message_and_takes_away_what_cannot_be_pressed_any_more(telegram):
    channel, api = telegram
    taken = rendered(change=update(AlertState.TAKEN, "taken", by_name="Maria"), ref="-100200300:7")
    assert isinstance(await channel.send(taken, granted), Sent)
    ended = rendered(change=update(), ref="-100200300:7")
    assert isinstance(await channel.send(ended, granted), Sent)
    (first, one), (second, two) = api.calls
    assert first == second == "editMessageText" and one["message_id"] == two["message_id"] == 7
    assert one["text"].startswith("<b>✋ Anna has been silent for 31 min</b>\n\n<b>Taken: Maria</b>")
    assert [button["text"] for button in one["reply_markup"]["inline_keyboard"][0]] == ["Snooze 1 h", "Not relevant"]
    assert "<b>Resolved: the client has ordered</b>" in two["text"]
    assert [[button["text"] for button in row] for row in two["reply_markup"]["inline_keyboard"]] == [
        ["Open the dialog", "Board"]
    ]


async def test_a_change_of_what_was_told_in_a_digest_is_an_answer_to_it(telegram):
    channel, api = telegram
    await channel.send(rendered(change=update(), ref="-100200300:7:digest"), granted)
    ((method, body),) = api.calls
    assert method == "sendMessage" and body["reply_parameters"] == {
        "message_id": 7,
        "allow_sending_without_reply": True,
    }
    assert body["text"].endswith("Anna has been silent for 31 min: Resolved: the client has ordered</a>")


async def test_a_burst_is_a_digest_with_a_button_for_each(telegram):
    channel, api = telegram
    messages = [rendered(alert(f"{number:032x}", who=f"Client {number}"), number=number) for number in range(20)]
    answers = await asyncio.gather(*(channel.send(message, granted) for message in messages))
    method, body = api.calls[-1]
    assert (
        len(api.calls) == 2
        and method == "sendMessage"
        and body["text"].startswith("<b>🔔 19 alerts</b>\n\n1. <a href=")
    )
    buttons = [button for row in body["reply_markup"]["inline_keyboard"] for button in row]
    assert [button["callback_data"] for button in buttons] == [f"t:{number:032x}" for number in range(1, 20)]
    assert answers == [Sent("-100200300:1"), *[Sent("-100200300:2:digest")] * 19]


async def test_links_that_telegram_would_refuse_are_left_out(telegram):
    channel, api = telegram
    await channel.send(rendered(alert(url="http://127.0.0.1:3000/1")), granted)
    await channel.send(rendered(alert(url="http://console:8001/1"), number=1), granted)
    for _, body in api.calls:
        assert [button["text"] for button in body["reply_markup"]["inline_keyboard"][1]] == ["Board"]


async def test_a_group_that_has_moved_gets_its_message_at_once_under_its_new_id(telegram):
    channel, api = telegram
    api.answers = [error(400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=-1009)]
    asked = []

    async def moment():
        asked.append(1)

    assert await channel.send(rendered(), moment) == Sent("-1009:1")
    assert [body["chat_id"] for _, body in api.calls] == ["-100200300", "-1009"] and asked == [1]


async def test_a_wrong_token_costs_one_attempt_and_then_holds_the_channel_until_it_is_mended(telegram):
    channel, api = telegram
    api.answers = [error(401, "Unauthorized"), error(401, "Unauthorized")]
    assert isinstance(await channel.send(rendered(), granted), Misconfigured)

    async def never():
        raise AssertionError("nothing is granted before the token is known to be right")

    assert isinstance(await channel.send(rendered(), never), Misconfigured)
    assert isinstance(await channel.send(rendered(), granted), Sent)
    assert [method for method, _ in api.calls] == ["sendMessage", "getMe", "getMe", "sendMessage"]


def reply(status, description="", after=None, **parameters):
    return Reply(status, json.dumps(error(status, description, **parameters)[1]).encode(), after)


@pytest.mark.parametrize(
    ("answered", "expected"),
    [
        (
            reply(429, "Too Many Requests: retry after 35", retry_after=35),
            Retry(35.0, "429 Too Many Requests: retry after 35"),
        ),
        (reply(429, "Too Many Requests", after=4.0), Retry(4.0, "429 Too Many Requests")),
        (reply(503, "later"), Retry),
        (reply(500, "Internal Server Error"), Ambiguous),
        (Reply(502, b"<html>Bad Gateway</html>"), Ambiguous),
        (reply(401, "Unauthorized"), Misconfigured),
        (reply(404, "Not Found"), Misconfigured),
        (reply(403, "Forbidden: bot was blocked by the user"), ("dead",)),
        (reply(400, "Bad Request: chat not found"), ("dead",)),
        (reply(400, "Bad Request: can't parse entities"), ("alive",)),
        (reply(400, "Bad Request: message to edit not found"), ("alive",)),
        (reply(400, "Bad Request: message is not modified: same"), Sent()),
        (Reply(200, b"<html>a captive portal</html>"), ("alive",)),
        (Reply(302, b""), ("alive",)),
    ],
)
def test_every_answer_has_its_meaning(answered, expected):
    made, _ = meaning(answered, "1")
    if isinstance(expected, tuple) and expected and expected[0] in ("dead", "alive"):
        assert isinstance(made, Rejected) and made.suppress == (expected[0] == "dead")
    elif isinstance(expected, type):
        assert isinstance(made, expected)
    else:
        assert made == expected


@pytest.mark.parametrize("token", ["", "abc", "123", "12345:short", "12345:with space in it", "../12345:secret-secret"])
def test_a_token_that_cannot_be_one_is_refused_at_the_start(token):
    with pytest.raises(ValueError, match="BOOMERANG_TELEGRAM_TOKEN must look like"):
        Telegram(token=token, api="https://api.telegram.org", egress=None, monotonic=SYSTEM.monotonic)


async def test_telegram_away_is_down_and_nothing_is_granted():
    egress = Egress(timeout=10, now=SYSTEM.now, allow=networks(["127.0.0.1/32"]))
    channel = Telegram(token=TOKEN, api="http://127.0.0.1:1", egress=egress, monotonic=SYSTEM.monotonic)
    answer = await channel.send(rendered(), granted)
    assert isinstance(answer, Down) and "secret" not in answer.reason
    await channel.stop()
