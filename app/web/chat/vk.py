"""VK's Callback API: `message_new` is the client's, `message_reply` the manager's or a bot's; permissions are consents. Pure.

The secret key stands in the body, and so does the community's id; both are checked. `message_reply` names the manager in
`admin_author_id`; without it a bot has written. Chats of several people are none of our business.
"""

from typing import Any

from app.model.chat import ChatEvent, ChatKind, Speaker
from app.web.chat import reading
from app.web.chat.authenticity import Call, Secret, SourceConfig, Verdict, shared
from app.web.chat.found import Found, Place
from app.web.collector.body import parse

NAME = "vk"
OK = b"ok"

_PEERS_OF_MANY = 2_000_000_000
"""Peer ids from here on are chats of several people."""
_MESSAGES = ("message_new", "message_reply", "message_edit")
_CONSENTS = {"message_allow": True, "message_deny": False}


class Config(SourceConfig, forbid_unknown_fields=True, frozen=True):
    """One community. `confirmation` is the string that VK wants to see once; `secret` the secret key of the server."""

    group_id: int
    secret: Secret
    confirmation: str


def verify(call: Call, config: Config, now: float) -> Verdict:
    """The secret key and the community's id in the body. The first question, for the confirmation, may lack the secret.

    Raises Refused when the body is no JSON.
    """
    del now
    document, _ = parse(call.body)
    document = reading.obj(document)
    secret = document.get("secret")
    verdict = shared(secret.encode("utf-8", "replace") if type(secret) is str else b"", config.secret)
    if document.get("group_id") != config.group_id:
        return Verdict.WRONG if verdict is Verdict.GENUINE else verdict
    if verdict is Verdict.MISSING and document.get("type") == "confirmation" and secret in (None, ""):
        return Verdict.GENUINE
    return verdict


def confirmation(document: dict[str, Any], config: Config) -> bytes | None:
    """What the question for the confirmation is answered with; None: it is another kind of frame."""
    return config.confirmation.encode() if document.get("type") == "confirmation" else None


def events(document: dict[str, Any], config: Config, place: Place) -> Found:
    """One event of a community."""
    found = Found()
    kind, raw = reading.name(document.get("type")), reading.obj(document.get("object"))
    id_ = reading.ident(document.get("event_id"))
    if kind in _CONSENTS:
        found.each(document, _consent, raw, id_, place, granted=_CONSENTS[kind])
    elif kind in _MESSAGES:
        message = reading.obj(raw.get("message")) or raw
        found.each(document, _message, message, kind, id_, config, place)
    else:
        found.ignored += 1
    return found


def _message(message: dict[str, Any], kind: str, id_: str, config: Config, place: Place) -> ChatEvent | None:
    peer = reading.whole(message.get("peer_id")) or reading.whole(message.get("from_id"))
    if peer >= _PEERS_OF_MANY or peer < 0:
        return None
    client = str(peer) if peer else ""
    ours = kind == "message_reply" or (kind == "message_edit" and message.get("out") == 1)
    manager = reading.ident(message.get("admin_author_id")) if ours else ""
    answered = Speaker.MANAGER if manager and manager != "0" else Speaker.BOT
    number = reading.ident(message.get("id")) or reading.ident(message.get("conversation_message_id"))
    return place.event(
        ChatKind.MESSAGE,
        dialog=client,
        client=client,
        at=reading.moment(message.get("date")),
        event_id=id_ or (f"{kind}:{client}:{number}" if number else ""),
        speaker=answered if ours else Speaker.CLIENT,
        message_id=number,
        text=_words(message),
        manager=manager if answered is Speaker.MANAGER else "",
        url=f"https://vk.com/gim{config.group_id}?sel={client}",
    )


def _words(message: dict[str, Any]) -> str:
    told = reading.content(message.get("text"))
    if told:
        return told
    kinds = [reading.name(item.get("type")) for item in reading.items(message.get("attachments"))]
    return next((f"[{kind}]" for kind in kinds if kind.isidentifier()), "")


def _consent(raw: dict[str, Any], id_: str, place: Place, *, granted: bool) -> ChatEvent:
    client = reading.ident(raw.get("user_id"))
    return place.event(
        ChatKind.CONSENT,
        dialog=client,
        client=client,
        at=place.received,
        event_id=id_,
        speaker=Speaker.CLIENT,
        granted=granted,
    )
