"""Telegram's Bot API: messages to a bot, and those of a business account that has connected it. Pure.

A bot sees what clients write to it. Connected to a business account it sees both sides of the account's private chats:
`from.id == chat.id` is the client, anybody else the manager; `sender_business_bot` is a bot that speaks for him, and
`is_from_offline` a greeting or an away message of Telegram itself, which is no answer. An edited message is told again with
its own time and id and its new words. Groups and channels are none of our business.
"""

from typing import Any

from app.model.chat import ChatEvent, ChatKind, Speaker
from app.web.chat import reading
from app.web.chat.authenticity import Call, Secret, SourceConfig, Verdict, shared
from app.web.chat.found import Found, Place

NAME = "telegram"
OK = b'{"ok":true}'

_MESSAGES = ("message", "edited_message", "business_message", "edited_business_message")
_MEDIA = (
    "photo", "video", "voice", "audio", "document", "sticker", "animation", "video_note", "location", "contact", "poll",
)  # fmt: skip


class Config(SourceConfig, forbid_unknown_fields=True, frozen=True):
    """One bot. `secret` is the `secret_token` of its setWebhook call."""

    secret: Secret


def verify(call: Call, config: Config, now: float) -> Verdict:
    """The secret token that Telegram repeats in a header of each request."""
    del now
    return shared(call.header(b"x-telegram-bot-api-secret-token"), config.secret)


def events(document: dict[str, Any], config: Config, place: Place) -> Found:
    """One update."""
    del config
    found = Found()
    for kind in _MESSAGES:
        if kind in document:
            message = reading.obj(document[kind])
            found.each(document, _message, document, message, place, business="business" in kind)
            return found
    found.ignored += 1
    return found


def _message(update: dict[str, Any], message: dict[str, Any], place: Place, *, business: bool) -> ChatEvent | None:
    chat, sender = reading.obj(message.get("chat")), reading.obj(message.get("from"))
    client = reading.ident(chat.get("id"))
    connection = reading.ident(message.get("business_connection_id"))
    if reading.name(chat.get("type")) not in ("private", ""):
        return None
    from_client = reading.ident(sender.get("id")) == client and sender.get("is_bot") is not True
    speaker = Speaker.CLIENT if from_client else Speaker.MANAGER
    if sender.get("is_bot") is True or message.get("sender_business_bot"):
        speaker = Speaker.BOT
    manager = sender if speaker is Speaker.MANAGER else {}
    username = reading.name(chat.get("username"))
    return place.event(
        ChatKind.MESSAGE,
        dialog=(f"{connection}:{client}" if connection else "") if business else client,
        client=client,
        at=reading.moment(message.get("date")),
        event_id=reading.ident(update.get("update_id")),
        speaker=speaker,
        message_id=reading.ident(message.get("message_id")),
        text=_words(message),
        automatic=message.get("is_from_offline") is True,
        manager=reading.ident(manager.get("id")),
        manager_name=reading.full_name(manager.get("first_name"), manager.get("last_name")),
        name=reading.full_name(chat.get("first_name"), chat.get("last_name")) or username,
        phone=_own_phone(message, client) if from_client else "",
        url=f"https://t.me/{username}" if username.isascii() and username.isidentifier() else "",
    )


def _words(message: dict[str, Any]) -> str:
    told = reading.content(message.get("text")) or reading.content(message.get("caption"))
    return told or next((f"[{kind}]" for kind in _MEDIA if kind in message), "")


def _own_phone(message: dict[str, Any], client: str) -> str:
    """The number of a contact that the client shared, if it is his own: Telegram vouches for that by its `user_id`."""
    contact = reading.obj(message.get("contact"))
    return reading.foreign_phone(contact.get("phone_number")) if reading.ident(contact.get("user_id")) == client else ""
