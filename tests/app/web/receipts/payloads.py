"""Requests as providers send them, with their real signatures; the fields are those of their documentation and of recorded calls."""

import base64
import hashlib
import hmac
import json
from typing import NamedTuple
from urllib.parse import urlencode

SECRETS = {
    "twilio": "twilio-auth-token-1234",
    "smsc": "word-of-smsc",
    "exolve": "word-of-exolve",
    "smsaero": "word-of-smsaero",
    "webhook": "whsec_" + base64.b64encode(b"k" * 32).decode(),
    "sms": "whsec_" + base64.b64encode(b"g" * 32).decode(),
}
SETTING = ",".join(f"{name}={secret}" for name, secret in SECRETS.items())
BASE = "https://events.shop.example"


class Request(NamedTuple):
    path: str
    body: bytes
    headers: dict[str, str] = {}


def twilio(query="", /, secret=SECRETS["twilio"], **fields):
    path = "/receipts/twilio" + query
    signed = BASE + path + "".join(name + value for name, value in sorted(fields.items()))
    signature = base64.b64encode(hmac.digest(secret.encode(), signed.encode(), "sha1")).decode()
    headers = {"content-type": "application/x-www-form-urlencoded", "x-twilio-signature": signature}
    return Request(path, urlencode(fields).encode(), headers)


def twilio_status(status, query="", **more):
    return twilio(
        query,
        AccountSid="AC00000000000000000000000000000000",
        ApiVersion="2010-04-01",
        From="+15017122661",
        MessageSid="SM11111111111111111111111111111111",
        MessageStatus=status,
        SmsSid="SM11111111111111111111111111111111",
        SmsStatus=status,
        To="+79161234567",
        **more,
    )


def smsc(algorithm="md5", /, word=SECRETS["smsc"], **fields):
    text = ":".join(fields.get(name, "") for name in ("id", "phone", "status")) + ":" + word
    fields[algorithm] = hashlib.new(algorithm, text.encode()).hexdigest()
    return Request("/receipts/smsc", urlencode(fields).encode())


def smsc_status(status, err="0", algorithm="md5"):
    return smsc(
        algorithm, id="12345", phone="79161234567", status=status, time="22.11.2026 10:19:58", ts="1795331998", err=err,
        cnt="1", type="0", cost="2.10", mcc="250", mnc="01",
    )  # fmt: skip


def smsaero_status(status, query):
    body = {"id": 98765, "status": status, "extendStatus": {1: "delivery", 2: "not_delivery"}.get(status, "send")}
    return Request("/receipts/smsaero" + query, json.dumps(body).encode())


def exolve_status(status, query="?key=" + SECRETS["exolve"]):
    event = {
        "message_id": "439166538239448064", "application_uuid": "b1", "date": "2026-11-22T07:19:58Z", "number": "79990000001",
        "sender": "SHOP", "receiver": "79161234567", "direction": "DIRECTION_OUTGOING", "status": status, "segments_number": 1,
    }  # fmt: skip
    return Request("/receipts/exolve" + query, json.dumps(event).encode())


def ours(name, document, now, secret=None, id_="msg_1", query=""):
    body = json.dumps(document).encode()
    at = str(int(now))
    key = base64.b64decode((secret or SECRETS[name]).removeprefix("whsec_"))
    signed = f"{id_}.{at}.".encode() + body
    signature = "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    headers = {"webhook-id": id_, "webhook-timestamp": at, "webhook-signature": signature}
    return Request(f"/receipts/{name}{query}", body, headers)
