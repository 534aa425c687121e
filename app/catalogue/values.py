"""The values of an offer as feeds write them: texts within bounds, prices, addresses. Pure."""

import re
from datetime import UTC, datetime

from app.catalogue.refusal import BadOfferError

LONGEST_ID = 100
LONGEST_TEXT = 300
"""Characters of a name, a category, a brand; longer ones are cut."""
LONGEST_URL = 2_048
HIGHEST_PRICE = 1e12
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_PRICE = re.compile(r"(?:([A-Z]{3}) ?)?([\d ,.']+?)(?: ?([A-Z]{3}))?", re.ASCII)
_BLANKS = re.compile(r"[\s\u00a0\u202f]+")
RUBLES = {"RUR": "RUB"}
"""Old codes that feeds still carry."""


def identifier(value: str, what: str = "id") -> str:
    """An id. Raises BadOfferError when there is none, or it cannot be one."""
    value = value.strip()
    if not value:
        raise BadOfferError(f"it has no {what}")
    if len(value) > LONGEST_ID:
        raise BadOfferError(f"its {what} is longer than {LONGEST_ID} characters")
    if not value.isprintable():
        raise BadOfferError(f"its {what} has a control character")
    return value


def text(value: str) -> str:
    """One line of text, cut at LONGEST_TEXT."""
    line = _BLANKS.sub(" ", value).strip()
    line = line if line.isprintable() else "".join(sign for sign in line if sign.isprintable())
    return line[:LONGEST_TEXT]


def named(value: str) -> str:
    """A name. Raises BadOfferError for an empty one."""
    name = text(value)
    if not name:
        raise BadOfferError("it has no name")
    return name


def address(value: str, what: str = "url") -> str:
    """An address of the web, "" for none. Raises BadOfferError for anything else."""
    value = value.strip()
    if not value:
        return ""
    if len(value) > LONGEST_URL:
        raise BadOfferError(f"its {what} is longer than {LONGEST_URL} characters")
    if not value.lower().startswith(("https://", "http://")) or not value.isprintable() or " " in value:
        raise BadOfferError(f"its {what} must begin with https:// or http:// and have no blanks")
    return value


def picture(value: str) -> str:
    """The address of a picture; "" for one that cannot be used: an offer can be without."""
    try:
        return address(value)
    except BadOfferError:
        return ""


def money(value: str, what: str = "price") -> tuple[float, str]:
    """A price and its currency ("" where none is written): `1299`, `1 299,00`, `1,299.00 USD`. (0, "") for none.

    Raises BadOfferError for what is no price.
    """
    line = _BLANKS.sub(" ", value).strip()
    if not line:
        return 0.0, ""
    found = _PRICE.fullmatch(line) if len(line) <= 40 else None
    try:
        amount = float(_plain(found[2])) if found else -1.0
    except ValueError:
        amount = -1.0
    if found is None or not 0.0 <= amount <= HIGHEST_PRICE:
        raise BadOfferError(f"its {what} {line[:40]!r} is not one; write it like 1299.00")
    return round(amount, 4), currency(found[1] or found[3] or "")


def _plain(digits: str) -> str:
    """The number as Python reads it: the last mark is the decimal one, unless three digits follow a comma."""
    digits = digits.replace(" ", "").replace("'", "")
    comma, point = digits.rfind(","), digits.rfind(".")
    if comma > point >= 0:
        return digits.replace(".", "").replace(",", ".")
    if comma >= 0 and point < 0 and digits.count(",") == 1 and len(digits) - comma != 4:
        return digits.replace(",", ".")
    return digits.replace(",", "")


def currency(value: str) -> str:
    """A code of three letters, "" for none. Raises BadOfferError."""
    code = value.strip().upper()
    code = RUBLES.get(code, code)
    if code and not _CURRENCY.fullmatch(code):
        raise BadOfferError(f"its currency {code[:20]!r} is not a code of three letters")
    return code


def needed_price(amount: float) -> float:
    """A price that something can be sold at. Raises BadOfferError."""
    if amount <= 0:
        raise BadOfferError("it has no price, or one of 0")
    return amount


def yes(value: str, default: bool) -> bool:
    """`true` or `false` as XML has it. Raises BadOfferError."""
    word = value.strip().lower()
    if not word:
        return default
    if word in ("true", "1", "yes"):
        return True
    if word in ("false", "0", "no"):
        return False
    raise BadOfferError(f"{word[:20]!r} is neither true nor false")


def within(period: str, now: float) -> bool:
    """Whether `now` (epoch seconds) lies in a period `FROM/TO` of ISO 8601; without a zone it is UTC. Raises BadOfferError."""
    if not period.strip():
        return True
    first, _, last = period.strip().partition("/")
    try:
        begin, end = (_moment(item.strip()) for item in (first, last))
        return begin.timestamp() <= now < end.timestamp()
    except (ValueError, OverflowError):
        raise BadOfferError(f"the period {period.strip()[:60]!r} is not one; write it like FROM/TO") from None


def _moment(value: str) -> datetime:
    found = datetime.fromisoformat(value)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
