"""YAML texts with the line of every field, so that a fault can be told where it stands. The only reader of YAML of the language.

read_document(text)  -> Document(value, lines, faults)
convert(text, ...)   -> a typed struct, or ScenarioError with every fault
"""

from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
import yaml

from agents.scenarios.language import ScenarioError
from agents.scenarios.shape import Fault, Place, misfits

try:
    from yaml import CSafeLoader as Loader
except ImportError:  # a PyYAML without libyaml: slower, the same
    from yaml import SafeLoader as Loader  # type: ignore[assignment]

T = TypeVar("T")
MOST_BYTES = 64 * 1024
"""Of one file."""
MOST_NODES = 20_000
"""Values of one file; aliases count each time that they are used."""
MOST_DEPTH = 32
_LARGEST = 2**63
"""A larger number, an endless one and `.nan` are faults: nothing here is counted or paid that far."""


class Document(NamedTuple):
    """A YAML text as plain values, the line (from 1) of each of its places, and what is wrong with the text itself."""

    value: Any
    lines: dict[Place, int]
    faults: tuple[Fault, ...] = ()

    def line(self, place: Place) -> int:
        """The line of a place, or of what is around it where it does not exist."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def at(self, place: Place) -> Any:
        """The value at a place. Raises LookupError or TypeError where there is none."""
        value = self.value
        for step in place:
            value = value[step]
        return value

    def told(self, fault: Fault) -> str:
        """The fault with its line and field."""
        where = field(fault.place)
        return f"line {self.line(fault.place)}: {where + ': ' if where else ''}{fault.text}"


def field(place: Place) -> str:
    """A place in people's words: `cascade 2.wait`; they count from one."""
    out = ""
    for step in place:
        out += f" {step + 1}" if isinstance(step, int) else f".{step}" if out else str(step)
    return out


def read_text(path: Path) -> str:
    """The text of a file, bounded. Raises ScenarioError."""
    try:
        if path.exists() and not path.is_file():
            raise ScenarioError("no ordinary file")
        if path.stat().st_size > MOST_BYTES:
            raise ScenarioError(f"larger than {MOST_BYTES // 1024} KiB")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ScenarioError("not UTF-8") from None
    except OSError as error:
        raise ScenarioError(f"cannot be read ({error.strerror})") from None


def read_document(text: str) -> Document:
    """The document of a YAML text. Raises ScenarioError with the line where it is no YAML at all."""
    try:
        loader = Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return Document(None, {(): 1})
            return _Reader(loader).read(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 0
        raise ScenarioError(f"line {line}: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise ScenarioError(f"not YAML: {error}") from None
    except RecursionError:
        raise ScenarioError(f"line 1: nested deeper than {MOST_DEPTH} levels") from None


def read_yaml(text: str) -> Any:
    """The document of a YAML text as plain values. Raises ScenarioError with the line of every fault."""
    document = read_document(text)
    if document.faults:
        raise refused(document, document.faults)
    return document.value


def convert(text: str, document: Any, kind: type[T]) -> T:
    """The document of `text` as a struct. Raises ScenarioError with the line of every fault."""
    faults = misfits(document, kind)
    if faults:
        raise refused(read_document(text), faults)
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise ScenarioError(str(error)) from None


def refused(document: Document, faults: tuple[Fault, ...] | list[Fault]) -> ScenarioError:
    """The error that tells all of these."""
    return ScenarioError("; ".join(document.told(fault) for fault in faults))


class _Reader:
    """Plain values of nodes. Bounded: an alias may be used often, or contain itself."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self._lines: dict[Place, int] = {}
        self._faults: list[Fault] = []
        self._nodes = 0
        self._around: set[int] = set()

    def read(self, node: Any) -> Document:
        value = self._value(node, ())
        return Document(value, self._lines, tuple(self._faults))

    def _value(self, node: Any, place: Place) -> Any:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise ScenarioError(f"more than {MOST_NODES} values in one file, aliases counted each time")
        self._lines.setdefault(place, node.start_mark.line + 1)
        if id(node) in self._around or len(place) > MOST_DEPTH:
            self._faults.append(Fault(place, "contains itself: an alias must not lead back to what it stands in"))
            return None
        self._around.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, place)
            if isinstance(node, yaml.SequenceNode):
                return [self._value(item, (*place, number)) for number, item in enumerate(node.value)]
            return self._scalar(node, place)
        finally:
            self._around.discard(id(node))

    def _mapping(self, node: Any, place: Place) -> dict[Any, Any]:
        out: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self._faults.append(
                    Fault(place, f"line {line} has a list or mapping where the name of a field belongs")
                )
                continue
            key = str(key_node.value)
            if key in out:
                first = self._lines[(*place, key)]
                self._faults.append(Fault((*place, key), f"stands twice, on line {first} and on line {line}"))
                continue
            self._lines[(*place, key)] = line
            out[key] = self._value(value_node, (*place, key))
        return out

    def _scalar(self, node: Any, place: Place) -> Any:
        try:
            value = self._loader.construct_object(node)
        except (yaml.YAMLError, ValueError):
            self._faults.append(Fault(place, f"{node.value[:50]!r} cannot be read; put it in quotes"))
            return None
        if isinstance(value, int | float) and not -_LARGEST < value < _LARGEST:
            self._faults.append(Fault(place, f"{node.value[:50]!r} is no number to compare with; write a smaller one"))
            return None
        return value
