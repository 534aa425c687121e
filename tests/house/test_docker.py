"""The image and the composition: linted, since no Docker is at hand where the tests run."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from app.cli import COMMANDS
from app.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
KNOWN = {PREFIX + item.name.upper() for item in fields(Settings)}
PINNED = re.compile(r"^[\w./-]+:v?\d+\.\d+(\.\d+)?(-[\w.-]+)?$")
INSTRUCTIONS = {
    "FROM",
    "ENV",
    "WORKDIR",
    "RUN",
    "COPY",
    "LABEL",
    "VOLUME",
    "USER",
    "EXPOSE",
    "STOPSIGNAL",
    "HEALTHCHECK",
    "ENTRYPOINT",
    "CMD",
}


def instructions():
    """(instruction, rest) of the Dockerfile, continued lines joined, comments left out."""
    text = "\n".join(
        line for line in (ROOT / "docker/Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#")
    )
    joined = re.sub(r"\\\n", " ", text)
    return [tuple(line.split(None, 1)) for line in joined.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((ROOT / "docker/compose.yaml").read_text())


def test_every_instruction_is_known_and_the_bases_are_pinned():
    assert {name for name, _ in instructions()} <= INSTRUCTIONS
    bases = [rest.split()[0] for name, rest in instructions() if name == "FROM"]
    assert len(bases) == 2
    assert all(PINNED.match(base) for base in bases)
    version = bases[0].partition(":")[2]
    assert version.startswith(("3.11.", "3.12.", "3.13."))


def test_the_last_stage_runs_as_a_user_without_a_compiler_and_says_whether_it_is_well():
    steps = instructions()
    last = steps[max(i for i, (name, _) in enumerate(steps) if name == "FROM") :]
    names = [name for name, _ in last]
    assert dict(last)["USER"].split(":")[0] not in ("root", "0")
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert "HEALTHCHECK" in names
    assert not re.search(r"apt-get|gcc|build-essential|pip install", " ".join(rest for _, rest in last))
    assert all(rest.lstrip().startswith("[") for name, rest in last if name in ("ENTRYPOINT", "CMD"))


def test_the_packages_of_the_image_are_the_locked_ones():
    installs = [rest for name, rest in instructions() if name == "RUN" and "pip install" in rest]
    assert all("--require-hashes" in step or "--no-deps" in step for step in installs)
    assert not any("://" in rest for _, rest in instructions())


def test_what_is_copied_exists_and_is_let_through_by_the_ignore_file():
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for name, rest in instructions():
        if name == "COPY" and "--from" not in rest:
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert source in let_through


def test_every_service_has_a_pinned_image_and_a_health_check(compose):
    assert {"kafka", "valkey", "collector", "worker", "delivery", "console"} <= set(compose["services"])
    for name, service in compose["services"].items():
        assert PINNED.match(service["image"]), name
        check = service["healthcheck"]
        assert check.get("test") or (check.get("disable") and name == "topics"), name


def test_every_variable_is_a_setting_and_every_command_exists(compose):
    for name, service in compose["services"].items():
        ours = {key for key in service.get("environment", {}) if key.startswith(PREFIX)}
        assert ours <= KNOWN, name
        if service["image"].startswith("boomerang:"):
            assert service["command"][0] in COMMANDS
    text = (ROOT / "docker/compose.yaml").read_text() + (ROOT / "docker/Dockerfile").read_text()
    assert set(re.findall(r"BOOMERANG_[A-Z_]+", text)) <= KNOWN


def test_services_wait_for_what_they_need_and_volumes_are_declared(compose):
    services = compose["services"]
    for name, service in services.items():
        assert set(service.get("depends_on", {})) <= set(services), name
        for volume in service.get("volumes", []):
            source, _, rest = volume.partition(":")
            if source.startswith("../"):
                assert (ROOT / "docker" / source).exists(), volume
                assert rest.endswith(":ro"), volume
            else:
                assert source in compose["volumes"], name
    for name in ("collector", "worker", "delivery", "console"):
        assert {"topics", "valkey"} <= set(services[name]["depends_on"])


def test_only_the_collector_is_published_beyond_this_host(compose):
    published = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert set(published) == {"collector", "console", "prometheus", "grafana"}
    assert all(
        port.startswith("127.0.0.1:") for name, ports in published.items() if name != "collector" for port in ports
    )


def test_prometheus_scrapes_what_listens_and_grafana_finds_dashboards_and_data(compose):
    services = compose["services"]
    config = yaml.safe_load((ROOT / "dashboards/prometheus.yml").read_text())
    (job,) = config["scrape_configs"]
    ports = {"collector": "8003", "worker": "6066", "delivery": "6067", "console": "8001"}
    assert {f"{name}:{port}" for name, port in ports.items()} <= set(job["static_configs"][0]["targets"])
    assert services["collector"]["environment"]["BOOMERANG_COLLECTOR_METRICS_HOST"] == "0.0.0.0"
    provider = yaml.safe_load((ROOT / "dashboards/provisioning/dashboards/boomerang.yml").read_text())["providers"][0]
    mounts = dict(volume.split(":")[:2] for volume in services["grafana"]["volumes"])
    assert mounts["../dashboards/grafana"] == provider["options"]["path"]
    source = yaml.safe_load((ROOT / "dashboards/provisioning/datasources/prometheus.yml").read_text())["datasources"][0]
    assert source["url"] == "http://prometheus:9090"
    (alerting,) = config["alerting"]["alertmanagers"]
    assert alerting["static_configs"][0]["targets"] == ["alertmanager:9093"]
    assert "prometheus" in services and "alertmanager" in services
    receivers = yaml.safe_load((ROOT / "dashboards/alertmanager.yml").read_text())
    named = {receiver["name"] for receiver in receivers["receivers"]}
    assert {receivers["route"]["receiver"], *(route["receiver"] for route in receivers["route"]["routes"])} <= named
