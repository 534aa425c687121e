"""Five messengers, one team: from each provider's own request to the exact request that the team's bot sends. All parts are real.

Only the providers' sides are played: what calls the webhooks, the gateway that is read, and the Bot API, which checks what it gets.
"""

import json

import pytest

from app.clock import SYSTEM, moment
from tests.app.web.chat.frames import EXAMPLES, RETAILCRM, SOURCES
from tests.app.web.chat.gateway_server import gateway_server
from tests.channels.hooks import hook
from tests.running import product
from tests.servers import eventually

pytestmark = [pytest.mark.broker, pytest.mark.slow]

TOKEN, CHAT = "12345:secret-secret", "100200300"
TEAM = f'addresses: {{telegram: "{CHAT}"}}\nlinks: {{retailcrm: "https://shop.example/chats/{{dialog}}"}}\n'
SCENARIO = """\
id: abandoned_dialog
version: 1
title: The client went silent
dialog: {watch: silent_client, for: 30m}
cascade:
  - {channel: telegram, template: alert}
"""
EXPECTED = {
    "telegram": ("Анна К.", "А диван ещё есть?", "Да, последний. Отложить?", "https://t.me/ann_k"),
    "whatsapp": ("Анна", "Здравствуйте! Есть 42 размер?", "Есть, отложить?", "https://wa.me/79161112233"),
    "vk": ("Client", "Добрый день, сколько стоит доставка?", "300 рублей", "https://vk.com/gim219?sel=3344"),
    "chatwoot": (
        "Анна", "Есть ли рассрочка?", "Да, на 6 месяцев", "https://desk.shop.example/app/accounts/1/conversations/245",
    ),
    "retailcrm": ("Анна", "Когда привезёте?", "Завтра", "https://shop.example/chats/90"),
}  # fmt: skip
"""Provider -> who, his words, the manager's, and the link into the dialog."""


class BotApi:
    """Telegram's side: keeps what it is sent, numbers the messages."""

    def __init__(self):
        self.calls = []

    def __call__(self, request):
        assert request.path.startswith(f"/bot{TOKEN}/")
        self.calls.append((request.path.rsplit("/", 1)[1], request.json))
        return 200, {}, json.dumps({"ok": True, "result": {"message_id": len(self.calls)}}).encode()

    def told_of(self, words):
        return [body for method, body in self.calls if method == "sendMessage" and words in body["text"]]


def now_said(frame, at):
    """A frame of today, wherever it tells the time."""
    if isinstance(frame, list):
        return [now_said(item, at) for item in frame]
    if not isinstance(frame, dict):
        return frame
    times = {
        "date": int(at),
        "timestamp": str(int(at)),
        "created_at": moment(at).isoformat(),
        "time": moment(at).isoformat(),
    }
    return {name: times.get(name) or now_said(value, at) for name, value in frame.items()}


async def test_a_silent_client_of_each_messenger_is_told_once_with_his_words_and_a_way_back(
    make_settings, process, tmp_path
):
    (tmp_path / "team.yaml").write_text(TEAM)
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "abandoned_dialog.yaml").write_text(SCENARIO)
    api = BotApi()
    async with hook(api) as telegram, gateway_server() as gateway:
        (tmp_path / "chats.yaml").write_text(SOURCES.replace("https://mg.shop.example", gateway.url))
        settings = make_settings(
            time_scale=600.0,  # half an hour is three seconds
            instance="chats",
            team=tmp_path / "team.yaml",
            chats=str(tmp_path / "chats.yaml"),
            scenarios=tmp_path / "scenarios",
            telegram_token=TOKEN,
            telegram_api=telegram.url,
            egress_allow="127.0.0.1/32",
        )
        async with product(settings, process) as shop:
            await shop.start("collector", "worker", "delivery", "chat-gateway")
            await eventually(lambda: gateway.listened_to, 30, "the gateway is read")

            async def say(name):
                for provider, example in EXAMPLES.items():
                    body, headers = example.call(now_said(example.frames[name], SYSTEM.now()), at=SYSTEM.now())
                    async with shop.http.post(
                        shop.url("collector", example.path), data=body, headers=headers
                    ) as answer:
                        assert (provider, answer.status, await answer.text()) == (provider, 200, example.ok)
                await gateway.say(now_said(RETAILCRM[name], SYSTEM.now()))

            await say("client")
            await say("manager")
            words = {provider: expected[1] for provider, expected in EXPECTED.items()}
            await eventually(lambda: all(map(api.told_of, words.values())), 90, "the team is told of each")
            for name in ("client", "manager"):
                await say(name)  # the providers repeat themselves
            for provider, (who, asked, answered, link) in EXPECTED.items():
                (body,) = api.told_of(asked)
                _is_the_alert(provider, body, who, asked, answered, link)
            assert [method for method, _ in api.calls] == ["sendMessage"] * len(EXPECTED)


def _is_the_alert(provider, body, who, asked, answered, link):
    assert body.keys() == {"chat_id", "parse_mode", "link_preview_options", "text", "reply_markup"}, provider
    assert (body["chat_id"], body["parse_mode"]) == (CHAT, "HTML")
    head, *_ = body["text"].splitlines()
    assert head.startswith(f"<b>💬 {who} has been silent for "), head
    assert f"<b>Client:</b> {asked}" in body["text"]
    assert answered in body["text"]
    buttons, links = body["reply_markup"]["inline_keyboard"]
    assert [button["text"] for button in buttons] == ["Take", "Snooze 1 h", "Not relevant"]
    assert links[0]["url"] == link
