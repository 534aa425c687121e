"""The pack of ready scenarios: each is fine, its tests hold, and a shop takes it by one command."""

import re
import textwrap
from pathlib import Path

import pytest

from agents.scenarios.faults import Known
from agents.scenarios.load import check_folder, read_folder, templates_of
from agents.segments.load import load_segments
from app.bounds import BUILT_IN_SEGMENTS
from app.cli import main
from app.clock import moment
from app.commands.scenarios import BUILT_IN, PACK, add, names
from app.errors import CommandError
from app.model.event import Event, Properties
from app.trial.play import play
from app.trial.read import read_trial
from app.web.collector.commerce import canonical
from channels import CHANNELS
from channels.examples import check_templates
from channels.render import TEMPLATES, names_in
from tests.driver import DAY, Engine

TRIALS = sorted((PACK / "tests").glob("*.yaml"))


def test_every_scenario_of_the_pack_is_fine_and_has_tests_and_templates():
    checked = check_folder(PACK, Known(CHANNELS, names_in([TEMPLATES]), canonical))
    assert checked.faults == ()
    assert [item.id for item in checked.scenarios] == names() == [path.stem for path in TRIALS]
    assert check_templates([pair for item in checked.scenarios for pair in templates_of(item)]) == []


@pytest.mark.parametrize("path", TRIALS, ids=lambda path: path.stem)
def test_the_tests_of_the_pack_hold(path):
    scenarios = read_folder(PACK)
    segments = load_segments(BUILT_IN_SEGMENTS)
    found = list(play(read_trial(path, [item.id for item in scenarios]), scenarios, segments=segments))
    assert found
    assert [difference for _, difference in found if difference is not None] == []


def test_imported_customers_are_woken_when_their_half_year_comes_and_not_after_eight_months():
    shop = Engine(read_folder(PACK), segments=load_segments(BUILT_IN_SEGMENTS), delivers=True)
    for name, days in (("early", 150), ("asleep", 260), ("gone", 900)):
        shop.subscriber(name)
        order = Event(
            "track",
            moment(shop.clock.now() - days * DAY),
            "Order Completed",
            f"import-{name}",
            name,
            source="server",
            historical=True,
            properties=Properties(order_id=name, total=10.0),
        )
        shop.feed(order)
    shop.wait(29 * DAY)
    assert not any(scenario.startswith("alarm_clock") for scenario in shop.fired)
    shop.wait(3 * DAY)
    woken = [trigger.customer for trigger in shop.triggers if trigger.scenario.startswith("alarm_clock")]
    assert woken == ["early"]
    assert {name for name in ("early", "asleep", "gone") if "asleep" in shop.customer(name).engagement.segments} == {
        "asleep",
        "gone",
    }


def test_a_shop_takes_a_scenario_of_the_pack(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("BOOMERANG_SCENARIOS", str(tmp_path))
    assert main(["scenarios", "add", "welcome"]) == 0
    assert [item.id for item in read_folder(tmp_path)] == ["welcome"]
    assert main(["test"]) == 0
    assert main(["scenarios"]) == 0
    assert re.search(r"^welcome +in use", capsys.readouterr().out, re.MULTILINE)


def test_what_stands_there_is_not_written_over(tmp_path):
    (tmp_path / "welcome.yaml").write_text("mine")
    with pytest.raises(CommandError, match="nothing was copied"):
        add("welcome", tmp_path)
    assert (tmp_path / "welcome.yaml").read_text() == "mine"
    assert not (tmp_path / "tests").exists()


def test_the_folder_that_comes_with_the_product_stays_as_it_is(tmp_path):
    with pytest.raises(CommandError, match="folder of your own"):
        add("welcome", BUILT_IN)
    with pytest.raises(CommandError, match="no folder"):
        add("welcome", tmp_path / "none")
    with pytest.raises(CommandError, match="the pack has no scenario 'hello'; there are: "):
        add("hello", tmp_path)


def test_adding_nothing_says_what_there_is(capsys):
    assert main(["scenarios", "add"]) == 1
    assert "thanks, welcome" in capsys.readouterr().err


def test_the_worked_example_of_the_page_holds(tmp_path, capsys):
    page = (Path(__file__).parents[2] / "docs" / "journeys.md").read_text()
    blocks = [textwrap.dedent(block) for block in re.findall(r"   ```yaml\n(.*?)   ```", page, re.DOTALL)]
    (scenario,) = [block for block in blocks if block.startswith("id: second_order")]
    (tests,) = [block for block in blocks if block.startswith("scenario: second_order")]
    assert main(["scenarios", "add", "welcome", "--to", str(tmp_path)]) == 0
    (tmp_path / "second_order.yaml").write_text(scenario)
    (tmp_path / "tests" / "second_order.yaml").write_text(tests)
    assert main(["check", str(tmp_path)]) == 0
    assert main(["test", "--scenarios", str(tmp_path)]) == 0, capsys.readouterr().err
    assert "8 tests passed" in capsys.readouterr().out
