"""Google Merchant's feed as a table: tab-separated, its first line names the columns. From pieces as they come."""

import codecs
import csv
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from app.catalogue.google import COLUMNS
from app.catalogue.refusal import FeedRefusedError

LONGEST_LINE = 256 << 10
"""Characters."""
NEEDED = ("id", "title", "price")


class Row(NamedTuple):
    """A line. `fields` of None: it has another number of cells than the first line."""

    line: int
    fields: Mapping[str, str] | None


class TableStream:
    """Takes the bytes of a file, gives its rows. The encoding is UTF-8 (UTF-16 with its mark) unless it is named."""

    def __init__(self, encoding: str = "") -> None:
        self._encoding = encoding
        self._decoder: codecs.IncrementalDecoder | None = None
        self._rest = ""
        self._line = 0
        self._head: list[str] = []

    def feed(self, data: bytes) -> Iterator[Row]:
        """The rows that have ended in this piece. Raises FeedRefusedError."""
        self._rest += self._decoded(data, final=False)
        if "\n" in self._rest:
            *lines, self._rest = self._rest.split("\n")
            for line in lines:
                yield from self._row(line)
        self._need_short(self._rest)

    def end(self) -> Iterator[Row]:
        """The file is over. Raises FeedRefusedError when it ends within a line."""
        self._rest += self._decoded(b"", final=True)
        line, self._rest = self._rest, ""
        for row in self._row(line):
            if row.fields is None:
                raise FeedRefusedError(
                    f"line {row.line}: the file ends within it: it is cut off; fetch or write it again"
                )
            yield row
        if not self._head:
            raise FeedRefusedError("the file is empty")

    def _decoded(self, data: bytes, *, final: bool) -> str:
        if self._decoder is None:
            wide = data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
            name = self._encoding or ("utf-16" if wide else "utf-8-sig")
            self._decoder = codecs.getincrementaldecoder(name)("strict")
        try:
            return self._decoder.decode(data, final)
        except UnicodeError:
            raise FeedRefusedError(
                f"after line {self._line}: the text is not {self._encoding or 'UTF-8'}; "
                "--encoding windows-1251 names another encoding"
            ) from None

    def _need_short(self, line: str) -> None:
        if len(line) > LONGEST_LINE:
            raise FeedRefusedError(
                f"line {self._line + 1} is longer than {LONGEST_LINE >> 10} Ki characters: this is no table"
            )

    def _row(self, line: str) -> Iterator[Row]:
        self._line += 1
        self._need_short(line)
        line = line.rstrip("\r")
        if not line.strip():
            return
        try:
            cells = next(csv.reader([line], delimiter="\t", strict=True))
        except csv.Error:
            yield Row(self._line, None)
            return
        if not self._head:
            self._name(cells)
        elif len(cells) != len(self._head):
            yield Row(self._line, None)
        else:
            yield Row(self._line, {name: cell for name, cell in zip(self._head, cells, strict=True) if name})

    def _name(self, cells: list[str]) -> None:
        head = ["_".join(cell.strip().lower().removeprefix("g:").split()) for cell in cells]
        missing = [name for name in NEEDED if name not in head]
        if missing:
            raise FeedRefusedError(
                f"line {self._line}: no column {missing[0]!r}; the first line must name the columns, tab-separated, of {', '.join(COLUMNS)}"
            )
        self._head = [name if name in COLUMNS else "" for name in head]
