"""What is wrong with a file with steps besides its shape: cycles, names that nobody knows, steps that nobody comes to. Pure.

Works on plain values, like `faults.py`.
"""

from collections.abc import Callable, Iterator
from typing import Any

from agents.conditions.faults import condition_faults
from agents.conditions.language import DAYS
from agents.scenarios.faults import Known, absence_faults, event_faults, show_faults, spoken, stage_faults
from agents.scenarios.language import ScenarioError, duration
from agents.scenarios.shape import Fault, Place, nearest
from agents.scenarios.steps import KINDS, MOST_DEPTH, MOST_STEPS

_ENTRIES = ("event", "absence", "segment", "date", "catalogue", "schedule", "replenish")


def step_faults(value: dict[Any, Any], known: Known) -> Iterator[Fault]:
    """Faults of the plain value of a file with steps."""
    if "absence" in value or "cascade" in value or "show" in value:
        name = next(name for name in ("absence", "cascade", "show") if name in value)
        where = {"absence": "`entry`", "cascade": "a step", "show": "the step that says something"}[name]
        yield Fault((name,), f"in a file with `steps` this belongs into {where}")
    entry = value.get("entry")
    if isinstance(entry, dict):
        yield from _entry(entry, known)
    goal = value.get("goal")
    if isinstance(goal, dict):
        yield from _event(goal, ("goal",), known)
    again = value.get("reentry")
    if isinstance(again, str) and again[:1].isdigit():
        try:
            duration(again)
        except ScenarioError as error:
            yield Fault(("reentry",), f"{error}; `once` is for ever")
    if "per" in value and isinstance(entry, dict) and "schedule" in entry:
        text = "a schedule tells of no product, category, order or query: leave it out"
        yield Fault(("per",), text)
    if isinstance(entry, dict) and "replenish" in entry and "per" in value:
        yield Fault(
            ("per",), "each product, or category, that is bought again has a journey of its own already: leave it out"
        )
    yield from _exit(value, entry if isinstance(entry, dict) else {})
    yield from _Look(known).all(value.get("steps"))


def _entry(entry: dict[Any, Any], known: Known) -> Iterator[Fault]:
    heads = [name for name in _ENTRIES if name in entry]
    if len(heads) != 1:
        which = f"{' and '.join(heads)} stand together" if heads else "it says not how a customer enters"
        yield Fault(("entry",), f"{which}; an entry has one of: {', '.join(_ENTRIES)}")
    for name in heads:
        if entry[name] is None:
            yield Fault(("entry", name), f"nothing stands behind `{name}`: write what begins it, or take it out")
    if "event" in entry:
        yield from _event(entry, ("entry",), known)
    elif "when" in entry:
        yield from condition_faults(entry["when"], ("entry", "when"), segments=known.segments)
    if isinstance(entry.get("absence"), dict):
        yield from absence_faults(entry["absence"], known, ("entry", "absence"))
    change = entry.get("catalogue")
    if isinstance(change, dict) and "at_least" in change and change.get("change") == "back_in_stock":
        yield Fault(
            ("entry", "catalogue", "at_least"),
            "is how far a price falls; goods are back, or they are not: leave it out",
        )
    if isinstance(entry.get("schedule"), dict):
        yield from _schedule(entry["schedule"], known)
    segment = entry.get("segment")
    if isinstance(segment, dict):
        names = [name for name in ("enters", "leaves") if name in segment]
        if len(names) != 1:
            yield Fault(("entry", "segment"), "say one of `enters` and `leaves`, with the segment's id")
        for name in names:
            yield from _segment(segment[name], ("entry", "segment", name), known)


def _schedule(schedule: dict[Any, Any], known: Known) -> Iterator[Fault]:
    place: Place = ("entry", "schedule")
    every, days = schedule.get("every"), schedule.get("on")
    if every == "day" and days is not None:
        yield Fault((*place, "on"), "every day is on all of them: leave it out, or write `every: week`")
    if every == "week" and days is None:
        yield Fault(place, "on: say on which days of the week, such as `on: [mon, thu]`")
    if every == "month" and days is None:
        yield Fault(place, "on: say on which days of the month, such as `on: [1, 15]` or `on: [last]`")
    for index, day in enumerate(days if isinstance(days, list) else ()):
        where = (*place, "on", index)
        is_number = isinstance(day, int) and not isinstance(day, bool)
        if every == "week" and (is_number or day == "last"):
            yield Fault(where, f"days of the week are named: {', '.join(DAYS)}; days of a month are `every: month`")
        elif every == "month" and day in DAYS:
            yield Fault(where, "days of a month are numbers from 1 to 28, or `last`; weekdays are `every: week`")
        elif every == "month" and is_number and 28 < day <= 31:
            yield Fault(where, f"not every month has a day {day}, February the least: write 28 or less, or `last`")
    if "segment" in schedule:
        yield from _segment(schedule["segment"], (*place, "segment"), known)


def _segment(name: Any, place: Place, known: Known) -> Iterator[Fault]:
    if known.segments is not None and isinstance(name, str) and name not in known.segments:
        yield Fault(place, f"there is no segment {name!r}{_among(name, known.segments)}")


def _exit(value: dict[Any, Any], entry: dict[Any, Any]) -> Iterator[Fault]:
    said = value.get("exit_on")
    segment, schedule = entry.get("segment"), entry.get("schedule")
    named = (isinstance(segment, dict) and "enters" in segment) or (
        isinstance(schedule, dict) and schedule.get("segment") is not None
    )
    if said in ("segment", "either") and not named:
        text = f"`{said}` ends it when a segment is left: its entry must be `segment: {{enters: ...}}`, or a schedule with a `segment`"
        yield Fault(("exit_on",), text)
    if said in ("goal", "either") and "goal" not in value:
        yield Fault(("exit_on",), f"`{said}` ends it when its goal is reached: say with `goal` which event that is")


def _event(value: dict[Any, Any], place: Place, known: Known) -> Iterator[Fault]:
    """An event with a condition."""
    name = value.get("event")
    if isinstance(name, str) and name:
        yield from event_faults(name, (*place, "event"), known)
    if "when" in value:
        yield from condition_faults(value["when"], (*place, "when"), segments=known.segments)


def _among(word: str, known: Any) -> str:
    return nearest(word, known) or f"; there are: {', '.join(sorted(known)) or 'none'}"


class _Look:
    """Looks at all steps of a file, in the order in which they are laid out."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._count = 0
        self._names: dict[str, int] = {}
        self._gos: list[tuple[str, int, Place]] = []
        self._experiments: set[str] = set()
        self._kinds: dict[str, Callable[[Any, Place, int], Iterator[Fault]]] = {
            "wait": self._wait,
            "split": self._split,
            "experiment": self._experiment,
            "message": self._message,
            "cascade": self._cascade,
            "webhook": self._webhook,
            "alert": self._alert,
            "tag": self._marks,
            "audience": self._marks,
        }

    def all(self, steps: Any) -> Iterator[Fault]:
        """Faults of all steps."""
        yield from self._list(steps, ("steps",), 1)
        if self._count > MOST_STEPS:
            yield Fault(
                ("steps",), f"{self._count} steps, and at most {MOST_STEPS} are allowed: make two scenarios of it"
            )
        for name, number, place in self._gos:
            if name not in self._names:
                hint = _among(name, self._names) if self._names else ": give the step that it leads to a `name`"
                yield Fault(place, f"no step has the name {name!r}{hint}")
            elif self._names[name] <= number:
                text = f"leads back to {name!r}, and a cycle would never end: let the customer enter anew instead (`reentry`)"
                yield Fault(place, text)

    def _list(self, steps: Any, place: Place, depth: int) -> Iterator[Fault]:
        if not isinstance(steps, list):
            return
        if depth > MOST_DEPTH:
            yield Fault(place, f"branches nested deeper than {MOST_DEPTH} levels: make two scenarios of it")
            return
        ended = ""
        for index, step in enumerate(steps):
            where = (*place, index)
            if not isinstance(step, dict):
                continue
            if ended and "name" not in step:
                yield Fault(where, f"nobody comes here: the step before it is `{ended}`")
            yield from self._step(step, where, depth)
            ended = next((kind for kind in ("exit", "go") if kind in step), "")

    def _step(self, step: dict[Any, Any], place: Place, depth: int) -> Iterator[Fault]:
        self._count += 1
        number = self._count
        name = step.get("name")
        if isinstance(name, str):
            if name in self._names:
                yield Fault((*place, "name"), f"two steps have the name {name!r}")
            self._names.setdefault(name, number)
        kinds = [kind for kind in KINDS if kind in step]
        if len(kinds) != 1:
            which = f"{' and '.join(kinds)} stand together: make them {len(kinds)} steps" if kinds else "does nothing"
            yield Fault(place, f"{which}; a step has one of: {', '.join(KINDS)}")
            return
        kind = kinds[0]
        for beside in ("show", "slots"):
            if beside in step and kind != "cascade":
                yield Fault((*place, beside), "stands beside `cascade`; a message has it inside")
        yield from show_faults(step.get("show"), (*place, "show"), has_begun=True)
        if isinstance(message := step.get("message"), dict):
            yield from show_faults(message.get("show"), (*place, "message", "show"), has_begun=True)
        if kind == "go" and isinstance(step["go"], str):
            self._gos.append((step["go"], number, (*place, "go")))
        if kind in self._kinds:
            yield from self._kinds[kind](step[kind], (*place, kind), depth)

    def _wait(self, wait: Any, place: Place, depth: int) -> Iterator[Fault]:
        if not isinstance(wait, dict):
            return
        said = wait.get("for")
        for index, event in enumerate(said if isinstance(said, list) else [said]):
            where: Place = (*place, "for", index) if isinstance(said, list) else (*place, "for")
            if isinstance(event, dict):
                yield from _event(event, where, self._known)
                yield from self._list(event.get("then"), (*where, "then"), depth + 1)
        yield from self._list(wait.get("else"), (*place, "else"), depth + 1)

    def _split(self, branches: Any, place: Place, depth: int) -> Iterator[Fault]:
        for index, branch in enumerate(branches if isinstance(branches, list) else ()):
            where = (*place, index)
            if not isinstance(branch, dict):
                continue
            if ("otherwise" in branch) == ("when" in branch):
                yield Fault(where, "a branch has `when` and `steps`; the last one may be `otherwise: [...]`")
            if "otherwise" in branch and index < len(branches) - 1:
                yield Fault(where, "`otherwise` is the last branch: nobody comes to those behind it")
            if "when" in branch:
                yield from condition_faults(branch["when"], (*where, "when"), segments=self._known.segments)
            for name in ("steps", "otherwise"):
                yield from self._list(branch.get(name), (*where, name), depth + 1)

    def _experiment(self, found: Any, place: Place, depth: int) -> Iterator[Fault]:
        if not isinstance(found, dict):
            return
        name = found.get("name")
        if isinstance(name, str):
            if name in self._experiments:
                yield Fault(
                    (*place, "name"), f"two experiments have the name {name!r}: their arms would be the same ones"
                )
            self._experiments.add(name)
        arms = found.get("arms")
        for index, arm in enumerate(arms if isinstance(arms, list) else ()):
            if isinstance(arm, dict):
                yield from self._list(arm.get("steps"), (*place, "arms", index, "steps"), depth + 1)

    def _message(self, message: Any, place: Place, _depth: int) -> Iterator[Fault]:
        if isinstance(message, dict):
            yield from stage_faults(message, place, self._known, is_last=True)

    def _cascade(self, stages: Any, place: Place, _depth: int) -> Iterator[Fault]:
        for index, stage in enumerate(stages if isinstance(stages, list) else ()):
            if isinstance(stage, dict):
                yield from stage_faults(stage, (*place, index), self._known, is_last=index == len(stages) - 1)

    def _webhook(self, hook: Any, place: Place, _depth: int) -> Iterator[Fault]:
        if isinstance(hook, dict):
            yield from stage_faults({"channel": "webhook", **hook}, place, self._known, is_last=True)

    def _alert(self, alert: Any, place: Place, _depth: int) -> Iterator[Fault]:
        to, team = alert.get("to") if isinstance(alert, dict) else None, self._known.team
        if isinstance(to, str) and team is not None and to not in team:
            yield Fault((*place, "to"), f"nobody of the team is {to!r}{_among(to, team)}")
        if isinstance(alert, dict):
            if ("text" in alert) == ("template" in alert):
                yield Fault(place, "say with `text` or with `template` what the team is told, with one of them")
            yield from spoken([], alert.get("template"), place, self._known)

    def _marks(self, marks: Any, place: Place, _depth: int) -> Iterator[Fault]:
        if isinstance(marks, dict) and not marks.get("add") and not marks.get("remove"):
            yield Fault(place, "say with `add` or `remove` which")
