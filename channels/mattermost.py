"""Mattermost by incoming webhooks: Markdown, in which what others have said formats nothing and calls nobody."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from channels.alert import Card, fitting, words_of
from channels.channel import Rendered
from channels.egress import Egress
from channels.hooks import IncomingHooks

NAME = "mattermost"
EVERY = 0.2
"""Seconds between two messages to one hook."""
MOST_TEXT = 3_900
"""Characters of a message; servers take 4,000 at least."""

_MARKS = re.compile(r"([\\`*_{}\[\]()#+\-.!|~<>&:])")


def make(
    *, urls: Mapping[str, str], egress: Egress, monotonic: Callable[[], float], every: float = EVERY
) -> IncomingHooks:
    """The channel."""
    return IncomingHooks(NAME, urls=urls, body=body, every=every, egress=egress, monotonic=monotonic)


def escape(text: str) -> str:
    """Text for Markdown: its marks are shown as they are, and `@all` is no mention."""
    return _MARKS.sub(r"\\\1", text).replace("@", "@\u2060")


def body(messages: Sequence[Rendered]) -> dict[str, Any]:
    """One message, or several as a digest."""
    if len(messages) > 1:
        head = f"**🔔 {escape(words_of(messages[0].locale)['digest'].format(n=len(messages)))}**"
        return {"text": "\n".join([head, "", *(f"* {_line(message.cards[-1])}" for message in messages)])}
    message = messages[0]
    if not message.cards:
        return {"text": escape((message.text.strip() or message.subject)[: MOST_TEXT // 2])}
    card = message.cards[0]
    if card.changed:
        return {"text": _line(card)}
    return {"text": fitting(message.cards, _text, MOST_TEXT)}


def _text(card: Card) -> str:
    parts = [f"**{escape(card.head)}**"]
    if card.note:
        parts.append(f"_{escape(card.note)}_")
    if card.words:
        parts.append("\n".join(f"> **{escape(label)}:** {escape(text)}" for label, text in card.words))
    if card.facts:
        parts.append("\n".join(f"* {escape(label)}: {escape(text)}" for label, text in card.facts))
    links = [_link(url, label) for url, label in ((card.url, card.open_label), (card.board, card.board_label)) if url]
    if links:
        parts.append(" · ".join(links))
    return "\n\n".join(parts)


def _line(card: Card) -> str:
    text = f"{card.head}: {card.status}" if card.status else card.head
    return _link(card.url or card.board, text) if card.url or card.board else escape(text)


def _link(url: str, label: str) -> str:
    return f"[{escape(label)}]({url.replace('(', '%28').replace(')', '%29')})"
