"""WhatsApp's Cloud API: `messages` are the client's, `smb_message_echoes` the manager's from the phone app. Pure.

One request may carry several entries, changes and messages, in any order. A client is named by his phone number, or by the
user id of the business (`user_id`) where he shows no number. `statuses` become receipts where they are of a message that we have
sent; its `biz_opaque_callback_data` says which one.
"""

from collections.abc import Iterator
from typing import Any

from app.model.chat import ChatEvent, ChatKind, Speaker
from app.model.reasons import Reason
from app.model.receipt import Outcome, Receipt, read_callback_data
from app.web.chat import reading
from app.web.chat.authenticity import Call, Secret, SourceConfig, Verdict, shared, signed
from app.web.chat.found import Found, Place

NAME = "whatsapp"
OK = b'{"success":true}'
CHALLENGE_LIMIT = 256

_OUTCOMES = {"delivered": Outcome.DELIVERED, "read": Outcome.OPENED, "failed": Outcome.FAILED}
_FAILURES = {"131026": Outcome.BOUNCED, "131050": Outcome.UNSUBSCRIBED}
"""Codes of a failure that say more: the number has no WhatsApp; the client wants no more marketing."""
_NO_MESSAGES = frozenset(("reaction", "system", "unsupported", "revoke", "edit"))
"""Types that say nothing: a thumb under a message is no answer."""


class Config(SourceConfig, forbid_unknown_fields=True, frozen=True):
    """One app. `app_secret` signs its requests; `verify_token` is what you enter beside the callback URL."""

    app_secret: Secret
    verify_token: Secret


def verify(call: Call, config: Config, now: float) -> Verdict:
    """The app's signature over the raw body."""
    del now
    return signed(call.header(b"x-hub-signature-256"), call.body, config.app_secret)


def challenge(query: dict[str, str], config: Config) -> str | None:
    """What a GET for verification is answered with; None: it does not know the token."""
    verdict = shared(query.get("hub.verify_token", "").encode("utf-8", "replace"), config.verify_token)
    answer = query.get("hub.challenge", "")
    usable = query.get("hub.mode") == "subscribe" and len(answer) <= CHALLENGE_LIMIT and answer.isascii()
    return answer if verdict is Verdict.GENUINE and usable and answer.isalnum() else None


def events(document: dict[str, Any], config: Config, place: Place) -> Found:
    """All messages and statuses of one request."""
    del config
    found = Found()
    for field, value in _changes(document):
        number = reading.ident(reading.obj(value.get("metadata")).get("phone_number_id"))
        if field == "messages":
            names = _names(value)
            for message in reading.items(value.get("messages")):
                found.each(message, _message, message, number, names, place)
            for status in reading.items(value.get("statuses")):
                _status(status, place, found)
        elif field == "smb_message_echoes":
            for message in reading.items(value.get("message_echoes")):
                found.each(message, _echo, message, number, place)
        else:
            found.ignored += 1
    return found


def _changes(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for entry in reading.items(document.get("entry")):
        for change in reading.items(entry.get("changes")):
            yield reading.name(change.get("field")), reading.obj(change.get("value"))


def _names(value: dict[str, Any]) -> dict[str, str]:
    """The names of the clients of a change, by phone number and by user id."""
    names = {}
    for contact in reading.items(value.get("contacts")):
        name = reading.name(reading.obj(contact.get("profile")).get("name"))
        for key in (reading.ident(contact.get("wa_id")), reading.ident(contact.get("user_id"))):
            if key:
                names[key] = name
    return names


def _message(message: dict[str, Any], number: str, names: dict[str, str], place: Place) -> ChatEvent | None:
    phone, user = reading.ident(message.get("from")), reading.ident(message.get("from_user_id"))
    name = names.get(phone) or names.get(user, "")
    return _said(message, number, phone or user, Speaker.CLIENT, name, place)


def _echo(message: dict[str, Any], number: str, place: Place) -> ChatEvent | None:
    client = reading.ident(message.get("to")) or reading.ident(message.get("to_user_id"))
    return _said(message, number, client, Speaker.MANAGER, "", place)


def _said(
    message: dict[str, Any], number: str, client: str, speaker: Speaker, name: str, place: Place
) -> ChatEvent | None:
    if message.get("type") in _NO_MESSAGES or message.get("group_id"):
        return None
    id_ = reading.ident(message.get("id"), reading.LONG_ID_LIMIT)
    phone = reading.foreign_phone(client) if client.isdigit() else ""
    return place.event(
        ChatKind.MESSAGE,
        dialog=f"{number}:{client}" if number and client else "",
        client=client,
        at=reading.moment(message.get("timestamp")),
        event_id=id_,
        speaker=speaker,
        message_id=id_,
        text=_words(message),
        name=name,
        phone=phone,
        url=f"https://wa.me/{client}" if phone else "",
    )


def _words(message: dict[str, Any]) -> str:
    kind = reading.name(message.get("type"))
    part = reading.obj(message.get(kind))
    if kind == "interactive":
        part = reading.obj(part.get("button_reply")) or reading.obj(part.get("list_reply"))
    for name in ("body", "caption", "text", "title"):
        told = reading.content(part.get(name))
        if told:
            return told
    return f"[{kind}]" if kind.isidentifier() else ""


def _status(status: dict[str, Any], place: Place, found: Found) -> None:
    """A receipt, if it is of one of our messages and says something new."""
    ours = read_callback_data(reading.content(status.get("biz_opaque_callback_data")))
    outcome = _OUTCOMES.get(reading.name(status.get("status")))
    at = reading.moment(status.get("timestamp"))
    if ours is None or outcome is None or at is None:
        found.ignored += 1
        return
    errors = reading.items(status.get("errors"))
    code = reading.ident(errors[0].get("code")) if errors else ""
    if outcome is Outcome.FAILED:
        outcome = _FAILURES.get(code, outcome)
    detail = f"code {code}" if code else ""
    found.receipts.append(
        Receipt(
            outcome,
            ours.customer,
            NAME,
            min(at, place.received),
            ours.message_id,
            ours.message_id.rpartition(".")[0],
            reason=Reason.RECEIPT,
            detail=detail,
        )
    )
