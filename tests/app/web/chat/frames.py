"""Frames as the providers send them (shapes of real ones, people invented), and how each signs its requests."""

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import NamedTuple

from tests.app.web.conftest import NOW

AT = int(NOW) - 60
SOURCES = """
telegram:
  shop: {secret: telegram-secret-1}
  rotating: {secret: [telegram-secret-old, telegram-secret-new]}
whatsapp:
  main: {app_secret: whatsapp-app-secret, verify_token: whatsapp-verify-token}
vk:
  club: {group_id: 219, secret: vk-secret-key, confirmation: 8f3c1a2b}
chatwoot:
  support: {secret: chatwoot-secret, url: https://desk.shop.example}
  trusting: {secret: chatwoot-secret, trusted_contacts: true}
  old: {unsigned: true, token: chatwoot-url-token}
retailcrm:
  crm: {url: https://mg.shop.example, token: retailcrm-bot-token}
"""

# -- Telegram

ANN = {"id": 501, "is_bot": False, "first_name": "Анна", "last_name": "К.", "username": "ann_k", "language_code": "ru"}
IVAN = {"id": 77, "is_bot": False, "first_name": "Иван", "username": "ivan_sales"}
HELPER = {"id": 900, "is_bot": True, "first_name": "Помощник", "username": "shop_bot"}
ANNS_CHAT = {"id": 501, "first_name": "Анна", "last_name": "К.", "username": "ann_k", "type": "private"}


def telegram(kind="message", *, update=10_001, **message):
    told = {"message_id": 4_411, "from": ANN, "chat": ANNS_CHAT, "date": AT, "text": "А диван ещё есть?", **message}
    return {"update_id": update, kind: {name: value for name, value in told.items() if value is not None}}


def business(*, update=10_002, kind="business_message", **message):
    return telegram(kind, update=update, **{"business_connection_id": "bc-9Qx", **message})


TELEGRAM = {
    "client to a bot": telegram(),
    "client": business(),
    "manager": business(update=10_003, **{"from": IVAN}, message_id=4_412, text="Да, последний. Отложить?"),
    "bot": business(update=10_004, **{"from": IVAN}, sender_business_bot=HELPER, message_id=4_413, text="Мы на связи"),
    "greeting": business(update=10_005, **{"from": IVAN}, is_from_offline=True, message_id=4_414, text="Ответим утром"),
    "edited": business(
        update=10_006, kind="edited_business_message", edit_date=AT + 30, text="А диван синий ещё есть?"
    ),
    "photo": business(
        update=10_007, text=None, photo=[{"file_id": "AgAC", "width": 90, "height": 90}], caption="такой"
    ),
}

# -- WhatsApp


def whatsapp(field="messages", **value):
    head = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "74951234567", "phone_number_id": "106"},
    }
    return {
        "object": "whatsapp_business_account",
        "entry": [{"id": "1029", "changes": [{"value": {**head, **value}, "field": field}]}],
    }


def wa_text(id="wamid.HBgL1", text="Здравствуйте! Есть 42 размер?", **more):
    return {"from": "79161112233", "id": id, "timestamp": str(AT), "type": "text", "text": {"body": text}, **more}


WA_CONTACT = {"profile": {"name": "Анна"}, "wa_id": "79161112233"}
WA_HIDDEN = {"profile": {"name": "Тень", "username": "shade"}, "user_id": "RU.13491208655302741918"}
WHATSAPP = {
    "client": whatsapp(contacts=[WA_CONTACT], messages=[wa_text()]),
    "client without a number": whatsapp(
        contacts=[WA_HIDDEN],
        messages=[
            {name: value for name, value in wa_text("wamid.HBgL2").items() if name != "from"}
            | {"from_user_id": "RU.13491208655302741918"}
        ],
    ),
    "manager": whatsapp(
        "smb_message_echoes",
        message_echoes=[
            {
                "from": "74951234567",
                "to": "79161112233",
                "id": "wamid.HBgL3",
                "timestamp": str(AT + 20),
                "type": "text",
                "text": {"body": "Есть, отложить?"},
            }
        ],
    ),
    "button": whatsapp(
        contacts=[WA_CONTACT],
        messages=[
            {
                "from": "79161112233",
                "id": "wamid.HBgL4",
                "timestamp": str(AT + 30),
                "type": "interactive",
                "interactive": {"type": "button_reply", "button_reply": {"id": "yes", "title": "Да, отложите"}},
            }
        ],
    ),
}


def wa_status(status="delivered", callback="boomerang:msg-1:u42", **more):
    return {
        "id": "wamid.HBgL9",
        "status": status,
        "timestamp": str(AT),
        "recipient_id": "79161112233",
        **({"biz_opaque_callback_data": callback} if callback else {}),
        **more,
    }


# -- VK


def vk(kind, object_, event="3f1c0a", **more):
    return {
        "type": kind, "object": object_, "group_id": 219, "event_id": event, "v": "5.199", "secret": "vk-secret-key", **more,
    }  # fmt: skip


def vk_message(text="Добрый день, сколько стоит доставка?", **more):
    return {
        "id": 812, "date": AT, "peer_id": 3_344, "from_id": 3_344, "text": text, "out": 0, "attachments": [],
        "conversation_message_id": 19, "random_id": 0, **more,
    }  # fmt: skip


_VK_OUT = {"from_id": -219, "out": 1}
VK = {
    "client": vk("message_new", {"message": vk_message(), "client_info": {"keyboard": True}}),
    "manager": vk("message_reply", vk_message("300 рублей", id=813, **_VK_OUT, admin_author_id=55), "3f1c0b"),
    "bot": vk("message_reply", vk_message("Спасибо за обращение!", id=814, **_VK_OUT), "3f1c0c"),
    "consent": vk("message_allow", {"user_id": 3_344, "key": ""}, "3f1c0d"),
    "refusal": vk("message_deny", {"user_id": 3_344}, "3f1c0e"),
    "voice": vk("message_new", {"message": vk_message("", id=815, attachments=[{"type": "audio_message"}])}, "3f1c0f"),
}
VK_CONFIRMATION = {"type": "confirmation", "group_id": 219, "event_id": "0001", "v": "5.199"}

# -- Chatwoot

CW_CONTACT = {
    "id": 812,
    "name": "Анна",
    "email": "ann@shop.example",
    "phone_number": "+79161112233",
    "identifier": "u42",
}
CW_USER = {"id": 7, "name": "Иван", "email": "ivan@shop.example", "type": "user"}


def cw_conversation(**more):
    return {
        "id": 245, "inbox_id": 3, "status": "open", "channel": "Channel::WebWidget", "labels": ["диваны"],
        "contact_inbox": {"contact_id": 812, "inbox_id": 3, "source_id": "b2"},
        "meta": {"sender": CW_CONTACT, "assignee": CW_USER, "hmac_verified": False}, "timestamp": AT, "updated_at": AT + 0.25,
        **more,
    }  # fmt: skip


def cw_message(**more):
    return {
        "event": "message_created", "id": 9_001, "content": "Есть ли рассрочка?", "created_at": "2026-11-22T07:19:00.000Z",
        "message_type": "incoming", "content_type": "text", "content_attributes": {}, "private": False, "source_id": None,
        "sender": CW_CONTACT, "conversation": cw_conversation(), "account": {"id": 1, "name": "Магазин"},
        "inbox": {"id": 3, "name": "Сайт"}, **more,
    }  # fmt: skip


def cw_event(event, **more):
    return {"event": event, "account": {"id": 1, "name": "Магазин"}, **cw_conversation(), **more}


CHATWOOT = {
    "client": cw_message(),
    "manager": cw_message(id=9_002, message_type="outgoing", sender=CW_USER, content="Да, на 6 месяцев"),
    "bot": cw_message(id=9_003, message_type=1, sender={"id": 2, "name": "Робот", "type": "agent_bot"}),
    "greeting": cw_message(id=9_004, message_type=3, sender=None, content="Здравствуйте!"),
    "system": cw_message(id=9_005, message_type="activity", sender=None, content="Разговор назначен Ивану"),
    "opened": cw_event("conversation_created"),
    "close": cw_event("conversation_status_changed", status="resolved"),
    "assigned": cw_event(
        "conversation_updated", changed_attributes=[{"assignee_id": {"previous_value": None, "current_value": 7}}]
    ),
}

# -- RetailCRM

RC_CUSTOMER = {"id": 31, "external_id": "u42", "type": "customer", "name": "Анна", "phone": "+79161112233"}
RC_USER = {"id": 8, "type": "user", "name": "Иван", "is_admin": False}


def rc_message(**more):
    return {
        "id": 70_001, "time": "2026-11-22T07:19:00.125Z", "type": "text", "scope": "public", "chat_id": 90, "is_read": False,
        "is_edit": False, "status": "received", "from": RC_CUSTOMER, "content": "Когда привезёте?", "dialog": {"id": 15},
        "chat": {"id": 90, "name": "Анна", "customer": RC_CUSTOMER, "channel": {"id": 4, "type": "telegram"}}, **more,
    }  # fmt: skip


def rc_dialog(**more):
    return {
        "id": 15, "begin_message_id": 70_001, "chat": {"id": 90, "name": "Анна"}, "created_at": "2026-11-22T07:19:00Z",
        "closed_at": None, "responsible": {"id": 8, "type": "user", "assigned_at": "2026-11-22T07:19:30Z"}, **more,
    }  # fmt: skip


def rc(kind, **data):
    return {"type": kind, "meta": {"timestamp": AT}, "app_id": 2, "data": data}


RETAILCRM = {
    "client": rc("message_new", message=rc_message()),
    "manager": rc("message_new", message=rc_message(id=70_002, **{"from": RC_USER}, content="Завтра")),
    "bot": rc("message_new", message=rc_message(id=70_003, **{"from": {"id": 3, "type": "bot", "name": "Робот"}})),
    "opened": rc("dialog_opened", dialog=rc_dialog()),
    "assigned": rc("dialog_assign", dialog=rc_dialog(), chat={"id": 90}),
    "close": rc("dialog_closed", dialog=rc_dialog(closed_at="2026-11-22T07:19:50Z")),
}

# -- how each signs


def packed(frame):
    return frame if isinstance(frame, bytes) else json.dumps(frame, ensure_ascii=False).encode()


def _sha256(secret, message):
    return "sha256=" + hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def call_telegram(frame, secret="telegram-secret-1", at=NOW):
    return packed(frame), {"x-telegram-bot-api-secret-token": secret} if secret else {}


def call_whatsapp(frame, secret="whatsapp-app-secret", at=NOW):
    body = packed(frame)
    return body, {"x-hub-signature-256": _sha256(secret, body)} if secret else {}


def call_vk(frame, secret="vk-secret-key", at=NOW):
    """VK's secret stands in the body."""
    if isinstance(frame, dict):
        frame = {name: value for name, value in frame.items() if name != "secret"} | (
            {"secret": secret} if secret else {}
        )
    return packed(frame), {}


def call_chatwoot(frame, secret="chatwoot-secret", at=NOW):
    body, now = packed(frame), str(int(at))
    if not secret:
        return body, {}
    signature = _sha256(secret, f"{now}.".encode() + body)
    return body, {"x-chatwoot-timestamp": now, "x-chatwoot-signature": signature}


class Example(NamedTuple):
    """What the tests of all providers need of one. `message(text, number)` is a client's; different numbers are different ones."""

    path: str
    frames: dict
    call: Callable
    message: Callable
    ok: str
    without_dialog: Callable
    without_time: Callable
    unknown: dict


def _deep(frame, **changes):
    """A copy of a frame in which every value of these names is replaced, wherever it stands (None: it is taken out)."""
    if isinstance(frame, list):
        return [_deep(item, **changes) for item in frame]
    if not isinstance(frame, dict):
        return frame
    out = {name: changes.get(name, _deep(value, **changes)) for name, value in frame.items()}
    return {name: value for name, value in out.items() if value is not None or name not in changes}


EXAMPLES = {
    "telegram": Example(
        "/chat/telegram/shop",
        TELEGRAM,
        call_telegram,
        lambda text, number: business(update=20_000 + number, message_id=6_000 + number, text=text),
        '{"ok":true}',
        lambda frame: _deep(frame, business_connection_id=None),
        lambda frame: _deep(frame, date=None),
        {"update_id": 8, "something_new": {}},
    ),
    "whatsapp": Example(
        "/chat/whatsapp/main",
        WHATSAPP,
        call_whatsapp,
        lambda text, number: whatsapp(contacts=[WA_CONTACT], messages=[wa_text(f"wamid.n{number}", text)]),
        '{"success":true}',
        lambda frame: _deep(frame, metadata={}),
        lambda frame: _deep(frame, timestamp=None),
        whatsapp("something_new"),
    ),
    "vk": Example(
        "/chat/vk/club",
        VK,
        call_vk,
        lambda text, number: vk("message_new", {"message": vk_message(text, id=2_000 + number)}, f"e{number}"),
        "ok",
        lambda frame: _deep(frame, peer_id=None, from_id=None),
        lambda frame: _deep(frame, date=None),
        vk("something_new", {}),
    ),
    "chatwoot": Example(
        "/chat/chatwoot/support",
        CHATWOOT,
        call_chatwoot,
        lambda text, number: cw_message(id=20_000 + number, content=text),
        '{"success":true}',
        lambda frame: {**frame, "conversation": {**frame["conversation"], "id": None}},
        lambda frame: {**frame, "created_at": None},
        {"event": "something_new"},
    ),
}
"""By provider."""
