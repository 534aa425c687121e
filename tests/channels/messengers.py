"""The messengers' side: what each checks of a message to a customer, and its own words for how that went."""

import json
from urllib.parse import parse_qsl

from app.model.receipt import read_callback_data


def _json(status, body, **headers):
    return status, {"Content-Type": "application/json", **headers}, json.dumps(body).encode()


def _meta(status, code, message):
    error = {
        "message": message,
        "type": "OAuthException",
        "code": code,
        "error_data": {"messaging_product": "whatsapp"},
        "fbtrace_id": "Az8or2yhqkZfEZ",
    }
    return _json(status, {"error": error})


def check_whatsapp(request):
    """As the Cloud API documents a template message."""
    assert request.path == "/v23.0/106540352242922/messages"
    assert request.headers["authorization"] == "Bearer whatsapp-secret-token"
    assert request.headers["content-type"] == "application/json"
    body = request.json
    assert (body["messaging_product"], body["recipient_type"], body["type"]) == ("whatsapp", "individual", "template")
    assert body["to"].isdigit() and set(body["template"]) == {"name", "language", "components"}
    assert set(body["template"]["language"]) == {"code"}
    for component in body["template"]["components"]:
        assert component["type"] in ("header", "body", "button") and component["parameters"]
        for parameter in component["parameters"]:
            text = parameter.get("text", "x")
            assert text and "\n" not in text and "\t" not in text and "     " not in text
    assert read_callback_data(body["biz_opaque_callback_data"]).customer


WHATSAPP_ANSWERS = {
    "fine": _json(200, {"messaging_product": "whatsapp", "contacts": [{"input": "79123456789", "wa_id": "79123456789"}],
                        "messages": [{"id": "wamid.HBgLMTY1MDUwNzY1MjAVAgARGBI5QTNDQTVCM0Q0Q0Q2RTY3RTcA", "message_status": "accepted"}]}),
    "busy": _meta(429, 130429, "(#130429) Rate limit hit"),
    "refuses": _meta(404, 132001, "(#132001) Template name does not exist in the translation"),
    "dead_address": _meta(400, 131026, "(#131026) Message undeliverable"),
    "wrong_key": _meta(401, 190, "Error validating access token"),
}  # fmt: skip


def check_vk(request):
    """As VK documents `messages.send`."""
    assert request.path == "/method/messages.send"
    body = dict(parse_qsl(request.body.decode(), strict_parsing=True))
    assert set(body) == {"access_token", "v", "user_id", "random_id", "message", "disable_mentions"}
    assert body["access_token"] == "vk1.a.secret-secret-secret" and body["v"] == "5.199"
    assert body["user_id"].isdigit() and 0 < int(body["random_id"]) < 2**31


def _vk(code, message):
    return _json(200, {"error": {"error_code": code, "error_msg": message, "request_params": []}})


VK_ANSWERS = {
    "fine": _json(200, {"response": 5}),
    "busy": _vk(6, "Too many requests per second"),
    "refuses": _vk(914, "Message is too long"),
    "dead_address": _vk(901, "Can't send messages for users without permission"),
    "wrong_key": _vk(5, "User authorization failed: invalid access_token"),
}
