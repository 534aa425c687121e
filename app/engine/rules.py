"""What the worker decides by, of its two folders: scenarios, and the segments that they may ask for. Read as one, at the start and later."""

from collections.abc import Iterable
from typing import NamedTuple

from agents.scenarios.language import Scenario
from agents.scenarios.load import Loaded, load_all
from agents.segments.language import SegmentSet
from agents.segments.load import asked_for, load_segments
from app.bounds import BUILT_IN_SEGMENTS
from app.settings import Settings


class Rules(NamedTuple):
    """The scenarios, and the segments that are worked out."""

    scenarios: Loaded
    segments: SegmentSet


def load_rules(settings: Settings) -> Rules:
    """What both folders hold now. Raises ScenarioError that tells every fault of the first that has any."""
    known = load_segments(settings.segments, time_scale=settings.time_scale)
    scenarios = load_all(settings.scenarios, time_scale=settings.time_scale, segments=known.names)
    return Rules(scenarios, known if needs_segments(settings, scenarios.site) else SegmentSet())


def needs_segments(settings: Settings, scenarios: Iterable[Scenario]) -> bool:
    """Whether segments are worked out: those of a shop's own folder are, those that are built in where a scenario asks for one.

    Each costs CPU at every event.
    """
    return settings.segments != BUILT_IN_SEGMENTS or any(map(asked_for, scenarios))
