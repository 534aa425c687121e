"""Reads scenario files: YAML -> typed structs -> compiled scenarios. The edge of the language: the only reader of YAML."""

from collections.abc import Collection
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from agents.scenarios.dialogs import DialogScenario, DialogScenarioFile, compile_dialog
from agents.scenarios.language import DAY, Reaction, Scenario, ScenarioError, ScenarioFile, Stage, StageFile, duration
from channels.ledger import MOST_STAGES
from tables.apply import HANDLERS
from tables.signals import SIGNALS

MOST_FILES = 1_000
LONGEST_WAIT = 30 * DAY
"""Seconds between two stages of a cascade."""
MOST_BYTES = 64 * 1024
AnyScenario = Scenario | DialogScenario
T = TypeVar("T")
NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_")


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
    """All scenarios of a folder, by file. Raises ScenarioError."""
    paths = sorted(folder.glob("*.y*ml")) if folder.is_dir() else []
    if not paths:
        raise ScenarioError(f"{folder}: no scenario files (*.yaml) here; set BOOMERANG_SCENARIOS to their folder")
    if len(paths) > MOST_FILES:
        raise ScenarioError(f"{folder}: more than {MOST_FILES} scenario files")
    found: dict[str, tuple[Path, AnyScenario]] = {}
    for path in paths:
        scenario = load_file(path, time_scale=time_scale, channels=channels)
        if scenario.id in found:
            raise ScenarioError(f"{path.name}: the id {scenario.id!r} is taken by {found[scenario.id][0].name}")
        found[scenario.id] = (path, scenario)
    return [scenario for _, scenario in found.values()]


def load_file(path: Path, *, time_scale: float = 1.0, channels: Collection[str] | None = None) -> AnyScenario:
    """One scenario. Raises ScenarioError."""
    if path.stat().st_size > MOST_BYTES:
        raise ScenarioError(f"{path.name}: larger than {MOST_BYTES // 1024} KiB")
    try:
        return parse_any(path.read_text(encoding="utf-8"), time_scale=time_scale, channels=channels)
    except UnicodeDecodeError:
        raise ScenarioError(f"{path.name}: not UTF-8") from None
    except ScenarioError as error:
        raise ScenarioError(f"{path.name}: {error}") from None


def parse(text: str, *, time_scale: float = 1.0, channels: Collection[str] | None = None) -> Scenario:
    """A scenario of the site from its YAML text. Raises ScenarioError without the file's name."""
    return _compile(convert(text, read_yaml(text), ScenarioFile), time_scale, channels)


def parse_any(text: str, *, time_scale: float = 1.0, channels: Collection[str] | None = None) -> AnyScenario:
    """A scenario from its YAML text; one that has `dialog` is of dialogs. Raises ScenarioError without the file's name."""
    document = read_yaml(text)
    if not (isinstance(document, dict) and "dialog" in document):
        return _compile(convert(text, document, ScenarioFile), time_scale, channels)
    file = convert(text, document, DialogScenarioFile)
    _check_name(file.id, file.version)
    return compile_dialog(file, time_scale, channels)


def read_yaml(text: str) -> Any:
    """The document of a YAML text. Raises ScenarioError with the line."""
    try:
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 0
        raise ScenarioError(f"line {line}: {error.problem}") from None
    except yaml.YAMLError as error:
        raise ScenarioError(f"not YAML: {error}") from None


def convert(text: str, document: Any, kind: type[T]) -> T:
    """The document of `text` as a struct. Raises ScenarioError with the line, where it can be found."""
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise ScenarioError(f"{_at_line(text, str(error))}{error}") from None


def _at_line(text: str, error: str) -> str:
    """The line of the field that an error of msgspec names, if it can be found."""
    words = error.rsplit("`", 2)
    field = words[1].rsplit(".", 1)[-1].split("[")[0] if len(words) == 3 else ""
    for number, line in enumerate(text.splitlines(), 1):
        if field and line.strip().removeprefix("- ").startswith(field + ":"):
            return f"line {number}: "
    return ""


def _compile(file: ScenarioFile, time_scale: float, channels: Collection[str] | None) -> Scenario:
    _check(file, channels)
    skip_after = LONGEST_OUTAGE if isinstance(file.outage, str) else duration(file.outage.skip_after)
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
        cap=duration(file.cap) / time_scale,
        marketing=file.marketing,
        recheck=file.outage != "fire",
        max_lateness=min(duration(file.max_lateness), skip_after),
        send_within=duration(file.send_within),
        within=duration(file.show.within) / time_scale,
        stopped=file.stopped,
    )


def _stage(file: StageFile, time_scale: float) -> Stage:
    return Stage(_channels(file), file.template, duration(file.wait) / time_scale, file.reaction)


def _channels(file: StageFile) -> tuple[str, ...]:
    return (file.channel,) if isinstance(file.channel, str) else file.channel


LONGEST_OUTAGE = 400 * 86_400.0


def _check(file: ScenarioFile, channels: Collection[str] | None) -> None:
    def need(condition: bool, text: str) -> None:
        if not condition:
            raise ScenarioError(text)

    _check_name(file.id, file.version)
    need(0 <= file.priority <= 1_000, "priority: must be between 0 and 1000")
    need(bool(file.absence.of), "absence.of: name at least one signal or event")
    for name in (*file.absence.of, *file.absence.without):
        need(
            name in SIGNALS or name[:1].isupper(),
            f"absence: {name!r} is neither a signal ({', '.join(sorted(SIGNALS))}) nor the name of an event "
            f"(such as {next(iter(HANDLERS))!r})",
        )
    need(not set(file.absence.of) & set(file.absence.without), "absence: the same name stands in `of` and in `without`")
    need(0 <= file.show.most <= 20 and 0 <= file.show.similar <= 8, "show: most is 0 to 20, similar 0 to 8")
    need(duration(file.absence.wait) > 0, "absence.for: must be longer than 0")
    need(1 <= len(file.cascade) <= MOST_STAGES, f"cascade: between 1 and {MOST_STAGES} stages")
    for number, stage in enumerate(file.cascade, 1):
        _check_stage(stage, f"cascade: stage {number}: ", number == len(file.cascade), channels)


def _check_stage(stage: StageFile, where: str, is_last: bool, channels: Collection[str] | None) -> None:
    names, wait = _channels(stage), duration(stage.wait)
    if not names or len(set(names)) != len(names):
        raise ScenarioError(f"{where}name one channel, or several different ones: the first that can be used is")
    for name in names:
        if channels is not None and name not in channels:
            raise ScenarioError(f"{where}there is no channel {name!r}; there are: {', '.join(sorted(channels))}")
    if not stage.template:
        raise ScenarioError(f"{where}template: must be named")
    if is_last and (wait > 0 or stage.reaction is not Reaction.GOAL):
        raise ScenarioError(f"{where}it is the last one: nothing follows, so it has neither `wait` nor `reaction`")
    if not is_last and not 0 < wait <= LONGEST_WAIT:
        raise ScenarioError(f"{where}wait: say how long to wait for a reaction before the next stage, up to 30d")


def templates_of(scenario: AnyScenario) -> list[tuple[str, str]]:
    """The (channel, template) pairs of a scenario's cascade."""
    if isinstance(scenario, DialogScenario):
        return [(told.channel, told.template) for told in scenario.cascade]
    return [(channel, stage.template) for stage in scenario.cascade for channel in stage.channels]


def _check_name(name: str, version: int) -> None:
    if not name or not set(name) <= NAME_CHARACTERS or len(name) > 64:
        raise ScenarioError(f"id: {name!r} must be 1 to 64 of a-z, 0-9 and _")
    if not 1 <= version < 1_000_000:
        raise ScenarioError("version: must be at least 1")
