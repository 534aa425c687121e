"""A mail relay and a Redis in memory. The relay has moods; what it has accepted is what a customer would have in the mailbox."""

import asyncio
import re
from collections import Counter

from channels.smtp_pool import Lost, RelayDown, Reply

_ID = re.compile(rb"^Message-ID: *<([^@>]+)@", re.MULTILINE | re.IGNORECASE)
TIMEOUT = 30.0


class Relay:
    """One for all senders."""

    def __init__(self, rng, wall):
        self.rng, self.wall = rng, wall
        self.accepted = []
        """(message id, true time), one for each time that a mail was taken."""
        self.on_taken = lambda _message: None
        """Told of each mail that was taken."""
        self.on_handed = lambda _message, _prepared: None
        """Told of each mail whose whole text has come, taken or not."""
        self.on_asked = None
        """Awaited with the words of each command before it is answered, where it is set."""
        self.down_until = 0.0
        self.moody_until = 0.0
        self.calm = False
        self.lost = Counter()
        """Message id -> how often nobody was told whether it was taken."""

    def mood(self, phase):
        """ok, 4xx, 5xx, gone, taken-and-gone, hang or taken-and-hang."""
        if self.calm:
            return "ok"
        luck = self.rng.random() * (0.25 if self.wall.monotonic() < self.moody_until else 1.0)
        if phase == "dot":
            for mood, upto in (("4xx", 0.05), ("5xx", 0.06), ("gone", 0.08), ("taken-and-gone", 0.11), ("hang", 0.12)):
                if luck < upto:
                    return mood
            return "taken-and-hang" if luck < 0.13 else "ok"
        return "4xx" if luck < 0.08 else "5xx" if luck < 0.085 else "gone" if luck < 0.1 else "ok"


class Connection:
    """Stands for channels.smtp_pool.Connection."""

    def __init__(self, relay, process):
        self._relay, self._process = relay, process
        self.mails = 0
        self.worth_keeping = True

    async def command(self, *words):
        await self._process.io()
        if self._relay.on_asked is not None:
            await self._relay.on_asked(words)
        mood = "ok" if words[0] == "RSET" else self._relay.mood(words[0])
        if mood == "gone":
            self.worth_keeping = False
            raise Lost("closed")
        if mood == "4xx":
            return Reply(451, "4.7.1 try again later")
        if mood == "5xx" and words[0] == "RCPT":
            return Reply(550, "5.1.1 no such user")
        self._process.fault("smtp " + words[0])
        return Reply(354 if words[0] == "DATA" else 250, "ok")

    async def transmit(self, prepared):
        relay, process = self._relay, self._process
        process.fault("in flight")
        await process.io()
        message, mood = _ID.search(prepared)[1].decode(), relay.mood("dot")
        relay.on_handed(message, prepared)
        if mood == "4xx":
            return Reply(452, "4.3.1 full")
        if mood == "5xx":
            return Reply(554, "5.7.1 no")
        if mood in ("ok", "taken-and-gone", "taken-and-hang"):
            relay.accepted.append((message, relay.wall.true()))
            relay.on_taken(message)
            process.fault("final dot")
        if mood == "ok":
            await process.io()
            return Reply(250, "2.0.0 queued")
        relay.lost[message] += 1
        self.worth_keeping = False
        if mood.endswith("hang"):
            await asyncio.sleep(TIMEOUT)
            await process.io()
        raise Lost("no answer")


class Pool:
    """Stands for channels.smtp_pool.Pool."""

    def __init__(self, relay, process, most):
        self._relay, self._process = relay, process
        self._slots = asyncio.Semaphore(most)
        self._idle = []
        self.open, self.most = 0, most
        self.certificate_expires = 0.0

    @property
    def idle(self):
        return len(self._idle)

    async def acquire(self, *, fresh=False):
        await self._slots.acquire()
        try:
            await self._process.io()
            if self._idle and not fresh:
                return self._idle.pop()
        except BaseException:
            self._slots.release()
            raise
        if self._relay.wall.monotonic() < self._relay.down_until:
            self._slots.release()
            raise RelayDown("connection refused")
        self.open += 1
        return Connection(self._relay, self._process)

    def release(self, connection, *, clean):
        if clean and connection.worth_keeping:
            self._idle.append(connection)
        else:
            self.open -= 1
        self._slots.release()

    async def close(self):
        self._idle.clear()


class Redis:
    """The one command that the guard uses. Wiped and away at any time."""

    def __init__(self, wall):
        self.wall = wall
        self.data = {}
        self.away_until = 0.0

    async def set(self, key, value, nx=False, get=False, ex=None):
        await asyncio.sleep(0.001)
        if self.wall.monotonic() < self.away_until:
            raise ConnectionError("away")
        before = self.data.get(key)
        if before is None or not nx:
            self.data[key] = value
        return before if get else None

    async def aclose(self):
        pass
