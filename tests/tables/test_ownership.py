"""What Faust's recovery is told of partitions that are not in memory."""

from collections import Counter

import pytest
from faust.types import TP

from tables.held import HeldPartition
from tests.broker.toy import toy_app


@pytest.fixture
def table(make_settings):
    return toy_app(make_settings(kafka="kafka://127.0.0.1:1", redis="redis://127.0.0.1:1/0")).fenced[0]


def remembered(table, number, offset):
    """Where recovery goes on for a partition of which Faust still remembers an offset."""
    tp, offsets = TP(table._changelog_topic_name(), number), Counter()
    offsets[tp] = offset
    table.app.tables.recovery._add(table, tp, offsets)
    return offsets[tp]


async def test_a_partition_that_was_dropped_is_read_from_its_beginning_whatever_faust_remembers(table):
    """Where one rebalance overtakes another, Faust does not forget what was revoked."""
    assert remembered(table, 0, 500) == -1


async def test_a_partition_in_memory_goes_on_from_what_it_reflects(table):
    part = table.parts[1] = HeldPartition(1, 0.0)
    assert remembered(table, 1, 500) == -1
    part.log_end = 77
    assert remembered(table, 1, 500) == 77
