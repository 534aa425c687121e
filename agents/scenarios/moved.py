"""What becomes of journeys at the steps of a former version when they go on at the step of the same number. Pure."""

from collections.abc import Iterator

from agents.scenarios.language import Scenario
from agents.scenarios.program import WAITS, At, Delay, Listen, Say, Step, Tell
from agents.scenarios.shape import Fault

_WORDS: dict[type[Step], str] = {Delay: "delay", At: "until", Listen: "wait", Say: "message", Tell: "alert"}


def misled(old: Scenario, new: Scenario) -> Iterator[Fault]:
    """The first step of a former version at which a journey waits and that is another one in the new version; nothing where it moves none."""
    if old.program is None or new.program is None or new.finish or old.version >= new.version:
        return
    before, after = old.program.steps, new.program.steps
    for number, step in enumerate(before):
        there = after[number] if number < len(after) else None
        if not isinstance(step, WAITS) or not _is_another(step, there, after):
            continue
        which = (
            f"there is `{_WORDS[type(there)]}`" if isinstance(there, WAITS) else "there is none at which one can wait"
        )
        text = (
            f"journeys of version {old.version} that wait at step {step.place} (`{_WORDS[type(step)]}`) go on at the step of the same number, "
            f"and in version {new.version} {which}; write `finish`, or add steps at the end alone"
        )
        yield Fault(("upgrade",), text)
        return


def _is_another(step: Step, there: Step | None, after: tuple[Step, ...]) -> bool:
    """Whether what stands there now is no later form of the step: of another kind, or the step itself stands elsewhere."""
    if type(there) is not type(step):
        return True
    return _says(there) != _says(step) and any(_says(other) == _says(step) for other in after)


def _says(step: Step | None) -> object:
    """What a step is known by, wherever it stands; steps at which none waits by nothing."""
    if isinstance(step, Delay):
        return Delay, step.seconds
    if isinstance(step, At):
        return At, step.minutes, step.days
    if isinstance(step, Listen):
        return Listen, step.most, tuple((heed.event, heed.when) for heed in step.events)
    if isinstance(step, Tell):
        return Tell, step.text, step.to
    return (Say, step.scenario.cascade, step.scenario.show) if isinstance(step, Say) else None
