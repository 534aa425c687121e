"""Where an import lies until it is complete: a file on disk, so that memory does not grow with the feed.

It holds what the feed offers and what was known before, both in the order of their ids. The file has no name once it is open: whatever
ends the process, nothing stays behind. The only user of sqlite3.
"""

import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from app.catalogue.diff import Pair, paired
from app.catalogue.refusal import FeedRefusedError
from app.codec import decode_product
from app.model.catalogue import Offer, Product

CACHE_KIB = 8_192
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Offer).decode
_TABLES = (
    f"PRAGMA cache_size = -{CACHE_KIB}",
    "PRAGMA journal_mode = OFF",
    "PRAGMA synchronous = OFF",
    "CREATE TABLE feed (id TEXT PRIMARY KEY, offer BLOB) WITHOUT ROWID",
    "CREATE TABLE former (id TEXT PRIMARY KEY, product BLOB NOT NULL) WITHOUT ROWID",
)


class Spool:
    """One import's file in `folder`. Use as a context manager; raises FeedRefusedError when the disk does not take it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Self:
        """Make it."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._folder, prefix="catalogue-") as file:
                self._db = sqlite3.connect(file.name, isolation_level=None)
                for statement in _TABLES:
                    self._db.execute(statement)
            self._db.execute("BEGIN")
        except (OSError, sqlite3.Error) as error:
            raise FeedRefusedError(f"nothing can be written in {self._folder}: {error}; see BOOMERANG_DATA") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop it."""
        del kind, error, trace
        self._db.close()

    def offer(self, offer: Offer) -> bool:
        """Keep an offer of the feed; whether its id is new to it."""
        return self._insert("INSERT OR IGNORE INTO feed VALUES (?, ?)", offer.id, _encode(offer))

    def unreadable(self, product_id: str) -> None:
        """The feed has this product, but what it says of it cannot be used."""
        self._insert("INSERT OR IGNORE INTO feed VALUES (?, ?)", product_id, None)

    def former(self, product_id: str, product: bytes | None) -> None:
        """What is known of a product, as its row has it; a later one counts. None: nothing."""
        if product is None:
            self._insert("DELETE FROM former WHERE id = ?", product_id)
        else:
            self._insert("INSERT OR REPLACE INTO former VALUES (?, ?)", product_id, product)

    def pairs(self) -> Iterator[Pair]:
        """Every product of either side, in the order of their ids."""
        return paired(self._former(), self._feed())

    def _insert(self, statement: str, *values: str | bytes | None) -> bool:
        try:
            return self._db.execute(statement, values).rowcount == 1
        except sqlite3.Error as error:
            raise FeedRefusedError(f"the disk of {self._folder} does not take the feed: {error}") from None

    def _former(self) -> Iterator[tuple[str, Product]]:
        for product_id, product in self._db.execute("SELECT id, product FROM former ORDER BY id"):
            yield product_id, decode_product(product)

    def _feed(self) -> Iterator[tuple[str, Offer | None]]:
        for product_id, offer in self._db.execute("SELECT id, offer FROM feed ORDER BY id"):
            yield product_id, None if offer is None else _decode(offer)
