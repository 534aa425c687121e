"""The circuit breaker."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.circuit import BASE, FAILURES, LONGEST, MOST, PROBING, Circuits, name_of


def broken(circuits, now=0.0, times=FAILURES):
    return [circuits.failed("sms", now) for _ in range(times)]


def test_it_opens_after_some_failures_in_a_row_and_says_so_once():
    circuits = Circuits()
    assert broken(circuits, times=FAILURES + 2) == [*[False] * (FAILURES - 1), True, False, False]
    assert circuits.ask("sms", 0.0) > 0 and circuits.ask("email", 0.0) == 0.0


def test_a_success_in_between_begins_anew():
    circuits = Circuits()
    broken(circuits, times=FAILURES - 1)
    circuits.succeeded("sms")
    assert broken(circuits, times=FAILURES - 1) == [False] * (FAILURES - 1) and circuits.ask("sms", 0.0) == 0.0


def test_after_the_pause_one_message_tries_and_the_others_wait_for_it():
    circuits = Circuits()
    broken(circuits)
    pause = circuits.ask("sms", 0.0)
    assert BASE / 2 <= pause <= BASE
    assert circuits.ask("sms", pause) == 0.0 and circuits.ask("sms", pause) == PROBING
    circuits.succeeded("sms")
    assert circuits.ask("sms", pause) == circuits.ask("sms", pause) == 0.0


def test_a_try_that_fails_makes_the_pause_longer_up_to_a_bound():
    circuits, now, pauses = Circuits(), 0.0, []
    broken(circuits)
    for _ in range(12):
        pauses.append(circuits.ask("sms", now))
        now += pauses[-1]
        assert circuits.ask("sms", now) == 0.0
        assert not circuits.failed("sms", now)
    assert pauses[3] > pauses[0] * 2 and max(pauses) <= LONGEST and pauses[-1] >= LONGEST / 2


def test_a_try_that_was_withheld_leaves_its_place_to_the_next():
    circuits = Circuits()
    broken(circuits)
    pause = circuits.ask("sms", 0.0)
    assert circuits.ask("sms", pause) == 0.0
    circuits.undecided("sms")
    assert circuits.ask("sms", pause) == 0.0


@given(st.lists(st.text(max_size=3), max_size=60))
def test_a_failure_of_one_is_none_of_another(names):
    circuits = Circuits()
    broken(circuits)
    for name in names:
        if name != "sms":
            assert circuits.ask(name, 0.0) == 0.0


def test_what_is_remembered_is_bounded():
    circuits = Circuits()
    for number in range(MOST * 2):
        circuits.failed(f"webhook:{number}", 0.0)
    assert len(circuits._open) == MOST


@pytest.mark.parametrize(
    ("channel", "address", "alert", "name"),
    [
        ("sms", "+79123456789", False, "sms"), ("email", "anna@shop.example", False, "email"), ("vk", "club:1", False, "vk:club"),
        ("webhook", "customers:u1", False, "webhook:customers"), ("telegram", "-100", True, "telegram:-100"), ("slack", "sales", True, "slack:sales"),
    ],
)  # fmt: skip
def test_each_account_has_its_own(channel, address, alert, name):
    assert name_of(channel, address, alert=alert) == name
