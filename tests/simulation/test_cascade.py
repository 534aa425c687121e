"""A cascade of three mails in the simulated installation, and the proof that its checks see what they are for."""

import pytest

from tests.simulation import planted
from tests.simulation.cascade import CascadeFindings, CascadeWorld
from tests.simulation.runner import trial

SEEDS, EVENTS = 12, 400
KIND = (CascadeWorld, CascadeFindings)
WORDS = {
    "stage_decided_twice": ("was decided 2 times",),
    "reaction_ignored": ("spoken after the cascade had ended",),
    "wait_not_rebuilt": ("is missing", "is still open"),
}


def test_each_stage_is_spoken_once_when_it_is_due_and_never_after_a_reaction():
    compared = racing = 0
    for seed in range(SEEDS):
        outcome = trial(seed, EVENTS, kind=KIND)
        assert not outcome.wrong, (seed, outcome.wrong)
        compared, racing = compared + outcome.compared, racing + outcome.racing
    assert compared > 2 * racing, "most customers are compared with the reference"


@pytest.mark.parametrize("bug", planted.CASCADE_BUGS, ids=lambda bug: bug.__name__)
def test_a_planted_bug_of_cascades_is_caught(bug):
    with bug():
        for seed in range(SEEDS):
            wrong = trial(seed, EVENTS, kind=KIND).wrong
            if any(word in line for line in wrong for word in WORDS[bug.__name__]):
                return
    pytest.fail(f"{SEEDS} seeds have not seen it")
