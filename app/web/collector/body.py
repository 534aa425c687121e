"""Request bodies: sniffed gzip with a bound, strict JSON, and a second chance for the good events of a bad batch. Pure.

The Content-Type is ignored: clients send JSON as `text/plain`, as a form, gzipped without a header. NaN, infinities, lone
surrogates and an object that says a key twice are not JSON that everybody reads alike: such a body is read again leniently,
so that only the events that hold them are refused (`not_finite`, `duplicate_keys`) or mended (a lone surrogate, half an
emoji cut by a client, becomes U+FFFD).
"""

import json
import math
import re
import zlib
from typing import Any

import orjson

from app.model.reasons import BadInput
from app.web.collector.refusal import Refused

BODY_LIMIT = 500 * 1024
"""Bytes of a body, as it came and after decompression."""


_KEY = re.compile(rb'"\s*:')
"""Each key of a document ends like this at least once."""


class Repeated(dict[str, Any]):
    """An object that said a key twice; `mend` refuses it."""


class TooLarge(Exception):  # noqa: N818 - a verdict, not a fault of the program
    """The body exceeds the bound: 413."""


def inflate(body: bytes) -> bytes:
    """The body without its gzip wrapping, if it has one. Never holds more than the bound. Raises TooLarge, Refused."""
    if body[:2] != b"\x1f\x8b":
        return body
    inflator = zlib.decompressobj(wbits=31)
    try:
        plain = inflator.decompress(body, BODY_LIMIT + 1)
    except zlib.error:
        raise Refused(BadInput.NOT_JSON, "gzip") from None
    if len(plain) > BODY_LIMIT:
        raise TooLarge
    if not inflator.eof or inflator.unused_data:
        raise Refused(BadInput.NOT_JSON, "gzip")
    return plain


def parse(body: bytes) -> tuple[Any, bool]:
    """The JSON document, and whether its events need `mend` first. Raises Refused."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if "depth limit" in str(error):
            raise Refused(BadInput.TOO_DEEP) from None
    else:
        if _says_each_key_once(body, document):
            return document, False
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise Refused(BadInput.NOT_UTF8) from None
    try:
        return json.loads(text, object_pairs_hook=_object), True
    except RecursionError:
        raise Refused(BadInput.TOO_DEEP) from None
    except ValueError:
        raise Refused(BadInput.NOT_JSON) from None


def _says_each_key_once(body: bytes, document: Any) -> bool:
    """Whether an object of the body surely says no key twice; False: it wants a second look.

    A key that is said twice is read once, so the document is written without it and the colon that follows it. Other colons
    stand in texts, and are written as they came unless they came as an escape. Only where that does not tell the keys are counted.
    """
    try:
        written = orjson.dumps(document)
    except TypeError:  # deeper than orjson writes
        pass
    else:
        if written == body:
            return True
        if body.count(b":") == written.count(b":") and b"\\u003a" not in body and b"\\u003A" not in body:
            return True
    return len(_KEY.findall(body)) == _keys(document)


def _keys(document: Any) -> int:
    """How many keys all objects of a document have."""
    count, waiting = 0, [document]
    while waiting:
        value = waiting.pop()
        if value.__class__ is dict:
            count += len(value)
            value = value.values()
        elif value.__class__ is not list:
            continue
        waiting += [item for item in value if item.__class__ is dict or item.__class__ is list]
    return count


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    told = dict(pairs)
    return told if len(told) == len(pairs) else Repeated(told)


def mend(value: Any, levels: int) -> Any:
    """A leniently read value as strict JSON would have it, at most `levels` deep. Raises Refused."""
    kind = type(value)
    if kind is Repeated:
        raise Refused(BadInput.DUPLICATE_KEYS)
    if kind is str:
        return value if value.isascii() else value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if kind is float:
        if not math.isfinite(value):
            raise Refused(BadInput.NOT_FINITE)
        return value
    if kind is int:
        if not -(1 << 63) <= value < 1 << 64:
            return mend(_as_float(value), levels)
        return value
    if kind is not dict and kind is not list:
        return value
    if levels == 0:
        raise Refused(BadInput.TOO_DEEP)
    if kind is dict:
        return {mend(key, levels): mend(item, levels - 1) for key, item in value.items()}
    return [mend(item, levels - 1) for item in value]


def _as_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf
