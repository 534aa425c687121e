"""Chatwoot: messages and changes of conversations, as its webhooks tell them. Pure.

Types and statuses come as words or as numbers. A private note is none of our business; an outgoing message is the manager's
only where its sender is a `user` (or it was echoed from his phone): everything else that goes out is a bot's. Of contacts,
phone and e-mail address are what somebody has typed in, so they link the dialog to a customer only with `trusted_contacts`.
"""

from typing import Any
from urllib.parse import urlsplit

from app.model.chat import ChatEvent, ChatKind, DialogStatus, Speaker
from app.web.chat import reading
from app.web.chat.authenticity import Call, Secret, SourceConfig, Verdict, fresh, shared, signed
from app.web.chat.found import Found, Place

NAME = "chatwoot"
OK = b'{"success":true}'

_TYPES = {0: "incoming", 1: "outgoing", 2: "activity", 3: "template"}
_STATUSES = {0: "open", 1: "resolved", 2: "pending", 3: "snoozed"}
_CHANGES_TOLD = frozenset(("assignee_id", "label_list", "cached_label_list", "labels"))


class Config(SourceConfig, forbid_unknown_fields=True, frozen=True):
    """One account: its webhook has a `secret`, or is `unsigned`.

    The latter is for installations that do not sign yet: a `token` then stands in the webhook's address as `?token=...`. `url`
    is Chatwoot's own address, for links.
    """

    secret: Secret = ()
    unsigned: bool = False
    token: Secret = ()
    url: str = ""
    trusted_contacts: bool = False

    def __post_init__(self) -> None:
        """Raise ValueError for what contradicts itself."""
        if self.unsigned == bool(self.secret) or self.unsigned != bool(self.token):
            raise ValueError("needs a `secret`, or `unsigned: true` with a `token`")
        if self.url and urlsplit(self.url).scheme not in ("http", "https"):
            raise ValueError("`url` must begin with https://")


def verify(call: Call, config: Config, now: float) -> Verdict:
    """The webhook's signature over time and raw body, within five minutes; of an unsigned one the token of its address."""
    if config.unsigned:
        return shared(call.query.get("token", "").encode("utf-8", "replace"), config.token)
    at = call.header(b"x-chatwoot-timestamp")
    verdict = signed(call.header(b"x-chatwoot-signature"), at + b"." + call.body, config.secret)
    return fresh(at, now) if verdict is Verdict.GENUINE else verdict


def events(document: dict[str, Any], config: Config, place: Place) -> Found:
    """One event of an account."""
    found = Found()
    kind = reading.name(document.get("event"))
    if kind == "message_created":
        found.each(document, _message, document, config, place)
    elif kind in _CONVERSATION:
        found.each(document, _CONVERSATION[kind], document, config, place)
    else:
        found.ignored += 1
    return found


def _word(value: Any, words: dict[int, str]) -> str:
    return words.get(value, "") if type(value) is int else reading.name(value)


def _message(document: dict[str, Any], config: Config, place: Place) -> ChatEvent | None:
    kind = _word(document.get("message_type"), _TYPES)
    if document.get("private") is True or kind not in _TYPES.values():
        return None
    sender, attributes = reading.obj(document.get("sender")), reading.obj(document.get("content_attributes"))
    speaker = _speaker(kind, sender, attributes)
    conversation = reading.obj(document.get("conversation"))
    contact = _contact(conversation) or reading.obj(document.get("contact")) or (sender if kind == "incoming" else {})
    number = reading.ident(document.get("id"))
    manager = sender if speaker is Speaker.MANAGER else {}
    return place.event(
        ChatKind.MESSAGE,
        at=reading.moment(document.get("created_at")),
        event_id=f"message_created:{number}" if number else "",
        speaker=speaker,
        message_id=number,
        text=_words(document),
        automatic=kind == "template" or "campaign_id" in reading.obj(document.get("additional_attributes")),
        manager=reading.ident(manager.get("id")),
        manager_name=reading.name(manager.get("name")),
        **_dialog(conversation, contact, document, config, place),
    )


def _speaker(kind: str, sender: dict[str, Any], attributes: dict[str, Any]) -> Speaker:
    if kind == "incoming":
        return Speaker.CLIENT
    if kind == "activity":
        return Speaker.SYSTEM
    by_person = sender.get("type") == "user" and not attributes.get("automation_rule_id")
    return Speaker.MANAGER if kind == "outgoing" and (by_person or attributes.get("external_echo")) else Speaker.BOT


def _words(document: dict[str, Any]) -> str:
    told = reading.content(document.get("content"))
    if told:
        return told
    kinds = [reading.name(item.get("file_type")) for item in reading.items(document.get("attachments"))]
    return next((f"[{kind}]" for kind in kinds if kind.isidentifier()), "")


def _contact(conversation: dict[str, Any]) -> dict[str, Any]:
    return reading.obj(reading.obj(conversation.get("meta")).get("sender"))


def _dialog(
    conversation: dict[str, Any], contact: dict[str, Any], document: dict[str, Any], config: Config, place: Place
) -> dict[str, Any]:
    """What every event tells of its dialog and its client."""
    dialog = reading.ident(conversation.get("id"))
    client = reading.ident(contact.get("id")) or reading.ident(
        reading.obj(conversation.get("contact_inbox")).get("contact_id")
    )
    account = reading.ident(reading.obj(document.get("account")).get("id"))
    proven = reading.obj(conversation.get("meta")).get("hmac_verified") is True
    link = f"{config.url.rstrip('/')}/app/accounts/{account}/conversations/{dialog}"
    return {
        "dialog": dialog,
        "client": client,
        "name": reading.name(contact.get("name")),
        "phone": reading.phone(contact.get("phone_number"), place.country) if config.trusted_contacts else "",
        "email": reading.email(contact.get("email")) if config.trusted_contacts else "",
        "user_id": reading.ident(contact.get("identifier")) if proven else "",
        "tags": place.tags(conversation.get("labels")),
        "url": link if config.url and account else "",
    }


def _of_conversation(document: dict[str, Any], kind: ChatKind, config: Config, place: Place, **more: Any) -> ChatEvent:
    at = next(filter(None, (reading.moment(document.get(name)) for name in ("updated_at", "timestamp"))), None)
    dialog = _dialog(document, _contact(document), document, config, place)
    told = ":".join(str(more.get(name, "")) for name in ("status", "manager"))
    return place.event(kind, at=at, event_id=f"{kind}:{dialog['dialog']}:{told}:{at}", **dialog, **more)


def _created(document: dict[str, Any], config: Config, place: Place) -> ChatEvent:
    return _of_conversation(document, ChatKind.OPENED, config, place)


def _status(document: dict[str, Any], config: Config, place: Place) -> ChatEvent | None:
    word = _word(document.get("status"), _STATUSES)
    if word not in _STATUSES.values():
        return None
    return _of_conversation(document, ChatKind.STATUS, config, place, status=DialogStatus(word))


def _updated(document: dict[str, Any], config: Config, place: Place) -> ChatEvent | None:
    """A change of the assignee or of the labels; older installations do not say what has changed."""
    changes = document.get("changed_attributes")
    if type(changes) is list and not any(_CHANGES_TOLD & item.keys() for item in reading.items(changes)):
        return None
    assignee = reading.obj(reading.obj(document.get("meta")).get("assignee"))
    return _of_conversation(
        document,
        ChatKind.ASSIGNED,
        config,
        place,
        manager=reading.ident(assignee.get("id")),
        manager_name=reading.name(assignee.get("name")),
    )


_CONVERSATION = {
    "conversation_created": _created,
    "conversation_status_changed": _status,
    "conversation_updated": _updated,
}
