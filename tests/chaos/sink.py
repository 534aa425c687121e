"""An SMTP server of the test's own that notes every message it takes, can hang, and can kill the sender in the middle of one."""

import asyncio
import re
from collections import Counter
from contextlib import asynccontextmanager

_TRIGGER = re.compile(rb"^X-Boomerang-Trigger: *(\S+)", re.MULTILINE | re.IGNORECASE)
POINTS = ("data", "text", "taken")
"""In DATA before we say go on; with the whole text read and not taken; with the text taken and nobody told."""


class Sink:
    """`taken`: trigger id -> how many messages of it were taken."""

    def __init__(self):
        self.taken = Counter()
        self.port = 0
        self.silent = asyncio.Event()
        self.silent.set()
        """While it is cleared nothing is answered."""
        self.open = set()
        self._doom = None

    @property
    def total(self):
        return self.taken.total()

    def kill_at(self, point, number, kill):
        """At the N-th passing of the point `kill()` is called, and the connection is answered no more. Returns an event."""
        assert point in POINTS, point
        self._doom = (point, number, kill, asyncio.Event())
        return self._doom[3]

    def spare(self):
        """Kill nobody."""
        self._doom = None

    def hang(self):
        """Answer nothing from now on."""
        self.silent.clear()

    def resume(self):
        """Answer new connections again; the old ones have been waited for in vain."""
        for session in set(self.open):
            session.transport.abort()
        self.silent.set()

    def passes(self, point):
        """Whether the one who speaks lives on after this point."""
        if self._doom is None or self._doom[0] != point:
            return True
        _, number, kill, done = self._doom
        if number > 1:
            self._doom = (point, number - 1, kill, done)
            return True
        self._doom = None
        kill()
        done.set()
        return False


class Session(asyncio.Protocol):
    """One connection. The least that is an SMTP server."""

    def __init__(self, sink):
        self._sink, self._pending, self._in_text, self._dead = sink, b"", False, False

    def connection_made(self, transport):
        self.transport = transport
        self._sink.open.add(self)
        self._answer(b"220 sink.example")

    def connection_lost(self, error):
        self._sink.open.discard(self)

    def _answer(self, line):
        if self._sink.silent.is_set():
            self.transport.write(line + b"\r\n")
        else:
            self._dead = True

    def data_received(self, data):
        self._pending += data
        while not self._dead:
            if self._in_text:
                text, found, rest = self._pending.partition(b"\r\n.\r\n")
            else:
                text, found, rest = self._pending.partition(b"\r\n")
            if not found:
                return
            self._pending = rest
            self._whole(text) if self._in_text else self._command(text)

    def _command(self, line):
        if line.upper() == b"DATA":
            self._in_text = True
            if not self._sink.passes("data"):
                self._dead = True
                return
            self._answer(b"354 go on")
        elif line.upper() == b"QUIT":
            self._answer(b"221 bye")
            self.transport.close()
        else:
            self._answer(b"250 OK")

    def _whole(self, text):
        self._in_text = False
        if not self._sink.silent.is_set() or not self._sink.passes("text"):
            self._dead = True
            return
        found = _TRIGGER.search(text)
        self._sink.taken[found[1].decode() if found else "?"] += 1
        if self._sink.passes("taken"):
            self._answer(b"250 2.0.0 taken")
        else:
            self._dead = True


@asynccontextmanager
async def sink():
    """Listening on a port of its own, in this loop."""
    taker = Sink()
    server = await asyncio.get_running_loop().create_server(lambda: Session(taker), "127.0.0.1", 0)
    taker.port = server.sockets[0].getsockname()[1]
    try:
        yield taker
    finally:
        server.close()
        for session in set(taker.open):
            session.transport.abort()
        await server.wait_closed()
