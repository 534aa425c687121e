"""What each provider's requests mean, as they are recorded: by the address of the message, by our form, by the provider's own id."""

import json
from urllib.parse import urlencode

import pytest

from app.model.receipt import FROM_PROVIDERS, Outcome, Spoken
from app.tokens import receipt_token
from app.web.receipts.providers import PROVIDERS
from tests.app.web.conftest import NOW
from tests.app.web.receipts import payloads
from tests.app.web.receipts.payloads import (
    BASE,
    SECRETS,
    SETTING,
    Request,
    exolve_status,
    ours,
    smsaero_status,
    smsc,
    twilio,
    twilio_status,
)

SPOKEN = Spoken("42", "sms", "0" * 32 + ".1", "abandoned_cart")


@pytest.fixture
async def shop(rebuilt):
    async with rebuilt(receipt_secrets=SETTING) as house:
        house.token = receipt_token(house.settings.secret, SPOKEN, NOW)
        yield house


async def say(house, request):
    return await house.http.post(request.path, content=request.body, headers=request.headers)


def told(house):
    return [
        (receipt.outcome, receipt.customer, receipt.channel, receipt.message_id, receipt.scenario)
        for receipt in house.receipts
    ]


OF_TOKEN = [
    *(
        ("twilio", lambda q, status=status, more=more: twilio_status(status, q, **more), outcome)
        for status, more, outcome in (
            ("queued", {}, None),
            ("sent", {}, None),
            ("delivered", {}, Outcome.DELIVERED),
            ("read", {}, Outcome.OPENED),
            ("undelivered", {"ErrorCode": "30003"}, Outcome.FAILED),
            ("undelivered", {"ErrorCode": "30005"}, Outcome.BOUNCED),
            ("failed", {"ErrorCode": "21610"}, Outcome.UNSUBSCRIBED),
            ("failed", {}, Outcome.FAILED),
        )
    ),
    *(
        ("smsaero", lambda q, status=status: smsaero_status(status, q), outcome)
        for status, outcome in ((0, None), (1, Outcome.DELIVERED), (2, Outcome.FAILED), (3, None), (6, Outcome.FAILED), (8, None))
    ),
    *(
        ("exolve", lambda q, status=status: exolve_status(status, q), outcome)
        for status, outcome in (
            ("SMS_STATUS_SENT", None),
            ("DELIVERED", Outcome.DELIVERED),
            ("SMS_STATUS_DELIVERED", Outcome.DELIVERED),
            ("UNDELIVERED", Outcome.FAILED),
            ("EXPIRED", Outcome.FAILED),
        )
    ),
    *(
        ("webhook", lambda q, word=word: ours("webhook", {"outcome": word}, NOW, query=q), outcome)
        for word, outcome in ((outcome.value, outcome) for outcome in sorted(FROM_PROVIDERS))
    ),
    ("webhook", lambda q: ours("webhook", {"type": "message.opened", "data": {}}, NOW, query=q), Outcome.OPENED),
    ("webhook", lambda q: ours("webhook", {"outcome": "sent"}, NOW, query=q), None),
    ("webhook", lambda q: ours("webhook", {"outcome": "exploded"}, NOW, query=q), None),
]  # fmt: skip


@pytest.mark.parametrize(("provider", "made", "outcome"), OF_TOKEN)
async def test_the_address_of_a_message_says_of_which_one_the_status_is(shop, provider, made, outcome):
    response = await say(shop, made(f"?t={shop.token}"))
    assert (response.status_code, response.content) == (200, PROVIDERS[provider].ok)
    expected = [(outcome, "42", "sms", SPOKEN.message_id, "abandoned_cart")] if outcome else []
    assert told(shop) == expected


@pytest.mark.parametrize(
    ("status", "err", "outcome"),
    [
        ("-1", "0", None),
        ("0", "0", None),
        ("1", "0", Outcome.DELIVERED),
        ("2", "0", Outcome.OPENED),
        ("3", "0", Outcome.FAILED),
        ("20", "6", Outcome.FAILED),
        ("20", "1", Outcome.BOUNCED),
        ("22", "12", Outcome.BOUNCED),
    ],
)
@pytest.mark.parametrize("algorithm", ["md5", "sha1"])
def test_statuses_of_smsc(status, err, outcome, algorithm):
    from app.web.chat.authenticity import Call, Verdict
    from app.web.receipts.smsc import read, verify
    from app.web.receipts.told import document

    request = payloads.smsc_status(status, err, algorithm)
    assert verify(Call({}, {}, request.body), "", ("another word", SECRETS["smsc"]), NOW) is Verdict.GENUINE
    (item,) = read(document(request.body))
    assert (item.outcome, item.provider_id, item.at) == (outcome, "12345", 1_795_331_998.0)


def test_a_long_message_of_exolve_is_delivered_when_all_its_parts_are():
    from app.web.receipts.exolve import read

    def outcome(*words):
        event = {
            "message_id": "1",
            "segments_status": [{"segment_id": str(n), "status": word} for n, word in enumerate(words)],
        }
        return read(event)[0].outcome

    assert outcome("DELIVERED", "DELIVERED") is Outcome.DELIVERED
    assert outcome("DELIVERED", "SENT") is None
    assert outcome("DELIVERED", "UNDELIVERED") is Outcome.FAILED


@pytest.mark.parametrize(
    ("request_", "outcome"),
    [
        (twilio(SmsSid="SM2", MessageSid="SM2", SmsStatus="received", From="+79161234567", To="+15017122661", Body="Когда доставка?"), Outcome.REPLIED),
        (twilio(SmsSid="SM2", MessageSid="SM2", SmsStatus="received", From="+79161234567", To="+15017122661", Body=" Stop. "), Outcome.UNSUBSCRIBED),
        (smsc(id="7", sms_id="7", phone="79161234567", mes="СТОП", to="79990000001", ts="1795331998"), Outcome.UNSUBSCRIBED),
        (smsc(id="7", sms_id="7", phone="79161234567", mes="да", to="79990000001", ts="1795331998"), Outcome.REPLIED),
        (Request("/receipts/exolve?key=word-of-exolve", json.dumps({"message_id": "5", "direction": "DIRECTION_INCOMING", "sender": "79161234567", "text": "стоп"}).encode()), Outcome.UNSUBSCRIBED),
    ],
)  # fmt: skip
async def test_what_a_customer_writes_back_goes_to_whoever_has_the_number(shop, request_, outcome):
    assert (await say(shop, request_)).status_code == 200
    (receipt,) = shop.receipts
    assert (receipt.outcome, receipt.customer, receipt.channel) == (outcome, "phone:+79161234567", "sms")
    assert (receipt.address, receipt.message_id) == ("+79161234567", "")
    assert "доставка" not in str(receipt), "the words are a dialog's business"


async def test_our_own_form_tells_of_many_messages_at_once(shop):
    other = receipt_token(shop.settings.secret, SPOKEN._replace(message_id="1" * 32 + ".0", customer="43"), NOW)
    events = [
        {"outcome": "delivered", "receipt": shop.token, "at": NOW - 5},
        {
            "outcome": "bounced",
            "receipt": f"{BASE}/receipts/webhook?t={other}",
            "at": "2026-11-22T07:19:00Z",
            "detail": "5.1.1",
        },
        {"outcome": "opened", "message_id": "2" * 32 + ".0", "customer": "44"},
        {"outcome": "opened", "receipt": "forged"},
        {"outcome": "opened"},
    ]
    assert (await say(shop, ours("webhook", {"events": events}, NOW))).status_code == 200
    assert [(r.outcome, r.customer, r.channel, r.at, r.detail) for r in shop.receipts] == [
        ("delivered", "42", "sms", NOW - 5, ""),
        ("bounced", "43", "sms", NOW - 60, "5.1.1"),
        ("opened", "44", "webhook", NOW, ""),
    ]


async def test_a_time_from_the_future_is_now(shop):
    await say(shop, ours("webhook", {"outcome": "opened", "at": NOW + 500}, NOW, query=f"?t={shop.token}"))
    assert shop.receipts[0].at == NOW


@pytest.mark.parametrize("name", sorted(PROVIDERS))
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[", b"{}", b"[]", b"null", b"x", b"\xff\xfe", b'{"a":' * 90 + b"1" + b"}" * 90, urlencode({"a": "b" * 5_000}).encode(), b"&" * 500]
)  # fmt: skip
async def test_no_body_brings_it_down_or_says_anything(rebuilt, name, body):
    async with rebuilt() as house:
        spoken = SPOKEN._replace(channel=PROVIDERS[name].channel)
        token = receipt_token(house.settings.secret, spoken, NOW)
        response = await house.http.post(f"/receipts/{name}?t={token}", content=body)
        assert response.status_code in (200, 400)
        assert house.receipts == []
