"""Grafana's JSON from a few words: a screen is rows of panels, a panel is a title, a unit, what it means, and expressions.

In expressions `$J` stands for the matcher of the chosen jobs and `$I` for the interval of a rate.
"""

from dataclasses import dataclass
from typing import Any

MATCHER = 'job=~"$job"'
INTERVAL = "$__rate_interval"
WIDTH = 24
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
RUNBOOKS = "https://runbook.example/boomerang"
"""Where docs/runbook is published: the default of the variable `runbook`, which is set once a Grafana."""


@dataclass(frozen=True)
class Query:
    """One expression, and what its lines are called."""

    expr: str
    legend: str = "__auto"


@dataclass(frozen=True)
class Panel:
    """One panel. `alerts` are the alerts that watch over the same thing: their pages are linked."""

    title: str
    text: str
    unit: str
    queries: tuple[Query, ...]
    kind: str = "timeseries"
    width: int = 8
    alerts: tuple[str, ...] = ()
    thresholds: tuple[tuple[float, str], ...] = ()
    stacked: bool = False


@dataclass(frozen=True)
class Row:
    """Panels under a heading that is a question."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Screen:
    """A dashboard."""

    uid: str
    title: str
    text: str
    rows: tuple[Row, ...]


def written(expr: str) -> str:
    """An expression as Grafana gets it."""
    return expr.replace("$J", MATCHER).replace("$I", INTERVAL)


def dashboard(screen: Screen) -> dict[str, Any]:
    """The JSON model of a screen."""
    panels: list[dict[str, Any]] = []
    y = 0
    for row in screen.rows:
        panels.append(_heading(len(panels) + 1, row.title, y))
        y += 1
        x = deepest = 0
        for panel in row.panels:
            if x + panel.width > WIDTH:
                x, y, deepest = 0, y + deepest, 0
            height = 4 if panel.kind == "stat" else 8
            panels.append(_panel(len(panels) + 1, panel, x, y, height))
            x, deepest = x + panel.width, max(deepest, height)
        y += deepest
    return {
        "uid": screen.uid,
        "title": screen.title,
        "description": screen.text,
        "tags": ["boomerang"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "links": [
            {"title": "Boomerang", "type": "dashboards", "tags": ["boomerang"], "asDropdown": True, "keepTime": True},
            {"title": "Runbook", "type": "link", "url": "${runbook}/README.md", "targetBlank": True},
        ],
        "templating": {"list": _variables()},
        "annotations": {"list": _annotations()},
        "panels": panels,
    }


def _variables() -> list[dict[str, Any]]:
    return [
        {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "hide": 0},
        {
            "name": "job",
            "label": "Job",
            "type": "query",
            "datasource": SOURCE,
            "query": {"query": "label_values(boomerang_build_info, job)", "refId": "job"},
            "includeAll": True,
            "multi": True,
            "allValue": ".+",
            "current": {"text": "All", "value": "$__all"},
            "refresh": 2,
            "sort": 1,
        },
        {"name": "runbook", "label": "Runbook", "type": "constant", "query": RUNBOOKS, "hide": 2},
    ]


def _annotations() -> list[dict[str, Any]]:
    """Marks on every panel: a new version has come up; a scenario is there that was not, or is of a new version."""
    marks = (
        ("Deploys", "blue", "boomerang_build_info{$J} unless on (version, process) boomerang_build_info{$J} offset 5m",
         "{{process}} {{version}}"),
        ("Scenarios", "purple",
         "boomerang_scenario_info{$J} unless on (scenario, version) boomerang_scenario_info{$J} offset 5m",
         "{{scenario}} v{{version}}"),
    )  # fmt: skip
    return [
        {
            "name": name,
            "datasource": SOURCE,
            "enable": True,
            "iconColor": colour,
            "expr": written(expr),
            "titleFormat": title,
            "step": "60s",
        }
        for name, colour, expr, title in marks
    ]


def _heading(number: int, title: str, y: int) -> dict[str, Any]:
    where = {"x": 0, "y": y, "w": WIDTH, "h": 1}
    return {"id": number, "type": "row", "title": title, "collapsed": False, "gridPos": where, "panels": []}


def _panel(number: int, panel: Panel, x: int, y: int, height: int) -> dict[str, Any]:
    instant = panel.kind in ("stat", "bargauge")
    steps = [{"color": "green" if panel.thresholds else "blue", "value": None}]
    steps += [{"color": colour, "value": value} for value, colour in panel.thresholds]
    custom = {"fillOpacity": 10, "showPoints": "never", "stacking": {"mode": "normal" if panel.stacked else "none"}}
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.text,
        "datasource": SOURCE,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": height},
        "fieldConfig": {
            "defaults": {
                "unit": panel.unit,
                "min": 0,
                "thresholds": {"mode": "absolute", "steps": steps},
                **({} if instant else {"custom": custom}),
            },
            "overrides": [],
        },
        "options": {"reduceOptions": {"calcs": ["lastNotNull"]}}
        if instant
        else {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}},
        "links": [
            {"title": f"Runbook: {alert}", "url": f"${{runbook}}/{alert}.md", "targetBlank": True}
            for alert in panel.alerts
        ],
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": SOURCE,
                "expr": written(query.expr),
                "legendFormat": query.legend,
                "instant": instant,
                "range": not instant,
            }
            for index, query in enumerate(panel.queries)
        ],
    }
