"""How much of an event is kept in state, so that a row stays far below what a topic accepts. Pure.

Texts are cut. Ids are not, since half an id is another one: an event with a longer one is refused. The collector lets none of this
through; other writers of the topics may not be so careful.
"""

from app.model.event import Line, Properties

TEXT = 200
"""Characters of a name, a category or a query."""
ADDRESS = 1_000
"""Bytes of a web address; a longer one is left out, since half an address leads nowhere."""
IDENTIFIER = 512
"""Characters of an id or a currency."""
EVENT_BYTES = 128 << 10
"""Bytes of a whole event or receipt. The collector takes 32 KiB."""
KEY_BYTES = 16 << 10
"""Bytes of a customer's key."""
_SHORT = 250
"""Texts that are no longer than this together need no closer look."""


class TooLargeError(ValueError):
    """An event that would make a row larger than any shop needs."""


def check_size(key: bytes | None, value: bytes) -> None:
    """Raise TooLargeError for a record that is larger than any of ours."""
    if len(value) > EVENT_BYTES or len(key or b"") > KEY_BYTES:
        raise TooLargeError(
            f"{len(value)} bytes under a key of {len(key or b'')}; {EVENT_BYTES} and {KEY_BYTES} are allowed"
        )


def trim(properties: Properties) -> None:
    """Bound the texts of an event, and of its lines, in place. Raises TooLargeError for an id that is too long."""
    _trim(properties)
    properties.query = properties.query[:TEXT]
    if len(properties.order_id) + len(properties.currency) > _SHORT:
        _check("order_id", properties.order_id)
        _check("currency", properties.currency)
    for line in properties.products or ():
        _trim(line)


def _trim(source: Properties | Line) -> None:
    known = len(source.product_id) + len(source.name) + len(source.category) + len(source.brand)
    if known + len(source.url) + len(source.image_url) <= _SHORT:
        return
    _check("product_id", source.product_id)
    source.name, source.category, source.brand = source.name[:TEXT], source.category[:TEXT], source.brand[:TEXT]
    source.url, source.image_url = _address(source.url), _address(source.image_url)


def _address(url: str) -> str:
    return url if len(url) <= ADDRESS and (url.isascii() or len(url.encode()) <= ADDRESS) else ""


def _check(name: str, text: str) -> None:
    if len(text) > IDENTIFIER:
        raise TooLargeError(f"{name} has {len(text)} characters; {IDENTIFIER} are allowed")
