"""WhatsApp, VK and Telegram to customers, and the webhook for the rest: the exact requests, and what their answers mean."""

import pytest

from app.model.receipt import read_callback_data
from channels.channel import Ambiguous, Later, Misconfigured, Rejected, Retry, Sent
from channels.egress import Reply
from channels.examples import check_templates
from channels.registry import CHANNELS, make_channels
from channels.vk import meaning as vk_meaning
from channels.vk import random_id
from channels.whatsapp import meaning as whatsapp_meaning
from channels.whatsapp_template import Filled, read
from tests.channels.hooks import hook
from tests.channels.messengers import VK_ANSWERS, WHATSAPP_ANSWERS, check_vk, check_whatsapp
from tests.contracts.providers import MESSAGE, OPTIONS

WORDS = """template: abandoned_cart
language: ru
image: https://shop.example/1.jpg

body: Анна\u200b
body: 5 160 ₽
button: cart/42
"""
TO_WHATSAPP = MESSAGE._replace(address="+79123456789", text=WORDS, customer="u1")
TO_VK = MESSAGE._replace(address="club:162342", text="Анна,\r\nкорзина ждёт", customer="u1")
HOSTILE = "\u202eAnna\x00\r\n\u200b\ufeffBob"


async def granted():
    pass


def whatsapp(url="https://127.0.0.1:1", **more):
    told = {
        "whatsapp_token": "whatsapp-secret-token",
        "whatsapp_number": "106540352242922",
        "whatsapp_api": f"{url}/v23.0",
    }
    return CHANNELS["whatsapp"](OPTIONS._replace(**{**told, **more}))


def vk(url="https://127.0.0.1:1", **more):
    told = {"vk_tokens": ("club=vk1.a.secret-secret-secret",), "vk_api": url}
    return CHANNELS["vk"](OPTIONS._replace(**{**told, **more}))


def telegram(url="https://127.0.0.1:1", **more):
    return CHANNELS["telegram"](
        OPTIONS._replace(**{"telegram_bots": ("shop=12345:secret-secret",), "telegram_api": url, **more})
    )


async def test_whatsapp_gets_the_template_with_its_parameters_in_their_order():
    async with hook(lambda request: WHATSAPP_ANSWERS["fine"]) as server:
        channel = whatsapp(server.url)
        sent = await channel.send(TO_WHATSAPP, granted)
        await channel.stop()
    (request,) = server.requests
    check_whatsapp(request)
    assert isinstance(sent, Sent) and sent.provider_id.startswith("wamid.")
    assert request.json["template"] == {
        "name": "abandoned_cart",
        "language": {"code": "ru"},
        "components": [
            {"type": "header", "parameters": [{"type": "image", "image": {"link": "https://shop.example/1.jpg"}}]},
            {"type": "body", "parameters": [{"type": "text", "text": "Анна"}, {"type": "text", "text": "5 160 ₽"}]},
            {"type": "button", "sub_type": "url", "index": "0", "parameters": [{"type": "text", "text": "cart/42"}]},
        ],
    }
    handed = read_callback_data(request.json["biz_opaque_callback_data"])
    assert (handed.customer, handed.message_id) == ("u1", MESSAGE.message_id)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "template:"), ("template: Not A Name\nlanguage: ru", "template:"), ("template: a\nlanguage: RUSSIAN", "language:"),
        ("template: a\nlanguage: ru\nbody:", "line 3: body is empty"), ("template: a\nlanguage: ru\nbody: \u200b", "line 3: body is empty"),
        ("template: a\nlanguage: ru\nfooter: x", "line 3: begin with one of"), ("hello", "line 1: begin with one of"),
        ("template: a\ntemplate: b\nlanguage: ru", "twice"), ("template: a\nlanguage: ru\nheader: x\nimage: https://a.example/", "not both"),
        ("template: a\nlanguage: ru\nimage: http://a.example/", "image:"), ("body: x\n" * 41, "more than 40 lines"),
    ],
)  # fmt: skip
async def test_lines_that_whatsapp_would_refuse_are_not_sent(text, says):
    with pytest.raises(ValueError, match=says):
        read(text)
    answer = await whatsapp().send(TO_WHATSAPP._replace(text=text), granted)
    assert isinstance(answer, Rejected) and says in answer.reason and not answer.suppress


def test_a_value_stays_in_its_line_and_within_its_bound():
    assert read("template: a\nlanguage: en_US\nbody: a: b \t c") == Filled("a", "en_US", body=("a: b c",))
    assert len(read("template: a\nlanguage: ru\nbody: " + "x" * 5_000).body[0]) == 1_024


def test_our_own_templates_for_whatsapp_can_be_sent():
    assert check_templates([("whatsapp", "abandoned_cart")]) == []


def test_a_scenario_that_speaks_over_whatsapp_needs_its_part(tmp_path):
    for locale in ("en", "ru"):
        (tmp_path / locale).mkdir()
        for part in ("subject.txt", "html"):
            (tmp_path / locale / f"own.{part}.j2").write_text("x")
    from channels.render import TEMPLATES

    folders = (tmp_path, TEMPLATES)
    assert check_templates([("email", "own")], folders=folders) == []
    missing = check_templates([("whatsapp", "own")], folders=folders)
    assert len(missing) == 2 and "own.whatsapp.txt.j2 is missing" in missing[0]
    (tmp_path / "en" / "own.whatsapp.txt.j2").write_text("template: own\nlanguage: en\nbody: {{ name }}")
    (tmp_path / "ru" / "own.whatsapp.txt.j2").write_text("template: own\nbody: {{ name }}")
    assert list(check_templates([("whatsapp", "own")], folders=folders)) == [
        "template ru/own for WhatsApp: language: '' is none; write ru or en_US"
    ]


def meta(code, status=400):
    return Reply(status, b'{"error": {"code": %d, "message": "(#%d) told"}}' % (code, code))


@pytest.mark.parametrize(
    ("reply", "kind", "told"),
    [
        *((meta(code), Retry, None) for code in (4, 80007, 130429, 131048, 131000, 131016, 131057)),
        (meta(131056), Retry, 6.0), (meta(131049), Retry, 86_400.0),
        (meta(131026), Rejected, True), (meta(131050), Rejected, False), (meta(130472), Rejected, False), (meta(131047), Rejected, False),
        *((meta(code), Rejected, False) for code in (100, 132000, 132001, 132012, 132015, 132016)),
        *((meta(code), Misconfigured, None) for code in (190, 10, 200, 299, 131042, 131031, 133010)),
        (Reply(200, b"{}"), Ambiguous, None), (Reply(502, b"<html>"), Ambiguous, None), (Reply(503, b"", 5.0), Retry, 5.0),
        (Reply(404, b"nothing here"), Misconfigured, None), (Reply(400, b'{"error": {}}'), Rejected, False),
    ],
)  # fmt: skip
def test_every_code_of_whatsapp_has_its_meaning(reply, kind, told):
    answer = whatsapp_meaning(reply)
    assert isinstance(answer, kind), answer
    if kind is Rejected:
        assert answer.suppress == told
    if kind is Retry:
        assert answer.after == told


async def test_one_person_gets_a_message_every_six_seconds_and_others_need_not_wait():
    async with hook(lambda request: WHATSAPP_ANSWERS["fine"]) as server:
        channel = whatsapp(server.url, pace=1.0)
        channel._pacing._monotonic = lambda: 100.0
        assert isinstance(await channel.send(TO_WHATSAPP, granted), Sent)
        later = await channel.send(TO_WHATSAPP._replace(message_id="cd.0"), granted)
        assert isinstance(later, Later) and later.after == 6.0
        assert isinstance(await channel.send(TO_WHATSAPP._replace(address="+79123456780"), granted), Sent)
        await channel.stop()


async def test_vk_gets_a_number_by_which_it_knows_a_repetition():
    async with hook(lambda request: VK_ANSWERS["fine"]) as server:
        channel = vk(server.url)
        for _ in range(2):
            assert await channel.send(TO_VK, granted) == Sent("5")
        await channel.stop()
    one, two = server.requests
    check_vk(one)
    assert one.body == two.body
    assert random_id("ab12.0") == random_id("ab12.0") != random_id("ab12.1")


@pytest.mark.parametrize(
    ("code", "kind", "told"),
    [
        (6, Retry, 1.0), (9, Retry, 60.0), (10, Retry, None), (29, Retry, None), (900, Rejected, True), (901, Rejected, True),
        (902, Rejected, True), (18, Rejected, True), (914, Rejected, False), (7, Rejected, False), (100, Rejected, False),
        (5, Misconfigured, None), (15, Misconfigured, None), (27, Misconfigured, None),
    ],
)  # fmt: skip
def test_every_code_of_vk_has_its_meaning(code, kind, told):
    answer = vk_meaning(Reply(200, b'{"error": {"error_code": %d, "error_msg": "told"}}' % code))
    assert isinstance(answer, kind)
    if kind is not Misconfigured:
        assert (answer.suppress if kind is Rejected else answer.after) == told


@pytest.mark.parametrize("reply", [Reply(200, b"{}"), Reply(200, b"<html>"), Reply(500, b"{}")])
def test_an_answer_of_vk_that_says_nothing_is_a_riddle(reply):
    assert isinstance(vk_meaning(reply), Ambiguous)


async def test_a_bot_of_customers_writes_plain_text_that_formats_nothing():
    async with hook(lambda request: (200, {}, b'{"ok": true, "result": {"message_id": 7}}')) as server:
        channel = telegram(server.url)
        answer = await channel.send(MESSAGE._replace(address="shop:4815", text="<b>5 < 6 & 7</b>" + HOSTILE), granted)
        await channel.stop()
    (request,) = server.requests
    assert answer == Sent("4815:7") and request.path == "/bot12345:secret-secret/sendMessage"
    assert request.json == {
        "chat_id": "4815", "parse_mode": "HTML", "text": "&lt;b&gt;5 &lt; 6 &amp; 7&lt;/b&gt;Anna\nBob",
    }  # fmt: skip


async def test_a_customer_who_has_blocked_the_bot_is_not_written_to_again():
    async with hook(
        lambda request: (403, {}, b'{"ok": false, "description": "Forbidden: bot was blocked by the user"}')
    ) as server:
        channel = telegram(server.url)
        answer = await channel.send(MESSAGE._replace(address="shop:4815"), granted)
        await channel.stop()
    assert isinstance(answer, Rejected) and answer.suppress


async def test_the_bot_of_the_team_and_those_of_customers_do_not_stand_in_for_each_other():
    only_bots = telegram()
    assert "BOOMERANG_TELEGRAM_TOKEN" in only_bots.usable("-100200300") and not only_bots.usable("shop:4815")
    both = telegram(telegram_token="54321:team-secret")
    assert not both.usable("-100200300") and not both.usable("shop:4815") and both.usable("other:4815")


async def test_the_shops_own_program_is_told_whom_to_speak_to():
    async with hook() as server:
        secrets = ("whsec_" + "QUJD" * 8,)
        channel = CHANNELS["webhook"](
            OPTIONS._replace(webhook_hooks=(f"customers={server.url}/hook",), webhook_secrets=secrets)
        )
        message = MESSAGE._replace(
            address="customers:u:1", customer="u:1", text=f"Hello {HOSTILE}", link="https://shop.example/cart",
            receipt_url="https://c.example/receipts/webhook?t=x",
        )  # fmt: skip
        assert isinstance(await channel.send(message, granted), Sent)
        await channel.stop()
    (request,) = server.requests
    assert request.json["type"] == "message" and request.json["data"] == {
        "message_id": "ab12.0", "trigger_id": "ab12", "scenario": "abandoned_cart", "customer": "u:1", "name": "Anna", "locale": "",
        "subject": "Hello", "text": "Hello Anna\nBob", "link": "https://shop.example/cart", "unsubscribe": "https://c.example/u/token",
        "receipt_url": "https://c.example/receipts/webhook?t=x",
    }  # fmt: skip


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_to_a_metadata_address_is_not_followed(status):
    where = {"Location": "http://169.254.169.254/latest/meta-data/"}
    async with hook(lambda request: (status, where, b"")) as server:
        secrets = ("whsec_" + "QUJD" * 8,)
        channel = CHANNELS["webhook"](
            OPTIONS._replace(webhook_hooks=(f"customers={server.url}/hook",), webhook_secrets=secrets)
        )
        answer = await channel.send(MESSAGE._replace(address="customers:u1"), granted)
        await channel.stop()
    assert isinstance(answer, Rejected) and str(status) in answer.reason and not answer.suppress
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"whatsapp_token": "short", "whatsapp_number": "106540352242922"}, "BOOMERANG_WHATSAPP_TOKEN"),
        ({"whatsapp_token": "whatsapp-secret-token"}, "BOOMERANG_WHATSAPP_NUMBER"),
        (
            {"whatsapp_token": "whatsapp-secret-token", "whatsapp_number": "1065403522", "whatsapp_api": "x"},
            "BOOMERANG_WHATSAPP_API",
        ),
        ({"vk_tokens": ("vk1.a.secret-secret-secret",)}, "BOOMERANG_VK_TOKENS must look like"),
        ({"vk_tokens": ("club=short",), "vk_api": "https://api.vk.com"}, "BOOMERANG_VK_TOKENS: club"),
        ({"telegram_bots": ("shop=x",), "telegram_api": "https://api.telegram.org"}, "BOOMERANG_TELEGRAM_BOTS: shop"),
        ({"telegram_bots": ("a=12345:secret-secret", "a=12345:secret-secret")}, "each source once"),
    ],
)
def test_settings_that_cannot_work_are_told_at_the_start_without_their_secrets(settings, says):
    with pytest.raises(ValueError, match=says) as caught:
        make_channels(OPTIONS._replace(**settings))
    assert "secret-secret" not in str(caught.value)
