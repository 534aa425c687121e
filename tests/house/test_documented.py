"""What is not documented does not exist: settings, metrics, reasons, commands, topics, dependencies, scenario fields."""

import re
import textwrap
from dataclasses import fields
from pathlib import Path

import msgspec
import pytest

from agents.conditions.language import HEADS
from agents.conditions.rfm import BOUNDS
from agents.conditions.schema import CONDITION
from agents.policy import CapFile, ConfirmFile, PolicyFile, QuietFile, WhichFile, parse_policy
from agents.scenarios import steps
from agents.scenarios.dialogs import Case, DialogScenarioFile, Escalate, Told, Watched, When
from agents.scenarios.language import Absence, ScenarioFile, Show, StageFile, Unless
from agents.scenarios.steps import (
    Arm,
    AudienceFile,
    Awaited,
    Branch,
    DateEntry,
    Entry,
    Experiment,
    HookFile,
    JourneyFile,
    JourneyGoal,
    MessageFile,
    SegmentEntry,
    TagFile,
    Until,
    WaitFor,
)
from agents.segments.load import load_segments
from app import metrics, topics
from app.cli import COMMANDS
from app.model.alert import Watch
from app.model.reasons import BadInput, Reason
from app.model.team import HoursFile, Member, Team
from app.settings import PREFIX, Settings
from app.trial.language import Person, Shown, StepFile, TrialCase, TrialFile
from app.web.chat.providers import CONFIGS
from app.web.chat.sources import parse_sources
from tables.signals import SIGNALS

ROOT = Path(__file__).resolve().parents[2]


def page(name):
    return (ROOT / "docs" / name).read_text()


@pytest.mark.parametrize("setting", [item.name for item in fields(Settings)])
def test_every_setting_is_in_the_docs(setting):
    assert f"`{PREFIX}{setting.upper()}`" in page("settings.md")


def test_no_setting_is_documented_that_does_not_exist():
    named = set(re.findall(rf"`{PREFIX}([A-Z_]+)`", page("settings.md")))
    assert named - {item.name.upper() for item in fields(Settings)} - {"REQUIRE_ALL"} == set()


def test_every_metric_is_in_the_docs_and_no_other():
    known = set()
    for metric in metrics.REGISTRY.collect():
        known.add(metric.name + ("_total" if metric.type == "counter" else ""))
    assert set(re.findall(r"`(boomerang_[a-z_]+)`", page("metrics.md"))) == known


@pytest.mark.parametrize("provider", CONFIGS)
def test_every_chat_provider_has_a_page_that_shows_its_source(provider):
    text = page(f"chat/{provider}.md")
    assert f"{provider}:" in text
    assert [name for name in CONFIGS[provider].__struct_fields__ if name not in text] == []
    assert f"({provider}.md)" in page("chat/README.md")


@pytest.mark.parametrize("provider", CONFIGS)
def test_the_sources_shown_for_a_provider_are_read(provider):
    examples = re.findall(r"```yaml\n(.*?)```", page(f"chat/{provider}.md"), re.DOTALL)
    assert examples
    for example in examples:
        text = textwrap.dedent(example).replace('"..."', "a-good-secret").replace("...", "a-good-secret")
        assert parse_sources(text)[provider]


@pytest.mark.parametrize("reason", [*Reason, *BadInput])
def test_every_reason_is_explained(reason):
    assert f"`{reason.value}`" in page("reasons.md")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_docs(command):
    assert f"`boomerang {command}" in page("commands.md")


@pytest.mark.parametrize("topic", topics.ALL, ids=lambda topic: topic.name)
def test_every_topic_is_on_the_map(topic):
    assert f"`{topic.name}`" in page("architecture.md")


@pytest.mark.parametrize(
    "struct", [ScenarioFile, Absence, Show, Unless, StageFile, TrialFile, TrialCase, StepFile, Person, Shown]
)
def test_every_field_of_the_language_is_explained(struct):
    text = page("scenarios.md")
    assert [item.encode_name for item in msgspec.structs.fields(struct) if f"`{item.encode_name}`" not in text] == []


@pytest.mark.parametrize(
    "struct",
    [DialogScenarioFile, Watched, Told, Case, When, Escalate, Team, Member, HoursFile],
    ids=lambda struct: struct.__name__,
)
def test_every_field_of_dialogs_and_of_the_team_is_explained(struct):
    text = page("dialogs.md")
    assert [item.encode_name for item in msgspec.structs.fields(struct) if f"`{item.encode_name}`" not in text] == []


@pytest.mark.parametrize(
    "struct",
    [
        JourneyFile,
        Entry,
        SegmentEntry,
        steps.ScheduleEntry,
        DateEntry,
        JourneyGoal,
        Until,
        WaitFor,
        Awaited,
        Branch,
        Experiment,
        Arm,
        MessageFile,
        HookFile,
        TagFile,
        AudienceFile,
        steps.StepFile,
    ],
    ids=lambda struct: struct.__name__,
)
def test_every_field_of_scenarios_with_steps_is_explained(struct):
    text = page("journeys.md")
    assert [item.encode_name for item in msgspec.structs.fields(struct) if f"`{item.encode_name}`" not in text] == []


@pytest.mark.parametrize("struct", [PolicyFile, CapFile, WhichFile, QuietFile], ids=lambda struct: struct.__name__)
def test_every_field_of_the_policy_is_explained(struct):
    text = page("policy.md")
    assert [item.encode_name for item in msgspec.structs.fields(struct) if f"`{item.encode_name}`" not in text] == []


def test_every_field_of_double_opt_in_is_explained():
    text = page("double-opt-in.md")
    assert [
        item.encode_name for item in msgspec.structs.fields(ConfirmFile) if f"`{item.encode_name}`" not in text
    ] == []


@pytest.mark.parametrize("name", ["policy.md", "double-opt-in.md"])
def test_policy_examples_in_the_docs_load(name):
    examples = re.findall(r"```yaml\n(.*?)```", page(name), re.DOTALL)
    assert examples
    for example in examples:
        parse_policy(example)


@pytest.mark.parametrize("watch", Watch)
def test_everything_that_can_be_watched_is_explained(watch):
    assert f"`{watch.value}`" in page("dialogs.md")


@pytest.mark.parametrize("signal", SIGNALS)
def test_every_signal_is_explained(signal):
    assert f"`{signal}`" in page("scenarios.md")


def test_every_dependency_has_its_reason():
    text = page("dependencies.md")
    wanted = []
    for file in ("requirements.in", "requirements-dev.in"):
        for line in (ROOT / file).read_text().splitlines():
            if line and not line.startswith(("#", "-")):
                wanted.append(re.split(r"[=\[<>~]", line)[0].strip())
    assert [name for name in wanted if f"`{name}`" not in text] == []


def test_locks_name_no_index():
    for path in ROOT.glob("requirements*.lock"):
        assert not re.search(r"https?://", path.read_text())


def test_examples_of_conditions_and_segments_in_the_docs_load(tmp_path):
    condition, segment = re.findall(r"```yaml\n(.*?)```", page("segments.md"), re.DOTALL)
    whole = f"id: example\ntitle: An example\nwhen:\n{textwrap.indent(condition, '  ')}"
    for name, text in (("example", whole), ("sleeping_buyers", segment)):
        (tmp_path / f"{name}.yaml").write_text(text)
    assert {one.id: one.topic for one in load_segments(tmp_path).segments} == {"example": "", "sleeping_buyers": "sale"}


def test_the_page_of_segments_names_every_head_and_every_segment_that_comes_along():
    text = page("segments.md")
    heads = [*HEADS, *CONDITION]
    assert [name for name in heads if f"`{name}" not in text] == []
    built_in = load_segments(ROOT / "app" / "segments")
    assert sorted(name for name in built_in.names if f"`{name}`" not in text) == []
    assert load_segments(ROOT / "app" / "segments").bounds == BOUNDS


def test_scenario_examples_in_the_docs_load():
    from agents.scenarios.load import parse

    examples = re.findall(r"```yaml\n(id: .*?)```", page("scenarios.md") + page("journeys.md"), re.DOTALL)
    assert len(examples) == 4
    for example in examples:
        parse(example)


@pytest.mark.parametrize("name", ["settings.md", "metrics.md", "reasons.md", "commands.md", "scenario.schema.json"])
def test_generated_pages_are_fresh(name):
    import importlib.util

    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert page(name) == module.PAGES[name](), "run `make docs`"


def test_each_decision_record_has_a_number_of_its_own():
    records = sorted((ROOT / "docs" / "adr").glob("*.md"))
    assert [int(path.name[:4]) for path in records] == list(range(1, len(records) + 1))
    for path in records:
        assert path.read_text().startswith(f"# {int(path.name[:4])}. "), path.name
