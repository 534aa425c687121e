"""What was run stands on the page, each part by itself; and a run that is ended tells what was done."""

import signal
from collections import Counter

import pytest

from tests.chaos import __main__ as chaos
from tests.chaos import page
from tests.simulation import __main__ as simulation
from tests.simulation.campaign import Campaign

OLD = """## chaos

Of earlier days.

| part | what | held | figures |
|---|---|---|---|
| kills | kill -9 of worker and sender, at random and at named points | yes | seed 20000, kills 100 |
| hung (0.1 of the full size) | a relay that hangs for a minute, and another channel beside it | yes | silent_s 60.0 |
"""


@pytest.fixture(autouse=True)
def pages(tmp_path, monkeypatch):
    """The pages with an earlier record, in a folder of their own."""
    monkeypatch.setattr(page, "CHAOS", tmp_path / "CHAOS.md")
    monkeypatch.setattr(page, "RESULTS", tmp_path / "RESULTS.md")
    page.CHAOS.write_text(OLD)
    page.RESULTS.write_text("# Results\n\nof benches\n\n" + OLD)
    return page.CHAOS, page.RESULTS


def rows(path):
    return [line for line in path.read_text().splitlines() if line.startswith("| ") and line not in page.HEAD]


def test_a_recorded_part_takes_its_place_and_the_others_stay(pages):
    chaos_page, results = pages
    page.record({"poison": {"run": "today", "kinds": 23, "wrong": "it broke"}})
    page.record({"simulation": {"run": "tomorrow", "at": {"a": 1}}}, " (0.5 of the full size)")
    assert rows(chaos_page) == [
        f"| kills | {page.PARTS['kills']} | yes |  | seed 20000, kills 100 |",
        f"| poison | {page.PARTS['poison']} | no | today | kinds 23 |",
        f"| hung (0.1 of the full size) | {page.PARTS['hung']} | yes |  | silent_s 60.0 |",
        f"| simulation (0.5 of the full size) | {page.PARTS['simulation']} | yes | tomorrow | at (a 1) |",
    ]
    assert results.read_text() == "# Results\n\nof benches\n\n" + chaos_page.read_text()
    assert chaos_page.read_text().startswith("\n".join([*page.INTRODUCTION, *page.HEAD]))
    page.record({"hung": {"run": "then", "silent_s": 60.0}})
    assert f"| hung | {page.PARTS['hung']} | yes | then | silent_s 60.0 |" in rows(chaos_page)
    assert len(rows(chaos_page)) == 4


def test_without_a_git_only_the_day_is_told(monkeypatch, tmp_path):
    assert len(page.moment().split()[0]) == len("2026-01-31")
    monkeypatch.setattr(page, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert len(page.moment()) == len("2026-01-31")


@pytest.mark.parametrize(
    ("more", "name", "options"), [([], "simulation", ""), (["--cascade"], "cascades", "--cascade ")]
)
def test_a_simulation_is_recorded_with_all_its_pieces(pages, monkeypatch, tmp_path, more, name, options):
    monkeypatch.setattr(simulation, "OUT", tmp_path)
    (tmp_path / f"{name}.json").write_text(
        '{"events": 20, "next": 2, "moments": ["monday"], "total": {"seeds": 2, "cpu": 1, "triggers": 9}, "happened": {}}'
    )
    assert simulation.main(["--events", "20", "--seeds", "2", "--jobs", "1", "--go-on", "--record", *more]) == 0
    row = rows(pages[0])[-1]
    assert row.startswith(
        f'| {name} | {page.PARTS[name]} | yes | monday: `make simulation ARGS="{options}--seeds 2 --events 20 --record'
    )
    assert row.endswith("| seeds 0 to 1, events 20, triggers 9, compared 0, racing 0, kills 0, cpu_seconds 1 |")


def test_a_failure_is_recorded_with_its_seed(pages, monkeypatch, tmp_path):
    outcome = simulation.campaign.__globals__["Outcome"](["lost one"], 1, 0, 1, {}, "")
    done = Campaign(Counter(seeds=2000), Counter(), 2000, (2000, outcome), moments=("monday", "today"))
    monkeypatch.setattr(simulation, "campaign", lambda *_: done)
    monkeypatch.setattr(simulation, "OUT", tmp_path)
    assert simulation.main(["--record", "--no-shrink"]) == 1
    row = rows(pages[0])[-1]
    assert "| no | monday; today: `make simulation ARGS=--record` | seeds 0 to 1999," in row
    assert "wrong_seed 2000" in row


def test_a_small_run_leaves_the_file_of_a_larger_one(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(simulation, "OUT", tmp_path)
    kept = tmp_path / "simulation.json"
    kept.write_text('{"events": 2000, "next": 9, "total": {"seeds": 9}, "happened": {}}')
    before = kept.read_text()
    assert simulation.main(["--first", "3", "--seeds", "1", "--events", "20", "--jobs", "1"]) == 0
    assert kept.read_text() == before
    assert "holds a larger run" in capsys.readouterr().err


def test_a_part_that_is_ended_leaves_the_table_and_the_record_of_what_was_done(pages, monkeypatch, tmp_path, capsys):
    def run(name, options, logs):
        if name == "backlog":
            signal.raise_signal(signal.SIGTERM)
        return {"seed": options.seed}

    monkeypatch.setattr(chaos, "ROOT", tmp_path)
    monkeypatch.setattr(chaos, "OUT", tmp_path / "chaos.json")
    monkeypatch.setattr(chaos, "LOGS", tmp_path / "logs")
    monkeypatch.setattr(chaos, "on_servers", run)
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        assert chaos.main(["kills", "backlog", "hung", "--record"]) == 130
    finally:
        for number, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
            signal.signal(number, handler)
    said = capsys.readouterr()
    assert said.out.count("\n| kills |") == 1 and "| backlog |" not in said.out
    assert "backlog was ended before its time" in said.err and "1 of 1 parts held" in said.err
    assert '`make chaos ARGS="kills --record"` | seed 20000, seconds 0 |' in rows(pages[0])[0]
