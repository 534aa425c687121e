"""Files of events, read one by one: our own or Segment's JSON lines, a JSON array, or the CSV of REES46's Open CDP.

Everything comes out as Segment-shaped dictionaries, in the file's order. Source of the CSV's columns: REES46 "eCommerce
behavior data from multi category store".
"""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from app.errors import CommandError

Document = dict[str, Any]

REES46_COLUMNS = {"event_time", "event_type", "product_id", "category_id", "price", "user_id", "user_session"}
EVENT_OF = {"view": "Product Viewed", "cart": "Product Added", "remove_from_cart": "Product Removed"}
LONGEST_LINE = 1 << 20


def read(path: Path, *, addresses: bool = False) -> Iterator[Document]:
    """The events of a file, plain or gzipped. Raises CommandError for what cannot be read, naming the line.

    `addresses` puts an `identify` with a made-up address and consent before each visitor's first event, so that messages
    can be sent (to the dev inbox) for recordings that have no addresses.
    """
    try:
        with _open(path) as stream:
            events = _rees46(stream, path) if _is_csv(stream) else _json(stream, path)
            yield from _with_addresses(events) if addresses else events
    except FileNotFoundError:
        raise CommandError(f"{path}: no such file") from None
    except OSError as error:
        if isinstance(error, gzip.BadGzipFile):
            raise CommandError(f"{path}: cannot be read to its end ({error})") from None
        raise CommandError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (EOFError, zlib.error, UnicodeDecodeError) as error:
        raise CommandError(f"{path}: cannot be read to its end ({error})") from None


@contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    with path.open("rb") as stream:
        magic = stream.read(2)
        stream.seek(0)
        if magic != b"\x1f\x8b":
            yield stream
            return
        with gzip.GzipFile(fileobj=stream) as plain, io.BufferedReader(plain) as buffered:
            yield buffered


def _is_csv(stream: BinaryIO) -> bool:
    head = stream.peek(512)[:512].split(b"\n", 1)[0]  # type: ignore[attr-defined]
    return set(head.decode("utf-8", "replace").strip().split(",")) >= REES46_COLUMNS


def _json(stream: BinaryIO, path: Path) -> Iterator[Document]:
    first = stream.peek(64)[:64].lstrip()[:1]  # type: ignore[attr-defined]
    if first == b"[":
        try:
            found = orjson.loads(stream.read())
        except orjson.JSONDecodeError as error:
            raise CommandError(f"{path}: line {error.lineno} is not JSON ({error})") from None
        yield from _documents(found, path, 1)
        return
    for number, line in enumerate(iter(lambda: stream.readline(LONGEST_LINE), b""), 1):
        if line.strip():
            try:
                document = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise CommandError(f"{path}: line {number} is not JSON ({error})") from None
            yield from _documents(document, path, number)


def _documents(found: Any, path: Path, number: int) -> Iterator[Document]:
    """One event, a list of them, or Segment's `{"batch": [...]}`."""
    if isinstance(found, dict) and isinstance(found.get("batch"), list):
        found = found["batch"]
    for item in found if isinstance(found, list) else [found]:
        if not isinstance(item, dict):
            raise CommandError(f"{path}: line {number} holds {type(item).__name__} where an event is expected")
        yield item


def _rees46(stream: BinaryIO, path: Path) -> Iterator[Document]:
    text = io.TextIOWrapper(stream, "utf-8", newline="")
    try:
        for number, row in enumerate(csv.DictReader(text), 1):
            try:
                yield _of_rees46(row, number)
            except (KeyError, ValueError, AttributeError) as error:
                raise CommandError(f"{path}: row {number} is not of the REES46 format ({error!r})") from None
    finally:
        text.detach()  # the stream is closed by whoever has opened it


def _of_rees46(row: dict[str, str], number: int) -> Document:
    name = " ".join(filter(None, (row.get("brand"), row["category_code"].rsplit(".", 1)[-1]))) or row["product_id"]
    line: Document = {
        "product_id": row["product_id"],
        "name": name,
        "category": row["category_id"],
        "price": float(row["price"] or 0),
        "brand": row.get("brand") or "",
    }
    common: Document = {
        "type": "track",
        "messageId": f"rees46-{number}",
        "userId": row["user_id"],
        "timestamp": row["event_time"].removesuffix(" UTC").replace(" ", "T") + "Z",
    }
    if row["event_type"] == "purchase":
        bought = {"order_id": f"rees46-{number}", "total": line["price"], "currency": "USD", "products": [line]}
        return {**common, "event": "Order Completed", "properties": bought}
    return {**common, "event": EVENT_OF[row["event_type"]], "properties": {**line, "currency": "USD"}}


def _with_addresses(events: Iterator[Document]) -> Iterator[Document]:
    seen: set[str] = set()
    for event in events:
        user = event.get("userId")
        if user and user not in seen:
            seen.add(user)
            yield {
                "type": "identify",
                "messageId": f"replay-address-{user}",
                "userId": user,
                "timestamp": event["timestamp"],
                "traits": {"email": f"visitor-{user}@replay.example", "consent": {"email": True}},
            }
        yield event
