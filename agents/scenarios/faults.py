"""What is wrong with a scenario besides its shape: names that nobody knows, waits that cannot be, a goal that is never seen. Pure.

Works on plain values, each by itself, so that a fault in one hides none in another.
"""

from collections.abc import Callable, Collection, Iterator
from typing import Any, NamedTuple

from agents.conditions.faults import condition_faults
from agents.scenarios.dialogs import DialogScenarioFile
from agents.scenarios.language import BEGUN, Absence, Reaction, ScenarioError, ScenarioFile, StageFile, duration
from agents.scenarios.shape import Fault, Place, misfits, nearest
from agents.scenarios.steps import JourneyFile
from tables.apply import HANDLERS
from tables.signals import ORDERED, SIGNALS

_ENDED_BY: tuple[str, ...] = Absence.__struct_defaults__[0]
"""What ends an absence whose file does not say."""


class Known(NamedTuple):
    """What scenarios may name. None: it is not known here, and not looked at."""

    channels: Collection[str] | None = None
    templates: Collection[str] | None = None
    canonical: Callable[[str], str] | None = None
    """Gives the name under which an event of this name arrives."""
    segments: Collection[str] | None = None
    team: Collection[str] | None = None
    """Whom alerts may go to."""


def faults_of(value: Any, known: Known) -> list[Fault]:
    """Everything that is wrong with the plain value of a scenario file."""
    from agents.scenarios.step_faults import step_faults  # it asks for what is below

    of_dialogs, steps = is_of_dialogs(value), has_steps(value)
    found = [*misfits(value, DialogScenarioFile if of_dialogs else JourneyFile if steps else ScenarioFile)]
    if isinstance(value, dict):
        found += _dialog(value, known) if of_dialogs else step_faults(value, known) if steps else _site(value, known)
    return found


def has_steps(value: Any) -> bool:
    """Whether it is a scenario with steps."""
    return isinstance(value, dict) and ("steps" in value or "entry" in value) and "dialog" not in value


def is_of_dialogs(value: Any) -> bool:
    """Whether it is a scenario of dialogs."""
    return isinstance(value, dict) and "dialog" in value


def _site(value: dict[Any, Any], known: Known) -> Iterator[Fault]:
    absence = value.get("absence")
    if isinstance(absence, dict):
        yield from absence_faults(absence, known, ("absence",))
    yield from show_faults(value.get("show"), ("show",), has_begun=False)
    if "when" in value:
        yield from condition_faults(value["when"], ("when",), segments=known.segments)
    goal = value.get("goal")
    if isinstance(goal, dict):
        yield from _goal(goal, known)
    stages = _list(value, "cascade")
    for index, stage in enumerate(stages):
        if isinstance(stage, dict):
            yield from stage_faults(stage, ("cascade", index), known, is_last=index == len(stages) - 1)


def absence_faults(absence: dict[Any, Any], known: Known, place: Place) -> Iterator[Fault]:
    """Faults of the absence at `place`."""
    for where in ("of", "without"):
        for index, name in enumerate(_list(absence, where)):
            if isinstance(name, str) and name:
                yield from event_faults(name, (*place, where, index), known)
    for index, name in enumerate(_list({"without": list(_ENDED_BY), **absence}, "without")):
        if name in _list(absence, "of"):
            yield Fault(
                (*place, "without", index),
                f"{name!r} stands in `of` and in `without`: what begins the wait would end it",
            )


def show_faults(show: Any, place: Place, *, has_begun: bool) -> Iterator[Fault]:
    """Faults of what a message shows. `has_begun`: an event began what it is a message of."""
    if not isinstance(show, dict):
        return
    if show.get("items") == BEGUN and not has_begun:
        yield Fault(
            (*place, "items"), f"{BEGUN!r} is what began a scenario with steps: write cart, views, category or search"
        )
    if show.get("similar", 0) == 0:
        if show.get("similar_by", "category") != "category":
            yield Fault((*place, "similar_by"), "says nothing without `similar`: write how many, such as similar: 4")
        if "average" in _list(show, "prefer"):
            yield Fault(
                (*place, "prefer"), "'average' sorts similar products: write how many are shown, such as similar: 4"
            )
    if len(set(_list(show, "prefer"))) != len(_list(show, "prefer")):
        yield Fault((*place, "prefer"), "each stands once, what comes first for a customer first")


def _goal(goal: dict[Any, Any], known: Known) -> Iterator[Fault]:
    name = goal.get("event", ORDERED)
    if name in SIGNALS and name != ORDERED:
        yield Fault(("goal", "event"), f"{name!r} is a signal: name an event, such as 'Product Reviewed', or ordered")
    elif isinstance(name, str) and name and name != ORDERED:
        yield from event_faults(name, ("goal", "event"), known)


def event_faults(name: str, place: Place, known: Known) -> Iterator[Fault]:
    """Faults of what is listened to: a signal, or the name of an event."""
    if name in SIGNALS:
        return
    word, colon, segment = name.partition(":")
    if colon and word in ("segment_entered", "segment_left"):
        if known.segments is not None and segment not in known.segments:
            yield Fault(place, f"there is no segment {segment!r}{nearest(segment, known.segments)}")
        return
    if not name[:1].isupper():
        hint = nearest(name, (*SIGNALS, *HANDLERS)) or f"; signals are {', '.join(sorted(SIGNALS))}"
        yield Fault(place, f"{name!r} is neither a signal nor the name of an event (such as 'Product Added'){hint}")
    elif known.canonical is not None and known.canonical(name) != name:
        yield Fault(
            place, f"{name!r} is never seen: the collector calls this event {known.canonical(name)!r}; write that"
        )


def stage_faults(stage: dict[Any, Any], place: Place, known: Known, *, is_last: bool) -> Iterator[Fault]:
    """Faults of a stage of a cascade."""
    said = stage.get("channel")
    names = [name for name in (said if isinstance(said, list) else [said]) if isinstance(name, str)]
    if isinstance(said, list) and (not names or len(set(names)) != len(names)):
        yield Fault((*place, "channel"), "name one channel, or several different ones: the first that can be used is")
    yield from spoken(names, stage.get("template"), place, known)
    try:
        waits = duration(str(stage.get("wait", "0s"))) > 0
    except ScenarioError:
        return  # its shape is told already
    if is_last and (waits or stage.get("reaction", "goal") != Reaction.GOAL):
        yield Fault(place, "it is the last one: nothing follows, so it has neither `wait` nor `reaction`")
    if not is_last and not waits:
        yield Fault(place, "wait: say how long to wait for a reaction before the next stage, up to 30d")


def channels_of(stage: StageFile) -> tuple[str, ...]:
    """The channels of a stage, in the order in which they are tried."""
    return (stage.channel,) if isinstance(stage.channel, str) else stage.channel


def spoken(channels: list[str], template: Any, place: Place, known: Known) -> Iterator[Fault]:
    """Faults of channels and of a template's name."""
    for channel in channels:
        if known.channels is not None and channel not in known.channels:
            hint = nearest(channel, known.channels) or f"; there are: {', '.join(sorted(known.channels))}"
            yield Fault((*place, "channel"), f"there is no channel {channel!r}{hint}")
    if known.templates is not None and isinstance(template, str) and template not in known.templates:
        hint = nearest(template, known.templates) or f"; there are: {', '.join(sorted(known.templates))}"
        yield Fault((*place, "template"), f"there is no template {template!r}{hint}")


def _dialog(value: dict[Any, Any], known: Known) -> Iterator[Fault]:
    watched = value["dialog"]
    for index, case in enumerate(_list(watched, "cases") if isinstance(watched, dict) else ()):
        if isinstance(case, dict) and case.get("when") == {}:
            yield Fault(("dialog", "cases", index), "`when` must ask for cart_value, manager or tag")
    for index, told in enumerate(_list(value, "cascade")):
        if isinstance(told, dict):
            channel = told.get("channel")
            names = [channel] if isinstance(channel, str) else []
            yield from spoken(names, told.get("template"), ("cascade", index), known)


def _list(value: dict[Any, Any], name: str) -> list[Any]:
    found = value.get(name)
    return found if isinstance(found, list) else []
