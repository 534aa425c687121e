"""When timers may fire: the lag gate, and jumps of the clock."""

import pytest

from tables.gate import ClockWatch, Gate


@pytest.fixture
def gate():
    return Gate(grace=2.0)


def test_nothing_is_asked_before_the_grace_is_over(gate):
    assert not gate.wants_ends(None, 1000.0)
    assert not gate.wants_ends(100.0, 101.9)
    assert gate.wants_ends(100.0, 102.0)


def test_nothing_fires_before_the_ends_are_known(gate):
    assert gate.limit({"a": 5}) is None


def test_it_fires_what_was_due_when_the_ends_were_asked_once_all_inputs_have_reached_them(gate):
    gate.hold(110.0, {"a": 6, "b": 3})
    assert gate.limit({"a": 4, "b": 2}) is None
    assert gate.limit({"a": 5, "b": 1}) is None
    assert gate.limit({"a": 5, "b": 2}) == 108.0
    assert gate.limit({"a": 50, "b": 20}) == 108.0


def test_an_empty_input_is_at_its_end(gate):
    gate.hold(110.0, {"a": 0})
    assert gate.limit({}) == 108.0


def test_an_input_never_read_holds_it(gate):
    gate.hold(110.0, {"a": 1})
    assert gate.limit({}) is None


def test_ends_are_asked_again_only_when_all_that_was_due_has_fired(gate):
    gate.hold(110.0, {"a": 1})
    assert gate.waiting
    assert not gate.wants_ends(100.0, 120.0)
    gate.reset()
    assert not gate.waiting
    assert gate.wants_ends(100.0, 120.0)
    assert gate.limit({"a": 9}) is None


def test_it_says_how_long_there_is_nothing_to_do(gate):
    assert gate.pause(None, 100.0, longest=1.0, poll=0.05) == 1.0
    assert gate.pause(100.0, 101.5, longest=1.0, poll=0.05) == pytest.approx(0.5)
    assert gate.pause(100.0, 150.0, longest=1.0, poll=0.05) == 0.0
    assert gate.pause(900.0, 100.0, longest=1.0, poll=0.05) == 1.0
    gate.hold(100.0, {"a": 1})
    assert gate.pause(100.0, 150.0, longest=1.0, poll=0.05) == 0.05


@pytest.mark.parametrize("jump", [31.0, -31.0, 4000.0])
def test_a_jump_against_the_monotonic_clock_is_seen_once(jump):
    watch = ClockWatch(1000.0, 50.0)
    assert not watch.jumped(1010.0, 60.0)
    assert watch.jumped(1020.0 + jump, 70.0)
    assert not watch.jumped(1030.0 + jump, 80.0)


def test_a_long_pause_of_the_process_is_no_jump():
    watch = ClockWatch(1000.0, 50.0)
    assert not watch.jumped(5000.0, 4050.0)


def test_a_drift_is_no_jump():
    watch = ClockWatch(1000.0, 50.0)
    assert not any(watch.jumped(1000.0 + second * 1.01, 50.0 + second) for second in range(0, 10_000, 10))
