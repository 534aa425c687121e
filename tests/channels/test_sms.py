"""SMS over HTTP: the exact requests of each provider, what their answers mean, and what a text costs."""

import asyncio

import pytest

from app.clock import SYSTEM
from channels.channel import Ambiguous, Later, Misconfigured, Rejected, Retry, Sent
from channels.egress import Reply
from channels.registry import CHANNELS
from channels.sms.make import GATEWAYS as MADE
from channels.sms.make import PROVIDERS
from tests.channels.gateways import ACCOUNT, GATEWAYS
from tests.channels.hooks import hook
from tests.contracts.providers import MESSAGE, OPTIONS

SHORT = MESSAGE._replace(
    address="+79123456789",
    text="Your cart waits: https://c.example/r/x",
    receipt_url="https://c.example/receipts/sms?t=x",
)
every_provider = pytest.mark.parametrize("provider", GATEWAYS)


async def granted():
    pass


def options(provider, url="https://127.0.0.1:1", **more):
    return OPTIONS._replace(sms_provider=provider, sms_api=url, **{**GATEWAYS[provider].settings, **more})


def sms(provider, url="https://127.0.0.1:1", **more):
    return CHANNELS["sms"](options(provider, url, **more))


def test_every_provider_has_a_fake():
    assert set(GATEWAYS) == set(MADE)


@every_provider
async def test_the_request_is_as_the_provider_documents_it(provider):
    seen = []

    def answer(request):
        seen.append(GATEWAYS[provider].check(request))
        return GATEWAYS[provider].answers["fine"]

    async with hook(answer) as server:
        channel = sms(provider, server.url)
        sent = await channel.send(
            SHORT._replace(text="Привет,\r\n\r\n\r\n\r\n\u202eАнна\u200b & co\x00  = 100% +1"), granted
        )
        bare = await channel.send(SHORT._replace(receipt_url=""), granted)
        await channel.stop()
    assert isinstance(sent, Sent) and sent.provider_id and isinstance(bare, Sent)
    assert seen[0][:2] == ("+79123456789", "Привет,\n\nАнна & co = 100% +1")
    takes_callback = provider in ("smsaero", "twilio")
    assert [callback for *_, callback in seen] == ([SHORT.receipt_url, ""] if takes_callback else ["", ""])


@every_provider
@pytest.mark.parametrize(
    ("mode", "kind"),
    [("fine", Sent), ("busy", Retry), ("refuses", Rejected), ("dead_address", Rejected), ("wrong_key", Misconfigured)],
)
async def test_what_its_answers_mean(provider, mode, kind):
    async with hook(lambda _request: GATEWAYS[provider].answers[mode]) as server:
        channel = sms(provider, server.url)
        answer = await channel.send(SHORT, granted)
        await channel.stop()
    assert isinstance(answer, kind), answer
    if kind is Rejected:
        assert answer.suppress == (mode == "dead_address")
    if kind is not Sent:
        assert "secret" not in answer.reason


@every_provider
@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(500, b"{}"), Ambiguous), (Reply(502, b"<html>"), Ambiguous), (Reply(504, b""), Ambiguous), (Reply(503, b"", 7.0), Retry),
        (Reply(200, b"<html>a captive portal"), Ambiguous), (Reply(200, b"{}"), Ambiguous | Rejected), (Reply(301, b""), Rejected),
        (Reply(429, b"slow down", 7.0), Retry), (Reply(403, b"no"), Misconfigured), (Reply(404, b"no"), Misconfigured),
        (Reply(400, b"no"), Rejected), (Reply(200, b'{"id": [], "message_id": {}, "sid": 5, "success": 1}'), Ambiguous),
        (Reply(200, b"\xff\xfe"), Ambiguous), (Reply(400, b"[" * 50_000), Rejected),
    ],
)  # fmt: skip
def test_an_answer_that_is_not_in_its_book_says_no_more_than_its_status(provider, reply, kind):
    settings = GATEWAYS[provider].settings
    answer = MADE[provider](key=settings["sms_key"], sender=settings["sms_from"], api="").meaning(reply)
    assert isinstance(answer, kind), answer
    assert not (isinstance(answer, Rejected) and answer.suppress)
    if kind is Retry:
        assert answer.after == 7.0


@pytest.mark.parametrize(("text", "units"), [("a" * 160, 1), ("a" * 161, 2), ("я" * 70, 1), ("я" * 71, 2), ("", 1)])
def test_the_price_is_known_before_anything_is_sent(text, units):
    assert sms("smsc").units(SHORT._replace(text=text)) == units


async def test_a_text_that_costs_too_much_or_is_empty_is_not_sent():
    async with hook() as server:
        channel = sms("smsc", server.url, sms_segments=2)
        for text in ("я" * 135, "a" * 10**6, "", " \u200b\r\n"):
            answer = await channel.send(SHORT._replace(text=text, subject=""), granted)
            assert isinstance(answer, Rejected) and not answer.suppress
        assert server.requests == []
        await channel.stop()


async def test_a_busy_provider_is_left_alone_and_the_pace_is_kept():
    async with hook(lambda _request: GATEWAYS["smsc"].answers["busy"]) as server:
        channel = sms("smsc", server.url)
        first = await channel.send(SHORT, granted)
        others = await asyncio.gather(*(channel.send(SHORT._replace(message_id=f"{n}.0"), granted) for n in range(20)))
        await channel.stop()
    assert isinstance(first, Retry) and first.after == 60.0
    assert all(isinstance(answer, Later) and 0 < answer.after <= 60.0 for answer in others)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("provider", "changed", "says"),
    [
        ("carrier-pigeon", {}, "BOOMERANG_SMS_PROVIDER='carrier-pigeon' must be one of"),
        ("exolve", {"sms_key": ""}, "BOOMERANG_SMS_KEY must be"),
        ("exolve", {"sms_key": "a\r\nX-Evil: 1"}, "BOOMERANG_SMS_KEY must be"),
        ("exolve", {"sms_from": ""}, "BOOMERANG_SMS_FROM must be"),
        ("smsaero", {"sms_key": "only-a-key"}, "EMAIL:API-KEY"),
        ("smsc", {"sms_key": "login:"}, "LOGIN:PASSWORD"),
        ("twilio", {"sms_key": "me:token"}, "ACCOUNT-SID"),
        ("twilio", {"sms_key": f"{ACCOUNT}:t", "sms_from": ""}, "BOOMERANG_SMS_FROM must be"),
        ("smsc", {"sms_api": "ftp://smsc.ru"}, "BOOMERANG_SMS_API"),
    ],
)
def test_settings_that_cannot_work_are_told_at_the_start(provider, changed, says):
    base = GATEWAYS.get(provider, GATEWAYS["smsc"]).settings
    with pytest.raises(ValueError, match=says) as caught:
        CHANNELS["sms"](OPTIONS._replace(sms_provider=provider, **{**base, **changed}))
    assert "secret" not in str(caught.value)


def test_without_a_provider_the_channel_is_off():
    assert CHANNELS["sms"](OPTIONS) is None
    assert PROVIDERS == ("exolve", "smsaero", "smsc", "twilio", "smpp")


def test_a_messaging_service_of_twilio_is_told_from_a_number():
    made = MADE["twilio"](key=f"{ACCOUNT}:t", sender="MG" + "0" * 32, api="")
    assert made._sender == {"MessagingServiceSid": "MG" + "0" * 32}


async def test_the_rate_gives_turns_and_sends_those_back_who_would_wait_long():
    from channels.rate import Rate

    now = [0.0]
    rate = Rate(1.0, lambda: now[0])
    assert await rate.turn() is None
    assert await Rate(0.0, SYSTEM.monotonic).turn() is None
    rate.pause(30.0)
    told = [(await rate.turn()).after for _ in range(3)]
    assert told == [31.0, 32.0, 33.0]
    now[0] = 40.0
    assert await rate.turn() is None
