"""Words that conditions and scenarios are written in: durations, ids and names. Pure."""

import re
from typing import Annotated

from msgspec import Meta

MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0
UNITS = {"s": 1.0, "m": MINUTE, "h": HOUR, "d": DAY}
LONGEST = 400 * DAY

_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhd])")


class ScenarioError(ValueError):
    """A scenario that cannot be used; the text says where and what to do."""


def duration(text: str) -> float:
    """`90s`, `60m`, `3h` or `2d` in seconds. Raises ScenarioError for anything else, or for more than 400 days."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ScenarioError(f"{text!r} is not a duration: write a number and s, m, h or d, such as 60m")
    seconds = float(match[1]) * UNITS[match[2]]
    if seconds > LONGEST:
        raise ScenarioError(f"{text!r} is longer than 400 days")
    return seconds


WRITTEN = r"^\d+(\.\d+)?[smhd]$"
Duration = Annotated[str, Meta(pattern=WRITTEN, examples=["90s", "60m", "3h", "2d"], extra={"duration": True})]
"""A duration as text, up to 400 days."""
Wait = Annotated[str, Meta(pattern=WRITTEN, examples=["90s", "60m", "3h"], extra={"duration": True, "positive": True})]
"""A duration longer than 0."""
Id = Annotated[str, Meta(pattern=r"^[a-z0-9_]{1,64}$", extra={"advice": "must be 1 to 64 of a-z, 0-9 and _"})]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
