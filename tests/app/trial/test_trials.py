"""`boomerang test`: the built-in files pass, a difference is told, faults have lines, and the page's example does what it says."""

import re
import shutil
import textwrap
from pathlib import Path

import pytest

from agents.scenarios.load import read_folder
from app import cli
from app.trial.language import after
from tests.driver import BUILT_IN

PAGES = Path(__file__).resolve().parents[3] / "docs"
PAGE = (PAGES / "scenarios.md").read_text()
CART = """\
scenario: abandoned_cart
tests:
  - name: a cart
    steps:
      - {event: Product Added, properties: {product_id: p1, price: 20}}
      - at: +60m
        expect: fired
"""


@pytest.fixture
def play(tmp_path, capsys):
    def run(text, *options):
        file = tmp_path / "cart.yaml"
        file.write_text(text)
        status = cli.main(["test", str(file), *options])
        return status, *capsys.readouterr()

    return run


def test_every_built_in_scenario_has_tests_and_they_pass(capsys):
    assert cli.main(["test"]) == 0
    told = capsys.readouterr().out
    for scenario in read_folder(BUILT_IN):
        assert f"{scenario.id}.yaml: " in told


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("expect: fired", "expect: nothing", "cart.yaml:6: a cart: at +1h abandoned_cart fired where nothing was expected"),
        ("at: +60m", "at: +59m", "at +59m nothing fired where abandoned_cart was expected"),
        ("expect: fired", "expect: [fired, fired]", "abandoned_cart, abandoned_cart was expected"),
        ("expect: fired", "expect: fired\n        channel: sms", "speaks over email, and not over sms"),
        ("expect: fired", "expect: fired\n        content: {items: [p2]}", "shows items [p1], and not [p2]"),
        ("expect: fired", "expect: fired\n        content: {value: 21}", "shows value 20.0, and not 21.0"),
        ("expect: fired", "expect: fired\n        reason: reentry", "the journal tells consent_changed, armed, fired, and not reentry"),
        ("expect: fired", "press: take", "there is no alert yet"),
        ("at: +60m\n        expect: fired", "receipt: opened", "there is no message yet"),
        ("product_id: p1, price: 20", "product_id: p1, price: -5", "the collector refuses this event: negative_price"),
    ],
)  # fmt: skip
def test_a_difference_is_told_with_its_line_and_the_story(play, old, new, told):
    status, _, err = play(CART.replace(old, new))
    assert status == 1
    assert told in err
    assert "1 of 1 tests failed" in err
    assert "abandoned_cart armed" in err or "refuses" in err


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("scenario: abandoned_cart", "scenario: abandoned_kart", "cart.yaml:1: scenario: there is no scenario"),
        ("event:", "evnt:", "cart.yaml:5: tests 1.steps 1.evnt: there is no such field; did you mean 'event'?"),
        ("at: +60m", "at: 60m", "'60m' is no time of a test"),
        ("at: +60m", "at: +60m\n        event: X\n        page: Y", "here are event and page"),
        ("at: +60m\n        expect: fired", "at: +60m", "nothing happens and nothing is expected"),
        ("expect: fired", "expect: fird", "cart.yaml:7: tests 1.steps 2.expect: there is no scenario 'fird'"),
        ("expect: fired", "reason: fired\n        content: {}", "say with `expect` which one"),
        ("expect: fired", "expect: fired\n      - {at: +5m, expect: nothing}", "before the step above it"),
        ("steps:", "start: yesterday\n    steps:", "'yesterday' is no time"),
        ("steps:", "team: {hours: {zone: Mars}}\n    steps:", "there is no time zone 'Mars'"),
        ("tests:", "tests: [", "cart.yaml:"),
    ],
)  # fmt: skip
def test_a_faulty_file_is_refused_with_its_line(play, old, new, told):
    status, _, err = play(CART.replace(old, new))
    assert status == 1
    assert told in err


def test_a_test_says_what_the_customer_is_there_with(tmp_path, capsys, play):
    (tmp_path / "tests").mkdir()
    (tmp_path / "hint.yaml").write_text(
        "id: hint\nversion: 1\ntitle: Hint\nfamily: news\npriority: 5\n"
        "entry: {event: Subscribed, when: {device: kind, in: [mobile, app]}}\n"
        "steps: [{message: {channel: email, template: wishlist, show: {items: views, within: 1d}}}]\n"
    )
    (tmp_path / "tests" / "hint.yaml").write_text(
        """\
scenario: hint
tests:
  - name: only with a device for the pocket
    steps:
      - {event: Product Viewed, properties: {product_id: p1}, device: desktop}
      - {at: +1m, event: Subscribed, expect: nothing}
      - {at: +2m, event: Subscribed, device: mobile}
      - {at: +3m, expect: fired}
"""
    )
    assert cli.main(["test", "--scenarios", str(tmp_path)]) == 0, capsys.readouterr().err
    status, _, err = play(CART.replace("at: +60m", "at: +60m\n        device: mobile"))
    assert status == 1 and "it stands beside `event` or `page`" in err


def test_all_faults_of_a_file_are_told_at_once(play):
    status, _, err = play(CART.replace("at: +60m", "at: soon").replace("abandoned_cart", "abandoned_kart"))
    assert status == 1
    assert "no scenario 'abandoned_kart'" in err and "'soon' is no time" in err


def test_only_the_tests_that_are_named_are_played(play):
    status, out, _ = play(CART + CART.split("tests:\n")[1].replace("a cart", "another"), "-k", "another")
    assert status == 0 and "1 tests passed" in out
    status, _, err = play(CART, "-k", "no such")
    assert status == 1 and "no test is called like" in err


def test_times_of_tests_are_sums():
    assert [after(text) for text in ("+59m", "+1d2h", "+0s", "+1.5h")] == [3540, 93_600, 0, 5400]


def test_the_scenario_of_the_page_does_what_the_page_says(tmp_path, capsys):
    folder = tmp_path / "my-scenarios"
    shutil.copytree(BUILT_IN, folder)
    blocks = [textwrap.dedent(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
    (scenario,) = [block for block in blocks if block.startswith("id: wishlist")]
    (tests,) = [block for block in blocks if block.startswith("scenario: wishlist")]
    (folder / "wishlist.yaml").write_text(scenario)
    (folder / "tests" / "wishlist.yaml").write_text(tests)
    assert cli.main(["check", str(folder)]) == 0
    assert cli.main(["test", "--scenarios", str(folder)]) == 0
    assert "wishlist.yaml: 2 played" in capsys.readouterr().out


def test_a_schedule_is_played_from_the_beginning_of_a_test(tmp_path, capsys):
    text = (PAGES / "journeys.md").read_text()
    (scenario,) = [block for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "schedule:" in block]
    (tmp_path / "tests").mkdir()
    (tmp_path / "monday_news.yaml").write_text(scenario.replace(", segment: champions", ""))
    (tmp_path / "tests" / "monday_news.yaml").write_text(
        """\
scenario: monday_news
tests:
  - name: on Mondays at ten
    start: "2026-01-04T09:00:00Z"
    steps:
      - {event: Product Viewed, properties: {product_id: p1, price: 20}}
      - {at: +1d59m, expect: nothing}
      - {at: +1d1h1m, expect: fired, content: {items: [p1]}}
      - {at: +8d59m, expect: nothing}
      - {at: +8d1h1m, expect: fired}
  - name: nobody is told who is nobody yet
    customer: {}
    steps: [{at: +8d, expect: nothing}]
"""
    )
    assert cli.main(["test", "--scenarios", str(tmp_path)]) == 0
    assert "monday_news.yaml: 2 played" in capsys.readouterr().out


def test_a_test_takes_every_consent_as_confirmed(play, tmp_path, monkeypatch):
    policy = tmp_path / "policy.yaml"
    policy.write_text("confirm: {consents: email}\n")
    monkeypatch.setenv("BOOMERANG_POLICY", str(policy))
    status, out, err = play(CART)
    assert status == 0, out + err
