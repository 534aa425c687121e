"""Telegram: `sendMessage` with buttons, `editMessageText` when an alert changes, and what each answer of the Bot API means.

Alerts are HTML: everything that comes from outside is escaped. A press of a button comes back by the webhook (app/web/presses).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import msgspec

from app.model.alert import AlertState
from channels.alert import VERBS, Card, fitting, words_of
from channels.channel import (
    Ambiguous,
    Answer,
    Down,
    Irreversible,
    Misconfigured,
    Rejected,
    Rendered,
    Retry,
    Sent,
)
from channels.egress import Egress, Reply, unusable
from channels.formats import known_host
from channels.over_egress import OneUnit, OverEgress
from channels.pace import Pace, Pacing
from channels.rate import Rate
from channels.unseen import plain

NAME = "telegram"
MOST_TEXT = 4_096
"""UTF-16 units of a message, markup not counted."""
EVERY, EVERY_GROUP = 1.0, 3.0
"""Seconds between two messages to a person, and to a group (20 a minute)."""
PER_SECOND = 25.0
"""Messages of one bot to customers; Telegram takes about 30."""
TEAM = ""
"""The source that stands for the team's own bot."""
DIGEST = 24
"""Alerts in one digest: its buttons must fit below it."""

_CHAT = re.compile(r"-?[1-9]\d{0,18}|@[A-Za-z][A-Za-z0-9_]{3,31}", re.ASCII)
_TOKEN = re.compile(r"\d{1,20}:[A-Za-z0-9_-]{10,100}", re.ASCII)
_TAG = re.compile(r"<[^>]*>")
_GONE = (
    "chat not found",
    "user is deactivated",
    "bot was blocked",
    "bot was kicked",
    "group chat was deleted",
    "have no rights",
)


class Parameters(msgspec.Struct):
    """What the Bot API tells a program about an error."""

    retry_after: float | None = None
    migrate_to_chat_id: int | None = None


class Result(msgspec.Struct):
    """The message that was made."""

    message_id: int = 0


class Response(msgspec.Struct):
    """An answer of the Bot API."""

    ok: bool
    result: Result | bool | None = None
    description: str = ""
    parameters: Parameters | None = None


_decode = msgspec.json.Decoder(Response).decode
_encode = msgspec.json.Encoder().encode


class Telegram(OneUnit, OverEgress):
    """The channel. Addresses of the team are chat ids, those of customers `source:id`: the bot that they have written to, and who.

    `token` is the team's bot ("" for none), `bots`: source -> token. Raises ValueError for a token or an API that cannot be used.
    """

    name = NAME
    workers = 32
    shows = frozenset(AlertState)

    def __init__(
        self,
        *,
        token: str,
        api: str,
        egress: Egress,
        monotonic: Callable[[], float],
        pace: float = 1.0,
        bots: Mapping[str, str] | None = None,
    ) -> None:
        if (token or not bots) and not _TOKEN.fullmatch(token):
            raise ValueError("BOOMERANG_TELEGRAM_TOKEN must look like 123456:ABC..., as @BotFather gives it")
        for source, one in (bots or {}).items():
            if not _TOKEN.fullmatch(one):
                raise ValueError(
                    f"BOOMERANG_TELEGRAM_BOTS: {source}: must look like 123456:ABC..., as @BotFather gives it"
                )
        problem = unusable(api)
        if problem:
            raise ValueError(f"BOOMERANG_TELEGRAM_API: {problem}")
        tokens = {**({TEAM: token} if token else {}), **(bots or {})}
        self._bases = {source: f"{api.rstrip('/')}/bot{one}/" for source, one in tokens.items()}
        self._rates = {source: Rate(PER_SECOND / pace, monotonic) for source in bots or {}}
        self._egress = egress
        self._suspects: set[str] = set()
        self._pacing = Pacing(
            lambda chat: Pace(pace * (EVERY_GROUP if chat.startswith(("-", "@")) else EVERY), together=DIGEST),
            self._hand,
            monotonic,
        )

    def usable(self, address: str) -> str:
        """What is wrong with a chat's id; an empty text if it can be one."""
        source, chat = _split(address)
        if not _CHAT.fullmatch(chat) or (source != TEAM and not chat.isdigit()):
            return "not a chat id of Telegram, which is a number or @name"
        if source in self._bases:
            return ""
        return "no bot of that name is in BOOMERANG_TELEGRAM_BOTS" if source else "BOOMERANG_TELEGRAM_TOKEN is not set"

    async def send(self, message: Rendered, irreversible: Irreversible) -> Answer:
        """Hand one message over: a new one, or the new text of one that is there."""
        problem = self.usable(message.address)
        if problem:
            return Rejected(problem, suppress=False)
        rate = self._rates.get(_split(message.address)[0])
        later = await rate.turn() if rate is not None else None
        return later or await self._pacing.speak(message.address, message, irreversible)

    async def _hand(self, address: str, messages: Sequence[Rendered], irreversible: Irreversible) -> Answer:
        source, chat = _split(address)
        if source in self._suspects:
            answer = await self._ask(source, "getMe", {}, _nothing)
            if not isinstance(answer, Sent):
                return answer if isinstance(answer, Misconfigured) else Down(None, "getMe is not answered")
            self._suspects.discard(source)
        method, body = _request(chat, messages)
        answer = await self._ask(source, method, body, irreversible)
        if isinstance(answer, Misconfigured):
            self._suspects.add(source)
        if isinstance(answer, Sent) and len(messages) > 1:
            return Sent(f"{answer.provider_id}:digest")
        return answer

    async def _ask(self, source: str, method: str, body: dict[str, Any], irreversible: Irreversible) -> Answer:
        headers = {"Content-Type": "application/json"}
        reply = await self._egress.ask(self._bases[source] + method, _encode(body), headers, irreversible)
        if not isinstance(reply, Reply):
            return reply
        answer, moved_to = meaning(reply, str(body.get("chat_id", "")))
        if moved_to and "message_id" not in body:  # a group became a supergroup: nobody has got the message yet
            return await self._ask(source, method, {**body, "chat_id": moved_to}, _nothing)
        return answer


def _split(address: str) -> tuple[str, str]:
    """The bot's source and the chat."""
    source, colon, chat = address.partition(":")
    return (source, chat) if colon else (TEAM, address)


async def _nothing() -> None:
    """The irreversible moment was granted before, or nothing irreversible happens."""


def meaning(reply: Reply, chat: str) -> tuple[Answer, str]:
    """What an answer of the Bot API means, and the new id of a chat that has moved ("" if it has not)."""
    try:
        response = _decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        response = Response(False, description=f"{reply.status}")
    told = f"{reply.status} {response.description}"[:200]
    parameters = response.parameters or Parameters()
    if response.ok and reply.status == 200:
        number = response.result.message_id if isinstance(response.result, Result) else ""
        return Sent(f"{chat}:{number}" if number else ""), ""
    if reply.status == 429 or parameters.retry_after is not None:
        return Retry(parameters.retry_after if parameters.retry_after is not None else reply.after, told), ""
    if reply.status >= 500:
        return (Retry(reply.after, told) if reply.status == 503 else Ambiguous(told)), ""
    if reply.status in (401, 404):
        return Misconfigured(f"{told}: BOOMERANG_TELEGRAM_TOKEN or BOOMERANG_TELEGRAM_BOTS: not the token of a bot"), ""
    if parameters.migrate_to_chat_id:
        return Rejected(told, suppress=True), str(parameters.migrate_to_chat_id)
    if "message is not modified" in response.description:
        return Sent(), ""
    gone = reply.status == 403 or any(text in response.description.lower() for text in _GONE)
    return Rejected(told, suppress=gone), ""


def _request(chat: str, messages: Sequence[Rendered]) -> tuple[str, dict[str, Any]]:
    """Method and body for one message, or for a digest of several."""
    common: dict[str, Any] = {"chat_id": chat, "parse_mode": "HTML"}
    if messages[0].cards:
        common = {**common, "link_preview_options": {"is_disabled": True}}
    if len(messages) > 1:
        return "sendMessage", {**common, "text": _digest(messages), "reply_markup": _digest_keyboard(messages)}
    message = messages[0]
    if not message.cards:
        return "sendMessage", {**common, "text": _plain(message)}
    card = message.cards[0]
    if card.changed and not card.ref:
        return "sendMessage", {**common, "text": _line(card)}
    text = fitting(message.cards, _text, MOST_TEXT, visible)
    if not card.ref:
        return "sendMessage", {**common, "text": text, "reply_markup": _keyboard(card)}
    where, number, *digest = card.ref.split(":")
    if digest:  # one of many in that message: it cannot be edited for all of them
        reply = {"message_id": int(number), "allow_sending_without_reply": True}
        return "sendMessage", {**common, "chat_id": where, "text": _line(card), "reply_parameters": reply}
    edited = {**common, "chat_id": where, "message_id": int(number), "text": text, "reply_markup": _keyboard(card)}
    return "editMessageText", edited


def visible(html: str) -> int:
    """UTF-16 units of a text as Telegram counts them: without tags, entities as one character."""
    text = _TAG.sub("", html)
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&#x27;", "'"), ("&amp;", "&")):
        text = text.replace(entity, character)
    return len(text.encode("utf-16-le")) // 2


def _text(card: Card) -> str:
    parts = [f"<b>{escape(card.head)}</b>"]
    if card.status:
        parts.append(f"<b>{escape(card.status)}</b>")
    if card.note:
        parts.append(f"<i>{escape(card.note)}</i>")
    if card.words:
        parts.append("\n".join(f"<b>{escape(label)}:</b> {escape(text)}" for label, text in card.words))
    if card.facts:
        parts.append("\n".join(f"{escape(label)}: {escape(text)}" for label, text in card.facts))
    return "\n\n".join(parts)


def _line(card: Card) -> str:
    name = escape(f"{card.head}: {card.status}" if card.status else card.head)
    return f'<a href="{escape(card.url)}">{name}</a>' if card.url else name


def _plain(message: Rendered) -> str:
    text = plain(message.text) or plain(message.subject)
    while visible(escape(text)) > MOST_TEXT:
        text = text[: len(text) // 2]
    return escape(text)


def _keyboard(card: Card) -> dict[str, Any]:
    rows = [[{"text": label, "callback_data": f"{VERBS[kind]}:{card.alert_id}"} for kind, label in card.buttons]]
    links = ((card.open_label, card.url), (card.board_label, card.board))
    rows.append(
        [{"text": label, "url": url} for label, url in links if "." in known_host(url)]
    )  # others make Telegram refuse it all
    return {"inline_keyboard": [row for row in rows if row]}


def _digest(messages: Sequence[Rendered]) -> str:
    words = words_of(messages[0].locale)
    head = f"<b>🔔 {escape(words['digest'].format(n=len(messages)))}</b>"
    lines = [f"{at}. {_line(message.cards[-1])}" for at, message in enumerate(messages, 1)]
    return "\n".join([head, "", *lines])


def _digest_keyboard(messages: Sequence[Rendered]) -> dict[str, Any]:
    buttons = [
        {"text": f"✋ {at}", "callback_data": f"t:{message.cards[0].alert_id}"}
        for at, message in enumerate(messages, 1)
    ]
    return {"inline_keyboard": [buttons[at : at + 6] for at in range(0, len(buttons), 6)]}
