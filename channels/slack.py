"""Slack by incoming webhooks: blocks, in which what others have said stands as plain text and can format nothing."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from channels.alert import Card, words_of
from channels.channel import Rendered
from channels.egress import Egress
from channels.hooks import IncomingHooks

NAME = "slack"
EVERY = 1.0
"""Seconds between two messages to one hook."""
MOST_SECTION = 2_900
"""Characters of one block's text; Slack takes 3,000."""
MOST_TEXT = 12_000


def make(
    *, urls: Mapping[str, str], egress: Egress, monotonic: Callable[[], float], every: float = EVERY
) -> IncomingHooks:
    """The channel."""
    return IncomingHooks(NAME, urls=urls, body=body, every=every, egress=egress, monotonic=monotonic)


def escape(text: str) -> str:
    """Text for mrkdwn: nothing in it is a mention, a link or a command. Formatting marks lose their meaning by a joiner."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\u2060{letter}\u2060" if letter in "*_~`" else letter for letter in text)


def body(messages: Sequence[Rendered]) -> dict[str, Any]:
    """One message, or several as a digest. `text` is what a notification shows."""
    if len(messages) > 1:
        head = f"🔔 {words_of(messages[0].locale)['digest'].format(n=len(messages))}"
        lines = [f"• {_line(message.cards[-1])}" for message in messages]
        return {"text": head, "blocks": [_section(f"*{escape(head)}*"), *_packed(lines)]}
    message = messages[0]
    if not message.cards:
        return {"text": escape(message.text.strip() or message.subject)[:MOST_TEXT]}
    card = message.cards[0]
    if card.changed:
        return {"text": escape(f"{card.head}: {card.status}"), "blocks": [_section(_line(card))]}
    return {"text": escape(card.head), "blocks": _blocks(card)}


def _blocks(card: Card) -> list[dict[str, Any]]:
    blocks = [_section(f"*{escape(card.head)}*" + (f"\n_{escape(card.note)}_" if card.note else ""))]
    if card.words:
        blocks.append(_plain("\n".join(f"{label}: {text}" for label, text in card.words)))
    if card.facts:
        blocks.append(_plain("\n".join(f"{label}: {text}" for label, text in card.facts)))
    links = [_link(url, label) for url, label in ((card.url, card.open_label), (card.board, card.board_label)) if url]
    if links:
        blocks.append(_section("  ·  ".join(links)))
    return blocks


def _line(card: Card) -> str:
    text = f"{card.head}: {card.status}" if card.status else card.head
    return _link(card.url or card.board, text) if card.url or card.board else escape(text)


def _link(url: str, label: str) -> str:
    return f"<{url.replace('&', '&amp;').replace('|', '%7C')}|{escape(label)}>"


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:MOST_SECTION], "verbatim": True}}


def _plain(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "plain_text", "text": text[:MOST_SECTION], "emoji": False}}


def _packed(lines: list[str]) -> list[dict[str, Any]]:
    """Lines in as few sections as they fit into."""
    packed: list[str] = []
    for line in lines:
        if packed and len(packed[-1]) + len(line) < MOST_SECTION:
            packed[-1] += "\n" + line
        else:
            packed.append(line)
    return [_section(text) for text in packed]
