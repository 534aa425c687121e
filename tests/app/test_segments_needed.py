"""Segments cost at every event: those that are built in are worked out where a scenario asks for one, a shop's own always."""

import pytest

from agents.scenarios.load import load_folder, parse_any
from agents.segments.load import asked_for
from app.engine.rules import needs_segments
from app.settings import load
from tests.agents.test_versions import text
from tests.driver import BUILT_IN

JOURNEY = """\
id: again
version: 1
title: Somebody is back
family: back
priority: 5
entry: {ENTRY}
steps:
  - message: {channel: email, template: abandoned_product}
"""


def test_the_built_in_scenarios_ask_for_none_and_none_is_worked_out():
    assert not needs_segments(load({}), load_folder(BUILT_IN))


@pytest.mark.parametrize(
    ("entry", "asked"),
    [
        ("{segment: {enters: champions}}", {"champions"}),
        ("{segment: {leaves: lapsed_90d}}", {"lapsed_90d"}),
        ("{event: Product Viewed, when: {segment: loyal}}", {"loyal"}),
        ("{event: Product Viewed}", set()),
    ],
)
def test_what_a_scenario_asks_for_is_found_wherever_it_stands(entry, asked):
    scenario = parse_any(JOURNEY.replace("{ENTRY}", entry))
    assert asked_for(scenario) == asked
    assert needs_segments(load({}), [scenario]) is bool(asked)


def test_a_condition_of_a_concise_file_counts_too():
    scenario = parse_any(text(1) + "when: {segment: loyal}\n")
    assert asked_for(scenario) == {"loyal"}


def test_those_of_a_folder_of_the_shops_own_are_worked_out(tmp_path):
    assert needs_segments(load({}, segments=tmp_path), [])
