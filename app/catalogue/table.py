"""Google Merchant's feed as a table: tab-separated, its first line names the columns. From pieces as they come."""

import codecs
import csv
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from app.catalogue.google import COLUMNS
from app.catalogue.refusal import FeedRefusedError

LONGEST_LINE = 256 << 10
"""Characters of a line, and of a record of several lines."""
MOST_LINES = 100
"""Lines of a record whose cells hold line breaks."""
_QUOTE = '"'
NEEDED = ("id", "title", "price")


class Row(NamedTuple):
    """A record, by the number of its first line. `fields` of None: it has another number of cells than the first one."""

    line: int
    fields: Mapping[str, str] | None


class _Lines:
    """Physical lines for the CSV reader, which takes as many as a record has: a quoted cell may hold line breaks.

    It gets no more than a record may have. So a quote that is never closed costs its own line, and not the rest of the feed.
    """

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines, self.at = lines, 0
        self._first, self._size = 0, 0

    def begin(self) -> None:
        """The next record begins."""
        self._first, self._size = self.at, 0

    @property
    def ran_out(self) -> bool:
        """Whether the record may go on in lines that are not there yet."""
        return self.at == len(self._lines) and self._has_room()

    def _has_room(self) -> bool:
        return self.at - self._first < MOST_LINES and self._size <= LONGEST_LINE

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self.at == len(self._lines) or not self._has_room():
            raise StopIteration
        line = self._lines[self.at]
        self.at += 1
        self._size += len(line)
        return line.rstrip("\r") + "\n"


class TableStream:
    """Takes the bytes of a file, gives its rows. The encoding is UTF-8 (UTF-16 with its mark) unless it is named."""

    def __init__(self, encoding: str = "") -> None:
        self._encoding = encoding
        self._decoder: codecs.IncrementalDecoder | None = None
        self._rest = ""
        self._lines: list[str] = []
        """Whole lines of a record that has not ended."""
        self._line = 0
        """Lines that are done with."""
        self._head: list[str] = []

    def feed(self, data: bytes) -> Iterator[Row]:
        """The rows that have ended in this piece. Raises FeedRefusedError."""
        self._rest += self._decoded(data, final=False)
        if "\n" in self._rest:
            *lines, self._rest = self._rest.split("\n")
            self._lines += lines
            yield from self._rows(final=False)
        self._need_short(self._rest, len(self._lines))

    def end(self) -> Iterator[Row]:
        """The file is over. Raises FeedRefusedError when it ends within a line."""
        self._rest += self._decoded(b"", final=True)
        self._lines.append(self._rest)
        last, self._rest = self._line + len(self._lines), ""
        for row in self._rows(final=True):
            if row.fields is None and row.line == last:
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

    def _need_short(self, line: str, ahead: int) -> None:
        if len(line) > LONGEST_LINE:
            raise FeedRefusedError(
                f"line {self._line + ahead + 1} is longer than {LONGEST_LINE >> 10} Ki characters: this is no table"
            )

    def _rows(self, *, final: bool) -> Iterator[Row]:
        """The rows of the lines that are there. What may go on in the next piece waits for it, unless this is the `final` one."""
        for number, line in enumerate(self._lines):
            self._need_short(line, number)
        lines, begun = _Lines(self._lines), self._line
        while lines.at < len(self._lines):
            first = lines.at
            lines.begin()
            self._line = begun + first + 1
            try:
                cells = next(csv.reader(lines, delimiter="\t", strict=True))
            except csv.Error:
                if lines.ran_out and not final and _QUOTE in self._lines[first]:
                    lines.at = first
                    break
                lines.at = first + 1
                yield Row(self._line, None)
                continue
            row = self._row(cells)
            if row is not None:
                if row.fields is None:
                    lines.at = first + 1  # a stray quote, if it was more than one line: the others stand for themselves
                yield row
        self._line = begun + lines.at
        del self._lines[: lines.at]

    def _row(self, cells: list[str]) -> Row | None:
        if not any(map(str.strip, cells)):
            return None
        if not self._head:
            self._name(cells)
            return None
        if len(cells) != len(self._head):
            return Row(self._line, None)
        return Row(self._line, {name: cell for name, cell in zip(self._head, cells, strict=True) if name})

    def _name(self, cells: list[str]) -> None:
        head = ["_".join(cell.strip().lower().removeprefix("g:").split()) for cell in cells]
        missing = [name for name in NEEDED if name not in head]
        if missing:
            raise FeedRefusedError(
                f"line {self._line}: no column {missing[0]!r}; the first line must name the columns, tab-separated, of {', '.join(COLUMNS)}"
            )
        self._head = [name if name in COLUMNS else "" for name in head]
