"""Alerts, recording rules and dashboards: fresh, about metrics that exist, each alert with a page and a test."""

import importlib
import json
import re
import sys
from pathlib import Path

import pytest
import yaml

from app import metrics

ROOT = Path(__file__).resolve().parents[2]
DASHBOARDS = ROOT / "dashboards"
RUNBOOK = ROOT / "docs" / "runbook"
HEADINGS = ["## What it means for a customer", "## How to look", "## What to do"]
SCREENS = sorted(DASHBOARDS.glob("grafana/*.json"))
UNITS = {"s", "bytes", "eps", "reqps", "short", "percentunit", "dateTimeAsIso"}


@pytest.fixture(scope="module")
def written():
    """What the generator would write now: file -> text."""
    names = ("generate", "alerts", "grafana", "screens")
    sys.path.insert(0, str(DASHBOARDS))
    try:
        yield importlib.import_module("generate").files()
    finally:
        sys.path.remove(str(DASHBOARDS))
        for name in names:
            sys.modules.pop(name, None)


def known_metrics():
    known, counters = set(), set()
    for metric in metrics.REGISTRY.collect():
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}.get(metric.type, [""])
        names = {metric.name + suffix for suffix in suffixes}
        known |= names
        if metric.type in ("counter", "histogram"):
            counters |= names
    return known, counters


KNOWN, COUNTERS = known_metrics()
GROUPS = [
    group for path in sorted(DASHBOARDS.glob("rules/*.yml")) for group in yaml.safe_load(path.read_text())["groups"]
]
RULES = [rule for group in GROUPS for rule in group["rules"]]
ALERTS = [rule for rule in RULES if "alert" in rule]
RECORDS = {rule["record"] for rule in RULES if "record" in rule}


def panels(path):
    return [panel for panel in json.loads(path.read_text())["panels"] if panel["type"] != "row"]


def expressions(path):
    screen = json.loads(path.read_text())
    marks = [mark["expr"] for mark in screen["annotations"]["list"]]
    return marks + [target["expr"] for panel in panels(path) for target in panel["targets"]]


def test_the_files_are_fresh(written):
    stale = [name for name, text in written.items() if (DASHBOARDS / name).read_text() != text]
    assert stale == [], "run `make docs`"
    on_disk = {
        str(path.relative_to(DASHBOARDS))
        for room in ("rules", "tests", "grafana")
        for path in (DASHBOARDS / room).iterdir()
    }
    assert on_disk == set(written)


def test_every_metric_of_the_rules_exists():
    named = {name for rule in RULES for name in re.findall(r"boomerang_[a-z0-9_]+", rule["expr"])}
    assert named - KNOWN == set()
    assert {name for rule in RULES for name in re.findall(r"(?:slo|scenario):[\w:]+", rule["expr"])} <= RECORDS


@pytest.mark.parametrize("path", SCREENS, ids=lambda path: path.stem)
def test_every_metric_of_a_dashboard_exists_and_counters_are_read_as_rates(path):
    for expr in expressions(path):
        named = set(re.findall(r"boomerang_[a-z0-9_]+", expr))
        assert named - KNOWN == set()
        assert set(re.findall(r"(?:slo|scenario):[\w:]+", expr)) <= RECORDS
        for counter in named & COUNTERS:
            assert re.search(rf"(rate|increase)\({counter}\{{", expr), expr
        for name in named:
            assert f'{name}{{job=~"$job"' in expr, expr


@pytest.mark.parametrize("path", SCREENS, ids=lambda path: path.stem)
def test_every_panel_says_what_it_shows_in_which_unit_and_where_to_read_on(path):
    numbers = [panel["id"] for panel in json.loads(path.read_text())["panels"]]
    assert len(numbers) == len(set(numbers))
    taken = set()
    for panel in panels(path):
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
        assert panel["targets"]
        for link in panel["links"]:
            assert (RUNBOOK / link["url"].removeprefix("${runbook}/")).exists()
        where = panel["gridPos"]
        assert where["x"] + where["w"] <= 24
        cells = {
            (x, y)
            for x in range(where["x"], where["x"] + where["w"])
            for y in range(where["y"], where["y"] + where["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_every_alert_has_a_page_that_says_what_to_do(rule):
    page = ROOT / rule["annotations"]["runbook"]
    text = page.read_text()
    assert text.startswith(f"# {rule['alert']}\n")
    assert re.findall(r"^## .*$", text, re.MULTILINE) == HEADINGS
    assert f"]({page.name})" in (RUNBOOK / "README.md").read_text()
    assert rule["labels"]["severity"] in ("page", "ticket", "none")


def test_every_page_belongs_to_an_alert_and_its_links_lead_somewhere():
    assert {path.stem for path in RUNBOOK.glob("Boomerang*.md")} == {rule["alert"] for rule in ALERTS}
    for path in RUNBOOK.glob("*.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_the_panels_that_a_page_names_exist():
    titles = {panel["title"] for path in SCREENS for panel in panels(path)}
    rows = {panel["title"] for path in SCREENS for panel in json.loads(path.read_text())["panels"]}
    screens = {"Overview", "Engine", "Delivery", "Scenarios", "Dialogs", "Backup"}
    for path in RUNBOOK.glob("Boomerang*.md"):
        for name in re.findall(r"(?<!\*)\*([A-Z][^*]+)\*(?!\*)", path.read_text()):
            assert name in titles | rows | screens, f"{path.name}: {name}"


def test_every_alert_is_tested_for_firing_and_for_silence():
    fired, silent = set(), set()
    for path in DASHBOARDS.glob("tests/*.yml"):
        for case in yaml.safe_load(path.read_text())["tests"]:
            for check in case.get("alert_rule_test", ()):
                (fired if check.get("exp_alerts") else silent).add(check["alertname"])
    names = {rule["alert"] for rule in ALERTS}
    assert fired == names
    assert silent == names - {"BoomerangWatchdog"}
