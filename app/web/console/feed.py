"""The live feed's hub: lines come in once and go out to every open page, bounded on each side.

A page that reads too slowly loses its oldest lines and is told how many; events give way before triggers and sends. A page
that comes back with Last-Event-ID gets what it missed, as far as the ring reaches, and nothing twice.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator
from typing import Any

import msgspec

from app.web.console.lines import FeedLine, tally

RING = 400
"""Lines kept for pages that open or come back."""
PLAIN_QUEUE = 150
WEIGHTY_QUEUE = 150
CLIENTS = 50
FLUSH_SECONDS = 0.2
HEARTBEAT_SECONDS = 15.0
GREETING = 60
"""Lines that a newly opened page is shown."""

_encode = msgspec.json.Encoder().encode


def message(event: str, data: Any, number: str = "") -> bytes:
    """One server-sent event. JSON has no raw line ends, so `data` is one line."""
    head = f"id: {number}\n" if number else ""
    return f"{head}event: {event}\ndata: ".encode() + _encode(data) + b"\n\n"


class Client:
    """One open page: two bounded queues, and how many lines it has lost."""

    def __init__(self) -> None:
        self.plain: deque[tuple[int, bytes]] = deque()
        self.weighty: deque[tuple[int, bytes]] = deque()
        self.notes: dict[str, Any] = {}
        self.lost = 0
        self.wake = asyncio.Event()

    def put(self, number: int, data: bytes, *, weighty: bool) -> None:
        """Queue a line; the oldest of its queue goes when that is full."""
        queue, limit = (self.weighty, WEIGHTY_QUEUE) if weighty else (self.plain, PLAIN_QUEUE)
        if len(queue) >= limit:
            queue.popleft()
            self.lost += 1
        queue.append((number, data))
        self.wake.set()

    def note(self, event: str, data: Any) -> None:
        """Set a value of which only the newest matters."""
        self.notes[event] = data
        self.wake.set()

    def take(self) -> bytes:
        """Everything that waits, in order, as one block."""
        self.wake.clear()
        parts = []
        if self.lost:
            parts.append(message("lost", {"lines": self.lost}))
            self.lost = 0
        parts += [data for _, data in sorted([*self.plain, *self.weighty])]
        parts += [message(event, data) for event, data in self.notes.items()]
        self.plain.clear()
        self.weighty.clear()
        self.notes.clear()
        return b"".join(parts)


class Feed:
    """All open pages. `boot` names this run of the console: numbers of another run mean nothing here."""

    def __init__(self, boot: str) -> None:
        self.boot = boot
        self.totals: Counter[str] = Counter()
        self._ring: deque[tuple[int, bytes, bool]] = deque(maxlen=RING)
        self._clients: set[Client] = set()
        self._last = 0
        self._notes: dict[str, Any] = {}
        self.closing = asyncio.Event()

    @property
    def clients(self) -> int:
        """Number of open pages."""
        return len(self._clients)

    def publish(self, line: FeedLine) -> None:
        """Give a line to everyone."""
        self._last += 1
        counter = tally(line)
        if counter:
            self.totals[counter] += 1
        data = message("line", line, f"{self.boot}-{self._last}")
        self._ring.append((self._last, data, line.weighty))
        for client in self._clients:
            client.put(self._last, data, weighty=line.weighty)

    def note(self, event: str, data: Any) -> None:
        """Give everyone the newest value of something, and to those who come later too."""
        if self._notes.get(event) == data:
            return
        self._notes[event] = data
        for client in self._clients:
            client.note(event, data)

    def join(self, last_id: str = "") -> Client:
        """A new client, with what it missed since `last_id`."""
        client = Client()
        boot, _, number = last_id.rpartition("-")
        if boot == self.boot and number.isascii() and number.isdigit() and len(number) < 19:
            seen = int(number)
            first = self._ring[0][0] if self._ring else self._last + 1
            client.lost = max(0, first - seen - 1)
            missed = [item for item in self._ring if item[0] > seen]
        else:
            missed = list(self._ring)[-GREETING:]
        for at, data, weighty in missed:
            client.put(at, data, weighty=weighty)
        for event, data in self._notes.items():
            client.note(event, data)
        client.wake.set()
        self._clients.add(client)
        return client

    def leave(self, client: Client) -> None:
        """The page is closed."""
        self._clients.discard(client)

    async def stream(self, client: Client) -> AsyncGenerator[bytes]:
        """The bytes for one page until it goes away or the console stops."""
        try:
            yield b"retry: 2000\n\n" + message("hello", {"boot": self.boot})
            while not self.closing.is_set():
                try:
                    await asyncio.wait_for(client.wake.wait(), HEARTBEAT_SECONDS)
                except TimeoutError:
                    yield b": here\n\n"
                    continue
                block = client.take()
                if block:
                    yield block
                await asyncio.sleep(FLUSH_SECONDS)
        finally:
            self.leave(client)

    def close(self) -> None:
        """End every stream."""
        self.closing.set()
        for client in self._clients:
            client.wake.set()
