"""What files of scenarios say alike, with steps or without, as a compiled scenario that shows and says nothing yet. Pure."""

from agents.scenarios.language import LONGEST, Absence, Scenario, ScenarioFile, duration
from agents.scenarios.steps import JourneyFile


def header_of(file: ScenarioFile | JourneyFile, absence: Absence | None, reentry: float, time_scale: float) -> Scenario:
    """`absence` begins it, if there is one; `reentry` is in seconds. Waits are divided by `time_scale`."""
    skip_after = LONGEST if isinstance(file.outage, str) else duration(file.outage.skip_after)
    return Scenario(
        id=file.id,
        version=file.version,
        title=file.title,
        family=file.family,
        priority=file.priority,
        of=frozenset() if absence is None else frozenset(absence.of),
        without=frozenset() if absence is None else frozenset(absence.without),
        wait=0.0 if absence is None else duration(absence.wait) / time_scale,
        leaving=absence is not None and absence.after == "leaving",
        show=None,
        cascade=(),
        order_within=duration(file.unless.order_within) / time_scale,
        in_dialog=duration(file.unless.in_dialog) / time_scale if file.marketing else 0.0,
        reentry=reentry / time_scale,
        cap=None if file.cap is None else duration(file.cap) / time_scale,
        marketing=file.marketing,
        recheck=file.outage != "fire",
        max_lateness=min(duration(file.max_lateness), skip_after),
        send_within=duration(file.send_within),
        within=0.0,
        stopped=file.stopped,
        topic=file.topic,
        quiet=file.quiet or "",
        control=file.control / 100.0,
        finish=file.upgrade == "finish",
    )
