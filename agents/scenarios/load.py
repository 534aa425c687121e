"""Reads scenario files: YAML -> typed structs -> compiled scenarios. `check_folder` tells every fault, `load_folder` raises them."""

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import msgspec

from agents.scenarios.dialogs import DialogScenario, DialogScenarioFile, compile_dialog
from agents.scenarios.document import Document, read_document, refused
from agents.scenarios.faults import Known, channels_of, faults_of, is_of_dialogs
from agents.scenarios.language import LONGEST, Scenario, ScenarioError, ScenarioFile, Stage, StageFile, duration
from agents.scenarios.shape import Fault

MOST_FILES = 1_000
MOST_BYTES = 64 * 1024
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

    @property
    def scenarios(self) -> list[AnyScenario]:
        """The scenarios, by file."""
        return [item.scenario for item in self.found]


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
    return check_files(paths, known, time_scale=time_scale)


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
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ScenarioError(f"larger than {MOST_BYTES // 1024} KiB")
        document = read_document(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise ScenarioError("not UTF-8") from None
    except OSError as error:
        raise ScenarioError(f"cannot be read ({error.strerror})") from None
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
    return _compile(msgspec.convert(document.value, ScenarioFile), time_scale)


def _compile(file: ScenarioFile, time_scale: float) -> Scenario:
    skip_after = LONGEST if isinstance(file.outage, str) else duration(file.outage.skip_after)
    return Scenario(
        id=file.id,
        version=file.version,
        title=file.title,
        family=file.family,
        priority=file.priority,
        of=frozenset(file.absence.of),
        without=frozenset(file.absence.without),
        wait=duration(file.absence.wait) / time_scale,
        leaving=file.absence.after == "leaving",
        show=file.show,
        cascade=tuple(_stage(stage, time_scale) for stage in file.cascade),
        order_within=duration(file.unless.order_within) / time_scale,
        in_dialog=duration(file.unless.in_dialog) / time_scale if file.marketing else 0.0,
        reentry=duration(file.reentry) / time_scale,
        cap=None if file.cap is None else duration(file.cap) / time_scale,
        marketing=file.marketing,
        recheck=file.outage != "fire",
        max_lateness=min(duration(file.max_lateness), skip_after),
        send_within=duration(file.send_within),
        within=duration(file.show.within) / time_scale,
        stopped=file.stopped,
        topic=file.topic,
        quiet=file.quiet or "",
        control=file.control / 100.0,
    )


def _stage(file: StageFile, time_scale: float) -> Stage:
    return Stage(channels_of(file), file.template, duration(file.wait) / time_scale, file.reaction)


def templates_of(scenario: AnyScenario) -> list[tuple[str, str]]:
    """The (channel, template) pairs of a scenario's cascade."""
    if isinstance(scenario, DialogScenario):
        return [(told.channel, told.template) for told in scenario.cascade]
    return [(channel, stage.template) for stage in scenario.cascade for channel in stage.channels]
