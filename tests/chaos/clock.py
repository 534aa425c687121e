"""A wall clock that several processes share and a test moves: the machine's, and some seconds that stand in a file."""

import mmap
import struct

from app.clock import SYSTEM

_SECONDS = struct.Struct("<d")


class Ahead:
    """Ahead of the machine's clock. It runs, so nothing stands still between two moves; `advance` moves it for everybody."""

    def __init__(self, path):
        if not path.exists():
            path.write_bytes(_SECONDS.pack(0.0))
        with path.open("r+b") as file:
            self._seconds = mmap.mmap(file.fileno(), _SECONDS.size)

    @property
    def ahead(self):
        """Seconds."""
        return _SECONDS.unpack(self._seconds[: _SECONDS.size])[0]

    def now(self):
        return SYSTEM.now() + self.ahead

    def monotonic(self):
        return SYSTEM.monotonic()

    def advance(self, seconds):
        self._seconds[: _SECONDS.size] = _SECONDS.pack(self.ahead + seconds)
