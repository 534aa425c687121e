"""The house: which rooms there are, that they are ours, and how large a room's things may be."""

import ast
import re
import subprocess
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("app", "agents", "tables", "channels")
SOURCES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
TOP = {"app", "agents", "tables", "channels", "dashboards", "tests", "docker", "docs", "bench", ".ci"}

LONGEST_MODULE = 320
LONGEST_FUNCTION = 45
BANNED_NAMES = ("utils", "util", "helpers", "helper", "common", "misc")


def test_the_top_level_is_what_was_agreed():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    assert {path.split("/")[0] for path in tracked if "/" in path} == TOP
    assert {"pyproject.toml", "Makefile", "README.md", "CHANGELOG.md"} <= set(tracked)


@pytest.mark.parametrize("room", ROOMS)
def test_each_room_resolves_into_this_repository(room):
    spec = find_spec(room)
    assert spec is not None
    assert Path(spec.origin).is_relative_to(ROOT)
    assert set(packages_distributions().get(room, ["boomerang"])) == {"boomerang"}


@pytest.mark.parametrize("folder", ["docker", "dashboards"])
def test_folders_that_are_no_packages_stay_so(folder):
    assert not (ROOT / folder / "__init__.py").exists()


def test_modules_and_functions_stay_short():
    long = []
    for path in SOURCES:
        text = path.read_text()
        if text.count("\n") > LONGEST_MODULE:
            long.append(f"{path.relative_to(ROOT)}: {text.count(chr(10))} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = node.end_lineno - node.lineno + 1
                if length > LONGEST_FUNCTION:
                    long.append(f"{path.relative_to(ROOT)}:{node.name}: {length} lines")
    assert long == []


def test_names_say_what_a_thing_does():
    bad = [str(path.relative_to(ROOT)) for path in SOURCES if path.stem in BANNED_NAMES]
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and node.name.endswith("Manager"):
                bad.append(f"{path.relative_to(ROOT)}: {node.name}")
    assert bad == []


def test_nothing_is_left_to_do_in_the_code():
    marks = ("TO" + "DO", "FIX" + "ME", "X" + "XX")
    left = [
        f"{path.relative_to(ROOT)}: {mark}"
        for path in SOURCES
        for mark in marks
        if re.search(rf"\b{mark}\b", path.read_text())
    ]
    assert left == []


def test_no_code_is_made_at_run_time():
    bad = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec"):
                bad.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert bad == []


def test_only_settings_read_the_environment():
    allowed = {"app/settings.py"}
    bad = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Attribute)
                and node.attr in ("environ", "getenv")
                and getattr(node.value, "id", "") == "os"
            ):
                bad.add(str(path.relative_to(ROOT)))
    assert bad - allowed == set()
