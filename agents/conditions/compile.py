"""From a condition as written to one that can be asked. Pure; what it is given has no faults (`faults.py`)."""

from collections.abc import Callable, Iterator
from math import inf

from agents.conditions.history import Happened, OfCart, OfOrders, Seen, SinceOrder
from agents.conditions.language import OF_DEVICE, ConditionFile
from agents.conditions.logic import Either, Every, Opposite
from agents.conditions.profile import (
    Consented,
    HasDevice,
    InSegment,
    LastSeenWith,
    OfEvent,
    OfProfile,
    OfTime,
    OfTrait,
    Tagged,
    Text,
)
from agents.conditions.ranges import Range
from agents.conditions.rfm import BOUNDS, QUANTILES, Bounds, Ranked, Score
from agents.conditions.verdict import Condition
from agents.conditions.words import DAY, duration


def compiled(file: ConditionFile, *, time_scale: float = 1.0, bounds: Bounds = BOUNDS) -> Condition:
    """The condition of a file; durations are divided by `time_scale`, days included. `bounds`: those of the scores."""

    def inner(one: ConditionFile) -> Condition:
        return compiled(one, time_scale=time_scale, bounds=bounds)

    if file.all is not None:
        return Every(tuple(map(inner, file.all)))
    if file.any is not None:
        return Either(tuple(map(inner, file.any)))
    if file.not_ is not None:
        return Opposite(inner(file.not_))
    if file.rfm is not None:
        if bounds == QUANTILES:
            return Ranked(file.rfm, _asked(file))
        return Score(file.rfm, _asked(file), bounds, DAY / time_scale)
    return next(make(file, time_scale) for name, make in _LEAVES.items() if getattr(file, name) is not None)


def lasting(condition: Condition, *, turned: bool = False) -> Condition | None:
    """What of a condition is left once the event is past that it asks about; None: nothing.

    What was asked of the event holds nothing back any more: it counts as true, and as false where it is `turned` by a `not`.
    """
    if isinstance(condition, Every | Either):
        some = [lasting(member, turned=turned) for member in condition.members]
        left = tuple(one for one in some if one is not None)
        needless = len(left) < len(some) if isinstance(condition, Every) is turned else not left
        return None if needless else type(condition)(left)
    if isinstance(condition, Opposite):
        left_of = lasting(condition.member, turned=not turned)
        return Opposite(left_of) if left_of is not None else None
    return None if isinstance(condition, OfEvent) else condition


def windows(condition: Condition) -> Iterator[float]:
    """The windows of activity that a condition names, in seconds."""
    for one in leaves(condition):
        if isinstance(one, Seen):
            yield one.window


def kept_events(condition: Condition) -> Iterator[str]:
    """Names of the events whose times have to be kept for a condition."""
    for one in leaves(condition):
        if isinstance(one, Happened) and one.name:
            yield one.name


def leaves(condition: Condition) -> Iterator[Condition]:
    """The conditions inside one that ask for facts."""
    if isinstance(condition, Every | Either):
        for member in condition.members:
            yield from leaves(member)
    elif isinstance(condition, Opposite):
        yield from leaves(condition.member)
    else:
        yield condition


def _asked(file: ConditionFile) -> Range:
    return Range(file.at_least, file.at_most, file.above, file.below)


def _text(file: ConditionFile) -> Text:
    values = (*(() if file.is_ is None else (file.is_,)), *(file.in_ or ()))
    return Text(file.exists, values)


def _event(file: ConditionFile, _scale: float) -> Condition:
    asked = _asked(file)
    return OfEvent(file.event or "", asked, _text(file) if asked == Range() else None)


def _trait(file: ConditionFile, _scale: float) -> Condition:
    asked = _asked(file)
    return OfTrait(file.trait or "", asked, _text(file) if asked == Range() else None)


def _orders(file: ConditionFile, scale: float) -> Condition:
    if (file.orders or "").startswith("days_since"):
        return SinceOrder(_asked(file), DAY / scale, first=file.orders == "days_since_first")
    return OfOrders(file.orders or "", _asked(file))


def _device(file: ConditionFile, _scale: float) -> Condition:
    name = file.device or ""
    return LastSeenWith(name, _text(file)) if name in OF_DEVICE else HasDevice(name)


def _happened(file: ConditionFile, scale: float) -> Condition:
    asked, window = _asked(file), inf if file.within is None else duration(file.within) / scale
    if asked == Range():
        asked = Range(at_least=1)
    return Happened(file.happened or "", asked, window, same=file.same is not None, category=file.category or "")


_LEAVES: dict[str, Callable[[ConditionFile, float], Condition]] = {
    "profile": lambda file, _scale: OfProfile(file.profile or "", _text(file)),
    "trait": _trait,
    "tag": lambda file, _scale: Tagged(file.tag or ""),
    "cart": lambda file, _scale: OfCart(file.cart or "", _asked(file)),
    "orders": _orders,
    "event": _event,
    "happened": _happened,
    "segment": lambda file, _scale: InSegment(file.segment or ""),
    "device": _device,
    "consent": lambda file, _scale: Consented(file.consent or "", str(file.is_)),
    "time": lambda file, _scale: OfTime(file.time or "", _asked(file), file.in_ or ()),
    "seen_within": lambda file, scale: Seen(duration(file.seen_within or "") / scale),
}
