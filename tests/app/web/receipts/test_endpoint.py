"""`POST /receipts/{provider}`: who is believed, and what for."""

import pytest

from app.errors import SettingsError
from app.metrics import RECEIPT_CALLS, RECEIPT_UNAUTHENTIC
from app.model.receipt import Outcome
from app.settings import load
from app.tokens import RECEIPT_LIFE, receipt_token
from app.web.receipts.endpoint import BODY_LIMIT
from app.web.receipts.secrets import receipt_secrets
from channels.references import KEEP, PROVIDER_ID, SHORT_LINK, Away, References
from tests.app.web.conftest import NOW, House
from tests.app.web.receipts.payloads import SECRETS, SETTING, exolve_status, ours, smsc_status, twilio, twilio_status
from tests.app.web.receipts.test_providers import SPOKEN, say, shop  # noqa: F401 - a fixture


def counted(metric, *labels):
    return metric.labels(*labels)._value.get()


@pytest.mark.parametrize(
    "request_",
    [
        twilio_status("delivered")._replace(headers={}),
        twilio_status("delivered")._replace(body=b"MessageSid=SM1&MessageStatus=delivered"),
        twilio(secret="another-token", MessageSid="SM1", MessageStatus="delivered"),
        smsc_status("1")._replace(body=b"id=12345&phone=79161234567&status=1"),
        smsc_status("1")._replace(body=smsc_status("1").body.replace(b"status=1", b"status=2")),
        exolve_status("DELIVERED", ""),
        exolve_status("DELIVERED", "?key=word-of-nobody"),
        ours("webhook", {"outcome": "opened", "message_id": "m.0", "customer": "1"}, NOW - 400),
        ours("webhook", {"outcome": "opened", "message_id": "m.0", "customer": "1"}, NOW, secret=SECRETS["sms"]),
        ours("webhook", {"outcome": "opened"}, NOW)._replace(headers={}),
        ours("email", {"outcome": "opened"}, NOW, secret="whsec_" + "A" * 40),
    ],
)  # fmt: skip
async def test_what_is_not_genuine_has_no_effect(shop, request_):  # noqa: F811
    before = sum(s.value for m in RECEIPT_UNAUTHENTIC.collect() for s in m.samples if s.name.endswith("_total"))
    response = await say(shop, request_)
    assert response.status_code == 401
    assert shop.sink.records == []
    after = sum(s.value for m in RECEIPT_UNAUTHENTIC.collect() for s in m.samples if s.name.endswith("_total"))
    assert after == before + 1


@pytest.mark.parametrize("name", ["twilio", "smsc", "smsaero", "exolve", "webhook", "email"])
@pytest.mark.parametrize("forged", ["", "x", "a.b", "expired", "another secret", "cut"])
async def test_a_forged_or_expired_token_opens_nothing(rebuilt, name, forged):
    async with rebuilt() as house:
        good = receipt_token(house.settings.secret, SPOKEN, NOW)
        token = {
            "expired": receipt_token(house.settings.secret, SPOKEN, NOW - RECEIPT_LIFE - 3 * 86_400),
            "another secret": receipt_token("x" * 40, SPOKEN, NOW),
            "cut": good[:-2],
        }.get(forged, forged)
        response = await house.http.post(f"/receipts/{name}?t={token}", json={"outcome": "delivered", "status": 1})
        assert response.status_code == 401
        assert house.sink.records == []


async def test_who_only_knows_the_address_of_a_message_can_say_no_more_than_that_it_arrived(rebuilt):
    async with rebuilt() as house:
        token = receipt_token(house.settings.secret, SPOKEN._replace(channel="webpush"), NOW)
        for outcome in Outcome:
            response = await house.http.post(f"/receipts/webpush?t={token}", json={"outcome": outcome})
            assert response.status_code == 200
        assert {receipt.outcome for receipt in house.receipts} == {"delivered", "opened", "clicked", "replied"}


@pytest.mark.parametrize("path", ["smsaero", "twilio", "exolve", "smsc", "mail", "sms", "webhook"])
async def test_what_went_out_with_a_message_of_one_channel_says_nothing_at_anothers_provider(rebuilt, path):
    async with rebuilt() as house:
        token = receipt_token(house.settings.secret, SPOKEN._replace(channel="webpush"), NOW)
        response = await house.http.post(f"/receipts/{path}?t={token}", json={"outcome": "bounced", "status": 2})
        assert response.status_code == 401
        assert house.receipts == []


async def test_the_address_of_ones_own_message_does_not_let_anybody_speak_for_another_number(rebuilt):
    async with rebuilt() as house:
        token = receipt_token(house.settings.secret, SPOKEN, NOW)
        fields = {"SmsStatus": "received", "MessageSid": "SM1", "From": "+79160000000", "Body": "STOP"}
        assert (await house.http.post(f"/receipts/twilio?t={token}", data=fields)).status_code == 200
        body = {"outcome": "unsubscribed", "message_id": "m.0", "customer": "victim"}
        assert (await house.http.post(f"/receipts/sms?t={token}", json=body)).status_code == 200
        assert house.receipts == []


async def test_where_a_provider_has_a_key_its_address_alone_is_not_enough(shop):  # noqa: F811
    request = twilio_status("delivered", f"?t={shop.token}")
    assert (await say(shop, request._replace(headers={}))).status_code == 401
    assert (await say(shop, request)).status_code == 200


@pytest.mark.parametrize("old_first", [True, False])
async def test_two_keys_live_while_one_takes_the_others_place(rebuilt, old_first):
    keys = ["the-old-token", "the-new-token"]
    setting = ",".join(f"twilio={key}" for key in (keys if old_first else keys[::-1]))
    async with rebuilt(receipt_secrets=setting) as house:
        for number, key in enumerate(keys):
            request = twilio(
                secret=key, SmsStatus="received", MessageSid=f"SM{number}", From="+79161234567", Body="hello"
            )
            assert (await say(house, request)).status_code == 200
        assert len(house.receipts) == 2


async def test_the_same_receipt_again_goes_no_further(shop):  # noqa: F811
    before = counted(RECEIPT_CALLS, "twilio", "duplicate")
    for _ in range(3):
        assert (await say(shop, twilio_status("delivered", f"?t={shop.token}"))).status_code == 200
    assert len(shop.receipts) == 1
    assert counted(RECEIPT_CALLS, "twilio", "duplicate") == before + 2


async def test_a_receipt_is_answered_when_kafka_has_it_and_not_before(shop):  # noqa: F811
    shop.sink.up = False
    response = await say(shop, twilio_status("delivered", f"?t={shop.token}"))
    assert (response.status_code, int(response.headers["retry-after"]) > 0) == (503, True)


@pytest.mark.parametrize(
    ("path", "status"), [("/receipts/", 404), ("/receipts/nobody", 404), ("/receipts/twilio/x", 404)]
)
async def test_an_unknown_provider_is_not_found(house, path, status):
    assert (await house.http.post(path, content=b"")).status_code == status


async def test_only_post_is_taken_and_only_so_much(shop):  # noqa: F811
    response = await shop.http.get(f"/receipts/twilio?t={shop.token}")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    response = await shop.http.post(f"/receipts/webhook?t={shop.token}", content=b"x" * (BODY_LIMIT + 1))
    assert response.status_code == 413


async def test_who_guesses_is_slowed_down(shop):  # noqa: F811
    statuses = [(await shop.http.post("/receipts/twilio", content=b"")).status_code for _ in range(40)]
    assert statuses[0] == 401
    assert statuses[-1] == 429


@pytest.mark.parametrize(
    "text",
    ["twilio", "nobody=12345678", "twilio=short", "twilio=" + "x" * 300, "smsc=12345678,smsc=12345678,smsc=12345678"],
)
def test_unusable_secrets_are_told_without_being_shown(text):
    with pytest.raises(SettingsError, match="BOOMERANG_RECEIPT_SECRETS") as told:
        receipt_secrets(load({}, receipt_secrets=text))
    assert "12345678" not in str(told.value)


# -- by the provider's own id, over a real Valkey


def references(url, down=None):
    from app.clock import SYSTEM

    return References(url, "t-", SYSTEM.monotonic, (down or []).append if down is None else lambda: down.append(1))


@pytest.fixture
async def known(valkey_url, web_settings):
    from dataclasses import replace

    from app.web.collector.asgi import Collector

    house = House(replace(web_settings, receipt_secrets=SETTING))
    house.references = references(valkey_url, [])
    house.app = house.http._transport.app = Collector(house.settings, house.clock, house.intake, house.references)
    await house.intake.start()
    yield house
    await house.http.aclose()
    await house.intake.close()
    await house.references.stop()


async def test_a_provider_that_only_knows_its_own_id_is_understood(known):
    token = receipt_token(known.settings.secret, SPOKEN, NOW)
    assert await known.references.remember(PROVIDER_ID, "smsc:12345", token)
    assert (await say(known, smsc_status("1"))).status_code == 200
    (receipt,) = known.receipts
    assert (receipt.outcome, receipt.customer, receipt.message_id) == ("delivered", "42", SPOKEN.message_id)


async def test_a_receipt_of_an_unknown_message_gets_a_silent_200_and_is_counted(known):
    before = counted(RECEIPT_CALLS, "smsc", "unknown")
    response = await say(known, smsc_status("1"))
    assert (response.status_code, response.text) == (200, "OK")
    assert known.receipts == []
    assert counted(RECEIPT_CALLS, "smsc", "unknown") == before + 1


async def test_a_receipt_that_is_quicker_than_the_note_of_its_message_is_understood(known):
    token = receipt_token(known.settings.secret, SPOKEN, NOW)
    find, asked = known.references.find, []

    async def late(kind, name):
        asked.append(name)
        if len(asked) == 1:
            found = await find(kind, name)
            await known.references.remember(kind, name, token)
            return found
        return await find(kind, name)

    known.references.find = late
    assert (await say(known, smsc_status("1"))).status_code == 200
    assert [receipt.message_id for receipt in known.receipts] == [SPOKEN.message_id]


async def test_an_address_in_what_a_provider_says_goes_no_further(shop):  # noqa: F811
    event = {"outcome": "bounced", "detail": "550 no such user <ann@shop.example> here"}
    assert (await say(shop, ours("webhook", event, NOW, query=f"?t={shop.token}"))).status_code == 200
    assert shop.receipts[0].detail == "550 no such user <<address>> here"


async def test_what_stands_in_redis_without_our_signature_is_not_believed(known):
    await known.references.remember(PROVIDER_ID, "smsc:12345", '["42","sms","m.0","s"]')
    assert (await say(known, smsc_status("1"))).status_code == 200
    assert known.receipts == []


async def test_without_redis_the_provider_is_asked_to_come_again(rebuilt, web_settings, free_port):
    from dataclasses import replace

    from app.web.collector.asgi import Collector

    down = []
    gone = references(f"redis://127.0.0.1:{free_port()}/0", down)
    house = House(replace(web_settings, receipt_secrets=SETTING))
    house.http._transport.app = Collector(house.settings, house.clock, house.intake, gone)
    await house.intake.start()
    assert (await say(house, smsc_status("1"))).status_code == 503
    assert not await gone.remember(SHORT_LINK, "a", "b")
    with pytest.raises(Away):
        await gone.find(SHORT_LINK, "a")
    assert len(down) == 3
    await house.http.aclose()
    await house.intake.close()
    await gone.stop()


async def test_names_are_kept_for_days_and_bounded(valkey_url):
    import redis

    one = references(valkey_url, [])
    assert await one.remember(PROVIDER_ID, "smsc:1", "value")
    assert not await one.remember(PROVIDER_ID, "x" * 161, "value")
    assert not await one.remember(PROVIDER_ID, "x", "v" * 5_000)
    assert (await one.find(PROVIDER_ID, "smsc:1"), await one.find(PROVIDER_ID, "x" * 161)) == ("value", "")
    assert await one.find(SHORT_LINK, "smsc:1") == "", "kinds do not mix"
    with redis.Redis.from_url(valkey_url) as client:
        (key,) = client.keys()
        assert 0 < client.ttl(key) <= KEEP[PROVIDER_ID]
    await one.stop()
