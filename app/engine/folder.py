"""Watches folders of files that may change while a process works.

Files count as changed once two looks have found the same new ones, since an editor writes them one after the other, and in pieces. SIGHUP looks
at once, and does not wait for a second look. What is refused is told: in the log, and in metrics that an alert watches.
"""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from app import metrics
from app.engine.beside import Beside

log = logging.getLogger(__name__)

State = tuple[tuple[str, int, int], ...]
"""(path, time of change in ns, bytes) of each file."""
MOST_FILES = 5_000
"""Looked at in one folder."""
MOST_BYTES = 1 << 20
"""Read of one file, to know whether it is another; what is larger is refused by whoever uses it."""


class Refused(Exception):  # noqa: N818 - an answer, not a programming error
    """What is in the folder now cannot be used; the text says why."""


class Files(NamedTuple):
    """Files of some folders, by which names they are known there, and some more by their own; what cannot be read is like nothing."""

    folders: Sequence[Path]
    pattern: str
    alone: Sequence[Path] = ()

    def state(self) -> State:
        """What they are like."""
        return tuple(self._told())

    def digest(self) -> bytes:
        """Of their names and contents."""
        out = blake2b(digest_size=16)
        for name, _, size in self.state():
            with contextlib.suppress(OSError):
                if size <= MOST_BYTES and Path(name).is_file():
                    out.update(f"{name}\0{size}\0".encode() + Path(name).read_bytes())
        return out.digest()

    def _told(self) -> Iterator[tuple[str, int, int]]:
        listed = (sorted(folder.glob(self.pattern))[:MOST_FILES] for folder in self.folders)
        for path in (*chain.from_iterable(listed), *self.alone):
            with contextlib.suppress(OSError):
                about = path.stat()
                yield str(path), about.st_mtime_ns, about.st_size


class FolderWatch(Beside):
    """Looks at files every `seconds` (0: at SIGHUP alone), and has `take` use them when they have changed.

    Where `take` raises Refused, what was there before goes on.
    """

    def __init__(self, name: str, files: Files, seconds: float) -> None:
        """`name` is that of the folder in metrics. What is in the files now counts as taken."""
        super().__init__(f"watch {name}")
        self._name, self._files, self._seconds = name, files, seconds
        self._seen = self._taken = files.state()
        self._digest = files.digest()
        self._told = asyncio.Event()
        metrics.RELOAD_REFUSED.labels(name).set(0)
        for outcome in ("taken", "refused", "unchanged"):
            metrics.RELOADS.labels(name, outcome)

    async def take(self) -> None:
        """Use what is in the files now. Raises Refused."""
        raise NotImplementedError

    async def start(self) -> None:
        """Begin to look."""
        await super().start()
        _watching.add(self)
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # not in the main thread: tests
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, _tell_all)

    async def stop(self) -> None:
        """End."""
        _watching.discard(self)
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            if not _watching:
                asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)
        await super().stop()

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), self._seconds if self._seconds > 0 else None)
            told = self._told.is_set()
            self._told.clear()
            try:
                await self.look(at_once=told)
            except Exception:  # a disk that fails must end neither the process nor this watch
                log.exception("the folder of %s cannot be looked at", self._name)

    def tell(self) -> None:
        """Look at once."""
        self._told.set()

    async def look(self, *, at_once: bool = False) -> None:
        """Take what has changed, if anything has. `at_once`: without waiting for a second look that finds the same."""
        state = await asyncio.to_thread(self._files.state)
        settled, self._seen = state == self._seen, state
        if state == self._taken or not (settled or at_once):
            return
        self._taken = state
        digest = await asyncio.to_thread(self._files.digest)
        try:
            outcome = "unchanged"  # touched, or put back as it was
            if digest != self._digest:
                await self.take()
                outcome, self._digest = "taken", digest
        except Refused as error:
            log.error("changed %s are refused, those of before go on; `boomerang check` helps: %s", self._name, error)  # noqa: TRY400
            outcome = "refused"
        except Exception:  # a fault of ours must not look as if the files were in use
            log.exception("changed %s cannot be used, those of before go on", self._name)
            outcome = "refused"
        metrics.RELOADS.labels(self._name, outcome).inc()
        metrics.RELOAD_REFUSED.labels(self._name).set(outcome == "refused")


_watching: set[FolderWatch] = set()
"""Those of this process that have begun: one signal is for all of them."""


def _tell_all() -> None:
    for watch in _watching:
        watch.tell()
