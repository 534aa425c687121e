"""A message template of WhatsApp and what it is filled with, as our own template writes it: one `name: value` a line. Pure.

    template: cart_reminder
    language: ru
    image: https://shop.example/1.jpg
    body: Anna
    body: 5 160 RUB
    button: cart/42

Meta has approved the texts; here stand only the name, the language, and the values of the parameters in their order: `header` or `image`
once at most, `body` as often as the text has parameters, `button` once for each button whose address ends in one.
"""

from typing import Any, NamedTuple

from channels.unseen import one_line

MOST_BODY, MOST_HEADER, MOST_URL = 1_024, 60, 2_000
"""Characters of one value."""
MOST_LINES = 40
_ONCE = ("template", "language", "header", "image")
_MANY = {"body": MOST_BODY, "button": MOST_URL}


class Filled(NamedTuple):
    """A template with its values."""

    name: str
    language: str
    header: str = ""
    image: str = ""
    body: tuple[str, ...] = ()
    buttons: tuple[str, ...] = ()


def read(text: str) -> Filled:
    """The template that a text names. Raises ValueError that says which line is wrong, and what to write."""
    once: dict[str, str] = {}
    many: dict[str, list[str]] = {name: [] for name in _MANY}
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) > MOST_LINES:
        raise ValueError(f"more than {MOST_LINES} lines")
    for number, line in enumerate(lines, 1):
        name, colon, told = line.partition(":")
        name, value = name.strip(), one_line(told)
        if not colon or name not in (*_ONCE, *_MANY):
            raise ValueError(f"line {number}: begin with one of {', '.join((*_ONCE, *_MANY))} and a colon")
        if not value:
            raise ValueError(f"line {number}: {name} is empty, which WhatsApp refuses; give it a default")
        if name in _MANY:
            many[name].append(value[: _MANY[name]])
        elif name in once:
            raise ValueError(f"line {number}: {name} stands there twice")
        else:
            once[name] = value
    return _filled(once, many)


def _filled(once: dict[str, str], many: dict[str, list[str]]) -> Filled:
    for name, fits in (("template", _is_name), ("language", _is_language)):
        if not fits(once.get(name, "")):
            raise ValueError(f"{name}: {once.get(name, '')[:40]!r} is none; {_SUCH_AS[name]}")
    if "header" in once and "image" in once:
        raise ValueError("a template has a header or an image, not both")
    image = once.get("image", "")
    if image and not (image.startswith("https://") and len(image) <= MOST_URL):
        raise ValueError("image: must begin with https://")
    header = once.get("header", "")[:MOST_HEADER]
    return Filled(once["template"], once["language"], header, image, tuple(many["body"]), tuple(many["button"]))


_SUCH_AS = {"template": "write the name that Meta knows it by, such as cart_reminder", "language": "write ru or en_US"}


def _is_name(text: str) -> bool:
    return 0 < len(text) <= 512 and all(c.isascii() and (c.islower() or c.isdigit() or c == "_") for c in text)


def _is_language(text: str) -> bool:
    language, _, country = text.partition("_")
    return 2 <= len(language) <= 3 and language.isascii() and language.islower() and (not country or country.isalnum())


def as_json(filled: Filled) -> dict[str, Any]:
    """The `template` object of the Cloud API."""
    components: list[dict[str, Any]] = []
    if filled.image:
        components.append({"type": "header", "parameters": [{"type": "image", "image": {"link": filled.image}}]})
    if filled.header:
        components.append({"type": "header", "parameters": _texts((filled.header,))})
    if filled.body:
        components.append({"type": "body", "parameters": _texts(filled.body)})
    for index, value in enumerate(filled.buttons):
        button = {"type": "button", "sub_type": "url", "index": str(index), "parameters": _texts((value,))}
        components.append(button)
    return {"name": filled.name, "language": {"code": filled.language}, "components": components}


def _texts(values: tuple[str, ...]) -> list[dict[str, str]]:
    return [{"type": "text", "text": value} for value in values]
