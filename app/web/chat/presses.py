"""Presses of the buttons below an alert in Telegram: `POST /presses/telegram`, the webhook of the team's own bot.

A press is believed when the request has the bot's secret token, the message stands in one of the team's chats, and who pressed
is a member. It becomes a command on `chat` and is answered in the same response, so that nothing is sent out for it.
"""

import re
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from app import topics
from app.clock import Clock
from app.codec import encode_json
from app.metrics import ALERT_PRESSES
from app.model.chat import ChatCommand, CommandKind, command_key
from app.model.reasons import BadInput
from app.model.team import Member, Team
from app.settings import Settings, split
from app.web.chat import reading
from app.web.chat.answered import GUESSES_PER_SECOND, answered
from app.web.chat.authenticity import Verdict, shared
from app.web.collector.body import parse
from app.web.collector.declined import Declined
from app.web.collector.http import JSON, Bodies, Request, Response
from app.web.collector.intake import Intake
from app.web.collector.limits import Buckets, Proxies
from app.web.collector.record import Record
from app.web.collector.refusal import Refused
from channels.alert import SNOOZE, VERBS

NAME = "telegram"
PATH = "/presses/telegram"
BODY_LIMIT = 256 << 10

_KINDS = {verb: kind for kind, verb in VERBS.items()}
_DATA = re.compile(r"([tsd]):([0-9A-Za-z_-]{8,60})", re.ASCII)
_ANSWERS = {
    "en": {
        CommandKind.TAKE: "Taken", CommandKind.SNOOZE: "Snoozed for 1 h", CommandKind.DISMISS: "Marked as not relevant",
        "stranger": "You are not on the team: ask for your Telegram id to be put into the team file.",
    },
    "ru": {
        CommandKind.TAKE: "Взято", CommandKind.SNOOZE: "Отложено на 1 ч", CommandKind.DISMISS: "Отмечено как неактуальное",
        "stranger": "Вас нет в команде: попросите внести ваш id в Telegram в файл команды.",  # noqa: RUF001
    },
}  # fmt: skip


class Press(NamedTuple):
    """What a callback query means. `command` is None where it must not have an effect; `outcome` says why."""

    command: ChatCommand | None
    outcome: str
    answer: dict[str, Any]


class Pressers:
    """Who may press, and where. Made from the team file."""

    def __init__(self, team: Team) -> None:
        self._locale = team.locale
        self._members = {account: member for member in team.members for account in _accounts(member)}
        own = [member.addresses.get(NAME, "") for member in team.members]
        self._chats = {address for address in (team.addresses.get(NAME, ""), *own) if address}

    def press(self, document: dict[str, Any], now: float) -> Press | None:
        """The press that an update tells of; None for any other update. Pure."""
        query = reading.obj(document.get("callback_query"))
        callback = reading.ident(query.get("id"))
        if not callback:
            return None
        message, sender = reading.obj(query.get("message")), reading.obj(query.get("from"))
        chat = reading.obj(message.get("chat"))
        where = {reading.ident(chat.get("id")), f"@{reading.name(chat.get('username'))}"}
        found = _DATA.fullmatch(reading.name(query.get("data")))
        member = self._members.get(reading.ident(sender.get("id")))
        words = _ANSWERS["ru" if ((member and member.locale) or self._locale).startswith("ru") else "en"]
        answer: dict[str, Any] = {"method": "answerCallbackQuery", "callback_query_id": callback}
        if not where & self._chats:
            return Press(None, "other_chat", answer)
        if member is None:
            return Press(None, "stranger", {**answer, "text": words["stranger"], "show_alert": True})
        if found is None:
            return Press(None, "unknown_button", answer)
        kind = _KINDS[found[1]]
        command = ChatCommand(
            kind, now, f"{NAME}:{callback}", member.id, member.name or member.id, alert=found[2], seconds=SNOOZE
        )
        return Press(command, kind.value, {**answer, "text": words[kind]})


def _accounts(member: Member) -> set[str]:
    """Telegram's ids of a member: his private chat has the same one as he."""
    return {text for text in (member.accounts.get(NAME, ""), member.addresses.get(NAME, "")) if text.isdigit()}


class Presses:
    """The webhook."""

    def __init__(self, settings: Settings, clock: Clock, intake: Intake, team: Team | None) -> None:
        self._clock, self._intake, self._secret = clock, intake, settings.telegram_secret
        self._pressers = Pressers(team) if team is not None and settings.telegram_secret else None
        self._topic = settings.topic_prefix + topics.CHAT.name
        self._partitions = settings.partitions
        self._proxies = Proxies(split(settings.trusted_proxies))
        self._guesses = Buckets(GUESSES_PER_SECOND)
        self._bodies = Bodies(BODY_LIMIT)

    async def handle(self, request: Request) -> Response:
        """The answer to one request. Raises Disconnected."""
        if self._pressers is None:
            told = "set BOOMERANG_TELEGRAM_SECRET and BOOMERANG_TEAM to take presses of buttons"
            return Declined(404, "not_found", told).response()
        if request.method != "POST":
            return Declined(405, "method_not_allowed", "this path takes POST").response()
        return await answered(self._post(request, self._pressers), BODY_LIMIT)

    async def _post(self, request: Request, pressers: Pressers) -> Response:
        address = self._proxies.client(request.client, request.header(b"x-forwarded-for"))
        wait = self._guesses.take(address, self._clock.monotonic(), tokens=0.0)
        if wait:
            raise Declined(429, "rate_limited", "too many requests that were not genuine", wait)
        verdict = shared(request.headers.get(b"x-telegram-bot-api-secret-token", b""), self._secret)
        if verdict is not Verdict.GENUINE:
            self._guesses.take(address, self._clock.monotonic())
            ALERT_PRESSES.labels(NAME, "unauthentic").inc()
            raise Declined(401, verdict, "this is not a genuine request of the team's bot")
        document, _ = parse(await self._bodies.read(request))
        if type(document) is not dict:
            raise Refused(BadInput.WRONG_TYPE, "body")
        press = pressers.press(document, self._clock.now())
        if press is None:
            ALERT_PRESSES.labels(NAME, "ignored").inc()
            return Response(200, b'{"ok":true}', JSON)
        outcome = press.outcome
        if press.command is not None and await self._intake.publish([self._record(press.command)]):
            outcome = "duplicate"
        ALERT_PRESSES.labels(NAME, outcome).inc()
        return Response(200, msgspec.json.encode(press.answer), JSON)

    def _record(self, command: ChatCommand) -> Record:
        key = command_key(command)
        id_ = blake2b(f"press\0{command.event_id}".encode(), digest_size=16).digest()
        return Record(self._topic, topics.partition_of(key, self._partitions), key.encode(), encode_json(command), id_)
