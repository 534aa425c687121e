"""Plays tests of scenarios over the core, in memory and without waiting. Pure but for the manual clock."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from agents.decide import Decider
from agents.dialogs.decide import Dialogs
from agents.scenarios.dialogs import DialogScenario
from agents.scenarios.language import Scenario
from agents.scenarios.load import AnyScenario, templates_of
from agents.segments.language import SegmentSet
from agents.team import staff_of
from app.clock import ManualClock, moment
from app.explain import story
from app.model.event import Line
from app.model.journal import JournalLine
from app.model.policy import Policy
from app.model.team import Member, Team
from app.model.trigger import Trigger
from app.trial.acting import ADDRESS, PHONE, Actor
from app.trial.engine import MemoryEngine
from app.trial.language import Person, Shown, StepFile, TrialCase, after
from app.trial.read import Trial, start_of

SALES = Team(
    addresses={"email": "sales@shop.example"},
    members=(Member("maria", "Maria", ("telegram:shop:777",), {"email": "maria@shop.example"}),),
    line=("maria",),
)
"""The team of a test that names none: one member, to whom the dialog's manager belongs."""


class Difference(NamedTuple):
    """Where a test came out otherwise than expected. `story` is what was decided until then, in sentences."""

    test: str
    line: int
    text: str
    story: tuple[str, ...]


def play(
    trial: Trial,
    scenarios: Sequence[AnyScenario],
    policy: Policy | None = None,
    word: str = "",
    segments: SegmentSet | None = None,
) -> Iterator[tuple[TrialCase, Difference | None]]:
    """Each test of a file whose name contains `word`, with its first difference, if there is one.

    Nobody is in a control group: whether a message comes must not hang on the name of the customer. Who has consented has confirmed it.
    """
    everybody = msgspec.structs.replace(policy or Policy(), control=0.0).without_mailboxes
    scenarios = [
        msgspec.structs.replace(item, control=0.0) if isinstance(item, Scenario) else item for item in scenarios
    ]
    wanted = [item for item in scenarios if not trial.file.alone or item.id == trial.file.scenario]
    for number, test in enumerate(trial.file.tests):
        if word in test.name:
            yield test, _Play(trial, number, wanted, everybody, segments).run()


class _Play:
    """One test."""

    def __init__(
        self, trial: Trial, number: int, scenarios: Sequence[AnyScenario], policy: Policy, segments: SegmentSet | None
    ) -> None:
        self._trial, self._number = trial, number
        self._test = trial.file.tests[number]
        start = start_of(self._test.start)
        assert start is not None, "the reader has looked"
        self._start = start
        site = [item for item in scenarios if isinstance(item, Scenario)]
        talk = [item for item in scenarios if isinstance(item, DialogScenario)]
        staff = staff_of(self._test.team or SALES, moment(start).year)
        dialogs = Dialogs(talk, staff)
        decider = Decider(site, policy=policy, segments=segments, staff=staff)
        self._engine = MemoryEngine(decider, dialogs, partitions=1, delivers=True, clock=ManualClock(start))
        self._actor = Actor(self._engine)
        self._triggers = self._lines = 0
        self._everybody = sorted({channel for item in scenarios for channel, _ in templates_of(item)})

    def run(self) -> Difference | None:
        """The first difference."""
        self._engine.plan()
        person = self._test.customer
        if person is None:
            person = Person(email=ADDRESS, phone=PHONE, consent=tuple(self._everybody))
        if person != Person():
            self._actor.identify(person)
        for index, step in enumerate(self._test.steps):
            if step.at:
                self._engine.wait(self._start + after(step.at) - self._engine.clock.now())
            text = self._actor.act(step) or self._look(step)
            if text:
                lines = tuple(story(self._engine.journal))
                return Difference(self._test.name, self._trial.line(self._number, index), text, lines)
        return None

    def _look(self, step: StepFile) -> str:
        """What is otherwise than the step expects; looks at what has come since the last look."""
        if step.expect is None and step.reason is None:
            return ""
        triggers, lines = self._engine.triggers[self._triggers :], self._engine.journal[self._lines :]
        self._triggers, self._lines = len(self._engine.triggers), len(self._engine.journal)
        return self._messages(step, triggers) or self._reasons(step, lines)

    def _messages(self, step: StepFile, triggers: list[Trigger]) -> str:
        if step.expect is None:
            return ""
        expected = [step.expect] if isinstance(step.expect, str) else list(step.expect)
        expected = [self._trial.file.scenario if name == "fired" else name for name in expected if name != "nothing"]
        found = [trigger.scenario for trigger in triggers]
        if found != expected:
            return f"{self._when()} {_named(found)} fired where {_named(expected)} was expected"
        for trigger in triggers:
            if step.channel and trigger.cascade[0].channel != step.channel:
                return f"{trigger.scenario} speaks over {trigger.cascade[0].channel}, and not over {step.channel}"
            if step.template and trigger.cascade[0].template != step.template:
                return f"{trigger.scenario} says {trigger.cascade[0].template}, and not {step.template}"
            different = _different(step.content, trigger) if step.content is not None else ""
            if different:
                return f"{trigger.scenario} shows {different}"
        return ""

    def _reasons(self, step: StepFile, lines: list[JournalLine]) -> str:
        if step.reason is None:
            return ""
        told = [line.reason for line in lines if line.scenario in (self._trial.file.scenario, "")]
        if step.reason in told:
            return ""
        return f"{self._when()} the journal tells {_named(told)}, and not {step.reason.value}"

    def _when(self) -> str:
        return f"at +{_span(self._engine.clock.now() - self._start)}"


def _named(names: Sequence[str]) -> str:
    return ", ".join(names) or "nothing"


def _different(expected: Shown, trigger: Trigger) -> str:
    content, zone = trigger.content, ZoneInfo(trigger.timezone or "UTC")
    values: dict[str, object] = {
        "items": _ids(content.items),
        "similar": _ids(content.similar),
        "value": content.value,
        "category": content.category,
        "query": content.query,
        "name": content.name,
        "slots": tuple(f"{datetime.fromtimestamp(at, zone):%Y-%m-%dT%H:%M}" for at in content.slots),
        "delivery": content.delivery.region if content.delivery is not None else "",
        "bonus": content.bonus.until if content.bonus is not None else "",
    }
    for name, value in values.items():
        wanted = getattr(expected, name)
        if wanted is not None and wanted != value:
            return f"{name} {_shown(value)}, and not {_shown(wanted)}"
    return ""


def _shown(value: object) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, tuple) else repr(value)


def _ids(lines: list[Line]) -> tuple[str, ...]:
    return tuple(line.product_id for line in lines)


def _span(seconds: float) -> str:
    out = ""
    for unit, size in (("d", 86_400.0), ("h", 3_600.0), ("m", 60.0), ("s", 1.0)):
        number = int(seconds // size)
        seconds -= number * size
        out += f"{number}{unit}" if number else ""
    return out or "0s"
