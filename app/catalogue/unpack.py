"""A feed may be packed by gzip: unpacked in small pieces, and no further than is plausible. Pure."""

import zlib
from collections.abc import Iterator

from app.catalogue.refusal import FeedRefusedError

PIECE = 64 << 10
"""Bytes unpacked at once."""
GZIP = b"\x1f\x8b"
MOST_BYTES = 16 << 30
"""Of the unpacked feed."""
FREE_BYTES = 64 << 20
MOST_RATIO = 300
"""Times that a file may grow by unpacking once it has passed FREE_BYTES: markup grows to some 30 times its size, a bomb to 1,000 times."""


class Unpacker:
    """Gives the bytes of a feed, unpacked if they are packed."""

    def __init__(self) -> None:
        self._head = b""
        self._gzip: bool | None = None
        self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self.taken = self.given = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The pieces that follow from this one. Raises FeedRefusedError."""
        self.taken += len(data)
        if self._gzip is None:
            data = self._head + data
            if len(data) < len(GZIP):
                self._head = data
                return
            self._gzip = data.startswith(GZIP)
            if data.startswith(b"PK"):
                raise FeedRefusedError("the file is a zip archive; unpack it, or pack it by gzip")
        for start in range(0, len(data), PIECE):
            part = data[start : start + PIECE]
            for piece in self._inflated(part) if self._gzip else (part,):
                self._count(piece)
                yield piece

    def end(self) -> Iterator[bytes]:
        """The file is over. Raises FeedRefusedError when the packed one is not."""
        if self._gzip and not self._inflate.eof:
            raise FeedRefusedError("the packed file ends too early: it is cut off; fetch or write it again")
        if self._gzip is None and self._head:
            yield self._head

    def _inflated(self, data: bytes) -> Iterator[bytes]:
        try:
            while data:
                if self._inflate.eof:
                    if not data.strip(b"\0"):
                        return  # padding; anything else is a further part: a packed file may consist of several
                    self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
                piece = self._inflate.decompress(data, PIECE)
                data = self._inflate.unconsumed_tail or self._inflate.unused_data
                if piece:
                    yield piece
            while piece := self._inflate.decompress(b"", PIECE):
                yield piece
        except zlib.error as error:
            raise FeedRefusedError(f"the packed file is damaged: {error}") from None

    def _count(self, piece: bytes) -> None:
        self.given += len(piece)
        if self.given > MOST_BYTES:
            raise FeedRefusedError(f"the feed has more than {MOST_BYTES >> 30} GiB")
        if self._gzip and self.given > FREE_BYTES and self.given > MOST_RATIO * self.taken:
            raise FeedRefusedError(f"the packed file grows to more than {MOST_RATIO} times its size: this is no feed")
