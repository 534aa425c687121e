"""Devices for notifications, from the request to what the core reads, and the scripts that tell of them."""

import gzip

import pytest

from app.model.reasons import BadInput
from app.web.collector.devices import push_of
from app.web.collector.refusal import Refused
from app.web.collector.script import PUSH, WORKER
from channels.jwt import new_pair
from tests.app.web.conftest import decodes, track
from tests.channels.pushers import BROWSER, DEVICE, b64

ENDPOINT = "https://fcm.googleapis.com/fcm/send/abc:def"
KEYS = {"p256dh": b64(BROWSER.public), "auth": b64(BROWSER.secret)}
SUBSCRIPTION = {"endpoint": ENDPOINT, "expirationTime": None, "keys": KEYS}
ADDRESS = f"webpush:{ENDPOINT} {KEYS['p256dh']} {KEYS['auth']}"


@pytest.mark.parametrize(
    "properties",
    [
        {"subscription": SUBSCRIPTION},
        dict(SUBSCRIPTION),
        {"endpoint": ENDPOINT, **KEYS},
        {"endpoint": ENDPOINT, "p256dh": KEYS["p256dh"] + "=", "auth": KEYS["auth"] + "=="},
    ],
)
async def test_a_subscription_reaches_the_core_and_does_not_stay_in_the_properties(house, properties):
    answer = await house.post("/v1/track", track("Push Subscribed", properties=properties))
    assert answer.status_code == 200
    (record,) = house.sink.records
    assert decodes(record.value).push == ADDRESS
    assert record.value.count(ENDPOINT.encode()) == 1


async def test_a_subscription_that_is_gone_reaches_the_core(house):
    await house.post("/v1/track", track("Push Unsubscribed", properties={"endpoint": ENDPOINT}))
    assert decodes(house.sink.records[0].value).push == f"-webpush:{ENDPOINT}"


async def test_the_token_of_an_app_is_read_from_segments_context(house):
    await house.post("/v1/track", track(context={"device": {"token": DEVICE, "type": "android"}}))
    assert decodes(house.sink.records[0].value).push == f"fcm:{DEVICE}"


@pytest.mark.parametrize(
    "device",
    [
        None,
        "x",
        [],
        {},
        {"token": None},
        {"token": 5},
        {"token": "short"},
        {"token": "a b" * 20},
        {"token": "x" * 5000},
    ],
)
async def test_a_device_without_a_usable_token_costs_its_event_nothing(house, device):
    assert (await house.post("/v1/track", track(context={"device": device}))).status_code == 200
    assert decodes(house.sink.records[0].value).push == ""


async def test_nobody_can_write_past_the_collector_what_only_it_may_say(house):
    await house.post("/v1/track", {**track(), "push": ADDRESS})
    assert decodes(house.sink.records[0].value).push == ""


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"endpoint": None}, "endpoint"),
        ({"endpoint": 5}, "endpoint"),
        ({"endpoint": "http://fcm.googleapis.com/x"}, "endpoint"),
        ({"endpoint": "https://a b"}, "endpoint"),
        ({"endpoint": "https://a\r\nb"}, "endpoint"),
        ({"endpoint": "https://u:p@fcm.googleapis.com/x"}, "endpoint"),
        ({"endpoint": "https://x/" + "y" * 800}, "endpoint"),
        ({"endpoint": "https://["}, "endpoint"),
        ({"keys": None}, "keys"),
        ({"keys": "x"}, "keys"),
        ({"keys": {**KEYS, "auth": "short"}}, "keys"),
        ({"keys": {**KEYS, "p256dh": "A" * 86}}, "keys"),
        ({"keys": {**KEYS, "auth": "A" * 20 + "\r\n"}}, "keys"),
    ],
)
def test_a_subscription_that_can_be_none_is_refused(changes, field):
    with pytest.raises(Refused) as caught:
        push_of("Push Subscribed", {**SUBSCRIPTION, **changes}, {})
    assert (caught.value.reason, field in str(caught.value)) == (BadInput.BAD_ID, True)


async def test_the_scripts_are_served_with_the_public_key_of_the_settings(rebuilt):
    _, public = new_pair()
    async with rebuilt(webpush_public_key=public) as house:
        script = await house.http.get("/boomerang-push.js")
        worker = await house.http.get("/boomerang-sw.js")
    assert script.status_code == worker.status_code == 200
    assert f'const KEY = "{public}";' in script.text and "showNotification" in worker.text
    assert all(answer.headers["content-type"].startswith("text/javascript") for answer in (script, worker))
    async with rebuilt(webpush_public_key='";alert(1)//') as house:
        assert 'const KEY = "";' in (await house.http.get("/boomerang-push.js")).text


def test_the_scripts_are_small():
    assert len(gzip.compress(PUSH.read_bytes(), 6)) <= 2 * 1024
    assert len(gzip.compress(WORKER.read_bytes(), 6)) <= 1024
