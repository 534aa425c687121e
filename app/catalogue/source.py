"""Where a feed comes from: a file, the standard input, or an address of the web."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, NamedTuple, Protocol
from urllib.parse import urlsplit

from app.bounds import split
from app.catalogue.refusal import FeedRefusedError
from app.clock import SYSTEM
from app.errors import CommandError
from app.settings import Settings
from channels.destination import networks
from channels.egress import Egress, Lost, Unreachable, Untrusted, unusable

PIECE = 64 << 10
PATIENCE = 60.0
"""Seconds for the connection, for the beginning of the answer, and for each further piece: shops make their feeds as they are asked."""

Take = Callable[[bytes, int], None]
"""Takes a piece, and the bytes that there are in all (0: unknown)."""


class Source(Protocol):
    """A feed that can be read once or again."""

    @property
    def name(self) -> str:
        """What it is called in messages and metrics: never a whole address, which may hold a secret."""
        ...

    async def read(self, take: Take) -> None:
        """Give all its bytes. Raises CommandError, and what `take` raises."""
        ...


def source(settings: Settings, place: str) -> Source:
    """The source that a person has named. Raises CommandError."""
    if place.lower().startswith(("https://", "http://")):
        problem = unusable(place)
        if problem:
            raise CommandError(f"the feed's address cannot be used: {problem}")
        return Address(settings, place)
    return File(Path(place))


class File(NamedTuple):
    """A file; `-` is the standard input."""

    path: Path

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.path.name or str(self.path)

    async def read(self, take: Take) -> None:
        """Give all its bytes."""
        try:
            with self._opened() as file:
                size = 0 if str(self.path) == "-" else os.fstat(file.fileno()).st_size
                while piece := file.read(PIECE):
                    take(piece, size)
                    await asyncio.sleep(0)
        except OSError as error:
            raise CommandError(f"{self.path} cannot be read: {error.strerror}") from None

    def _opened(self) -> IO[bytes]:
        return open(sys.stdin.fileno(), "rb", closefd=False) if str(self.path) == "-" else self.path.open("rb")


class Address:
    """A feed over HTTP, by the rules for everything that we ask for: TLS, the public internet, no redirects."""

    def __init__(self, settings: Settings, url: str) -> None:
        self._settings, self._url = settings, url

    @property
    def name(self) -> str:
        """The host."""
        return urlsplit(self._url).hostname or ""

    async def read(self, take: Take) -> None:
        """Give all its bytes."""
        try:
            allow = networks(split(self._settings.egress_allow))
        except ValueError as error:
            raise CommandError(str(error)) from None
        client = Egress(timeout=PATIENCE, now=SYSTEM.now, allow=allow)
        try:
            reply = await client.fetch(self._url, take)
        except Untrusted as error:
            raise CommandError(f"{self.name} is not asked: {error}") from None
        except Unreachable as error:
            raise CommandError(f"{self.name} cannot be reached ({error}); try again later") from None
        except Lost as error:
            raise FeedRefusedError(f"{self.name} broke off ({error}); nothing was applied, try again later") from None
        finally:
            await client.close()
        if reply.status in range(300, 400):
            raise CommandError(f"{self.name} answers {reply.status}: the feed has moved; name its new address")
        if reply.status != 200:
            raise CommandError(f"{self.name} answers {reply.status} and gives no feed; check the address")
