"""What is wrong with a condition besides its shape: no head or two, nothing asked, names that nobody knows, too much of it. Pure."""

from collections.abc import Collection, Iterator
from typing import Any, TypeGuard

from agents.conditions.history import SOURCES, most_of
from agents.conditions.language import (
    ASKED,
    CONSENTS,
    DAYS,
    HEADS,
    MOST_DEPTH,
    MOST_NODES,
    NEEDS_ONE,
    NUMBERS,
    OF_DEVICE,
    PROFILE,
)
from agents.scenarios.shape import Fault, Place, nearest
from tables.apply import HANDLERS
from tables.signals import SIGNALS

_NUMERIC = ("price", "quantity", "total", "results")
_TEXTS = ("is", "in", "exists")
_PASSING = ("time", "event")
"""Heads that say nothing of the customer himself."""


def condition_faults(
    value: Any, place: Place, *, segments: Collection[str] | None = None, of_segment: bool = False
) -> Iterator[Fault]:
    """Faults of the plain value at `place`. `segments`: those that there are; None: not known. `of_segment`: it defines one."""
    nodes = _nodes(value)
    if nodes > MOST_NODES:
        yield Fault(place, f"{nodes} conditions in one, and at most {MOST_NODES} are allowed: make a segment of a part")
        return
    yield from _look(value, place, 1, segments, of_segment)


def segments_in(value: Any) -> Iterator[str]:
    """Names of the segments that the plain value of a condition asks for."""
    if isinstance(value, dict):
        if isinstance(value.get("segment"), str):
            yield value["segment"]
        for member in (*_members(value, "all"), *_members(value, "any"), value.get("not")):
            yield from segments_in(member)


def _members(value: dict[Any, Any], name: str) -> list[Any]:
    found = value.get(name)
    return found if isinstance(found, list) else []


def _nodes(value: Any) -> int:
    if not isinstance(value, dict):
        return 0
    return 1 + sum(map(_nodes, (*_members(value, "all"), *_members(value, "any"), value.get("not"))))


def _look(value: Any, place: Place, depth: int, segments: Collection[str] | None, of_segment: bool) -> Iterator[Fault]:
    if not isinstance(value, dict):
        return  # its shape is told already
    if depth > MOST_DEPTH:
        yield Fault(place, f"conditions nested deeper than {MOST_DEPTH} levels: make a segment of a part")
        return
    heads = [name for name in value if name in HEADS]
    if len(heads) != 1:
        which = (
            f"{' and '.join(heads)} stand together: join them with `all`" if heads else "it says not what to look at"
        )
        yield Fault(place, f"{which}; a condition has one of: {', '.join(HEADS)}")
        return
    head = heads[0]
    if value[head] is None:
        yield Fault((*place, head), f"nothing stands behind `{head}`: write what is looked at, or take it out")
        return
    yield from _asked(value, head, place)
    if of_segment and head in _PASSING:
        text = "a segment is about the customer, not about an event or the hour: ask for this in the scenario"
        yield Fault((*place, head), text)
    if not of_segment and head == "rfm":
        text = "scores have the bounds of the segments' folder: define a segment by them, and ask for `segment`"
        yield Fault((*place, head), text)
    if head == "segment":
        yield from _segment(value[head], (*place, head), segments)
    elif head in _LOOKS:
        yield from _LOOKS[head](value, place)
    for name in ("all", "any"):
        for index, member in enumerate(_members(value, name)):
            yield from _look(member, (*place, name, index), depth + 1, segments, of_segment)
    yield from _look(value.get("not"), (*place, "not"), depth + 1, segments, of_segment)


def _asked(value: dict[Any, Any], head: str, place: Place) -> Iterator[Fault]:
    allowed = ASKED.get(head, ())
    known = {*(word for words in ASKED.values() for word in words)}
    for name in value:
        if name != head and name in known and name not in allowed:
            said = f"there are: {', '.join(allowed)}" if allowed else "nothing stands beside it"
            yield Fault((*place, name), f"says nothing beside `{head}`; {said}")
    needed = NEEDS_ONE.get(head, ())
    if needed and not any(name in value for name in needed):
        yield Fault(place, f"`{head}` needs what is asked of it: one of {', '.join(needed)}")
    for low, high in (("at_least", "at_most"), ("at_least", "below"), ("above", "at_most"), ("above", "below")):
        least, most = value.get(low), value.get(high)
        if _is_number(least) and _is_number(most) and least > most:
            yield Fault(
                (*place, high),
                f"no number is {low.replace('_', ' ')} {least} and {high.replace('_', ' ')} {most}",
            )


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _segment(name: Any, place: Place, segments: Collection[str] | None) -> Iterator[Fault]:
    if segments is not None and isinstance(name, str) and name not in segments:
        hint = nearest(name, segments) or (
            f"; there are: {', '.join(sorted(segments))}" if segments else "; there is none"
        )
        yield Fault(place, f"there is no segment {name!r}{hint}")


def _happened(value: dict[Any, Any], place: Place) -> Iterator[Fault]:
    name = value["happened"]
    if not isinstance(name, str) or not name:
        return
    where = (*place, "happened")
    if name not in SOURCES and not name[:1].isupper():
        hint = nearest(name, (*SOURCES, *HANDLERS)) or f"; signals are {', '.join(SOURCES)}"
        more = (
            " is a signal that nothing remembers"
            if name in SIGNALS
            else " is neither a signal nor the name of an event (such as 'Product Added')"
        )
        yield Fault(where, f"{name!r}{more}{hint}")
    most = most_of(name)
    for bound in NUMBERS:
        number = value.get(bound)
        if _is_number(number) and number > most:
            text = f"of {name!r} only the last {most} are remembered: ask for at most {most}"
            text += "; orders are counted by `orders: count`" if name == "ordered" else ""
            yield Fault((*place, bound), text)
    for word in ("same", "category"):
        if word in value and name not in ("product_viewed", "category_viewed"):
            yield Fault(
                (*place, word), f"of {name!r} no category is remembered; of product_viewed and category_viewed it is"
            )


def _event(value: dict[Any, Any], place: Place) -> Iterator[Fault]:
    name, numbers = value["event"], [word for word in NUMBERS if word in value]
    yield from _both(value, place)
    if numbers and name not in _NUMERIC and not any(word in value for word in _TEXTS):
        yield Fault((*place, numbers[0]), f"`{name}` is no number; numbers are {', '.join(_NUMERIC)}")


def _both(value: dict[Any, Any], place: Place) -> Iterator[Fault]:
    texts, numbers = [word for word in _TEXTS if word in value], [word for word in NUMBERS if word in value]
    if texts and numbers:
        yield Fault((*place, numbers[0]), f"says nothing beside `{texts[0]}`: join two conditions with `all`")


def _trait(value: dict[Any, Any], place: Place) -> Iterator[Fault]:
    if value["trait"] in PROFILE:
        yield Fault((*place, "trait"), f"this belongs to the profile: `profile: {value['trait']}`")
    yield from _both(value, place)
    yield from _profile(value, place)


def _consent(value: dict[Any, Any], place: Place) -> Iterator[Fault]:
    word = value.get("is")
    if word is not None and word not in CONSENTS:
        yield Fault((*place, "is"), f"{word!r} is none of {', '.join(CONSENTS)}{nearest(str(word), CONSENTS)}")


def _device(value: dict[Any, Any], place: Place) -> Iterator[Fault]:
    name, asked = value["device"], [word for word in _TEXTS if word in value]
    words = OF_DEVICE.get(name) if isinstance(name, str) else None
    if words is None:
        if asked and name in ("webpush", "fcm"):
            yield Fault((*place, asked[0]), f"says nothing beside `device: {name}`, which is there or is not")
        return
    if not asked:
        yield Fault(place, f"`device: {name}` needs what is asked of it: one of {', '.join(_TEXTS)}")
    said: list[tuple[Place, Any]] = [((*place, "is"), value["is"])] if "is" in value else []
    said += [((*place, "in", index), word) for index, word in enumerate(_members(value, "in"))]
    for where, word in said:
        if not isinstance(word, str) or word.lower() not in words:
            yield Fault(where, f"{word!r} is none of {', '.join(words)}{nearest(str(word), words)}")
    yield from _profile(value, place)


def _time(value: dict[Any, Any], place: Place) -> Iterator[Fault]:
    is_day = value["time"] == "weekday"
    for index, item in enumerate(_members(value, "in")):
        if is_day and item not in DAYS:
            yield Fault((*place, "in", index), f"{item!r} is none of {', '.join(DAYS)}{nearest(str(item), DAYS)}")
        elif not is_day and (not _is_number(item) or not 0 <= item <= 23):
            yield Fault((*place, "in", index), f"{item!r} is no hour: they are 0 to 23")
    if is_day:
        for name in NUMBERS:
            if name in value:
                yield Fault((*place, name), "days are named: `in: [mon, tue]`")


def _whole(value: dict[Any, Any], place: Place) -> Iterator[Fault]:
    if str(value["orders"]).startswith("days_since"):
        for name in NUMBERS:
            if _is_number(value.get(name)) and value[name] != int(value[name]):
                yield Fault((*place, name), "whole days are counted")


def _rfm(value: dict[Any, Any], place: Place) -> Iterator[Fault]:
    for name in NUMBERS:
        if _is_number(value.get(name)) and not 1 <= value[name] <= 5:
            yield Fault((*place, name), "scores are 1 to 5, 5 the best")


def _profile(value: dict[Any, Any], place: Place) -> Iterator[Fault]:
    if value.get("exists") is False and ("is" in value or "in" in value):
        yield Fault((*place, "exists"), "what is unknown has no value to compare")


_LOOKS = {
    "happened": _happened,
    "event": _event,
    "consent": _consent,
    "device": _device,
    "time": _time,
    "orders": _whole,
    "rfm": _rfm,
    "profile": _profile,
    "trait": _trait,
}
