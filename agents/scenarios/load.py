"""Reads scenario files: YAML -> typed structs -> compiled scenarios. `check_folder` tells every fault, `load_all` raises them."""

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import msgspec

from agents.conditions.compile import compiled, lasting
from agents.scenarios.compile_steps import compile_journey
from agents.scenarios.dialogs import DialogScenario, DialogScenarioFile, compile_dialog
from agents.scenarios.document import Document, read_document, read_text, refused
from agents.scenarios.faults import Known, channels_of, faults_of, has_steps, is_of_dialogs
from agents.scenarios.header import header_of
from agents.scenarios.language import Scenario, ScenarioError, ScenarioFile, Stage, StageFile, duration
from agents.scenarios.program import Tell
from agents.scenarios.shape import Fault
from agents.scenarios.steps import JourneyFile
from tables.signals import ORDERED

MOST_FILES = 1_000
OLD = "old"
"""Folder of earlier versions, beside the scenarios."""
AnyScenario = Scenario | DialogScenario


class Found(NamedTuple):
    """A scenario that was read. `document` is where its fields stand."""

    path: Path
    scenario: AnyScenario
    document: Document


class Checked(NamedTuple):
    """What a folder holds: scenarios without a fault, and faults, each one line: `file:line: field: what to do`."""

    found: tuple[Found, ...]
    faults: tuple[str, ...]
    former: tuple[Found, ...] = ()
    """Earlier versions, of its folder `old`."""

    @property
    def scenarios(self) -> list[AnyScenario]:
        """The scenarios, by file."""
        return [item.scenario for item in self.found]


class Loaded(NamedTuple):
    """The scenarios of a folder. `former` are earlier versions of those of the site."""

    site: list[Scenario]
    former: list[Scenario]
    dialogs: list[DialogScenario]


def load_all(
    folder: Path,
    *,
    time_scale: float = 1.0,
    channels: Collection[str] | None = None,
    segments: Collection[str] | None = None,
) -> Loaded:
    """Everything that a folder holds; `segments` are those that there are. Raises ScenarioError naming file, line or field, and what to do, of every fault."""
    checked = check_folder(folder, Known(channels, segments=segments), time_scale=time_scale)
    if checked.faults:
        raise ScenarioError("; ".join(checked.faults))
    every, former = checked.scenarios, [item.scenario for item in checked.former]
    return Loaded(
        [scenario for scenario in every if isinstance(scenario, Scenario)],
        [scenario for scenario in former if isinstance(scenario, Scenario)],
        [scenario for scenario in every if isinstance(scenario, DialogScenario)],
    )


def load_folder(folder: Path, *, time_scale: float = 1.0, channels: Collection[str] | None = None) -> list[Scenario]:
    """The scenarios of the site in a folder, by file. Raises ScenarioError naming the file, the line or field, and what to do."""
    read = read_folder(folder, time_scale=time_scale, channels=channels)
    return [scenario for scenario in read if isinstance(scenario, Scenario)]


def load_dialogs(
    folder: Path, *, time_scale: float = 1.0, channels: Collection[str] | None = None
) -> list[DialogScenario]:
    """The scenarios of dialogs in a folder, by file. Raises ScenarioError."""
    read = read_folder(folder, time_scale=time_scale, channels=channels)
    return [scenario for scenario in read if isinstance(scenario, DialogScenario)]


def read_folder(folder: Path, *, time_scale: float = 1.0, channels: Collection[str] | None = None) -> list[AnyScenario]:
    """All scenarios of a folder, by file. Raises ScenarioError that tells every fault."""
    checked = check_folder(folder, Known(channels), time_scale=time_scale)
    if checked.faults:
        raise ScenarioError("; ".join(checked.faults))
    return checked.scenarios


def load_file(path: Path, *, time_scale: float = 1.0) -> AnyScenario:
    """The scenario of one file. Raises ScenarioError that tells every fault."""
    checked = check_files([path], Known(), time_scale=time_scale)
    if checked.faults:
        raise ScenarioError("; ".join(checked.faults))
    return checked.scenarios[0]


def check_folder(folder: Path, known: Known, *, time_scale: float = 1.0) -> Checked:
    """What a folder holds, with every fault of every file."""
    paths = sorted(folder.glob("*.y*ml")) if folder.is_dir() else []
    if not paths:
        return Checked((), (f"{folder}: no scenario files (*.yaml) here; set BOOMERANG_SCENARIOS to their folder",))
    if len(paths) > MOST_FILES:
        return Checked((), (f"{folder}: more than {MOST_FILES} scenario files",))
    checked = check_files(paths, known, time_scale=time_scale)
    return with_former(checked, folder / OLD, known, time_scale)


def with_former(checked: Checked, folder: Path, known: Known, time_scale: float) -> Checked:
    """What was found, with the earlier versions that stand in `folder`, and with what is wrong with them."""
    paths = sorted(folder.glob("*.y*ml"))[:MOST_FILES] if folder.is_dir() else []
    today = {item.scenario.id: item for item in checked.found}
    former: list[Found] = []
    taken: dict[tuple[str, int], Path] = {}
    faults = list(checked.faults)
    for path in paths:
        old = check_files([path], known, time_scale=time_scale)
        faults += [f"{OLD}/{fault}" for fault in old.faults]
        for item in old.found:
            kept_in = taken.setdefault((item.scenario.id, item.scenario.version), path)
            wrong = (
                _not_former(item, today)
                if kept_in is path
                else f"version: {kept_in.name} is of the same one; keep one of the two"
            )
            if wrong:
                faults.append(f"{OLD}/{path.name}:{item.document.line(('version',))}: {wrong}")
            else:
                former.append(item)
    kept = {item.scenario.id for item in former}
    faults += [
        told(item.path, item.document.told(Fault(("upgrade",), _NOT_KEPT.format(item.scenario.id))))
        for item in checked.found
        if isinstance(item.scenario, Scenario)
        and item.scenario.finish
        and item.scenario.version > 1
        and item.scenario.id not in kept
    ]
    return Checked(checked.found, tuple(faults), tuple(former))


_NOT_KEPT = (
    "`finish` needs the version before: copy the file as it was to old/{}.VERSION.yaml (VERSION is its own, lower one), or write "
    "`move`"
)


def _not_former(item: Found, today: dict[str, Found]) -> str:
    """Why a file of `old` is no earlier version of a scenario; empty: it is."""
    scenario = item.scenario
    if not isinstance(scenario, Scenario):
        return "a scenario of dialogs has no earlier versions: what waits in dialogs always goes by today's"
    if item.path.stem != f"{scenario.id}.{scenario.version}":
        return f"version: the file of version {scenario.version} must be called {scenario.id}.{scenario.version}.yaml"
    new = today.get(scenario.id)
    if new is not None and scenario.version >= new.scenario.version:
        return f"version: {scenario.version} is not below {new.scenario.version}, the one of {new.path.name}; raise that one"
    return ""


def check_files(paths: Collection[Path], known: Known, *, time_scale: float = 1.0) -> Checked:
    """What these files hold."""
    found: list[Found] = []
    faults: list[str] = []
    first: dict[str, Path] = {}
    for path in paths:
        try:
            document, wrong = _read(path, known)
        except ScenarioError as error:
            faults.append(told(path, str(error)))
            continue
        name = document.value.get("id") if isinstance(document.value, dict) else None
        if isinstance(name, str) and first.setdefault(name, path) is not path:
            text = f"the id {name!r} is taken by {first[name].name}; two scenarios need two ids"
            faults.append(f"{path.name}:{document.line(('id',))}: id: {text}")
        faults += wrong
        if not wrong:
            found.append(Found(path, _compiled(document, time_scale), document))
    return Checked(tuple(found), tuple(faults))


def told(path: Path, error: str) -> str:
    """A fault of a file as `file:line: text`."""
    line, colon, text = error.removeprefix("line ").partition(": ")
    return f"{path.name}:{line}: {text}" if colon and line.isdigit() else f"{path.name}: {error}"


def _read(path: Path, known: Known) -> tuple[Document, list[str]]:
    """The document of a file and what is wrong with it. Raises ScenarioError where it cannot be read at all."""
    document = read_document(read_text(path))
    return document, [told(path, document.told(fault)) for fault in _faults(document, known)]


def _faults(document: Document, known: Known) -> list[Fault]:
    """What is wrong with the text and with what it says; a place that cannot be read at all has one fault."""
    unread = {fault.place for fault in document.faults}
    found = [fault for fault in faults_of(document.value, known) if fault.place not in unread]
    return sorted([*document.faults, *found], key=lambda fault: document.line(fault.place))


def parse(text: str, *, time_scale: float = 1.0, channels: Collection[str] | None = None) -> Scenario:
    """A scenario of the site from its YAML text. Raises ScenarioError without the file's name."""
    scenario = parse_any(text, time_scale=time_scale, channels=channels)
    if not isinstance(scenario, Scenario):
        raise ScenarioError("a scenario of dialogs where one of the site is expected")
    return scenario


def parse_any(text: str, *, time_scale: float = 1.0, channels: Collection[str] | None = None) -> AnyScenario:
    """A scenario from its YAML text; one that has `dialog` is of dialogs. Raises ScenarioError without the file's name."""
    document = read_document(text)
    faults = _faults(document, Known(channels))
    if faults:
        raise refused(document, faults)
    return _compiled(document, time_scale)


def _compiled(document: Document, time_scale: float) -> AnyScenario:
    """The scenario of a document without faults."""
    if is_of_dialogs(document.value):
        return compile_dialog(msgspec.convert(document.value, DialogScenarioFile), time_scale)
    if has_steps(document.value):
        return compile_journey(msgspec.convert(document.value, JourneyFile), time_scale)
    return _compile(msgspec.convert(document.value, ScenarioFile), time_scale)


def _compile(file: ScenarioFile, time_scale: float) -> Scenario:
    when = None if file.when is None else compiled(file.when, time_scale=time_scale)
    return msgspec.structs.replace(
        header_of(file, file.absence, duration(file.reentry), time_scale),
        show=file.show,
        cascade=tuple(_stage(stage, time_scale) for stage in file.cascade),
        within=duration(file.show.within) / time_scale,
        when=when,
        still=None if when is None else lasting(when),
        goal="" if file.goal.event == ORDERED else file.goal.event,
        goal_within=None if file.goal.within is None else duration(file.goal.within) / time_scale,
    )


def _stage(file: StageFile, time_scale: float) -> Stage:
    return Stage(channels_of(file), file.template, duration(file.wait) / time_scale, file.reaction)


def alerts_of(scenario: AnyScenario) -> list[str]:
    """The templates by which steps of a scenario tell the sales team."""
    program = scenario.program if isinstance(scenario, Scenario) else None
    steps = program.steps if program is not None else ()
    return [step.template for step in steps if isinstance(step, Tell) and step.template]


def templates_of(scenario: AnyScenario) -> list[tuple[str, str]]:
    """The (channel, template) pairs of a scenario's cascade."""
    if isinstance(scenario, DialogScenario):
        return [(told.channel, told.template) for told in scenario.cascade]
    cascade = scenario.cascade if scenario.program is None else scenario.program.cascade
    return [(channel, stage.template) for stage in cascade for channel in stage.channels]
