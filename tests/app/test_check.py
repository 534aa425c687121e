"""`boomerang check` over folders of scenarios, as it is called."""

import json

import pytest

from app import cli
from tests.agents.test_scenario_faults import FAULTY
from tests.agents.test_scenario_files import GOOD

WISH = GOOD.replace("template: wish", "template: abandoned_product")


@pytest.fixture
def check(tmp_path, capsys):
    def run(*options, **texts):
        for name, text in texts.items():
            (tmp_path / f"{name}.yaml").write_text(text)
        status = cli.main(["check", str(tmp_path), *options])
        return status, *capsys.readouterr()

    return run


def test_every_fault_is_a_line_on_stderr(check):
    status, out, err = check(a=FAULTY, b=WISH)
    lines = err.splitlines()
    assert status == 1 and "scenarios are fine" not in out
    assert lines[0] == f"boomerang check: {len(lines) - 1} faults"
    assert len(lines) > 10 and all(line.startswith("a.yaml:") for line in lines[1:])


def test_one_fault_is_one_line(check):
    status, _, err = check(b=WISH.replace("abandoned_product", "abandoned_produkt"))
    assert status == 1
    assert err == (
        "boomerang check: b.yaml:13: cascade 1.template: there is no template 'abandoned_produkt'; "
        "did you mean 'abandoned_product'?\n"
    )


def test_hints_are_told_and_are_faults_only_when_they_shall_be(check):
    typo = WISH.replace("Product Added to Wishlist", "Product Added to Wishlists")
    status, out, err = check(b=typo)
    assert status == 0 and "1 scenarios are fine" in out
    assert err.startswith("hint: b.yaml:7: absence.of: ")
    status, _, err = check("--strict", b=typo)
    assert status == 1 and "boomerang check: b.yaml:7:" in err


STEPS = """\
id: series
version: {version}
title: A series
family: greeting
priority: 60
upgrade: {upgrade}
entry: {{event: Subscribed}}
steps: [{steps}]
"""
MAIL, SMS = (
    "{message: {channel: email, template: abandoned_product}}",
    "{message: {channel: sms, template: abandoned_product}}",
)
WAIT = "{wait: {for: {event: Product Viewed}, most: 3d}}"


@pytest.mark.parametrize(
    ("before", "after", "upgrade", "told"),
    [
        (["{delay: 1d}", MAIL], ["{tag: {add: [a]}}", "{delay: 1d}", MAIL], "move", "wait at step 1 (`delay`) go on at the step of the same number, and in version 2 there is none"),
        (["{delay: 1d}", MAIL], ["{delay: 2h}", "{delay: 1d}", MAIL], "move", "step 1 (`delay`)"),
        (["{delay: 1d}", MAIL], ["{delay: 1d}", WAIT, MAIL], "move", "step 2 (`message`) go on at the step of the same number, and in version 2 there is `wait`"),
        (["{delay: 1d}", MAIL, SMS], ["{delay: 1d}", SMS, MAIL], "move", "step 2 (`message`)"),
        (["{delay: 1d}", MAIL], ["{delay: 1d}"], "move", "step 2 (`message`)"),
        (["{delay: 1d}", MAIL], ["{delay: 2d}", SMS], "move", ""),
        (["{delay: 1d}", WAIT], ["{delay: 1d}", WAIT, MAIL], "move", ""),
        (["{delay: 1d}", MAIL], ["{tag: {add: [a]}}", "{delay: 1d}", MAIL], "finish", ""),
    ],
)  # fmt: skip
def test_steps_that_a_journey_would_mistake_for_others_are_told_by_a_hint(
    check, tmp_path, before, after, upgrade, told
):
    (tmp_path / "old").mkdir()
    old = STEPS.format(version=1, upgrade="move", steps=", ".join(before))
    (tmp_path / "old" / "series.1.yaml").write_text(old)
    status, out, err = check(series=STEPS.format(version=2, upgrade=upgrade, steps=", ".join(after)))
    assert status == 0 and "1 scenarios are fine" in out
    assert err.count("hint: ") == bool(told)
    assert told in err and ("hint: series.yaml:6: upgrade: journeys of version 1" in err) == bool(told)


def test_a_folder_without_scenarios_says_what_to_set(check):
    status, _, err = check()
    assert status == 1 and "BOOMERANG_SCENARIOS" in err


def test_the_schema_is_printed_as_json(capsys):
    assert cli.main(["check", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "A scenario of Boomerang"
