"""The Live Chat events of the Segment spec, for every chat that is no messenger: `track` calls through the collector. Pure.

Only a server key may speak of dialogs: a browser key can be read in the page, and a stranger who has it must not open a dialog,
close one, or put words into the sales team's chat. `Live Chat Message Sent` is the client's, `Live Chat Message Received` the
manager's where it names one in `agent_id`, else a bot's.
"""

from typing import Any

from app.model.chat import ChatEvent, ChatKind, Speaker
from app.web.chat import reading
from app.web.chat.found import Place

NAME = "livechat"
_SENT, _RECEIVED = "Live Chat Message Sent", "Live Chat Message Received"
_KINDS = {
    "Live Chat Conversation Started": ChatKind.OPENED,
    "Live Chat Conversation Ended": ChatKind.CLOSED,
    _SENT: ChatKind.MESSAGE,
    _RECEIVED: ChatKind.MESSAGE,
}
NAMES = frozenset(_KINDS)
_TEXTS = ("message_body", "message", "text", "content")


def event(document: dict[str, Any], customer: str, received: float) -> ChatEvent:
    """What an accepted event of the collector says of a dialog. Raises Refused when it names no conversation.

    `document` is the record as it goes to `clickstream`, `customer` its key.
    """
    told, name = reading.obj(document.get("properties")), document["event"]
    conversation, manager = reading.ident(told.get("conversation_id")), reading.ident(told.get("agent_id"))
    message = reading.ident(told.get("message_id"))
    answer = Speaker.MANAGER if manager else Speaker.BOT
    return Place(NAME, document["source"], received).event(
        _KINDS[name],
        dialog=conversation,
        client="",
        customer=customer,
        at=reading.moment(document["timestamp"]),
        event_id=document["messageId"],
        speaker={_SENT: Speaker.CLIENT, _RECEIVED: answer}.get(name, Speaker.SYSTEM),
        message_id=message or document["messageId"],
        text=next(filter(None, (reading.content(told.get(field)) for field in _TEXTS)), ""),
        manager=manager,
        manager_name=reading.name(told.get("agent_name")) or reading.name(told.get("agent_username")),
        url=reading.link(told.get("url")),
    )
