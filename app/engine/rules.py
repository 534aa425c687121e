"""What the worker decides by: scenarios, the segments that they may ask for, the policy and the team. Read as one, at the start and later."""

from collections.abc import Iterable
from typing import NamedTuple

from agents.dialogs.staff import Staff
from agents.policy import load_policy
from agents.scenarios.language import Scenario
from agents.scenarios.load import Loaded, load_all
from agents.segments.language import SegmentSet
from agents.segments.load import asked_for, load_segments
from agents.team import load_staff
from app.bounds import BUILT_IN_SEGMENTS
from app.model.policy import Policy
from app.settings import Settings


class Rules(NamedTuple):
    """The scenarios, the segments that are worked out, the policy, and the team with its hours."""

    scenarios: Loaded
    segments: SegmentSet
    policy: Policy
    staff: Staff


def load_rules(settings: Settings, year: int) -> Rules:
    """What the folders and files hold now; `year` is the present one, whose days off count.

    Raises ScenarioError that tells every fault of the first folder that has any, PolicyError or TeamError.
    """
    known = load_segments(settings.segments, time_scale=settings.time_scale)
    scenarios = load_all(settings.scenarios, time_scale=settings.time_scale, segments=known.names)
    policy, staff = load_policy(settings.policy, time_scale=settings.time_scale), load_staff(settings.team, year)
    segments = known if needs_segments(settings, scenarios.site) else SegmentSet()
    return Rules(scenarios, segments, policy, staff)


def needs_segments(settings: Settings, scenarios: Iterable[Scenario]) -> bool:
    """Whether segments are worked out: those of a shop's own folder are, those that are built in where a scenario asks for one.

    Each costs CPU at every event.
    """
    return settings.segments != BUILT_IN_SEGMENTS or any(map(asked_for, scenarios))
