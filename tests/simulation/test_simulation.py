"""The cut of the simulation that runs every time, and the proof that it sees what it is for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation import planted
from tests.simulation.__main__ import told
from tests.simulation.runner import shrink, trial
from tests.simulation.world import POINTS, World

SEEDS, EVENTS, BLOCK = 90, 400, 15
WORDS = {
    "no_lag_gate": ("accused", "not expected"),
    "committed_before_durable": ("never applied",),
    "random_ids": ("id does not follow",),
    "fence_one_too_low": ("applied twice",),
    "fence_one_too_high": ("never applied", "HoleError"),
    "timers_not_rebuilt": ("should have been decided", "late", "missing"),
    "in_flight_in_memory_only": ("without being noted", "taken 2 times"),
    "cancel_ignored": ("spoken after that",),
    "postponed_without_grace": ("after it was due",),
}


@pytest.mark.parametrize("first", range(0, SEEDS, BLOCK))
def test_nothing_is_lost_repeated_or_wrong_whatever_breaks(first):
    compared = racing = 0
    for seed in range(first, first + BLOCK):
        outcome = trial(seed, EVENTS)
        assert not outcome.wrong, told(seed, *shrink(seed, EVENTS, most=120))
        compared, racing = compared + outcome.compared, racing + outcome.racing
    assert compared > 2 * racing, "most customers are compared with the reference"


@pytest.mark.parametrize("bug", planted.BUGS, ids=lambda bug: bug.__name__)
def test_a_planted_bug_is_caught(bug):
    with bug() as table_type:
        for seed in range(SEEDS):
            wrong = trial(seed, EVENTS, table_type=table_type).wrong
            if any(word in line for line in wrong for word in WORDS[bug.__name__]):
                return
    pytest.fail(f"{SEEDS} seeds have not seen it")


def test_a_run_follows_from_its_seed():
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    code = "from tests.simulation.runner import trial; print(trial(3, 200).digest)"
    root = Path(__file__).parents[2]
    other = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=root, capture_output=True, text=True, timeout=60
    )
    assert trial(3, 200).digest == trial(3, 200).digest == other.stdout.strip(), other.stderr
    assert trial(4, 200).digest != trial(3, 200).digest


def test_every_kind_of_fault_happens():
    happened = set()
    for seed in range(40):
        world = World(seed, EVENTS)
        happened |= {fault.kind for fault in world.schedule}
        world.close()
    wanted = {
        "point",
        "kill",
        "outage",
        "pause",
        "restart",
        "wipe",
        "redis",
        "stall",
        "relay",
        "mood",
        "compact",
        "jump",
    }
    assert happened == wanted


def test_processes_die_at_every_named_point():
    wanted, happened = {f"{table}: {point}" for table, point in POINTS}, set()
    for seed in range(SEEDS):
        world = World(seed, EVENTS)
        happened |= set(world.run().happened)
        world.close()
        if happened >= wanted:
            return
    pytest.fail(f"nobody died at {sorted(wanted - happened)}")


def test_a_failure_is_made_small():
    with planted.random_ids():
        happenings, schedule, wrong = shrink(0, 200, most=60)
        assert 0 < len(happenings) < 20
        assert not schedule
        assert any("id does not follow" in line for line in wrong)
