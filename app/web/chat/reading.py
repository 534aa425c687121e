"""Values of a provider's frame, read leniently: what is missing or of another type reads as empty, and nothing raises. Pure."""

import re
from datetime import UTC, datetime
from typing import Any

from app.model.chat import MOST_NAME, MOST_TAGS, MOST_URL
from app.web.collector import fields
from app.web.phone import phone as any_phone

ID_LIMIT = 128
LONG_ID_LIMIT = 512
TAGS_LIMIT = MOST_TAGS
ITEMS_LIMIT = 1_000
"""Members of a list that are looked at."""
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_LATEST = 253_402_300_799.0
_MILLISECONDS_FROM = 1e11
"""A bare number this large counts milliseconds: as seconds it would be the year 5138."""


def obj(value: Any) -> dict[str, Any]:
    """An object."""
    return value if type(value) is dict else {}


def items(value: Any) -> list[dict[str, Any]]:
    """The objects of a list, a bounded number of them."""
    if type(value) is not list:
        return []
    return [item for item in value[:ITEMS_LIMIT] if type(item) is dict]


def ident(value: Any, limit: int = ID_LIMIT) -> str:
    """An id: a whole number or a text of 1 to `limit` characters without control characters. Anything else is no id."""
    if type(value) is int:
        told = str(value)
    elif type(value) is str:
        told = value.strip()
    else:
        return ""
    return told if len(told) <= limit and told.isprintable() else ""


def name(value: Any) -> str:
    """A name or another short text on one line."""
    if type(value) is not str:
        return ""
    told = value if value.isprintable() else _CONTROL.sub(" ", value)
    return told.strip()[:MOST_NAME]


def full_name(*parts: Any) -> str:
    """A name of several parts."""
    return name(" ".join(filter(None, map(name, parts))))


def content(value: Any) -> str:
    """A message's text as it is: line breaks, emoji and the marks of right-to-left scripts stay."""
    if type(value) is not str:
        return ""
    return value.replace("\x00", "")


def whole(value: Any) -> int:
    """A whole number, or 0."""
    return value if type(value) is int else 0


def phone(value: Any, country: str = "") -> str:
    """A phone number in E.164, or an empty text; `country` is the shop's, which completes a national one."""
    try:
        told = any_phone(value, country)
    except (ValueError, TypeError):
        return ""
    return told if told.startswith("+") else ""


def foreign_phone(value: Any) -> str:
    """The same of a number that is told whole, but maybe without its plus."""
    return phone(f"+{value.removeprefix('+')}") if type(value) is str else ""


def email(value: Any) -> str:
    """An e-mail address, or an empty text."""
    try:
        return fields.email(value)
    except (ValueError, TypeError):
        return ""


def link(value: Any) -> str:
    """A web address, or an empty text."""
    if type(value) is not str or not value.startswith(("https://", "http://")) or not value.isprintable():
        return ""
    return value if len(value) <= MOST_URL else ""


def moment(value: Any) -> float | None:
    """Epoch seconds of a number (seconds or milliseconds, also as text) or of an ISO 8601 text; None: no such moment.

    A text without an offset is UTC; `2026-11-22 07:20:00 UTC` is read too.
    """
    if type(value) is str:
        told = value.strip()
        if len(told) > 64:
            return None
        if not told.isdecimal() or not told.isascii():
            return _iso(told)
        value = int(told)
    if type(value) is not int and type(value) is not float:
        return None
    seconds = value / 1000 if abs(value) >= _MILLISECONDS_FROM else value
    return float(seconds) if 0 < seconds <= _LATEST else None


def _iso(told: str) -> float | None:
    try:
        parsed = datetime.fromisoformat(told.removesuffix(" UTC"))
        if parsed.tzinfo is None:
            parsed = parsed.replace(tzinfo=UTC)
        seconds = parsed.timestamp()
    except (ValueError, OverflowError):
        return None
    return seconds if seconds > 0 else None
