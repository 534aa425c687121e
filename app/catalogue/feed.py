"""A feed from pieces of bytes as they come: what it offers, and what in it cannot be used. Pure."""

import codecs
from collections.abc import Iterable, Iterator

from app.catalogue import google, yml
from app.catalogue.elements import ROOTS, Element, ElementStream
from app.catalogue.refusal import BadOfferError, Fault, FeedRefusedError
from app.catalogue.table import Row, TableStream
from app.catalogue.unpack import Unpacker
from app.model.catalogue import Offer

FORMATS = ("yml", "google", "tsv")
"""YML; Google Merchant as RSS or Atom; the same as a table."""
MOST_OFFERS = 5_000_000
_HEAD = 1024
"""Bytes that are looked at to see what the file is."""
_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Feed:
    """One feed. `form`: one of FORMATS, "" to find out; `encoding`: in place of the one that the file declares; `now`: epoch seconds."""

    def __init__(self, now: float, form: str = "", encoding: str = "") -> None:
        if encoding:
            _need_encoding(encoding)
        self._now, self._form, self._encoding = now, form, encoding
        self._unpacker = Unpacker()
        self._head = b""
        self._stream: ElementStream | TableStream | None = None
        self._categories = yml.Categories()
        self.offers = 0
        """Good and bad ones read so far."""
        self.line = 0
        """The line on which the last of them begins."""

    @property
    def taken(self) -> int:
        """Bytes of the file read so far, as they lie there."""
        return self._unpacker.taken

    def feed(self, data: bytes) -> Iterator[Offer | Fault]:
        """What has ended in this piece. Raises FeedRefusedError."""
        for piece in self._unpacker.feed(data):
            yield from self._take(piece)

    def end(self) -> Iterator[Offer | Fault]:
        """The file is over. Raises FeedRefusedError when it should not be, or offers nothing."""
        for piece in self._unpacker.end():
            yield from self._take(piece)
        if self._stream is None:
            yield from self._begin()
        if isinstance(self._stream, ElementStream):
            yield from self._elements(self._stream.end())
        elif self._stream is not None:
            yield from self._rows(self._stream.end())
        if not self.offers:
            raise FeedRefusedError("there is no offer in it")

    def _take(self, piece: bytes) -> Iterator[Offer | Fault]:
        if self._stream is None:
            self._head += piece
            if len(self._head) >= _HEAD:
                yield from self._begin()
        elif isinstance(self._stream, ElementStream):
            yield from self._elements(self._stream.feed(piece))
        else:
            yield from self._rows(self._stream.feed(piece))

    def _begin(self) -> Iterator[Offer | Fault]:
        """Find out what the file is by its first bytes."""
        head, self._head = self._head, b""
        text = head.replace(b"\0", b"")
        for mark in _MARKS:
            text = text.removeprefix(mark)
        markup = text.lstrip().startswith(b"<")
        if self._form and markup != (self._form != "tsv"):
            raise FeedRefusedError(f"the file is {'XML' if markup else 'no XML'}, and {self._form} was asked for")
        if markup:
            self._stream = ElementStream(yml.FIELDS | google.FIELDS, self._encoding)
        else:
            self._stream = TableStream(self._encoding)
        yield from self._take(head)

    def _elements(self, elements: Iterable[Element]) -> Iterator[Offer | Fault]:
        stream = self._stream
        if isinstance(stream, ElementStream) and self._form and stream.root and ROOTS[stream.root] != self._form:
            raise FeedRefusedError(f"the file is {ROOTS[stream.root]}, and {self._form} was asked for")
        for element in elements:
            if element.tag == "category":
                self._categories.take(element)
                continue
            self._count(element.line)
            known = element.attributes.get("id", "") or element.fields.get("g:id", "")
            try:
                if element.tag == "offer":
                    yield yml.offer(element, self._categories)
                else:
                    yield google.offer(element.fields, self._now)
            except BadOfferError as error:
                yield Fault(element.line, self.offers, known.strip(), str(error))

    def _rows(self, rows: Iterable[Row]) -> Iterator[Offer | Fault]:
        for row in rows:
            self._count(row.line)
            if row.fields is None:
                yield Fault(row.line, self.offers, "", "it has another number of cells than the first line")
                continue
            try:
                yield google.offer(row.fields, self._now)
            except BadOfferError as error:
                yield Fault(row.line, self.offers, row.fields.get("id", "").strip(), str(error))

    def _count(self, line: int) -> None:
        self.offers, self.line = self.offers + 1, line
        if self.offers > MOST_OFFERS:
            raise FeedRefusedError(f"line {line}: more than {MOST_OFFERS:,} offers")


def _need_encoding(name: str) -> None:
    try:
        " ".encode(name)  # not every codec is of text
    except (LookupError, ValueError):
        raise FeedRefusedError(
            f"there is no encoding {name[:40]!r}; say for instance --encoding windows-1251"
        ) from None
