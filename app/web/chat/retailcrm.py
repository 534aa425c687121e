"""RetailCRM's (Simla's) message gateway: frames of its WebSocket, and what its API tells of the time that we have missed. Pure.

A chat of the gateway is one client on one channel and goes on for ever; it is the dialog here, so a message counts whether or not
a dialog of the gateway has been opened around it. Private notes and system messages are none of our business. Messages and
dialogs read from the API have the same ids as the frames, so whatever comes twice is known.
"""

from typing import Any
from urllib.parse import urlsplit

from app.model.chat import ChatEvent, ChatKind, Speaker
from app.web.chat import reading
from app.web.chat.authenticity import OneSecret, SourceConfig
from app.web.chat.found import Found, Place

NAME = "retailcrm"
EVENTS = ("message_new", "dialog_opened", "dialog_closed", "dialog_assign")

_SPEAKERS = {"customer": Speaker.CLIENT, "user": Speaker.MANAGER, "channel": Speaker.MANAGER, "bot": Speaker.BOT}
"""`channel` is the shop's own account, used on a phone beside the gateway."""


class Config(SourceConfig, forbid_unknown_fields=True, frozen=True):
    """One account. `url` is the gateway's address and `token` the bot's, as the registration of the bot answers them."""

    url: str
    token: OneSecret
    trusted_contacts: bool = False

    def __post_init__(self) -> None:
        """Raise ValueError for an address that cannot be used."""
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("`url` must look like https://mg-s1.retailcrm.pro")


def events(document: dict[str, Any], config: Config, place: Place) -> Found:
    """One frame."""
    found = Found()
    kind, data = reading.name(document.get("type")), reading.obj(document.get("data"))
    told = reading.moment(reading.obj(document.get("meta")).get("timestamp"))
    dialog = reading.obj(data.get("dialog"))
    if kind == "message_new":
        found.each(document, _message, reading.obj(data.get("message")), config, place)
    elif kind == "dialog_opened":
        found.each(document, _opened, dialog, told, place)
    elif kind == "dialog_closed":
        found.each(document, _closed, dialog, told, place)
    elif kind == "dialog_assign":
        found.each(document, _assigned, {"chat": data.get("chat"), **dialog}, told, place)
    else:
        found.ignored += 1
    return found


def missed_messages(page: Any, config: Config, place: Place) -> Found:
    """A page of `GET /messages`."""
    found = Found()
    for message in reading.items(page):
        found.each(message, _message, message, config, place)
    return found


def missed_dialogs(page: Any, since: float, place: Place) -> Found:
    """A page of `GET /dialogs`: what has happened to them since then."""
    found = Found()
    for dialog in reading.items(page):
        opened, closed = reading.moment(dialog.get("created_at")), reading.moment(dialog.get("closed_at"))
        if opened is not None and opened >= since:
            found.each(dialog, _opened, dialog, None, place)
        assigned = reading.moment(reading.obj(dialog.get("responsible")).get("assigned_at"))
        if assigned is not None and assigned >= since:
            found.each(dialog, _assigned, dialog, None, place)
        if closed is not None and closed >= since:
            found.each(dialog, _closed, dialog, None, place)
    return found


def _message(message: dict[str, Any], config: Config, place: Place) -> ChatEvent | None:
    sender, chat = reading.obj(message.get("from")), reading.obj(message.get("chat"))
    if message.get("scope") == "private" or message.get("type") == "system":
        return None
    speaker = _SPEAKERS.get(reading.name(sender.get("type")))
    if speaker is None:
        return None
    number = reading.ident(message.get("id"))
    dialog = reading.ident(message.get("chat_id")) or reading.ident(chat.get("id"))
    client = sender if speaker is Speaker.CLIENT else reading.obj(chat.get("customer"))
    manager = sender if speaker is Speaker.MANAGER else {}
    return place.event(
        ChatKind.MESSAGE,
        dialog=dialog,
        client=dialog,
        at=reading.moment(message.get("time")),
        event_id=f"message:{number}" if number else "",
        speaker=speaker,
        message_id=number,
        text=_words(message),
        manager=reading.ident(manager.get("id")),
        manager_name=_name(manager),
        name=_name(client),
        phone=reading.phone(client.get("phone"), place.country) if config.trusted_contacts else "",
        email=reading.email(client.get("email")) if config.trusted_contacts else "",
    )


def _name(person: dict[str, Any]) -> str:
    return reading.name(person.get("name")) or reading.full_name(person.get("first_name"), person.get("last_name"))


def _words(message: dict[str, Any]) -> str:
    told = reading.content(message.get("content")) or reading.content(message.get("note"))
    kind = reading.name(message.get("type"))
    return told or (f"[{kind}]" if kind.isidentifier() and kind != "text" else "")


def _of_dialog(dialog: dict[str, Any]) -> tuple[str, str]:
    """The chat, and the id of the gateway's dialog."""
    chat = reading.ident(reading.obj(dialog.get("chat")).get("id")) or reading.ident(dialog.get("chat_id"))
    return chat, reading.ident(dialog.get("id"))


def _opened(dialog: dict[str, Any], told: float | None, place: Place) -> ChatEvent:
    chat, number = _of_dialog(dialog)
    at = reading.moment(dialog.get("created_at")) or told
    return place.event(ChatKind.OPENED, dialog=chat, client=chat, at=at, event_id=f"opened:{number}" if number else "")


def _closed(dialog: dict[str, Any], told: float | None, place: Place) -> ChatEvent:
    chat, number = _of_dialog(dialog)
    at = reading.moment(dialog.get("closed_at")) or told
    return place.event(ChatKind.CLOSED, dialog=chat, client=chat, at=at, event_id=f"closed:{number}" if number else "")


def _assigned(dialog: dict[str, Any], told: float | None, place: Place) -> ChatEvent:
    chat, number = _of_dialog(dialog)
    responsible = reading.obj(dialog.get("responsible"))
    at = reading.moment(responsible.get("assigned_at")) or told
    person = reading.ident(responsible.get("id")) if responsible.get("type") == "user" else ""
    return place.event(
        ChatKind.ASSIGNED,
        dialog=chat,
        client=chat,
        at=at,
        event_id=f"assigned:{number}:{person}:{at}" if number else "",
        manager=person,
    )
