"""Dead letters of the collector: events that were refused, kept with their reason so that they can be mended and replayed. Pure."""

import json
from hashlib import blake2b
from typing import Any

import orjson

from app import topics
from app.codec import encode_json
from app.model.journal import DeadLetter
from app.web.collector.record import Record
from app.web.collector.refusal import Refused

VALUE_LIMIT = 64 * 1024
_KEY = b"collector"


def dead_letter(
    raw: Any, refused: Refused, source: str, received: float, topic: str, partitions: int, *, origin: str = "collector"
) -> Record:
    """The record for a refused event. Its `source` is `collector:<kind of the write key>`, or another origin's.

    A retry gives the same id.
    """
    value = _written(raw)
    letter = DeadLetter(
        reason=refused.reason,
        at=received,
        key=_KEY,
        value=value[:VALUE_LIMIT],
        detail=refused.detail,
        source=f"{origin}:{source}",
    )
    id_ = blake2b(value, digest_size=16, key=_KEY, person=source[:16].encode()).digest()
    return Record(topic, int.from_bytes(id_[:4], "big") % partitions, _KEY, encode_json(letter), id_)


def topic_name(prefix: str) -> str:
    """The full name of the topic."""
    return prefix + topics.DEAD_LETTERS.name


def _written(raw: Any) -> bytes:
    """The event's JSON. What strict JSON cannot say (NaN, half an emoji) is written as Python's `json` does."""
    try:
        return orjson.dumps(raw)
    except (TypeError, ValueError):
        pass
    try:
        return json.dumps(raw).encode()
    except (TypeError, ValueError, RecursionError):
        return b""
