"""How much of an event's texts is kept in state, so that a row stays far below what a topic accepts. Pure."""

from app.model.event import Line, Properties

TEXT = 200
"""Characters of a name, a category or a query."""
ADDRESS = 1_000
"""Bytes of a web address; a longer one is left out, since half an address leads nowhere."""
_SHORT = 250
"""Texts that are no longer than this together need no closer look."""


def trim(properties: Properties) -> None:
    """Bound the texts of an event, and of its lines, in place."""
    _trim(properties)
    properties.query = properties.query[:TEXT]
    for line in properties.products or ():
        _trim(line)


def _trim(source: Properties | Line) -> None:
    if len(source.name) + len(source.category) + len(source.url) + len(source.image_url) <= _SHORT:
        return
    source.name, source.category = source.name[:TEXT], source.category[:TEXT]
    source.url, source.image_url = _address(source.url), _address(source.image_url)


def _address(url: str) -> str:
    return url if len(url) <= ADDRESS and (url.isascii() or len(url.encode()) <= ADDRESS) else ""
