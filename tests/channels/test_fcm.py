import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from app.clock import ManualClock
from channels.channel import Ambiguous, Down, Misconfigured, Rejected, Retry, Sent
from channels.destination import networks
from channels.egress import Egress
from channels.fcm import Fcm
from tests.channels.hooks import hook
from tests.channels.pushers import DEVICE, FCM_ANSWERS, account_file, check_fcm, fcm_error, token_service
from tests.contracts.providers import MESSAGE

PUSHED = MESSAGE._replace(address=DEVICE, text="Anna, we kept it", link="https://shop.example/cart")


async def granted():
    return None


@asynccontextmanager
async def speaking(tmp_path, answer=FCM_ANSWERS["fine"], token=None, clock=None):
    clock = clock or ManualClock()
    async with token_service(token) as google, hook(lambda _request: answer) as server:
        channel = Fcm(
            account_file=str(account_file(tmp_path, f"{google.url}/token")),
            api=server.url,
            egress=Egress(timeout=2.0, now=clock.now, allow=networks(["127.0.0.1/32"])),
            now=clock.now,
        )
        try:
            yield channel, server, google
        finally:
            await channel.stop()


async def test_a_notification_has_title_text_and_what_the_app_needs(tmp_path):
    async with speaking(tmp_path) as (channel, server, _):
        assert await channel.send(PUSHED, granted) == Sent("0:15")
        message = check_fcm(server.requests[0])
    assert message["notification"] == {"title": "Hello", "body": "Anna, we kept it"}
    assert message["data"] == {"url": "https://shop.example/cart", "message_id": "ab12.0"}
    assert message["android"]["collapse_key"] == "abandoned_cart"


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (fcm_error(404, "UNREGISTERED", "NOT_FOUND"), (Rejected, True)),
        (fcm_error(403, "SENDER_ID_MISMATCH", "PERMISSION_DENIED"), (Rejected, True)),
        (fcm_error(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", "The registration token is not a valid FCM registration token"), (Rejected, True)),
        (fcm_error(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", "Invalid value at 'message'"), (Rejected, False)),
        (fcm_error(401, "", "UNAUTHENTICATED"), (Misconfigured, None)),
        (fcm_error(401, "THIRD_PARTY_AUTH_ERROR", "UNAUTHENTICATED"), (Misconfigured, None)),
        (fcm_error(403, "", "PERMISSION_DENIED"), (Misconfigured, None)),
        (fcm_error(503, "UNAVAILABLE", "UNAVAILABLE"), (Retry, None)),
        (fcm_error(500, "INTERNAL", "INTERNAL"), (Ambiguous, None)),
        ((502, {}, b"<html>bad gateway"), (Ambiguous, None)),
        ((200, {}, b"not json"), (Ambiguous, None)),
        ((301, {"Location": "http://169.254.169.254/"}, b""), (Rejected, False)),
    ],
)  # fmt: skip
async def test_each_answer_of_fcm_has_its_meaning(tmp_path, answer, meaning):
    async with speaking(tmp_path, answer) as (channel, server, _):
        given = await channel.send(PUSHED, granted)
    assert isinstance(given, meaning[0]) and len(server.requests) == 1
    if meaning[1] is not None:
        assert given.suppress is meaning[1]
    assert DEVICE not in given.reason


@pytest.mark.parametrize(("headers", "after"), [({"Retry-After": "40"}, 40.0), ({}, 60.0)])
async def test_a_quota_that_is_used_up_is_waited_for(tmp_path, headers, after):
    answer = (429, headers, fcm_error(429, "QUOTA_EXCEEDED", "RESOURCE_EXHAUSTED")[2])
    async with speaking(tmp_path, answer) as (channel, _, _):
        given = await channel.send(PUSHED, granted)
    assert isinstance(given, Retry) and given.after == after


async def test_one_access_token_serves_many_messages_and_is_renewed_before_it_ends(tmp_path):
    clock = ManualClock()
    async with speaking(tmp_path, clock=clock) as (channel, server, google):
        await asyncio.gather(*(channel.send(PUSHED, granted) for _ in range(20)))
        assert len(google.requests) == 1 and len(server.requests) == 20
        clock.advance(3599 - 121)
        await channel.send(PUSHED, granted)
        assert len(google.requests) == 1
        clock.advance(2)
        await channel.send(PUSHED, granted)
        assert len(google.requests) == 2


async def test_a_token_that_fcm_does_not_take_is_got_anew(tmp_path):
    async with speaking(tmp_path, fcm_error(401, "", "UNAUTHENTICATED")) as (channel, _, google):
        for _ in range(2):
            assert isinstance(await channel.send(PUSHED, granted), Misconfigured)
        assert len(google.requests) == 2


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        ((400, {}, b'{"error": "invalid_grant"}'), Misconfigured),
        ((401, {}, b"{}"), Misconfigured),
        ((500, {}, b"oops"), Down),
        ((200, {}, b"oops"), Down),
        ((200, {}, json.dumps({"access_token": "x\r\nEvil: y"}).encode()), Down),
        ((503, {"Retry-After": "9"}, b"{}"), Down),
    ],
)
async def test_without_an_access_token_nothing_is_handed_over(tmp_path, answer, meaning):
    asked = []

    async def moment():
        asked.append(1)

    async with speaking(tmp_path, token=lambda _request: answer) as (channel, server, _):
        given = await channel.send(PUSHED, moment)
    assert isinstance(given, meaning) and server.requests == [] and asked == []


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "cannot read"),
        ("", "not the key file"),
        ("{}", "not the key file"),
        ('{"project_id": "shop-example", "client_email": "a@b.co", "private_key": "x"}', "not the key file"),
        ({"project_id": "../x"}, "project_id"),
        ({"token_uri": "file:///etc/passwd"}, "token_uri"),
    ],
)
def test_a_key_file_that_cannot_be_used_is_told(tmp_path, content, told):
    path = tmp_path / "account.json"
    if isinstance(content, dict):
        account_file(tmp_path, **{"token_uri": "https://oauth2.googleapis.com/token", **content})
    elif content is not None:
        path.write_text(content)
    clock = ManualClock()
    with pytest.raises(ValueError, match=told) as caught:
        Fcm(
            account_file=str(path),
            api="https://fcm.googleapis.com",
            egress=Egress(timeout=1, now=clock.now),
            now=clock.now,
        )
    assert "BOOMERANG_FCM_ACCOUNT" in str(caught.value)
