"""Units of systemd and the example for Kubernetes: linted, since neither runs where the tests do."""

import re
import shutil
import subprocess
from argparse import ArgumentParser
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from app.cli import COMMANDS
from app.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / "docs/deploy/systemd").iterdir())
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
KNOWN = {PREFIX + item.name.upper() for item in fields(Settings)}
OPTIONAL = {"boomerang-chat-gateway.service", "boomerang-bounces.service", "boomerang-catalogue.service"}
"""Units that are enabled by hand where they are needed."""
KUBERNETES = sorted((ROOT / "docs/deploy/kubernetes").iterdir())
MANIFESTS = [item for file in KUBERNETES for item in yaml.safe_load_all(file.read_text())]
KINDS = {
    "ConfigMap": "v1", "Service": "v1", "Job": "batch/v1", "StatefulSet": "apps/v1", "Deployment": "apps/v1",
    "PodDisruptionBudget": "policy/v1",
}  # fmt: skip
PODS = [item for item in MANIFESTS if item["kind"] in ("Job", "StatefulSet", "Deployment")]
PORTS = {"worker": 6066, "delivery": 6067, "collector": 8000, "console": 8001, "chat-gateway": 6068, "catalogue": 6069}


def assert_parsed(words):
    """That the command takes these arguments, variables left as they stand."""
    parser = ArgumentParser(exit_on_error=False)
    import_module("app.commands." + words[0].replace("-", "_")).add_arguments(parser)
    parser.parse_args(words[1:])


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_a_unit_runs_one_command_as_a_user_and_comes_back(unit):
    lines = unit.read_text().splitlines()
    values = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    command = unit.stem.removeprefix("boomerang-")
    words = values["ExecStart"].split()
    assert words[0].endswith("/boomerang")
    assert words[1] == command and command in COMMANDS
    assert_parsed(words[1:])
    assert values["User"] == "boomerang"
    assert (values["Restart"], values["NoNewPrivileges"], values["ProtectSystem"]) == ("always", "yes", "strict")
    assert int(values["TimeoutStopSec"]) > 10
    assert set(re.findall(r"BOOMERANG_[A-Z_]+(?==)", unit.read_text())) - {"BOOMERANG_NAME"} <= KNOWN


def test_the_target_wants_every_unit_that_is_always_needed():
    (target,) = [unit for unit in UNITS if unit.suffix == ".target"]
    wanted = re.search(r"Wants=(.*)", target.read_text())[1].split()
    assert sorted(wanted) == [unit.name for unit in SERVICES if unit.name not in OPTIONAL]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_itself_finds_nothing_wrong_with_the_units(tmp_path):
    program = tmp_path / "boomerang"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for unit in UNITS:
        text = unit.read_text().replace("/opt/boomerang/.venv/bin/boomerang", str(program))
        (tmp_path / unit.name).write_text(text)
    command = ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / unit.name) for unit in SERVICES)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    told = [line for line in done.stderr.splitlines() if str(tmp_path) in line or "boomerang" in line]
    assert told == []


def test_every_manifest_is_of_a_known_kind_with_a_name():
    for item in MANIFESTS:
        assert KINDS[item["kind"]] == item["apiVersion"]
        assert item["metadata"]["labels"]["app"] == "boomerang"
    names = [(item["kind"], item["metadata"]["name"]) for item in MANIFESTS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("item", PODS, ids=lambda item: item["metadata"]["name"])
def test_a_pod_runs_a_command_without_rights_and_says_how_it_is(item):
    process = item["metadata"]["labels"]["process"]
    template = item["spec"]["template"]
    (container,) = template["spec"]["containers"]
    assert container["args"][0] == process and process in COMMANDS
    assert_parsed(container["args"])
    named = {word[2:-1] for word in container["args"] if word.startswith("$(")}
    assert named <= {variable["name"] for variable in container.get("env", ())}
    assert template["spec"]["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert "memory" in container["resources"]["limits"]
    if process == "topics":
        return
    assert item["spec"]["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert PORTS[process] in ports.values()
    for probe, path in (("readinessProbe", "/readyz"), ("livenessProbe", "/healthz")):
        assert container[probe]["httpGet"]["path"] == path
        assert container[probe]["httpGet"]["port"] in ports
    mounts = {mount["name"] for mount in container["volumeMounts"]}
    assert mounts == {volume["name"] for volume in template["spec"]["volumes"]}
    assert template["spec"]["terminationGracePeriodSeconds"] > 10


def test_members_of_groups_have_the_names_of_their_pods():
    for item in PODS:
        if item["metadata"]["labels"]["process"] in ("worker", "delivery"):
            assert item["kind"] == "StatefulSet"
            (container,) = item["spec"]["template"]["spec"]["containers"]
            (variable,) = container["env"]
            assert variable["name"] == "BOOMERANG_INSTANCE"
            assert variable["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"
            services = {other["metadata"]["name"] for other in MANIFESTS if other["kind"] == "Service"}
            assert item["spec"]["serviceName"] in services


def test_every_variable_of_the_manifests_is_a_setting():
    text = "".join(file.read_text() for file in KUBERNETES)
    assert set(re.findall(r"BOOMERANG_[A-Z_]+", text)) <= KNOWN
