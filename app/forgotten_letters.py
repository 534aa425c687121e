"""Dead letters of customers who were erased. Pure.

Kafka keeps a letter until the topic's retention is over. So the erasure leaves a note in the topic itself: digests of the
customer's keys, and when. A letter of before that names one of them, as its key or in a field that says who it is about, is neither
shown nor sent again, which would bring the customer back.
"""

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Any

import msgspec

from app.model.chat import client_key
from app.model.event import ANONYMOUS, EMAIL, PHONE
from app.model.journal import DeadLetter

ERASED = "erased"
"""`reason` of a note."""
MOST_VALUES = 20_000
"""Values of a letter that are looked at."""
_USER, _VISITOR = frozenset(("userid", "user_id")), frozenset(("anonymousid", "anonymous_id"))
_EITHER = frozenset(("previousid", "previous_id"))
_PHONES = frozenset(("phone", "phone_number", "wa_id"))


def note(keys: Iterable[str], now: float) -> DeadLetter:
    """The note about an erased customer; `now` is epoch seconds."""
    return DeadLetter(ERASED, now, value=" ".join(sorted(map(_digest, keys))).encode(), source="erase")


class Forgotten:
    """What the notes of a topic say."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def add(self, letter: DeadLetter) -> None:
        """Take a note in."""
        for digest in letter.value.decode("ascii", "replace").split():
            self._until[digest] = max(letter.at, self._until.get(digest, 0.0))

    def __contains__(self, letter: DeadLetter) -> bool:
        """Whether a letter is about somebody who was erased after it was written."""
        if not self._until:
            return False
        return any(self._until.get(_digest(name), -1.0) >= letter.at for name in names(letter))


def names(letter: DeadLetter) -> Iterator[str]:
    """The customers' keys that a letter may be about."""
    if letter.topic:
        yield letter.key.decode("utf-8", "replace")
    try:
        document = msgspec.json.decode(letter.value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    place = letter.source.split(":") if letter.source.startswith("chat:") else []
    for field, value in _values(document):
        yield from _keys(field.lower(), value)
        if len(place) == 3:
            yield client_key(place[1], place[2], value)


def _keys(field: str, value: str) -> Iterator[str]:
    if field in _USER or field in _EITHER:
        yield value
    if field in _VISITOR or field in _EITHER:
        yield ANONYMOUS + value
    if field == "email":
        yield EMAIL + value.strip().lower()
    if field in _PHONES:
        yield PHONE + "+" + "".join(filter(str.isdigit, value))


def _values(document: Any) -> Iterator[tuple[str, str]]:
    """The texts and whole numbers of a document, each with the name of its field."""
    waiting: list[tuple[str, Any]] = [("", document)]
    for _ in range(MOST_VALUES):
        if not waiting:
            return
        field, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [(str(name), inner) for name, inner in value.items()]
        elif isinstance(value, list):
            waiting += [(field, inner) for inner in value]
        elif isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
            yield field, str(value)


def _digest(key: str) -> str:
    return blake2b(key.encode("utf-8", "replace"), digest_size=16, person=b"erased").hexdigest()
