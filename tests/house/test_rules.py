"""Alert rules name only metrics that exist."""

import re
from pathlib import Path

import yaml

from app import metrics

RULES = Path(__file__).resolve().parents[2] / "dashboards" / "rules" / "boomerang.yml"


def test_every_metric_of_the_rules_exists():
    known = {sample.name for metric in metrics.REGISTRY.collect() for sample in metric.samples}
    for metric in metrics.REGISTRY.collect():
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}.get(metric.type, [""])
        known |= {metric.name + suffix for suffix in suffixes}
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    named = {name for rule in rules for name in re.findall(r"boomerang_[a-z_]+", rule["expr"])}
    assert named - known == set()
    assert all(rule["annotations"].keys() == {"summary", "description"} for rule in rules)
