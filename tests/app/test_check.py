"""`boomerang check` over folders of scenarios, as it is called."""

import json
import subprocess
import sys

import pytest

from app import cli
from channels.loading import Folders
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


LOADED = """
import sys
from app import cli
status = cli.main(["check", sys.argv[1]])
print(*sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
sys.exit(status)
"""


def test_a_check_loads_neither_the_http_client_nor_a_broker_nor_a_store(tmp_path):
    (tmp_path / "b.yaml").write_text(WISH)
    command = [sys.executable, "-c", LOADED, str(tmp_path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    loaded = set(done.stderr.splitlines()[-1].split())
    assert "1 scenarios are fine" in done.stdout and {"channels", "jinja2"} <= loaded
    assert not loaded & {"aiohttp", "faust", "aiokafka", "redis", "sqlalchemy", "cryptography", "prometheus_client"}


@pytest.fixture
def read(monkeypatch):
    names, get_source = [], Folders.get_source

    def noted(self, environment, template):
        found = get_source(self, environment, template)
        names.append(template)
        return found

    monkeypatch.setattr(Folders, "get_source", noted)
    return names


def test_only_templates_that_are_named_are_compiled_and_each_once(check, read):
    status, _, _ = check(b=WISH, c=WISH.replace("id: wish", "id: other"))
    own = [name for name in read if "abandoned" in name]
    assert status == 0 and len(read) == len(set(read))
    assert {name.partition("/")[2].split(".")[0] for name in own} == {"abandoned_product"}
    assert {name.partition("/")[0] for name in own} == {"en", "ru"}
    assert not [name for name in read if "alert" in name or "confirm" in name or "welcome" in name]


def test_all_templates_are_looked_at_where_the_shop_has_some_of_its_own(check, read, tmp_path, monkeypatch):
    own = tmp_path / "templates"
    (own / "en").mkdir(parents=True)
    (own / "en" / "abandoned_cart.txt.j2").write_text("{% if %}")
    monkeypatch.setenv("BOOMERANG_TEMPLATES", str(own))
    status, _, err = check(b=WISH)
    assert status == 1 and "template en/abandoned_cart" in err
    assert any(name.startswith("ru/abandoned_search") for name in read)
