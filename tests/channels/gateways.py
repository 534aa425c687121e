"""The providers' side of short messages: each checks path, headers, credentials and body of what it gets, and answers in its own words."""

import base64
import json
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

ACCOUNT = "AC" + "0123456789abcdef" * 2


class Gateway(NamedTuple):
    """`check(request)` raises for a request that is not as documented and returns (number, text, callback); `answers`: mode -> answer."""

    settings: dict
    check: Any
    answers: dict


def _json(status, body, **headers):
    return status, {"Content-Type": "application/json", **headers}, json.dumps(body).encode()


def _fields(request):
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    pairs = parse_qsl(request.body.decode(), strict_parsing=True, keep_blank_values=True)
    assert len(dict(pairs)) == len(pairs) and all(value for _, value in pairs)
    return dict(pairs)


def _basic(request):
    scheme, told = request.headers["authorization"].split(" ")
    assert scheme == "Basic"
    return base64.b64decode(told).decode()


def _exolve(request):
    assert request.path == "/messaging/v1/SendSMS" and request.headers["content-type"] == "application/json"
    assert request.headers["authorization"] == "Bearer exolve-secret"
    body = request.json
    assert set(body) == {"number", "destination", "text"} and body["number"] == "79990000000"
    return "+" + body["destination"], body["text"], ""


def _aero(request):
    assert request.path == "/v2/sms/send" and request.headers["content-type"] == "application/json"
    assert _basic(request) == "shop@shop.example:aero-secret"
    body = request.json
    assert body["sign"] == "SHOP" and set(body) <= {"number", "text", "sign", "callbackUrl", "callbackFormat"}
    assert ("callbackUrl" in body) == ("callbackFormat" in body)
    return "+" + body["number"], body["text"], body.get("callbackUrl", "")


def _smsc(request):
    assert request.path == "/sys/send.php"
    body = _fields(request)
    assert (body["login"], body["psw"]) == ("shop", "smsc:secret")
    assert (body["fmt"], body["charset"], body["sender"]) == ("3", "utf-8", "SHOP") and 0 < len(body["id"]) <= 40
    assert set(body) == {"login", "psw", "phones", "mes", "sender", "id", "fmt", "charset"}
    return body["phones"], body["mes"], ""


def _twilio(request):
    assert request.path == f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    assert _basic(request) == f"{ACCOUNT}:twilio-secret"
    body = _fields(request)
    assert body["From"] == "+15005550006" and set(body) <= {"From", "To", "Body", "StatusCallback"}
    return body["To"], body["Body"], body.get("StatusCallback", "")


GATEWAYS = {
    "exolve": Gateway(
        {"sms_key": "exolve-secret", "sms_from": "79990000000"},
        _exolve,
        {
            "fine": _json(200, {"message_id": "439166094634354843"}),
            "busy": _json(429, {"code": 8, "message": "too many requests"}, **{"Retry-After": "3"}),
            "refuses": _json(400, {"code": 3, "message": "text is not allowed"}),
            "dead_address": _json(400, {"code": 3, "message": "destination is invalid"}),
            "wrong_key": _json(401, {"code": 16, "message": "unauthorized"}),
        },
    ),
    "smsaero": Gateway(
        {"sms_key": "shop@shop.example:aero-secret", "sms_from": "SHOP"},
        _aero,
        {
            "fine": _json(200, {"success": True, "data": {"id": 1, "from": "SHOP", "number": "79123456789", "text": "text", "status": 0,
                                                          "extendStatus": "queue", "channel": "FREE SIGN", "cost": 4.49}, "message": None}),
            "busy": _json(429, {"success": False, "data": None, "message": "Too many requests."}),
            "refuses": _json(400, {"success": False, "data": {"text": ["Text is not allowed."]}, "message": "Validation error."}),
            "dead_address": _json(400, {"success": False, "data": {"number": ["Number is invalid."]}, "message": "Validation error."}),
            "wrong_key": _json(401, {"success": False, "data": None, "message": "Your request was made with invalid credentials."}),
        },
    ),
    "smsc": Gateway(
        {"sms_key": "shop:smsc:secret", "sms_from": "SHOP"},
        _smsc,
        {
            "fine": _json(200, {"id": "ab12.0", "cnt": 1}),
            "busy": _json(200, {"error": "duplicate request, wait a minute", "error_code": 9}),
            "refuses": _json(200, {"error": "message is denied", "error_code": 6}),
            "dead_address": _json(200, {"error": "invalid number", "error_code": 7}),
            "wrong_key": _json(200, {"error": "authorise error", "error_code": 2}),
        },
    ),
    "twilio": Gateway(
        {"sms_key": f"{ACCOUNT}:twilio-secret", "sms_from": "+15005550006"},
        _twilio,
        {
            "fine": _json(201, {"sid": "SM" + "0" * 32, "status": "queued", "num_segments": "1", "error_code": None}),
            "busy": _json(429, {"code": 20429, "message": "Too Many Requests", "status": 429}),
            "refuses": _json(400, {"code": 21617, "message": "The message body exceeds the 1600 character limit.", "status": 400}),
            "dead_address": _json(400, {"code": 21211, "message": "Invalid 'To' Phone Number", "status": 400}),
            "wrong_key": _json(401, {"code": 20003, "message": "Authenticate", "status": 401}),
        },
    ),
}  # fmt: skip
