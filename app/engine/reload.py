"""What the worker decides by is changed while it works: what is valid takes effect between two steps. See also `folder.py`.

Scenarios, segments, policy and team are one: each may name what stands in another, so what is refused of one leaves the others as they were too.

A step that is decided by one version and played again after a crash by another one is no contradiction: a step is either committed, with
all that it sends, or it was never there.
"""

import asyncio
import logging

from agents.behaviour import Behaviour
from agents.policy import PolicyError
from agents.scenarios.language import ScenarioError
from agents.scenarios.load import OLD, AnyScenario, Loaded
from agents.team import TeamError
from app import metrics
from app.bounds import BUILT_IN_SEGMENTS
from app.clock import SYSTEM, Clock, moment
from app.engine.counts import show_segments
from app.engine.folder import Files, FolderWatch, Refused
from app.engine.rules import Rules, load_rules
from app.settings import Settings
from tables.activity import has_dialogs
from tables.held import HeldPartition
from tables.store import FencedTable

MANY = 32
"""Of more scenarios a row is unpacked instead of being searched for each of their names: that takes less."""
SLICE = 1_000
"""Rows looked at between two chances for the worker's other work: a few milliseconds."""
log = logging.getLogger(__name__)


class Reloader(FolderWatch):
    """Attached to the worker's app."""

    def __init__(
        self, settings: Settings, running: Rules, behaviour: Behaviour, table: FencedTable, clock: Clock = SYSTEM
    ) -> None:
        """`running` is what was loaded of the folders and files just now."""
        self._settings, self._clock, folder = settings, clock, settings.scenarios
        self._own = settings.segments != BUILT_IN_SEGMENTS
        alone = (settings.policy, settings.team)
        files = Files((folder, folder / OLD, settings.segments), "*.y*ml", alone)
        super().__init__("scenarios", files, settings.reload_seconds)
        self._running, self._behaviour, self._table = running, behaviour, table
        _show(running.scenarios)

    async def take(self) -> None:
        """Go on with what the folders and files hold now. Raises Refused."""
        try:
            rules = await asyncio.to_thread(load_rules, self._settings, moment(self._clock.now()).year)
        except (ScenarioError, PolicyError, TeamError) as error:
            raise Refused(str(error)) from None
        if self._running.segments.segments and not rules.segments.segments and self._own:
            raise Refused(
                f"{self._settings.segments}: no segment is left; put one back, or start the worker again to have none"
            )
        before, self._running = self._running, rules
        is_other_team = rules.staff.told != before.staff.told
        self._behaviour.take(rules.scenarios, rules.segments, rules.policy, rules.staff)
        _show(rules.scenarios)
        log.info("scenarios taken from %s: %s", self._settings.scenarios, _told(rules.scenarios))
        if rules.policy != before.policy or is_other_team:
            log.info("policy and team taken from %s and %s", self._settings.policy, self._settings.team)
        if rules.segments.mark != before.segments.mark:
            show_segments(rules.segments.names)
            told = ", ".join(segment.id for segment in rules.segments.segments)
            log.info("segments taken from %s: %s", self._settings.segments, told or "none")
        names, dialogs = _changed(before.scenarios, rules.scenarios)
        await self._wake_sooner(names, dialogs or is_other_team, _concerns_all(before, rules))

    async def _wake_sooner(self, names: tuple[bytes, ...], dialogs: bool, everyone: bool) -> None:
        """Have customers looked at by their new deadlines, where these may be sooner. Later ones find themselves.

        `everyone`: what changed may make each of them due sooner, whatever they wait for.
        """
        looked = 0
        for part in list(self._table.parts.values()):
            cells = part.packed.cells if part.packed is not None else {}
            keys = [key for key, cell in cells.items() if cell.wake or dialogs or everyone]
            for start in range(0, len(keys), SLICE):
                if self._table.parts.get(part.number) is not part or not part.open:
                    break  # whoever opens it rebuilds its timers
                for key in keys[start : start + SLICE]:
                    looked += self._wake(part, key, names, dialogs, everyone)
                await asyncio.sleep(0)
            self._table.timers_changed(part)
        log.info("%d customers have got the deadlines of the scenarios as they are now", looked)

    def _wake(self, part: HeldPartition, key: str, names: tuple[bytes, ...], dialogs: bool, everyone: bool) -> bool:
        packed = part.packed.bytes_of(key) if part.packed is not None else None
        if not packed:
            return False
        everyone = everyone or len(names) > MANY
        touched = everyone or any(name in packed for name in names) or (dialogs and has_dialogs(packed))
        if not touched:
            return False
        due = self._behaviour.wake_of(self._table.codec.decode_row(packed))
        if due is not None:
            part.timers.wake(key, due)
        return due is not None


def _concerns_all(before: Rules, after: Rules) -> bool:
    """Whether every customer may be due sooner: memberships follow other definitions, dates come at midnight of another place, or other dates, or predictions, count."""
    if _unarmed(before.scenarios) != _unarmed(after.scenarios):
        return True
    zones = (before.policy.zone, before.policy.cities) != (after.policy.zone, after.policy.cities)
    return before.segments.mark != after.segments.mark or zones


def _unarmed(loaded: Loaded) -> set[tuple[str, int, object, object]]:
    """Scenarios that begin at moments that are worked out from what is known of a customer: his row does not name them before."""
    found = ((item, item.program) for item in loaded.site if item.program is not None)
    return {
        (item.id, item.version, program.dated, program.replenish)
        for item, program in found
        if program.dated is not None or program.replenish is not None
    }


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
