"""From a file with steps to a scenario with a program. Pure; what it is given has no faults (`step_faults.py`)."""

from math import inf

import msgspec

from agents.conditions.compile import compiled
from agents.conditions.language import DAYS, ConditionFile
from agents.conditions.logic import Every
from agents.conditions.profile import InSegment
from agents.conditions.verdict import Condition
from agents.scenarios.header import header_of
from agents.scenarios.language import DAY, Reaction, Scenario, Show, Slots, Stage, StageFile, duration
from agents.scenarios.program import (
    At,
    Dated,
    Delay,
    Draw,
    Goal,
    Heed,
    Jump,
    Leave,
    Listen,
    Note,
    OnChange,
    Planned,
    Program,
    Replenish,
    Say,
    Split,
    Tell,
)
from agents.scenarios.program import Step as Compiled
from agents.scenarios.steps import (
    Awaited,
    CatalogueEntry,
    Entry,
    JourneyFile,
    ScheduleEntry,
    SlotsFile,
    StepFile,
    Until,
)
from tables.signals import SIGNALS, segment_entered, segment_left

ORDER = "Order Completed"
"""Is the signal `ordered` in all but name."""


def compile_journey(file: JourneyFile, time_scale: float) -> Scenario:
    """The scenario of a file; durations are divided by `time_scale`."""
    header = _header(file, time_scale)
    flat = _Flat(header, time_scale)
    flat.block(file.steps, "")
    entry, goal = file.entry, file.goal
    program = Program(
        steps=flat.done(),
        entry=_signal(entry),
        when=_asked(entry, flat.condition(entry.when)),
        goal=None
        if goal is None
        else Goal(
            goal.event,
            flat.condition(goal.when),
            inf if goal.within is None else duration(goal.within) / time_scale,
        ),
        ends_on_goal=file.exit_on in ("goal", "either"),
        leaving=segment_left(_segment(entry)) if file.exit_on in ("segment", "either") else "",
        per=file.per or "",
        dated=None
        if entry.date is None
        else Dated(entry.date.trait, int(entry.date.offset[:-1]), _minutes(entry.date.at), entry.date.yearly),
        change=None if entry.catalogue is None else _change(entry.catalogue, time_scale),
        planned=None if entry.schedule is None else _planned(entry.schedule),
        replenish=None
        if entry.replenish is None
        else Replenish(entry.replenish.of, duration(entry.replenish.ahead) / time_scale, DAY / time_scale),
    )
    return msgspec.structs.replace(header, program=program)


def _signal(entry: Entry) -> str:
    if entry.segment is not None:
        return (
            segment_entered(entry.segment.enters) if entry.segment.enters else segment_left(entry.segment.leaves or "")
        )
    return entry.event or ""


def _segment(entry: Entry) -> str:
    """The segment that the customers of an entry are in; empty: it names none."""
    if entry.schedule is not None:
        return entry.schedule.segment or ""
    return (entry.segment.enters or "") if entry.segment is not None else ""


def _asked(entry: Entry, when: Condition | None) -> Condition | None:
    """What has to hold for a customer to enter: that he is in the segment of a schedule is a condition like others."""
    if entry.schedule is None or entry.schedule.segment is None:
        return when
    member = InSegment(entry.schedule.segment)
    return member if when is None else Every((member, when))


def _planned(file: ScheduleEntry) -> Planned:
    days = (0 if day == "last" else day if isinstance(day, int) else DAYS.index(day) for day in file.on or ())
    return Planned(file.every, frozenset(days), _minutes(file.at), file.segment or "")


def _change(file: CatalogueEntry, time_scale: float) -> OnChange:
    least = 0.0 if file.at_least is None else float(file.at_least[:-1]) / 100.0
    return OnChange(file.change, frozenset(file.of), least, duration(file.within) / time_scale)


def _header(file: JourneyFile, time_scale: float) -> Scenario:
    goal = file.goal
    return msgspec.structs.replace(
        header_of(file, file.entry.absence, _reentry(file), time_scale),
        goal=goal.event if goal is not None and goal.event not in (*SIGNALS, ORDER) else "",
        goal_within=None if goal is None or goal.within is None else duration(goal.within) / time_scale,
    )


def _reentry(file: JourneyFile) -> float:
    text = file.reentry or ("24h" if file.entry.schedule is None else "always")
    return inf if text == "once" else 0.0 if text == "always" else duration(text)


def _minutes(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])


class _Flat:
    """Lays nested steps out one after another. A jump that leads to a step not laid yet is filled in when that is."""

    def __init__(self, header: Scenario, time_scale: float) -> None:
        self._header, self._scale = header, time_scale
        self._steps: list[Compiled | None] = []
        self._names: dict[str, int] = {}
        self._gos: list[tuple[int, str, str]] = []

    def condition(self, file: ConditionFile | None) -> Condition | None:
        """The compiled condition."""
        return None if file is None else compiled(file, time_scale=self._scale)

    def done(self) -> tuple[Compiled, ...]:
        """The program."""
        for number, place, name in self._gos:
            self._steps[number] = Jump(place, self._names[name])
        return tuple(step for step in self._steps if step is not None)

    def block(self, steps: tuple[StepFile, ...], around: str) -> None:
        """Lay out a list of steps; `around` is the place that it stands at."""
        for index, step in enumerate(steps, 1):
            if step.name is not None:
                self._names[step.name] = len(self._steps)
            self._step(step, f"{around}{index}")

    def _step(self, step: StepFile, place: str) -> None:
        if step.delay is not None:
            self._steps.append(Delay(place, duration(step.delay) / self._scale))
        elif step.until is not None:
            self._steps.append(_at(step.until, place))
        elif step.wait is not None:
            events = (step.wait.awaited,) if isinstance(step.wait.awaited, Awaited) else step.wait.awaited
            number = self._reserve()
            targets = [
                self._way(event.then, f"{place}.for{index if len(events) > 1 else ''}.")
                for index, event in enumerate(events, 1)
            ]
            target = self._way(step.wait.otherwise, f"{place}.else.")
            heeds = [
                Heed(event.event, self.condition(event.when), where)
                for event, where in zip(events, targets, strict=True)
            ]
            self._fill(number, Listen(place, tuple(heeds), duration(step.wait.most) / self._scale, target))
        elif step.split is not None:
            self._split(step, place)
        elif step.experiment is not None:
            arms, number = step.experiment.arms, self._reserve()
            ways = [(arm.share, self._way(arm.steps, f"{place}.{index}.")) for index, arm in enumerate(arms, 1)]
            self._fill(number, Draw(place, step.experiment.name, tuple(ways)))
        elif step.go is not None:
            self._gos.append((len(self._steps), place, step.go))
            self._steps.append(None)
        else:
            self._steps.append(self._plain(step, place))

    def _split(self, step: StepFile, place: str) -> None:
        number, ways = self._reserve(), []
        for index, branch in enumerate(step.split or (), 1):
            inner = branch.steps if branch.otherwise is None else branch.otherwise
            ways.append((self.condition(branch.when), self._way(inner, f"{place}.{index}.")))
        self._fill(number, Split(place, tuple(ways), len(self._steps)))

    def _plain(self, step: StepFile, place: str) -> Compiled:
        if step.message is not None:
            stage = StageFile(step.message.channel, step.message.template)
            return self._say(place, (stage,), step.message.show, step.message.slots)
        if step.cascade is not None:
            return self._say(place, step.cascade, step.show, step.slots)
        if step.webhook is not None:
            said = self._say(place, (StageFile("webhook", step.webhook.template),), None)
            return Say(place, msgspec.structs.replace(said.scenario, marketing=False, in_dialog=0.0))
        if step.alert is not None:
            return Tell(place, step.alert.text or "", step.alert.to, step.alert.template or "")
        if step.set is not None:
            return Note(place, traits=tuple(step.set.items()))
        if step.tag is not None:
            return Note(
                place, tags=(*((name, True) for name in step.tag.add), *((name, False) for name in step.tag.remove))
            )
        if step.audience is not None:
            told = ((step.audience.add, True), (step.audience.remove, False))
            return Note(place, audiences=tuple((name, word) for name, word in told if name is not None))
        return Leave(place, step.exit or "")

    def _say(self, place: str, stages: tuple[StageFile, ...], show: Show | None, slots: SlotsFile | None = None) -> Say:
        cascade = tuple(_stage(stage, self._scale) for stage in stages)
        within = 0.0 if show is None else duration(show.within) / self._scale
        offered = None if slots is None else _slots(slots)
        said = msgspec.structs.replace(self._header, cascade=cascade, show=show, within=within, slots=offered)
        return Say(place, said)

    def _reserve(self) -> int:
        self._steps.append(None)
        return len(self._steps) - 1

    def _way(self, steps: tuple[StepFile, ...], around: str) -> int:
        """Lay out a branch, and behind it a jump to what follows all of them. Returns where it begins."""
        start = len(self._steps)
        self.block(steps, around)
        self._steps.append(Jump(around.rstrip("."), -1))
        return start

    def _fill(self, number: int, step: Compiled) -> None:
        """The branches of the step at `number` are laid out: their ends lead to what comes now."""
        end = len(self._steps)
        for index in range(number + 1, end):
            inner = self._steps[index]
            if isinstance(inner, Jump) and inner.target == -1:
                self._steps[index] = Jump(inner.place, end)
        self._steps[number] = step


def _at(until: Until, place: str) -> At:
    return At(place, _minutes(until.at), frozenset(map(DAYS.index, until.on or DAYS)))


def _slots(file: SlotsFile) -> Slots:
    return Slots(
        file.days, tuple(sorted(set(map(_minutes, file.at)))), frozenset(map(DAYS.index, file.on or DAYS)), file.book
    )


def _stage(file: StageFile, time_scale: float) -> Stage:
    channels = (file.channel,) if isinstance(file.channel, str) else file.channel
    return Stage(channels, file.template, duration(file.wait) / time_scale, Reaction(file.reaction))
