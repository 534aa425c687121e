"""Writes what Grafana, Prometheus and promtool read: dashboards, rules, and a test for each alert. `make docs` runs it.

A house test holds the written files fresh.
"""

import json
from pathlib import Path
from typing import Any

import yaml
from alerts import BUDGETS, DAYS_STEP, OBJECTIVES, SYMPTOMS, WINDOWS, Alert, bad_ratio
from grafana import dashboard
from screens import SCREENS

HERE = Path(__file__).parent
RUNBOOK = "docs/runbook"


class _Dumper(yaml.SafeDumper):
    """Expressions of several lines as blocks."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def _yaml(data: Any) -> str:
    head = "# Written by dashboards/generate.py (`make docs`).\n"
    return head + yaml.dump(data, Dumper=_Dumper, sort_keys=False, width=4000, allow_unicode=True)


def _annotations(alert: Alert) -> dict[str, str]:
    return {"summary": alert.summary, "runbook": f"{RUNBOOK}/{alert.name}.md"}


RECORDED, JUDGED = "boomerang-promises", "boomerang-budgets"
"""Groups of rules: the first records what the second looks at."""


def promises() -> str:
    """Recording rules of the promises, and the alerts about their budgets."""
    recorded = [
        {
            "record": f"slo:bad_ratio:rate{window}",
            "expr": bad_ratio(objective, window),
            "labels": {"slo": objective.name},
        }
        for objective in OBJECTIVES
        for window in WINDOWS
    ]
    recorded += [
        {
            "record": "slo:budget_left:rate30d",
            "expr": f'1 - slo:bad_ratio:rate30d{{slo="{objective.name}"}} / {1 - objective.target:.6g}',
            "labels": {"slo": objective.name},
        }
        for objective in OBJECTIVES
    ]
    groups = [
        {"name": RECORDED, "rules": recorded},
        {"name": JUDGED, "rules": _rules(BUDGETS)},
    ]
    return _yaml({"groups": groups})


def worth() -> str:
    """What scenarios bring over a week: goals of each time that one came due, and recipients against the control group."""
    goals, undone, entered = (
        f"sum by (scenario, group) (increase(boomerang_scenario_{name}_total[7d]))"
        for name in ("goals", "goals_undone", "entered")
    )
    none = f"{entered} * 0"  # who was never told of has no series, and is nothing all the same
    shares = f"(({goals} or {none}) - ({undone} or {none})) / ({entered} > 0)"
    uplift = " - on (scenario) ".join(
        f'scenario:goals_per_entry:7d{{group="{group}"}}' for group in ("recipients", "control")
    )
    rules = [
        {"record": "scenario:goals_per_entry:7d", "expr": shares},
        {"record": "scenario:uplift:7d", "expr": f"sum by (scenario) ({uplift})"},
    ]
    return _yaml({"groups": [{"name": "boomerang-worth", "rules": rules}]})


def worth_tests() -> str:
    """A week of three scenarios: one that brings something, one that nobody of the control group reacted to, one without a control group."""
    counted = {
        ("entered", "cart", "recipients"): 20, ("goals", "cart", "recipients"): 4, ("goals_undone", "cart", "recipients"): 1,
        ("entered", "cart", "control"): 10, ("goals", "cart", "control"): 1,
        ("entered", "wish", "recipients"): 10, ("goals", "wish", "recipients"): 2, ("entered", "wish", "control"): 10,
        ("entered", "alone", "recipients"): 10, ("goals", "alone", "recipients"): 5,
    }  # fmt: skip
    series = {
        f'boomerang_scenario_{name}_total{{scenario="{scenario}",group="{group}"}}': f"0+{a_minute}x120"
        for (name, scenario, group), a_minute in counted.items()
    }
    expected = {
        "scenario:uplift:7d": {'{scenario="cart"}': 0.05, '{scenario="wish"}': 0.2},
        'scenario:goals_per_entry:7d{scenario="alone"}': {'{scenario="alone",group="recipients"}': 0.5},
    }
    cases = [
        {
            "expr": f"round({expr}, 0.0001)",
            "eval_time": "2h",
            "exp_samples": [{"labels": labels, "value": value} for labels, value in found.items()],
        }
        for expr, found in expected.items()
    ]
    test = {"interval": "1m", "input_series": _series(series), "promql_expr_test": cases}
    return _yaml({"rule_files": ["../rules/worth.yml"], "evaluation_interval": "1m", "tests": [test]})


def symptoms() -> str:
    """The alerts about symptoms."""
    return _yaml({"groups": [{"name": "boomerang-symptoms", "rules": _rules(SYMPTOMS)}]})


def _rules(alerts: tuple[Alert, ...]) -> list[dict[str, Any]]:
    return [
        {
            "alert": alert.name,
            "expr": alert.expr,
            "for": alert.hold,
            "labels": {"severity": alert.severity},
            "annotations": _annotations(alert),
        }
        for alert in alerts
    ]


def _filled(text: str, labels: dict[str, str]) -> str:
    for name, value in labels.items():
        text = text.replace(f"{{{{ $labels.{name} }}}}", value)
    return text


def _series(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"series": name, "values": numbers} for name, numbers in values.items()]


def tests(file: str, alerts: tuple[Alert, ...], step: str) -> str:
    """For each alert: series for which it fires, with the labels and texts that it then has, and series for which it does not."""
    cases = []
    for alert in alerts:
        labels = {"severity": alert.severity, **alert.labels}
        texts = {name: _filled(text, labels) for name, text in _annotations(alert).items()}
        fired = {
            "eval_time": alert.at,
            "alertname": alert.name,
            "exp_alerts": [{"exp_labels": labels, "exp_annotations": texts}],
        }
        cases.append({"interval": step, "input_series": _series(alert.fires), "alert_rule_test": [fired]})
        if alert.silent:
            quiet = {"eval_time": alert.quiet_at, "alertname": alert.name}
            cases.append({"interval": step, "input_series": _series(alert.silent), "alert_rule_test": [quiet]})
    head: dict[str, Any] = {"rule_files": [f"../rules/{file}.yml"], "evaluation_interval": step}
    if (
        file == "promises"
    ):  # else promtool takes the groups in any order, and what was recorded a step before is stale over days
        head["group_eval_order"] = [RECORDED, JUDGED]
    return _yaml({**head, "tests": cases})


def files() -> dict[str, str]:
    """Every file under this folder that is written, with its text."""
    screens = {f"grafana/{screen.uid}.json": json.dumps(dashboard(screen), indent=1) + "\n" for screen in SCREENS}
    return {
        "rules/promises.yml": promises(),
        "rules/symptoms.yml": symptoms(),
        "rules/worth.yml": worth(),
        "tests/worth.yml": worth_tests(),
        "tests/symptoms.yml": tests("symptoms", SYMPTOMS, "1m"),
        "tests/hours.yml": tests("promises", tuple(alert for alert in BUDGETS if alert.step == "1m"), "1m"),
        "tests/days.yml": tests("promises", tuple(alert for alert in BUDGETS if alert.step != "1m"), DAYS_STEP),
        **screens,
    }


if __name__ == "__main__":
    for name, text in files().items():
        path = HERE / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        print(f"dashboards/{name}")
