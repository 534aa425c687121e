"""What an alert says to a sales person, in words: one card for all channels, each of which sets it in its own markup. Pure."""

from collections.abc import Callable
from typing import Any, NamedTuple
from unicodedata import bidirectional

from app.model.alert import ENDED, Alert, AlertState, AlertUpdate, Watch, Word
from app.model.chat import CommandKind, Speaker
from app.model.event import Line
from app.model.reasons import Reason
from app.model.trigger import Trigger
from channels import formats

TEMPLATE = "alert"
"""Name of the templates that set the card as a mail."""
SNOOZE = 3_600.0
"""Seconds of the button's snooze."""
VERBS = {CommandKind.TAKE: "t", CommandKind.SNOOZE: "s", CommandKind.DISMISS: "d"}
"""Command -> the letter that stands for it before the alert's id in the data of a button."""
MOST_LINES = 3
"""Products named of a list."""

_RTL = frozenset({"R", "AL"})


class Fact(NamedTuple):
    """A line of the card: what it is about, and what is so."""

    label: str
    text: str


class Button(NamedTuple):
    """What can be done about the alert by one press."""

    kind: CommandKind
    label: str


class Card(NamedTuple):
    """An alert in words. All texts are plain, on one line, and bounded; none is escaped for any markup.

    `changed`: this is a change of an alert that was told before; `status` says what has become of it, if anything. `ref` is the provider's id of the message that shows it already;
    empty for the first one. `open_label` names the link `url` into the dialog, `board` is the address of the console's board.
    """

    alert_id: str
    state: AlertState
    priority: int
    title: str
    status: str
    note: str
    facts: tuple[Fact, ...]
    words: tuple[Fact, ...]
    url: str
    open_label: str
    board: str
    board_label: str
    buttons: tuple[Button, ...]
    changed: bool = False
    ref: str = ""

    @property
    def head(self) -> str:
        """Title with its mark: an end, or how much it matters."""
        return f"{_MARKS.get(self.state, '🔥' if self.priority >= 2 else '💬')} {self.title}"


_MARKS = {AlertState.TAKEN: "✋", AlertState.SNOOZED: "💤", AlertState.DISMISSED: "✖️", AlertState.RESOLVED: "✅"}


class Size(NamedTuple):
    """How long the texts of a card may be, in characters."""

    title: int
    fact: int
    word: int


SIZES = (Size(200, 300, 600), Size(160, 120, 300), Size(120, 60, 100), Size(80, 30, 0))
"""From the full card to the shortest one; a channel takes the first that fits into its message."""

_TITLES = {
    "en": {
        Watch.SILENT_CLIENT: "{who} has been silent for {time}",
        Watch.FIRST_RESPONSE: "{who} has waited {time} for a first answer",
        Watch.NEXT_RESPONSE: "{who} has waited {time} for an answer",
        Watch.RESOLUTION: "{who}: the dialog has been open for {time}",
    },
    "ru": {
        Watch.SILENT_CLIENT: "{who}: нет ответа {time}",
        Watch.FIRST_RESPONSE: "{who}: ждёт первого ответа {time}",
        Watch.NEXT_RESPONSE: "{who}: ждёт ответа {time}",
        Watch.RESOLUTION: "{who}: диалог открыт {time}",
    },
}
_STATES = {
    "en": {
        AlertState.OPEN: "",
        AlertState.TAKEN: "Taken",
        AlertState.SNOOZED: "Snoozed for {time}",
        AlertState.DISMISSED: "Not relevant",
        AlertState.RESOLVED: "Resolved",
    },
    "ru": {
        AlertState.OPEN: "",
        AlertState.TAKEN: "Взято в работу",
        AlertState.SNOOZED: "Отложено на {time}",
        AlertState.DISMISSED: "Неактуально",
        AlertState.RESOLVED: "Решено",
    },
}
_REASONS: dict[str, dict[str, str]] = {
    "en": {
        Reason.ENDED_BY_ORDER: "the client has ordered",
        Reason.ENDED_BY_ANSWER: "the client has answered",
        Reason.ENDED_BY_MANAGER: "the client was answered",
        Reason.ENDED_BY_CLOSING: "the dialog was closed",
        Reason.SNOOZE_OVER: "open again",
        Reason.ESCALATED: "passed on, nobody has taken it",
    },
    "ru": {
        Reason.ENDED_BY_ORDER: "клиент оформил заказ",
        Reason.ENDED_BY_ANSWER: "клиент ответил",
        Reason.ENDED_BY_MANAGER: "клиенту ответили",
        Reason.ENDED_BY_CLOSING: "диалог закрыт",
        Reason.SNOOZE_OVER: "снова открыт",
        Reason.ESCALATED: "передано дальше, никто не взял",
    },
}
_WORDS = {
    "en": {
        "client": "A client", "manager": "Manager", "phone": "Phone", "cart": "Cart", "views": "Looked at", "searches": "Searched for",
        "orders": "Orders", "in all": "in all", "seen": "On the site", "ago": "{time} ago", "now": "now", "tags": "Tags",
        "level": "Escalated", "open": "Open the dialog", "board": "Board", "take": "Take", "snooze": "Snooze 1 h",
        "dismiss": "Not relevant", "more": "and {n} more", "digest": "{n} alerts",
        "back": "On the site again", "looks": "On the site again, looking at {what}",
        Speaker.CLIENT: "Client", Speaker.MANAGER: "Manager", Speaker.BOT: "Bot", Speaker.SYSTEM: "System",
    },
    "ru": {
        "client": "Клиент", "manager": "Менеджер", "phone": "Телефон", "cart": "Корзина", "views": "Смотрел", "searches": "Искал",
        "orders": "Заказы", "in all": "всего", "seen": "На сайте", "tags": "Метки",  # noqa: RUF001
        "ago": "{time} назад", "now": "сейчас",
        "level": "Эскалация", "open": "Открыть диалог", "board": "Доска", "take": "Взять", "snooze": "Отложить на 1 ч",
        "dismiss": "Неактуально", "more": "и ещё {n}", "digest": "Алертов: {n}",
        "back": "Снова на сайте", "looks": "Снова на сайте, смотрит: {what}",
        Speaker.CLIENT: "Клиент", Speaker.MANAGER: "Менеджер", Speaker.BOT: "Бот", Speaker.SYSTEM: "Система",
    },
}  # fmt: skip
_UNITS = {"en": ("d", "h", "min"), "ru": ("дн", "ч", "мин")}


def words_of(locale: str) -> dict[str, str]:
    """The vocabulary of a language."""
    return _WORDS.get(locale, _WORDS["en"])


def span(seconds: float, locale: str) -> str:
    """A length of time as people say it: `32 min`, `2 h 5 min`, `3 d 4 h`."""
    minutes = max(int(seconds // 60), 0)
    day, hour, minute = _UNITS.get(locale, _UNITS["en"])
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f"{days} {day} {hours} {hour}" if hours and days < 7 else f"{days} {day}"
    if minutes >= 60:
        return f"{hours} {hour} {minutes % 60} {minute}" if minutes % 60 else f"{hours} {hour}"
    return f"{max(minutes, 1)} {minute}"


def cut(text: str, most: int) -> str:
    """One clean line of at most `most` characters; a text of another direction is isolated, so that it moves nothing around it."""
    clean = " ".join(str(formats.plain(text[: 8 * most + 64])).split())
    if len(clean) > most:
        clean = clean[: most - 1].rstrip() + "…" if most > 1 else ""
    return f"\u2068{clean}\u2069" if any(bidirectional(letter) in _RTL for letter in clean) else clean


def card(
    trigger: Trigger, locale: str, now: float, board: str, *, change: AlertUpdate | None, ref: str, size: Size
) -> Card | None:
    """The card of a trigger that carries an alert, as it stands at `now` (epoch seconds); None for any other.

    `change` is what has become of it, `board` the console's address or "".
    """
    alert = trigger.alert or (change.alert if change else None)
    if alert is None:
        return None
    words = words_of(locale)
    state = change.state if change else AlertState.OPEN
    who = cut(alert.who, size.title // 2) or words["client"]
    title = _title(alert, who, locale, now, size)
    status = _status(change, locale, size) if change else ""
    buttons: tuple[Button, ...] = (
        Button(CommandKind.TAKE, words["take"]),
        Button(CommandKind.SNOOZE, words["snooze"]),
        Button(CommandKind.DISMISS, words["dismiss"]),
    )
    if state is AlertState.TAKEN:
        buttons = buttons[1:]
    if not alert.dialog:
        buttons = ()
    return Card(
        alert.alert_id,
        state,
        alert.priority,
        title,
        status,
        _note(alert, words, size),
        tuple(_facts(alert, locale, now, size)),
        tuple(_said(word, words, size) for word in alert.words) if size.word else (),
        formats.web(alert.url),
        words["open"],
        f"{board}/dialogs#{alert.alert_id}" if board and alert.dialog else "",
        words["board"],
        () if state in ENDED else buttons,
        change is not None,
        ref,
    )


def _title(alert: Alert, who: str, locale: str, now: float, size: Size) -> str:
    """What a watch has found, or what a step of a scenario says."""
    if alert.watch is None:
        return f"{who}: {cut(alert.title, size.title)}"
    return _TITLES.get(locale, _TITLES["en"])[alert.watch].format(who=who, time=span(now - alert.since, locale))


def _note(alert: Alert, words: dict[str, str], size: Size) -> str:
    """What has happened since: the client came back, and what for."""
    looked_at = cut(alert.note, size.fact)
    if alert.returned_at <= 0:
        return looked_at
    return words["looks"].format(what=looked_at) if looked_at else words["back"]


def _said(word: Word, words: dict[str, str], size: Size) -> Fact:
    return Fact(words[word.speaker], cut(word.text, size.word))


def _status(change: AlertUpdate, locale: str, size: Size) -> str:
    text = _STATES.get(locale, _STATES["en"])[change.state].format(time=span(change.until - change.at, locale))
    why = _REASONS.get(locale, _REASONS["en"]).get(change.reason, "")
    who = "" if change.state is AlertState.OPEN else cut(change.by_name or change.by, size.title // 2)
    told = ": ".join(part for part in (text, why or who) if part)
    return told[:1].upper() + told[1:]


def _facts(alert: Alert, locale: str, now: float, size: Size) -> list[Fact]:
    words = words_of(locale)

    def amount(value: float) -> str:
        return formats.money(value, alert.currency, locale)

    cart = _named(alert.cart, words, locale)
    if alert.value > 0:
        cart = f"{cart} · {amount(alert.value)}" if cart else amount(alert.value)
    orders = f"{alert.orders}, {amount(alert.orders_total)} {words['in all']}" if alert.orders else ""
    seen = ""
    if alert.last_seen > 0:
        since = now - alert.last_seen
        seen = words["now"] if since < 120 else words["ago"].format(time=span(since, locale))
    found = (
        ("phone", alert.phone),
        ("cart", cart),
        ("seen", seen),
        ("views", _named(alert.views, words, locale)),
        ("searches", ", ".join(f"“{text}”" for text in alert.searches[:MOST_LINES])),
        ("orders", orders),
        ("manager", alert.manager_name or alert.manager),
        ("tags", ", ".join(alert.tags)),
        ("level", f"\u00d7 {alert.level}" if alert.level else ""),
    )
    return [Fact(words[label], cut(text, size.fact)) for label, text in found if text]


def _named(lines: list[Line], words: dict[str, str], locale: str) -> str:
    names = [
        (line.name or line.product_id)
        + (f" \u00d7 {formats.number(line.quantity, locale)}" if line.quantity != 1 else "")
        for line in lines[:MOST_LINES]
    ]
    more = len(lines) - len(names)
    return ", ".join(names) + (" " + words["more"].format(n=more) if more > 0 else "")


def fitting(cards: tuple[Card, ...], text: Callable[[Card], str], most: int, length: Callable[[str], int] = len) -> str:
    """The longest of a card's versions whose text fits into `most`; the shortest one always does, or is cut by its channel."""
    for version in cards:
        made = text(version)
        if length(made) <= most:
            return made
    return text(cards[-1])


def as_values(shown: Card | None) -> dict[str, Any]:
    """The card as templates see it: plain values; empty for a message that is no alert."""
    if shown is None:
        return {}
    return {
        "head": shown.head,
        "title": shown.title,
        "status": shown.status,
        "note": shown.note,
        "facts": [{"label": label, "text": text} for label, text in shown.facts],
        "words": [{"label": label, "text": text} for label, text in shown.words],
        "url": shown.url,
        "open_label": shown.open_label,
        "board": shown.board,
        "board_label": shown.board_label,
    }
