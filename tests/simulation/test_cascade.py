"""Cascades over four channels in the simulated installation, and the proof that its checks see what they are for."""

import pytest

from tests.simulation import planted
from tests.simulation.__main__ import told
from tests.simulation.cascade import CascadeWorld
from tests.simulation.runner import CASCADE, shrink, trial

SEEDS, EVENTS = 24, 400
WORDS = {
    "stage_decided_twice": ("was decided 2 times",),
    "reaction_ignored": ("expected were", "expected was reacted"),
    "wait_not_rebuilt": ("is still open",),
    "granted_after_the_goal": ("was cancelled, and spoken after that",),
    "ledger_forgotten": ("is lost", "was taken 2 times"),
    "consent_not_asked_again": ("expected were",),
    "receipt_counted_twice": ("times for the caps",),
    "receipt_noted_of_another": ("the ledger knows of receipts",),
    "said_anew": ("was spoken with 2 contents",),
    "end_not_kept": ("final reasons", "after the cascade had ended"),
    "ended_in_silence": ("has 0 final reasons",),
    "night_forgotten": ("expected were",),
}


@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS // 3))
def test_each_stage_is_spoken_once_when_it_is_due_and_every_trigger_has_one_final_reason(first):
    compared = racing = 0
    for seed in range(first, first + SEEDS // 3):
        outcome = trial(seed, EVENTS, kind=CASCADE)
        assert not outcome.wrong, told(seed, *shrink(seed, EVENTS, most=60, kind=CASCADE))
        compared, racing = compared + outcome.compared, racing + outcome.racing
    assert compared > 2 * racing, "most customers are compared with the reference"


@pytest.mark.parametrize("bug", planted.CASCADE_BUGS, ids=lambda bug: bug.__name__)
def test_a_planted_bug_of_cascades_is_caught(bug):
    with bug():
        for seed in range(SEEDS):
            wrong = trial(seed, EVENTS, kind=CASCADE).wrong
            if any(word in line for line in wrong for word in WORDS[bug.__name__]):
                return
    pytest.fail(f"{SEEDS} seeds have not seen it")


def test_a_run_of_cascades_follows_from_its_seed():
    assert trial(1, 200, kind=CASCADE).digest == trial(1, 200, kind=CASCADE).digest


def test_messages_go_over_every_channel_and_every_kind_of_news_and_fault_comes():
    happened, faults, plans = set(), set(), set()
    news = ("delivered", "opened", "clicked", "replied", "failed", "bounced", "complained", "unsubscribed")
    wanted = {"to sms", "to fcm", "to whatsapp", "then: order", "then: withdraw", *(f"told: {word}" for word in news)}
    for seed in range(SEEDS):
        world = CascadeWorld(seed, EVENTS)
        plans.add(world.plan.name)
        faults |= {fault.kind for fault in world.schedule}
        happened |= set(world.run().happened)
        world.close()
        if happened >= wanted:
            break
    assert happened >= wanted
    assert plans == {"mails", "channels"}
    assert faults >= {"redis_point", "provider", "provider_mood", "point", "wipe"}
