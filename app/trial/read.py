"""Reads files of tests: YAML -> typed structs, every fault with its line."""

from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from agents.scenarios.document import MOST_BYTES, Document, read_document
from agents.scenarios.language import ScenarioError
from agents.scenarios.load import told
from agents.scenarios.shape import Fault, misfits, nearest
from agents.team import TeamError, staff_of
from app.clock import moment
from app.trial.language import StepFile, TrialFile, action_of, after
from app.web.collector.eventtime import lenient


class Trial(NamedTuple):
    """A file of tests."""

    path: Path
    file: TrialFile
    document: Document

    def line(self, test: int, step: int) -> int:
        """Where a step stands."""
        return self.document.line(("tests", test, "steps", step))


def read_trial(path: Path, scenarios: list[str]) -> Trial:
    """The tests of a file; `scenarios` are the known ids. Raises ScenarioError with every fault, a line each."""
    document = _document(path)
    faults = [*document.faults, *misfits(document.value, TrialFile)]
    file: TrialFile | None = None if faults else msgspec.convert(document.value, TrialFile)
    if file is not None:
        faults += _faults(file, scenarios)
        faults += _team_faults(file)
    if file is None or faults:
        faults.sort(key=lambda fault: document.line(fault.place))
        raise ScenarioError("\n".join(told(path, document.told(fault)) for fault in faults))
    return Trial(path, file, document)


def _document(path: Path) -> Document:
    try:
        raw = path.read_bytes()[: MOST_BYTES + 1]
        text = raw.decode()
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ScenarioError(f"{path.name}: not UTF-8") from None
    if len(raw) > MOST_BYTES:
        raise ScenarioError(f"{path.name}: larger than {MOST_BYTES // 1024} KiB")
    try:
        return read_document(text)
    except ScenarioError as error:
        raise ScenarioError(told(path, str(error))) from None


def _faults(file: TrialFile, scenarios: list[str]) -> list[Fault]:
    found = [] if file.scenario in scenarios else [Fault(("scenario",), _unknown(file.scenario, scenarios))]
    for number, test in enumerate(file.tests):
        if start_of(test.start) is None:
            found.append(
                Fault(("tests", number, "start"), f"{test.start!r} is no time; write it as 2026-01-05T12:00:00Z")
            )
        last = 0.0
        for index, step in enumerate(test.steps):
            last = _step(step, ("tests", number, "steps", index), last, scenarios, found)
    return found


def _team_faults(file: TrialFile) -> list[Fault]:
    found = []
    for number, test in enumerate(file.tests):
        try:
            if test.team is not None:
                staff_of(test.team, 2026)
        except TeamError as error:
            found.append(Fault(("tests", number, "team"), str(error)))
    return found


def _step(step: StepFile, place: Any, last: float, scenarios: list[str], found: list[Fault]) -> float:
    """Note the faults of a step; returns when it is."""
    at = last
    try:
        at = after(step.at) if step.at else last
        action = action_of(step)
    except ScenarioError as error:
        found.append(Fault(place, str(error)))
        return at
    if at < last:
        found.append(Fault((*place, "at"), f"{step.at} is before the step above it: steps stand in the order of time"))
    if not action and step.expect is None and step.reason is None:
        found.append(Fault(place, "nothing happens and nothing is expected: name an event, or what to expect"))
    if step.device and not (step.event or step.page):
        found.append(
            Fault((*place, "device"), "is what the customer is there with: it stands beside `event` or `page`")
        )
    if (step.content is not None or step.channel or step.template) and step.expect in (None, "nothing"):
        found.append(
            Fault(place, "`content`, `channel` and `template` are about a message: say with `expect` which one")
        )
    names = step.expect if isinstance(step.expect, tuple) else () if step.expect is None else (step.expect,)
    found += [
        Fault((*place, "expect"), _unknown(name, [*scenarios, "nothing", "fired"]))
        for name in names
        if name not in (*scenarios, "nothing", "fired")
    ]
    return at


def _unknown(name: str, known: list[str]) -> str:
    return f"there is no scenario {name!r}{nearest(name, known) or '; there are: ' + ', '.join(known)}"


def start_of(text: str) -> float | None:
    """When a test starts, epoch seconds."""
    at = lenient(text)
    return None if at is None or moment(at).year < 2000 else at
