"""Segment files, and the bounds of scores, as typed structs. Pure."""

from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from agents.conditions.language import ConditionFile
from agents.conditions.rfm import BOUNDS, Bounds
from agents.conditions.verdict import Condition
from agents.conditions.words import DAY, Id, Name

MOST_SEGMENTS = 200

Four = Annotated[tuple[float, ...], Meta(min_length=4, max_length=4)]


class SegmentFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One file of `app/segments/`."""

    id: Id
    title: Name
    when: ConditionFile
    topic: Annotated[
        str, Meta(pattern=r"^[a-z0-9_]{0,32}$", extra={"advice": "must be up to 32 of a-z, 0-9 and _"})
    ] = ""
    """The topic of consent that an export asks for."""


class RfmFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The file `rfm.yaml`: four rising bounds each, of days, days with an order, and money; or `bounds: quantile`."""

    bounds: Literal["fixed", "quantile"] = "fixed"
    recency: Four | None = None
    frequency: Four | None = None
    monetary: Four | None = None


class Segment(msgspec.Struct, frozen=True, gc=False):
    """A compiled segment."""

    id: str
    title: str
    when: Condition
    topic: str = ""


class SegmentSet(NamedTuple):
    """Segments, those first that others ask for; `mark` tells these definitions from others."""

    segments: tuple[Segment, ...] = ()
    mark: int = 0
    bounds: Bounds = BOUNDS
    day: float = DAY
    """The length of a day in seconds."""

    @property
    def names(self) -> frozenset[str]:
        """Their ids."""
        return frozenset(segment.id for segment in self.segments)
