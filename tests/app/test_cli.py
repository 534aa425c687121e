"""`boomerang` as a person at a terminal meets it."""

import os
import subprocess
import sys

import pytest

from app.cli import COMMANDS, main


@pytest.mark.parametrize(
    "argv", [[], ["fly"], ["up", "--fly"], ["demo", "--shoppers", "many"], ["explain"], ["dead-letters"], ["replay"]]
)
def test_wrong_use_ends_with_status_2_and_one_line_that_points_to_the_help(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(argv)
    out, err = capsys.readouterr()
    assert ended.value.code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("boomerang")
    assert "--help`" in err


@pytest.mark.parametrize("scale", ["0", "-1", "nan", "inf"])
def test_a_time_scale_that_scales_nothing_is_wrong_use(scale: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["up", f"--time-scale={scale}"]) == 2
    assert capsys.readouterr().err == "boomerang up: --time-scale must be above 0 and at most 1000000\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_tells_what_it_takes(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert f"usage: boomerang {command}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ([""], "set FEED to its address"),
        (["-"], "can be read once only"),
        (["feed.xml", "--every", "10s"], "--every must be at least 60s"),
    ],
)
def test_a_feed_that_cannot_be_watched_is_told_before_anything_is_connected(
    words: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["catalogue", "watch", *words]) == 2
    assert hint in capsys.readouterr().err


def test_a_reader_that_has_enough_is_no_fault() -> None:
    """As in `boomerang settings | head -1`: the reader is gone before anything is written."""
    reads, writes = os.pipe()
    os.close(reads)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "app.cli", "settings"],
            check=False,
            stdout=writes,
            stderr=subprocess.PIPE,
            timeout=120,
        )
    finally:
        os.close(writes)
    assert (done.returncode, done.stderr) == (141, b"")
