"""Set-up on machines that lack something: one line that says what, and how to get it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / ".ci" / "find-python"


@pytest.fixture
def machine(tmp_path):
    """A folder of programs that stands for a whole machine; gives (folder, run)."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("bash", "touch", "rm"):
        (programs / name).symlink_to(shutil.which(name))

    def run():
        return subprocess.run(
            [str(SCRIPT), str(tmp_path / "a venv")],
            env={"PATH": str(programs)},
            capture_output=True,
            text=True,
            timeout=120,
        )

    return programs, run


def program(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_a_machine_without_python_is_told_how_to_get_it(machine):
    _, run = machine
    done = run()
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "sudo apt-get install python3 python3-venv" in done.stderr


def test_a_python_that_is_too_old_counts_as_none(machine):
    programs, run = machine
    program(programs / "python3", f"exec {sys.executable} -c 'import sys; sys.exit(1)'")
    assert "Python 3.11, 3.12 or 3.13 is missing" in run().stderr


def test_a_python_without_venv_is_told_how_to_get_it(machine):
    programs, run = machine
    program(programs / "python3", 'case "$2" in *ensurepip*) exit 1;; esac; exit 0')
    done = run()
    assert done.returncode == 1
    assert done.stderr == "Python's venv module is missing; on Debian: sudo apt-get install python3-venv\n"


def test_a_shim_that_fails_is_passed_over_and_a_working_environment_is_kept(machine, tmp_path):
    programs, run = machine
    program(programs / "python3.13", "echo 'pyenv: python3.13: command not found' >&2; exit 127")
    program(programs / "python3", f'exec {sys.executable} "$@"')
    assert run().returncode == 0
    made = tmp_path / "a venv" / "bin" / "python"
    assert subprocess.run([made, "-m", "pip", "--version"], check=False, capture_output=True).returncode == 0
    kept = tmp_path / "a venv" / "kept"
    kept.touch()
    again = run()
    assert again.stdout == ""
    assert kept.exists()


def test_make_alone_says_what_can_be_made():
    done = subprocess.run(["make", "--silent", "-C", str(ROOT)], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0
    for goal in ("demo", "up", "test", "install", "check", "bench", "lock"):
        assert f"make {goal}" in done.stdout


def test_the_scripts_are_sound_shell():
    for script in (ROOT / ".ci" / "run", *sorted((ROOT / ".ci").iterdir())):
        assert subprocess.run(["bash", "-n", str(script)], capture_output=True, timeout=30).returncode == 0
        assert script.stat().st_mode & 0o100
        assert "set -eu" in script.read_text()
