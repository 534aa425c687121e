"""Reads segment files: YAML -> typed structs -> compiled segments, in the order in which they are worked out."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import msgspec

from agents.conditions.compile import compiled
from agents.conditions.faults import condition_faults, segments_in
from agents.conditions.rfm import BOUNDS, QUANTILES, Bounds
from agents.conditions.touched import member
from agents.conditions.words import DAY, ScenarioError
from agents.scenarios.document import Document, convert, read_document, read_text, read_yaml
from agents.scenarios.language import Scenario
from agents.scenarios.load import told
from agents.scenarios.needs import conditions_of, heard_by
from agents.scenarios.shape import Fault, misfits
from agents.segments.language import MOST_SEGMENTS, RfmFile, Segment, SegmentFile, SegmentSet
from tables.signals import SEGMENT_ENTERED, SEGMENT_LEFT

RFM = "rfm.yaml"
_ABOUT = (member(""), SEGMENT_ENTERED, SEGMENT_LEFT)
"""How facts and signals about a segment begin; its id follows."""


class CheckedSegments(NamedTuple):
    """What a folder holds: the segments, and every fault, each one line: `file:line: field: what to do`."""

    found: SegmentSet
    faults: tuple[str, ...] = ()


def load_segments(folder: Path, *, time_scale: float = 1.0) -> SegmentSet:
    """The segments of a folder. Raises ScenarioError that tells every fault."""
    checked = check_segments(folder, time_scale=time_scale)
    if checked.faults:
        raise ScenarioError("; ".join(checked.faults))
    return checked.found


def needed_segments(scenarios: Iterable[Scenario], folder: Path, *, time_scale: float = 1.0) -> SegmentSet:
    """The segments of a folder where one of these scenarios asks for any, else none: who plays history need not work them out.

    Raises ScenarioError that tells every fault.
    """
    if any(asked_for(scenario) for scenario in scenarios):
        return load_segments(folder, time_scale=time_scale)
    return SegmentSet()


def asked_for(scenario: Scenario) -> frozenset[str]:
    """The segments that a scenario asks for, or listens to."""
    names = heard_by(scenario).union(*(condition.reads for condition in conditions_of(scenario)))
    return frozenset(name.partition(":")[2] for name in names if name.startswith(_ABOUT))


def check_segments(folder: Path, *, time_scale: float = 1.0) -> CheckedSegments:
    """What a folder holds, with every fault of every file. An empty folder has no segments."""
    if not folder.is_dir():
        return CheckedSegments(
            SegmentSet(), (f"{folder}: no such folder; set BOOMERANG_SEGMENTS to that of the segments",)
        )
    paths = sorted(path for path in folder.glob("*.y*ml") if path.name != RFM)
    if len(paths) > MOST_SEGMENTS:
        return CheckedSegments(SegmentSet(), (f"{folder}: more than {MOST_SEGMENTS} segment files",))
    documents: dict[Path, Document] = {}
    faults: list[str] = []
    for path in paths:
        try:
            documents[path] = read_document(read_text(path))
        except ScenarioError as error:
            faults.append(told(path, str(error)))
    try:
        bounds = _bounds(folder / RFM)
    except ScenarioError as error:
        faults.append(told(folder / RFM, str(error)))
        bounds = BOUNDS
    faults += _faults(documents)
    if faults:
        return CheckedSegments(SegmentSet(), tuple(faults))
    files = {file.id: file for file in (msgspec.convert(item.value, SegmentFile) for item in documents.values())}
    return CheckedSegments(_compiled(files, {name: _asked(documents, name) for name in files}, bounds, time_scale))


def _bounds(path: Path) -> Bounds:
    """The bounds of scores; those that are built in where there is no file. Raises ScenarioError."""
    if not path.exists():
        return BOUNDS
    text = read_text(path)
    file = convert(text, read_yaml(text), RfmFile)
    if file.bounds == "quantile":
        for name in Bounds._fields:
            if getattr(file, name) is not None:
                raise ScenarioError(
                    f"{name}: with `bounds: quantile` the customers themselves are the measure: leave it out"
                )
        return QUANTILES
    if file.recency is None or file.frequency is None or file.monetary is None:
        missing = next(name for name in Bounds._fields if getattr(file, name) is None)
        raise ScenarioError(f"the field `{missing}` is missing: four bounds, or write `bounds: quantile`")
    for name in Bounds._fields:
        four = getattr(file, name)
        if list(four) != sorted(set(four)) or four[0] <= 0:
            raise ScenarioError(f"{name}: four bounds above 0, each larger than the one before it")
    return Bounds(file.recency, file.frequency, file.monetary)


def _faults(documents: Mapping[Path, Document]) -> Iterator[str]:
    first: dict[str, Path] = {}
    names = {_name(document) for document in documents.values()}
    for path, document in documents.items():
        value, name = document.value, _name(document)
        found = [*document.faults, *misfits(value, SegmentFile)]
        if isinstance(value, dict):
            found += condition_faults(value.get("when"), ("when",), segments=names - {""}, of_segment=True)
        if name and first.setdefault(name, path) is not path:
            found.append(Fault(("id",), f"the id {name!r} is taken by {first[name].name}; two segments need two ids"))
        cycle = _cycle(documents, name)
        if cycle:
            text = f"{' asks for '.join(cycle)}: a segment cannot depend on itself; take one of these out"
            found.append(Fault(("when",), text))
        yield from (
            told(path, document.told(fault)) for fault in sorted(found, key=lambda one: document.line(one.place))
        )


def _name(document: Document) -> str:
    name = document.value.get("id") if isinstance(document.value, dict) else None
    return name if isinstance(name, str) else ""


def _asked(documents: Mapping[Path, Document], name: str) -> list[str]:
    """The segments that one asks for."""
    for document in documents.values():
        if name and _name(document) == name:
            return sorted(set(segments_in(document.value.get("when"))))
    return []


def _cycle(documents: Mapping[Path, Document], name: str) -> list[str]:
    """The shortest way from a segment back to itself, or nothing."""
    ways = [[name]]
    seen = {name}
    for way in ways:
        for other in _asked(documents, way[-1]):
            if other == name:
                return [*way, name]
            if other not in seen:
                seen.add(other)
                ways.append([*way, other])
    return []


def _compiled(
    files: Mapping[str, SegmentFile], asked: Mapping[str, list[str]], bounds: Bounds, time_scale: float
) -> SegmentSet:
    order: list[str] = []
    while len(order) < len(files):
        order += [name for name in sorted(files) if name not in order and all(other in order for other in asked[name])]
    segments = tuple(
        Segment(
            name, files[name].title, compiled(files[name].when, time_scale=time_scale, bounds=bounds), files[name].topic
        )
        for name in order
    )
    told_as = [(name, files[name].when) for name in order]
    mark = crc32(msgspec.json.encode((told_as, bounds, time_scale))) | 1 if order else 0
    return SegmentSet(segments, mark, bounds, DAY / time_scale)
