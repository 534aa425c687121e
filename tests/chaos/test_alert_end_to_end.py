"""A client falls silent in Telegram, the team is told in Telegram, a manager presses, the client orders: with all real parts.

The Bot API's side is played by the test: it checks each request that it is sent.
"""

import json

import pytest

from app.clock import SYSTEM
from tests.channels.hooks import hook
from tests.running import product
from tests.servers import eventually

pytestmark = [pytest.mark.broker, pytest.mark.slow]

TOKEN, SECRET = "12345:secret-secret", "s3cret-of-the-bot"
TEAM = """
addresses: {telegram: "-100200300"}
members:
  - {id: maria, name: Maria, accounts: {telegram: "777"}}
"""
CHATS = "telegram:\n  shop: {secret: telegram-secret-1}\n"


class Api:
    def __init__(self):
        self.calls = []

    def __call__(self, request):
        assert request.path.startswith(f"/bot{TOKEN}/")
        self.calls.append((request.path.rsplit("/", 1)[1], request.json))
        answer = {"ok": True, "result": {"message_id": 70 + len(self.calls)}}
        return 200, {}, json.dumps(answer).encode()

    def of(self, text):
        return [body for _, body in self.calls if text in body.get("text", "")]


def message(update, sender, text):
    client = {"id": 501, "first_name": "Anna", "type": "private"}
    return {
        "update_id": update,
        "business_message": {
            "message_id": update,
            "business_connection_id": "bc1",
            "from": {"id": sender, "is_bot": False, "first_name": "Anna" if sender == 501 else "Maria"},
            "chat": client,
            "date": int(SYSTEM.now()) - 10 + update,  # in this order, whatever the second
            "text": text,
        },
    }


async def test_from_a_silent_client_to_the_press_of_a_button_and_the_order(make_settings, process, tmp_path):
    (tmp_path / "team.yaml").write_text(TEAM)
    (tmp_path / "chats.yaml").write_text(CHATS)
    api = Api()
    async with hook(api) as telegram:
        settings = make_settings(
            time_scale=600.0,  # half an hour is three seconds
            instance="alerts",
            grace=0.2,
            team=tmp_path / "team.yaml",
            chats=str(tmp_path / "chats.yaml"),
            telegram_token=TOKEN,
            telegram_secret=SECRET,
            telegram_api=telegram.url,
            egress_allow="127.0.0.1/32",
            console_url="https://console.shop.example",
        )
        async with product(settings, process) as shop:
            await shop.start("collector", "worker", "delivery", "console")

            async def tell(path, body, secret):
                headers = {"X-Telegram-Bot-Api-Secret-Token": secret}
                async with shop.http.post(shop.url("collector", path), json=body, headers=headers) as answer:
                    assert answer.status == 200, await answer.text()
                    return await answer.json()

            await tell("/chat/telegram/shop", message(1, 501, "Is the <b>sofa</b> in stock?"), "telegram-secret-1")
            await tell("/chat/telegram/shop", message(2, 77, "It is the last one."), "telegram-secret-1")
            await eventually(lambda: api.of("silent"), 60, "the team is told")
            told = 70 + len(api.calls)
            method, body = api.calls[-1]
            assert method == "sendMessage" and body["chat_id"] == "-100200300" and "Anna" in body["text"]
            assert "&lt;b&gt;sofa&lt;/b&gt;" in body["text"]
            take = body["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
            press = {
                "update_id": 9,
                "callback_query": {
                    "id": "42",
                    "from": {"id": 777},
                    "message": {"chat": {"id": -100200300}},
                    "data": take,
                },
            }
            stranger = {"update_id": 8, "callback_query": {**press["callback_query"], "id": "41", "from": {"id": 5}}}
            assert (await tell("/presses/telegram", stranger, SECRET))["show_alert"] is True
            assert (await tell("/presses/telegram", press, SECRET))["text"] == "Taken"
            await eventually(lambda: api.of("Taken: Maria"), 30, "the message says who has taken it")
            assert api.calls[-1][0] == "editMessageText" and api.calls[-1][1]["message_id"] == told

            async def on_the_board():
                (row,) = (await shop.json("console", "/api/board"))["rows"]
                return (row["state"], row["by"]) == ("taken", "Maria")

            await eventually(on_the_board, 30, "the board shows it too")
            await tell("/chat/telegram/shop", message(3, 501, "I take it"), "telegram-secret-1")
            await eventually(lambda: api.of("Resolved: the client has answered"), 30, "and that it is over")
            first = [method for method, body in api.calls if "silent" in body["text"]]
            assert first == ["sendMessage", "editMessageText", "editMessageText"], "one message, edited twice"
