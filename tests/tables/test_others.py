"""Timers wait for what other partitions had not read when ours were opened, and not for ever."""

import pytest
from faust.types import TP

from tables.others import PATIENCE, Others

A, B, C = TP("clickstream", 0), TP("clickstream", 1), TP("chat", 1)


def held(ends, begins=None, topics=("clickstream", "chat"), now=100.0):
    others = Others(topics)
    others.hold(dict.fromkeys(ends, 0) | (begins or {}), ends, now)
    return others


def test_nothing_is_waited_for_where_no_topic_is_named():
    assert Others(()).over


def test_at_first_the_ends_are_to_be_asked_for():
    others = Others(["clickstream"])
    assert others.left is None and not others.over


def test_each_partition_is_waited_for_until_it_has_read_what_was_there():
    others = held({A: 10, B: 5, C: 1})
    assert others.note({A: 10, B: 4, C: None}, 101.0)
    assert set(others.left) == {B, C} and not others.over
    assert others.note({B: 7, C: 1}, 102.0)
    assert others.over


def test_who_had_read_all_and_is_asked_no_more_stays_read():
    others = held({A: 10, B: 5})
    others.note({A: 10}, 101.0)
    others.note({A: 0, B: 5}, 102.0)  # a new owner, whose fence is not read yet
    assert others.over


@pytest.mark.parametrize("begin", [0, 7])
def test_a_partition_without_records_is_read(begin):
    assert held({A: begin}, {A: begin}).over


def test_patience_ends_and_that_is_told():
    others = held({A: 10})
    assert others.note({A: 9}, 100.0 + PATIENCE - 1.0) and not others.over
    assert not others.note({A: 9}, 100.0 + PATIENCE) and others.over


def test_who_is_done_at_the_last_moment_is_done():
    others = held({A: 10})
    assert others.note({A: 10}, 100.0 + PATIENCE) and others.over


def test_another_rebalance_asks_anew_and_patience_does_not_begin_anew():
    others = held({A: 10})
    others.again()
    assert others.left is None and not others.over
    others.hold({A: 0}, {A: 12}, 100.0 + PATIENCE - 10.0)
    assert others.note({A: 11}, 100.0 + PATIENCE - 1.0) and not others.over
    assert not others.note({A: 11}, 100.0 + PATIENCE) and others.over


def test_after_a_time_in_which_all_was_read_patience_begins_anew():
    others = held({A: 10})
    others.note({A: 10}, 101.0)
    others.again()
    others.hold({A: 0}, {A: 12}, 100.0 + PATIENCE)
    assert others.note({A: 11}, 100.0 + PATIENCE + 1.0) and not others.over


def test_each_rebalance_is_a_round_of_its_own():
    others = Others(())
    others.again()
    assert others.rounds == 1 and others.over
