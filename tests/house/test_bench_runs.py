"""Which runs of the benches are written, and which leave the figures that stand."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.web.collector.dedupe import NoIds
from app.web.collector.intake import Intake
from app.web.collector.record import Record
from bench import __main__ as bench
from bench import results, sizing
from bench.memory import MemorySink
from bench.peers import SKIPPED

ROOT = Path(__file__).resolve().parents[2]
STOOD = {"machine": "m", "day": "d", "quick": False, "busy": [], "arguments": []}


def measured(rounds=3, arguments=()):
    return {**STOOD, "arguments": list(arguments), "rounds": [[{"what": "core", "us": 1}]] * rounds}


@pytest.fixture
def pages(tmp_path, monkeypatch):
    """The files of figures, of their own: `core` with three rounds."""
    monkeypatch.setattr(results, "RAW", tmp_path / "results.json")
    monkeypatch.setattr(results, "RESULTS", tmp_path / "RESULTS.md")
    monkeypatch.setattr(results, "QUICK", tmp_path / "out" / "RESULTS.md")
    monkeypatch.setattr(sizing, "RAW", results.RAW)
    monkeypatch.setattr(sizing, "PAGE", tmp_path / "scaling.md")
    monkeypatch.setattr(bench, "busy", lambda: 0.0)
    results.RAW.write_text(json.dumps({"core": measured()}))
    return results.RAW


@pytest.fixture(autouse=True)
def _signals():
    before = [(number, signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)]
    yield
    for number, handler in before:
        signal.signal(number, handler)


class Runs:
    """Stands in for the processes of benches: one status each, in turn."""

    def __init__(self, monkeypatch, *statuses):
        self.statuses, self.asked = list(statuses), []
        monkeypatch.setattr(bench, "run", self)

    def __call__(self, name, arguments):
        self.asked.append((name, arguments))
        status = self.statuses.pop(0) if self.statuses else 0
        if status is KeyboardInterrupt:
            signal.raise_signal(signal.SIGTERM)
        return bench.Found([] if status else [{"what": name, "us": 2}], 0.0, 1.0, status)


def stands(raw, name="core"):
    """Rounds, arguments and figure of what is written."""
    kept = json.loads(raw.read_text())[name]
    return len(kept["rounds"]), kept["arguments"], kept["rounds"][0][0]["us"]


def test_a_whole_run_takes_the_place_of_the_earlier_one(pages, monkeypatch, capsys):
    Runs(monkeypatch)
    assert bench.main(["core"]) == 0
    assert stands(pages) == (3, [], 2)
    said = capsys.readouterr().err
    assert "(core)" in said
    assert "docs/scaling.md stays as it is; run `make bench ARGS=" in said
    assert "`make bench ARGS=core`" in results.RESULTS.read_text()


@pytest.mark.parametrize("more", [["--with", "--events 9"], ["--rounds", "2"], ["--with=--together", "--rounds", "5"]])
def test_a_run_of_another_size_or_fewer_rounds_is_printed_and_not_written_unless_it_is_to_be(
    pages, monkeypatch, capsys, more
):
    Runs(monkeypatch)
    assert bench.main(["core", *more]) == 0
    said = capsys.readouterr()
    assert stands(pages) == (3, [], 1)
    assert "| core |" in said.out or "| us |" in said.out
    assert "nothing was written" in said.err
    assert bench.main(["core", *more, "--record"]) == 0
    assert stands(pages)[2] == 2
    page = results.RESULTS.read_text()
    assert '`make bench ARGS="core --' in page


def test_where_nothing_stands_or_the_same_was_run_a_run_of_another_size_is_written(pages, monkeypatch):
    Runs(monkeypatch)
    pages.write_text(json.dumps({"core": measured(1, ["--events", "9"])}))
    assert bench.main(["core", "--with", "--events 9", "--rounds", "1"]) == 0
    assert stands(pages) == (1, ["--events", "9"], 2)
    assert bench.main(["timers", "--with", "--counts 5", "--rounds", "1"]) == 0
    assert stands(pages, "timers") == (1, ["--counts", "5"], 2)


@pytest.mark.parametrize(("end", "status"), [(KeyboardInterrupt, 130), (1, 1)])
def test_a_run_that_is_ended_or_fails_leaves_figures_of_more_rounds(pages, monkeypatch, capsys, end, status):
    Runs(monkeypatch, 0, 0, end)
    assert bench.main(["core"]) == status
    assert stands(pages) == (3, [], 1)
    assert "2 of 3 rounds; the earlier figures stay" in capsys.readouterr().err
    pages.write_text(json.dumps({"core": measured(2)}))
    Runs(monkeypatch, 0, 0, end)
    assert bench.main(["core"]) == status
    assert stands(pages) == (2, [], 2)


def test_a_bench_that_is_skipped_is_told_and_is_no_failure(pages, monkeypatch, capsys):
    runs = Runs(monkeypatch, SKIPPED, 0)
    assert bench.main(["recovery", "core"]) == 0
    said = capsys.readouterr().err
    assert "SKIPPED: recovery" in said and "(core)" in said
    assert [name for name, _ in runs.asked].count("recovery") == 1
    Runs(monkeypatch, SKIPPED)
    assert bench.main(["recovery"]) == 0
    assert "nothing was written" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["recovery", "sidebyside"])
def test_without_the_peers_kit_their_benches_say_what_to_set(name):
    done = subprocess.run(
        [sys.executable, "-m", f"bench.{name}"],
        env={**os.environ, "BOOMERANG_PEERS": "/nowhere"},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == SKIPPED
    assert "set BOOMERANG_PEERS" in done.stderr
    assert done.stdout == ""


def test_what_follows_with_is_for_the_bench_whatever_it_looks_like(capsys):
    assert bench.arguments_of(["core", "--with", "--together"]).given == "--together"
    assert bench.arguments_of(["core", "--with", "--events 9", "--rounds", "2"]).rounds == 2
    for wrong in (["--rounds", "-1"], ["--rounds", "0"], ["nothing"], ["--with", "--x"], ["core", "--with"]):
        with pytest.raises(SystemExit):
            bench.arguments_of(wrong)
    assert "--rounds must be at least 1" in capsys.readouterr().err


@pytest.mark.parametrize("name", bench.BENCHES)
def test_each_bench_has_a_quick_size_of_options_that_it_knows(name):
    text = (ROOT / "bench" / f"{name}.py").read_text()
    options = [word for word in bench.BENCHES[name].quick if word.startswith("--")]
    assert options
    assert [option for option in options if f'"{option}"' not in text] == []


async def test_what_stands_in_for_kafka_acknowledges_to_the_intake():
    intake = Intake(MemorySink(), NoIds())
    await intake.start()
    try:
        records = [Record("clickstream", 0, b"u1", b"{}", id_) for id_ in (b"a", b"b", b"a")]
        assert await asyncio.wait_for(intake.publish(records), 30) == 1
    finally:
        await intake.close()


def test_the_table_of_sizes_follows_from_what_was_measured(capsys):
    assert sizing.main(["--check"]) == 0, "run `python -m bench.sizing`"


def test_a_table_that_says_something_else_is_seen_and_renewed(pages, tmp_path, capsys):
    page = tmp_path / "scaling.md"
    page.write_text(f"a\n{sizing.BEGIN}\n{sizing.END}\nb\n")
    pages.write_text((ROOT / "bench" / "results.json").read_text())
    assert sizing.main(["--check"]) == 1
    assert sizing.main([]) == 0
    assert sizing.main(["--check"]) == 0
    assert page.read_text().startswith(f"a\n{sizing.BEGIN}\n\n| events a second")
    pages.write_text("{}")
    with pytest.raises(SystemExit, match="1"):
        sizing.main(["--check"])
    assert "run `make bench ARGS=" in capsys.readouterr().err
