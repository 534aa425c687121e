"""Single values of an event: texts, ids, numbers and addresses, checked and coerced. Pure.

Each function returns the usable value or raises ValueError; who calls knows whether that refuses the event.
"""

import math
import re
import unicodedata
from typing import Any

import orjson

ID_LIMIT = 256
TEXT_LIMIT = 512
URL_LIMIT = 2_048
QUERY_LIMIT = 512

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
"""Control characters, and those that turn the direction of what follows them."""
LARGEST = 1e15
"""Numbers from here on are mistakes, and products of them would leave the numbers altogether."""
_NOBODY = frozenset(
    ("null", "undefined", "none", "nil", "nan", "true", "false", "0", "-1", "anonymous", "guest", "[object object]")
)
"""What programs write where they have no id. Taken for one, it would make all such visitors a single customer."""
_LONGEST_NOBODY = max(map(len, _NOBODY))
_WHOLE = 1 << 64
_WEB = ("https://", "http://")
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")
_NOISE = re.compile(r"[\s\u00a0\u202f]|[^\d.,eE+-]")
_EMAIL = re.compile(r"[^\s@<>()\[\]\\,;:\"\x00-\x20\x7f-\x9f\u2028\u2029]{1,64}@[\w-]+(?:\.[\w-]+)*")


def text(value: Any, limit: int = TEXT_LIMIT) -> str:
    """A text of at most `limit` characters; control characters (CR, LF, NUL ...) become one space. Numbers are written out."""
    told = value if isinstance(value, str) else _written_out(value)
    if not told.isprintable():
        told = _CONTROL.sub(" ", told).strip()
    return told if len(told) <= limit else told[:limit]


def _written_out(value: Any) -> str:
    if type(value) is int:
        return str(value)
    if type(value) is float:
        return str(int(value)) if value.is_integer() else repr(value)
    raise ValueError("not a text")


def identifier(value: Any) -> str:
    """An id: a text or a number, 1 to 256 bytes of UTF-8, no control characters. Empty and null count as absent: `""`.

    White space around it is dropped, and it is composed (NFC): two systems that spell one id differently mean one thing.
    """
    if value is None:
        return ""
    if type(value) is int and -_WHOLE < value < _WHOLE:
        return str(value)
    told = (value if isinstance(value, str) else _written_out(value)).strip()
    if not told.isascii():
        told = unicodedata.normalize("NFC", told)
    # bytes, since an unsubscribe link carries the id and has to fit a line of a mail
    if (
        len(told.encode(errors="replace")) > ID_LIMIT
        or (not told.isprintable() and _CONTROL.search(told))
        or "\ufffd" in told
    ):
        raise ValueError("not an id")
    return told


def somebody(value: Any) -> str:
    """The id of somebody, like `identifier`; `""` also for what programs write when they have none: `undefined`, `null`, `0` ..."""
    if type(value) is not str or not (
        value.isascii() and value.isprintable() and " " not in value and len(value) <= ID_LIMIT
    ):  # a cheap check that holds for nearly all of them
        value = identifier(value)
    return "" if len(value) <= _LONGEST_NOBODY and value.lower() in _NOBODY else value


def number(value: Any) -> float:
    """A number below 10^15, also from texts like `12.50`, `1 299,00` or `$1,299.00`. NaN and infinities are refused."""
    if type(value) is float or type(value) is int:
        result = float(value)
    elif type(value) is str:
        result = _number_of_text(value)
    else:
        raise ValueError("not a number")
    if not math.isfinite(result) or abs(result) >= LARGEST:
        raise OverflowError("not finite")
    return result


def _number_of_text(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        pass
    if len(value) > 64 or not any(c.isdigit() for c in value):
        raise ValueError("not a number")
    digits = _NOISE.sub("", value)
    comma, dot = digits.rfind(","), digits.rfind(".")
    if comma > dot and len(digits) - comma - 1 != 3:
        digits = digits.replace(".", "").replace(",", ".")
    else:
        digits = digits.replace(",", "")
    return float(digits.rstrip("."))


def count(value: Any) -> int:
    """A number of things: an integer, or the length of the list that was found."""
    if type(value) is list:
        return len(value)
    result = int(number(value))
    if not 0 <= result < 1 << 53:
        raise ValueError("not a count")
    return result


def url(value: Any) -> str:
    """A web address or a path; `javascript:` and its kind are refused, since it ends in mails."""
    if type(value) is str and value.startswith(_WEB) and value.isprintable() and len(value) <= URL_LIMIT:
        return value
    result = text(value, URL_LIMIT)
    if _SCHEME.match(result) and not result[:8].lower().startswith(_WEB):
        raise ValueError("not a web address")
    return result


def query(value: Any) -> str:
    """What was searched for: the text itself, or the words of an object or list that holds it."""
    if type(value) is dict:
        for name in ("query", "text", "q", "keyword", "keywords", "search"):
            if type(value.get(name)) is str:
                return text(value[name], QUERY_LIMIT)
        return text(orjson.dumps(value).decode(), QUERY_LIMIT)
    if type(value) is list:
        return text(" ".join(text(item) for item in value[:20]), QUERY_LIMIT)
    return text(value, QUERY_LIMIT)


def category(value: Any) -> str:
    """A category; a list of them is a path and is joined with ` / `."""
    if type(value) is list:
        return text(" / ".join(text(item) for item in value[:10]))
    return text(value)


def email(value: Any) -> str:
    """An e-mail address with its domain in lower case. CR, LF, NUL, brackets, lists of addresses are refused."""
    if type(value) is not str:
        raise TypeError("not a text")
    value = value.strip(" ")
    if len(value) > 254 or not _EMAIL.fullmatch(value) or not value.isprintable():
        raise ValueError("not an e-mail address")
    local, domain = value.rsplit("@", 1)
    return f"{local}@{domain.lower()}"
