"""How values look in a message: money, plural forms, quantities, addresses of pages. Pure; the templates' filters."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from app.model.alert import Alert
from app.model.event import Line
from app.model.trigger import Bonus, Delivery

_SIGNS = {
    "USD": "$",
    "EUR": "€",
    "GBP": "£",
    "RUB": "₽",
    "KZT": "₸",
    "BYN": "Br",
    "UAH": "₴",
    "TRY": "₺",
    "CNY": "¥",
    "JPY": "¥",
}
_CODE = re.compile(r"[A-Za-z]{3}", re.ASCII)
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_HTTP = re.compile(r"https?://[A-Za-z0-9\[][^\s\"'<>\\^`{|}\x00-\x20\x7f-\xa0\u2028\u2029]*", re.IGNORECASE)
_PATH = re.compile(r"/(?![/\\])[^\s\"'<>\\^`{|}\x00-\x20\x7f-\xa0\u2028\u2029]*")
MOST_URL = 2048
_NARROW = "\u202f"
_BLANK = "\u00a0"


def money(value: float, currency: str, locale: str) -> str:
    """An amount as the language writes it: `1 234,50 €` or `€1,234.50`; without decimals when there are none."""
    whole = abs(value - round(value)) < 0.005
    digits = f"{value:,.0f}" if whole else f"{value:,.2f}"
    code = currency.upper() if _CODE.fullmatch(currency) else ""
    sign = _SIGNS.get(code, code)
    if locale == "ru":
        digits = digits.replace(",", _NARROW).replace(".", ",")
        return f"{digits}{_BLANK}{sign}" if sign else digits
    if not sign:
        return digits
    return f"{digits}{_BLANK}{sign}" if sign.isalpha() else f"{sign}{digits}"


def number(value: float, locale: str) -> str:
    """A count without needless decimals."""
    text = f"{value:,.0f}" if value == int(value) else f"{value:,.2f}".rstrip("0")
    return text.replace(",", _NARROW).replace(".", ",") if locale == "ru" else text


def plural(count: float, *forms: str) -> str:
    """The form that goes with a count: two forms as in English (one, other), three as in Russian (1, 2-4, 5-20)."""
    n = abs(int(count))
    if len(forms) == 2:
        return forms[0] if count == 1 else forms[1]
    if count != int(count):
        return forms[1]
    if n % 10 == 1 and n % 100 != 11:
        return forms[0]
    return forms[1] if 2 <= n % 10 <= 4 and not 12 <= n % 100 <= 14 else forms[2]


def web(url: str, shop_url: str = "") -> str:
    """The address of a page if it is http(s), or a path made whole with the shop's address; else ""."""
    if not url or len(url) > MOST_URL:
        return ""
    if _HTTP.fullmatch(url):
        return url if host(url) and "@" not in url.split("/", 3)[2] else ""
    return shop_url + url if shop_url and _PATH.fullmatch(url) else ""


def host(url: str) -> str:
    """Name of the host of an address, or "" when there is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def known_host(url: str) -> str:
    """The same, or "" when it is none that a customer would know: numbers, this machine."""
    name = host(url)
    return "" if name == "localhost" or ":" in name or name.replace(".", "").isdigit() else name


def line(item: Line, currency: str, locale: str, shop_url: str) -> dict[str, Any]:
    """A product as templates see it: ready texts, safe addresses."""
    return {
        "product_id": item.product_id,
        "name": item.name or item.product_id,
        "category": item.category,
        "brand": item.brand,
        "price": money(item.price, currency, locale) if item.price > 0 else "",
        "old_price": money(item.old_price, currency, locale) if item.old_price > 0 else "",
        "quantity": number(item.quantity, locale),
        "several": item.quantity != 1,
        "url": web(item.url, shop_url) or shop_url,
        "image": web(item.image_url, shop_url),
    }


_DAYS = {
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
    "ru": ("пн", "вт", "ср", "чт", "пт", "сб", "вс"),  # noqa: RUF001
}
_MONTHS = {
    "en": ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"),
    "ru": ("января", "февраля", "марта", "апреля", "мая", "июня", "июля", "августа", "сентября", "октября", "ноября", "декабря"),
}  # fmt: skip


def booking(address: str, product_id: str, shop_url: str) -> str:
    """Where times are booked for a product; a time is added to it (`slot`). The shop's own address where there is none."""
    page = web(address, shop_url) or shop_url
    told = f"{'&' if '?' in page else '?'}product_id={quote(product_id, safe='')}" if product_id else ""
    return page + told


def slot(at: float, timezone: str, locale: str, page: str) -> dict[str, Any]:
    """A time (epoch seconds) that can be booked, as templates see it: by the customer's clock, with its address."""
    moment = datetime.fromtimestamp(at, ZoneInfo(timezone or "UTC"))
    day = f"{_DAYS[locale][moment.weekday()]}, {moment.day}{_BLANK}{_MONTHS[locale][moment.month - 1]}"
    when = quote(moment.isoformat(timespec="minutes"), safe="")
    return {"day": day, "time": f"{moment:%H:%M}", "url": f"{page}{'&' if '?' in page else '?'}at={when}"}


def delivery(told: Delivery | None, locale: str) -> dict[str, Any]:
    """Free delivery as templates see it; empty where nothing is told of it."""
    if told is None:
        return {}
    return {
        "region": told.region,
        "free": told.free_from <= 0,
        "reached": told.reached,
        "free_from": money(told.free_from, told.currency, locale),
        "left": money(told.left, told.currency, locale) if told.left > 0 else "",
        "hint": told.hints.get(locale, ""),
    }


def bonus(told: Bonus | None, locale: str) -> dict[str, str]:
    """A bonus as templates see it; empty where there is none."""
    if told is None:
        return {}
    worth = told.worth if isinstance(told.worth, str) else number(told.worth, locale)
    return {"until": day(told.until, locale), "worth": worth}


def day(text: str, locale: str) -> str:
    """A day such as 2026-05-17 as the language writes it: `May 17` or `17 мая`; what is none stays as it is."""
    try:
        month, number_ = int(text[5:7]), int(text[8:10])
        name = _MONTHS["ru" if locale == "ru" else "en"][month - 1]
    except (ValueError, IndexError):
        return text
    return f"{number_}{_BLANK}{name}" if locale == "ru" else f"{name}{_BLANK}{number_}"


def customer(alert: Alert, locale: str) -> dict[str, Any]:
    """What a template of an alert may show of its customer: plain texts and numbers; what is not known is empty."""
    return {
        "who": alert.who,
        "phone": alert.phone,
        "cart": [line.name or line.product_id for line in alert.cart],
        "value": money(alert.value, alert.currency, locale) if alert.value else "",
        "viewed": [line.name or line.product_id for line in alert.views],
        "searched": list(alert.searches),
        "orders": alert.orders,
        "spent": money(alert.orders_total, alert.currency, locale) if alert.orders_total else "",
    }


def plain(value: Any) -> Any:
    """The same values without control characters and line breaks, for parts that nothing escapes."""
    if isinstance(value, str):
        if value.isprintable():
            return value
        return _CONTROL.sub(" ", value.replace("\r", " ").replace("\n", " "))
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value


FILTERS: dict[str, Callable[..., Any]] = {"plural": plural, "upper": lambda text: str(text).upper()[:1000]}
"""What templates may call besides a few of Jinja's own filters."""
