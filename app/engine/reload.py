"""Scenarios are changed while the worker works: what is valid takes effect between two steps. See also `folder.py`.

A step that is decided by one version and played again after a crash by another one is no contradiction: a step is either committed, with
all that it sends, or it was never there.
"""

import asyncio
import logging
from collections.abc import Collection

from agents.behaviour import Behaviour
from agents.scenarios.language import ScenarioError
from agents.scenarios.load import OLD, AnyScenario, Loaded, load_all
from agents.segments.load import asked_for
from app import metrics
from app.engine.folder import Files, FolderWatch, Refused
from app.settings import Settings
from tables.activity import has_dialogs
from tables.held import HeldPartition
from tables.store import FencedTable

SLICE = 1_000
"""Rows looked at between two chances for the worker's other work: a few milliseconds."""
log = logging.getLogger(__name__)


class Reloader(FolderWatch):
    """Attached to the worker's app."""

    def __init__(
        self,
        settings: Settings,
        running: Loaded,
        behaviour: Behaviour,
        table: FencedTable,
        segments: Collection[str] = (),
        known: Collection[str] | None = None,
    ) -> None:
        """`running` is what was loaded of the folder just now; `segments` are those that are worked out, `known` those that there are."""
        self._segments, self._known = segments, known
        self._folder, self._time_scale = settings.scenarios, settings.time_scale
        files = Files((self._folder, self._folder / OLD), "*.y*ml")
        super().__init__("scenarios", files, settings.reload_seconds)
        self._running, self._behaviour, self._table = running, behaviour, table
        _show(running)

    async def take(self) -> None:
        """Go on with what the folder holds now. Raises Refused."""
        try:
            loaded = await asyncio.to_thread(load_all, self._folder, time_scale=self._time_scale, segments=self._known)
        except ScenarioError as error:
            raise Refused(str(error)) from None
        missing = frozenset[str]().union(*map(asked_for, loaded.site)).difference(self._segments)
        if missing:
            raise Refused(f"segments are read when the worker starts: start it again for {', '.join(sorted(missing))}")
        before, self._running = self._running, loaded
        self._behaviour.take(loaded)
        _show(loaded)
        log.info("scenarios taken from %s: %s", self._folder, _told(loaded))
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
