import json

import pytest
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from app.cli import main
from app.clock import ManualClock
from channels import webpush
from channels.aes128gcm import MOST_PLAIN, encrypted, point, receiver
from channels.channel import Ambiguous, Misconfigured, Rejected, Retry, Sent
from channels.destination import networks
from channels.egress import Egress
from channels.jwt import bytes_of, es256, new_pair, private_of, text_of
from channels.webpush import WebPush, content
from tests.channels.hooks import hook
from tests.channels.pushers import BROWSER, PRIVATE, PUBLIC, Browser, b64, check_push, verify_es256
from tests.contracts.providers import MESSAGE

PUSHED = MESSAGE._replace(
    subject="Ваша корзина ждёт",
    text="Анна, мы её сохранили",
    link="https://shop.example/cart",
    receipt_url="https://c.example/receipts/webpush?t=token",
)


def test_the_example_of_the_standard_is_encrypted_as_the_standard_says():
    """RFC 8291, section 5."""
    text = b"When I grow up, I want to be a watermelon"
    ours = private_of("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")
    to = receiver(
        bytes_of("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"),
        bytes_of("BTBZMqHH6r4Tts7J_aSIgg"),
    )
    assert text_of(encrypted(text, to, ours, bytes_of("DGv6ra1nlYgDCS1FRnbzlw"))) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_"
        "yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


@given(st.binary(max_size=MOST_PLAIN), st.binary(min_size=16, max_size=16))
def test_the_browser_reads_what_was_written_and_nobody_else_does(text, salt):
    body = encrypted(text, receiver(BROWSER.public, BROWSER.secret), ec.generate_private_key(ec.SECP256R1()), salt)
    assert BROWSER.read(body) == text and len(body) <= 4096
    with pytest.raises(InvalidTag):
        Browser(BROWSER.private, b"another secret!!").read(body)


def test_a_text_that_is_too_long_for_one_record_is_refused():
    with pytest.raises(ValueError, match="bytes"):
        encrypted(b"x" * (MOST_PLAIN + 1), receiver(BROWSER.public, BROWSER.secret), BROWSER.private, b"s" * 16)


def test_a_token_is_signed_with_our_key_and_no_other():
    token = es256({"aud": "https://push.example", "exp": 1}, private_of(PRIVATE))
    verify_es256(token, PUBLIC)
    with pytest.raises(InvalidSignature):
        verify_es256(token, new_pair()[1])


def channel(clock, hosts=("127.0.0.1",), **changes):
    egress = Egress(timeout=2.0, now=clock.now, allow=networks(["127.0.0.1/32"]))
    keys = {"private_key": PRIVATE, "public_key": PUBLIC, "contact": "mailto:push@shop.example"}
    return WebPush(**{**keys, **changes}, hosts=hosts, egress=egress, now=clock.now)


async def granted():
    return None


async def push(answer=(201, {}, b""), message=PUSHED):
    clock = ManualClock()
    async with hook(lambda _request: answer) as server:
        speaking = channel(clock)
        try:
            given = await speaking.send(message._replace(address=BROWSER.address(f"{server.url}/p/1")), granted)
        finally:
            await speaking.stop()
    return given, [check_push(request, clock.now()) for request in server.requests]


async def test_a_notification_says_its_title_text_page_and_where_to_tell_that_it_arrived():
    answer, told = await push()
    assert answer == Sent()
    assert told == [
        {
            "title": "Ваша корзина ждёт",
            "body": "Анна, мы её сохранили",
            "url": "https://shop.example/cart",
            "tag": "ab12.0",
            "receipt": "https://c.example/receipts/webpush?t=token",
        }
    ]


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        ((200, {}, b""), Sent()),
        ((202, {}, b""), Sent()),
        ((404, {}, b""), Rejected("404", suppress=True)),
        ((410, {}, b"gone"), Rejected("410 gone", suppress=True)),
        ((429, {"Retry-After": "30"}, b""), Retry(30.0, "429")),
        ((503, {"Retry-After": "7"}, b""), Retry(7.0, "503")),
        ((413, {}, b""), Rejected("413", suppress=False)),
        ((400, {}, b"bad"), Rejected("400 bad", suppress=False)),
        ((401, {}, b""), Misconfigured("401")),
        ((403, {}, b""), Misconfigured("403")),
        ((500, {}, b""), Ambiguous("500")),
        ((301, {"Location": "http://169.254.169.254/"}, b""), Rejected("301", suppress=False)),
    ],
)
async def test_each_answer_of_a_push_service_has_its_meaning(answer, meaning):
    given, told = await push(answer)
    assert given == meaning and len(told) == 1


@pytest.mark.parametrize("text", ["x" * 2_000, "я" * 2_000, "😀" * 2_000, "a\r\nb\x00c\u202ed\u200be", ""])
async def test_whatever_the_text_is_it_fits_and_arrives_as_something_to_read(text):
    answer, (told,) = await push(message=PUSHED._replace(text=text, receipt_url="https://c.example/" + "t" * 1_000))
    assert answer == Sent()
    assert not set(told["body"]) & set("\r\x00\u202e\u200b")
    assert told["title"] and told["url"] and (told["body"] or not text)


def test_a_message_that_can_hardly_fit_gives_up_its_text_and_its_receipt_first():
    told = json.loads(
        content(
            PUSHED._replace(
                text="x" * 2_000,
                link="https://s.example/" + "y" * 2_000,
                receipt_url="https://c.example/" + "z" * 2_000,
            )
        )
    )
    assert len(told["url"]) > 2_000 and told["receipt"] == "" and told["title"]


async def test_a_token_of_one_service_is_used_for_hours_and_then_renewed():
    clock = ManualClock()
    async with hook(lambda _request: (201, {}, b"")) as server:
        speaking = channel(clock)
        for advance in (0, 3600, webpush.TOKEN_USED):
            clock.advance(advance)
            await speaking.send(PUSHED._replace(address=BROWSER.address(f"{server.url}/p/1")), granted)
            check_push(server.requests[-1], clock.now())
        await speaking.stop()
        tokens = [request.headers["authorization"] for request in server.requests]
    assert tokens[0] == tokens[1] != tokens[2]


@pytest.mark.parametrize(
    "host",
    ["fcm.googleapis.com", "updates.push.services.mozilla.com", "wns2-by3p.notify.windows.com", "web.push.apple.com"],
)
def test_the_push_services_of_all_browsers_are_known(host):
    assert channel(ManualClock(), webpush.HOSTS).usable(BROWSER.address(f"https://{host}/x")) == ""


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://169.254.169.254/latest",
        "https://evilfcm.googleapis.com.example/x",
        "https://notfcm.googleapis.com@evil.example/x",
        "https://xfcm.googleapis.com.evil.example/",
        "ftp://fcm.googleapis.com/x",
        "https://fcm.googleapis.com/x#y",
        "https:///x",
        "",
    ],
)
def test_a_subscription_of_no_push_service_is_not_spoken_to(endpoint):
    assert channel(ManualClock(), webpush.HOSTS).usable(BROWSER.address(endpoint))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"private_key": "x"}, "boomerang webpush-keys"),
        ({"private_key": "é" * 43}, "boomerang webpush-keys"),
        ({"private_key": b64(b"\0" * 32)}, "boomerang webpush-keys"),
        ({"public_key": new_pair()[1]}, "in a pair"),
        ({"public_key": ""}, "in a pair"),
        ({"contact": "push@shop.example"}, "BOOMERANG_WEBPUSH_CONTACT"),
    ],
)
def test_settings_that_cannot_be_used_are_told_with_what_to_do(changes, told):
    with pytest.raises(ValueError, match=told):
        channel(ManualClock(), **changes)


def test_the_command_makes_a_pair_that_the_channel_takes(capsys):
    assert main(["webpush-keys"]) == 0
    told = dict(line.split("=", 1) for line in capsys.readouterr().out.splitlines())
    private, public = told["BOOMERANG_WEBPUSH_PRIVATE_KEY"], told["BOOMERANG_WEBPUSH_PUBLIC_KEY"]
    assert text_of(point(private_of(private))) == public and len(public) == 87
    channel(ManualClock(), private_key=private, public_key=public)
