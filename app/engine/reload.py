"""Scenarios are changed while the worker works: the folder is looked at, and what is valid takes effect between two steps.

What is not valid changes nothing, and is told: in the log, and in metrics that an alert watches. A folder counts as changed once two looks
have found the same new files, since an editor writes them one after the other, and in pieces. SIGHUP looks at once, and does not wait
for a second look.

A step that is decided by one version and played again after a crash by another one is no contradiction: a step is either committed, with
all that it sends, or it was never there.
"""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from agents.behaviour import Behaviour
from agents.scenarios.language import ScenarioError
from agents.scenarios.load import MOST_FILES, OLD, AnyScenario, Loaded, load_all
from app import metrics
from tables.activity import has_dialogs
from tables.held import HeldPartition
from tables.store import FencedTable

SLICE = 1_000
"""Rows looked at between two chances for the worker's other work: a few milliseconds."""
log = logging.getLogger(__name__)

State = tuple[tuple[str, int, int], ...]
"""(name, time of change in ns, bytes) of each file."""


class Folder(NamedTuple):
    """The folder of scenarios; waits are divided by `time_scale`."""

    path: Path
    time_scale: float

    def load(self) -> Loaded:
        """What it holds. Raises ScenarioError."""
        return load_all(self.path, time_scale=self.time_scale)

    def state(self) -> State:
        """What its files are like; a folder that cannot be read is like an empty one."""
        return tuple(self._files())

    def _files(self) -> Iterator[tuple[str, int, int]]:
        for folder in (self.path, self.path / OLD):
            for path in sorted(folder.glob("*.y*ml"))[: MOST_FILES + 1]:
                with contextlib.suppress(OSError):
                    told = path.stat()
                    yield f"{folder.name}/{path.name}", told.st_mtime_ns, told.st_size


class Reloader:
    """Attached to the worker's app."""

    def __init__(
        self, folder: Folder, running: Loaded, behaviour: Behaviour, table: FencedTable, seconds: float
    ) -> None:
        """`seconds` pass between two looks; 0: it looks when it is told to. `running` is what was loaded of the folder just now."""
        self._folder, self._running, self._behaviour, self._table = folder, running, behaviour, table
        self._seconds = seconds
        self._seen = self._taken = folder.state()
        self._task: asyncio.Task[None] | None = None
        self._told = asyncio.Event()
        metrics.SCENARIOS_REFUSED.set(0)
        for outcome in ("taken", "refused", "unchanged"):
            metrics.SCENARIO_RELOADS.labels(outcome)
        _show(running)

    async def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._run(), name="scenarios")
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # not in the main thread: tests
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._told.set)

    async def stop(self) -> None:
        """End."""
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), self._seconds or None)
            told = self._told.is_set()
            self._told.clear()
            try:
                await self.look(at_once=told)
            except Exception:  # a disk that fails must not end the worker, nor this watch
                log.exception("the folder of scenarios cannot be looked at")

    async def look(self, *, at_once: bool = False) -> None:
        """Take what has changed, if anything has. `at_once`: without waiting for a second look that finds the same."""
        state = await asyncio.to_thread(self._folder.state)
        settled, self._seen = state == self._seen, state
        if state == self._taken or not (settled or at_once):
            return
        self._taken = state
        try:
            loaded = await asyncio.to_thread(self._folder.load)
        except ScenarioError as error:
            metrics.SCENARIO_RELOADS.labels("refused").inc()
            metrics.SCENARIOS_REFUSED.set(1)
            log.error("changed scenarios are refused, those of before go on; `boomerang check` helps: %s", error)  # noqa: TRY400
            return
        metrics.SCENARIOS_REFUSED.set(0)
        if loaded == self._running:
            metrics.SCENARIO_RELOADS.labels("unchanged").inc()
            return
        before, self._running = self._running, loaded
        self._behaviour.take(loaded)
        _show(loaded)
        metrics.SCENARIO_RELOADS.labels("taken").inc()
        log.info("scenarios taken from %s: %s", self._folder.path, _told(loaded))
        await self._wake_sooner(*_changed(before, loaded))

    async def _wake_sooner(self, names: tuple[bytes, ...], dialogs: bool) -> None:
        """Have customers looked at by their new deadlines, where these may be sooner. Later ones find themselves."""
        looked = 0
        for part in list(self._table.parts.values()):
            cells = part.packed.cells if part.packed is not None else {}
            keys = [key for key, cell in cells.items() if cell.wake or dialogs]
            for start in range(0, len(keys), SLICE):
                if self._table.parts.get(part.number) is not part or not part.open:
                    break  # whoever opens it rebuilds its timers
                for key in keys[start : start + SLICE]:
                    looked += self._wake(part, key, names, dialogs)
                await asyncio.sleep(0)
            self._table.timers_changed(part)
        log.info("%d customers have got the deadlines of the scenarios as they are now", looked)

    def _wake(self, part: HeldPartition, key: str, names: tuple[bytes, ...], dialogs: bool) -> bool:
        cell = part.packed.cells.get(key) if part.packed is not None else None
        if cell is None or not cell.packed:
            return False
        if not any(name in cell.packed for name in names) and not (dialogs and has_dialogs(cell.packed)):
            return False
        due = self._behaviour.wake_of(self._table.codec.decode_row(cell.packed))
        if due is not None:
            part.timers.wake(key, due)
        return True


def _changed(before: Loaded, after: Loaded) -> tuple[tuple[bytes, ...], bool]:
    """Ids of the scenarios of the site that are not as they were, as they stand in rows; and whether those of dialogs are."""
    old = {(item.id, item.version): item for item in (*before.site, *before.former)}
    new = {(item.id, item.version): item for item in (*after.site, *after.former)}
    names = {name for name, version in {*old, *new} if old.get((name, version)) != new.get((name, version))}
    return tuple(sorted(name.encode() for name in names)), before.dialogs != after.dialogs


def _show(loaded: Loaded) -> None:
    """Show in the metrics what runs."""
    metrics.SCENARIO_INFO.clear()
    for scenario in _every(loaded):
        metrics.SCENARIO_INFO.labels(scenario.id, str(scenario.version)).set(1)


def _told(loaded: Loaded) -> str:
    return ", ".join(f"{item.id} v{item.version}" for item in _every(loaded))


def _every(loaded: Loaded) -> list[AnyScenario]:
    return [*loaded.site, *loaded.dialogs]
