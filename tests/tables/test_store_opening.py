"""A partition opens once it is restored, whatever recoveries say that they have ended."""

import pytest
from faust.types import TP

from tables.bundle import Bundle
from tables.changelog import FENCE_KEY
from tests.broker.toy import Count, toy_app
from tests.tables.test_store_submit import Record, Writer

PARTITION = 0


class Consumer:
    """Stands for the consumer: what a broker would say of the ends of topics. `asked` runs when the ends are asked for."""

    def __init__(self, table):
        self._changelog, self.end, self.asked = table._changelog_topic_name(), 0, lambda: None

    async def earliest_offsets(self, *tps):
        return dict.fromkeys(tps, 0)

    async def highwaters(self, *tps):
        ends = {tp: self.end if tp.topic == self._changelog else 100 for tp in tps}
        self.asked()
        return ends

    async def committed(self, *tps):
        return dict.fromkeys(tps, 50)


@pytest.fixture
def table(make_settings):
    table = toy_app(make_settings(kafka="kafka://127.0.0.1:1", redis="redis://127.0.0.1:1/0")).fenced[0]
    table.app.consumer = Consumer(table)
    table._writer = lambda _number: Writer()
    table.actives = frozenset({PARTITION})
    return table


@pytest.fixture
def log(table):
    """The changelog: a row and its fence, twice, and what a transaction leaves behind them."""
    rows = [
        ({b"a": Count(number)}, table.codec.fence(dict.fromkeys(table.inputs, number), float(number)))
        for number in (1, 2)
    ]
    pairs = [pair for row, fence in rows for pair in ((b"a", table.codec.encode_row(row[b"a"])), fence)]
    table.app.consumer.end = len(pairs) + 1
    return [Record(key, value, offset) for offset, (key, value) in enumerate(pairs)]


def restore(table, records, until):
    part = table.parts.setdefault(PARTITION, table._held(PARTITION))
    part.replay(Bundle("changelog", PARTITION, records, records[0].offset, until), table.codec)


async def completed(table):
    await table.on_recovery_completed({TP(table._changelog_topic_name(), PARTITION)}, set())
    assert table.failure is None
    return table.is_open(PARTITION)


async def test_a_partition_of_which_nothing_was_read_yet_does_not_open_when_an_earlier_recovery_ends(table, log):
    assert not await completed(table)
    restore(table, log, 4)
    assert await completed(table)


async def test_one_that_is_half_read_does_not_open_either(table, log):
    restore(table, log[:2], 1)
    assert log[1].key == FENCE_KEY
    assert not await completed(table)
    restore(table, log[2:], 4)
    assert await completed(table)
    assert table.next_offset(table.inputs[0], PARTITION) == 3


async def test_an_open_one_stays_as_it_is_when_another_recovery_ends(table, log):
    restore(table, log, 4)
    assert await completed(table)
    table.parts[PARTITION].applied[table.inputs[0]] = 9
    table.app.consumer.end += 2  # of a step of ours
    assert await completed(table)
    assert table.next_offset(table.inputs[0], PARTITION) == 10


async def test_an_end_that_was_asked_for_before_former_owners_were_fenced_opens_nothing(table, log, monkeypatch):
    restore(table, log, 4)
    changelog = TP(table._changelog_topic_name(), PARTITION)
    monkeypatch.setattr(table.app.assignor, "assigned_actives", lambda: {changelog})
    within = []

    class Slow(Writer):
        async def start(self):
            within.append(await completed(table))

        async def stop(self):
            pass

    table._writer = lambda _number: Slow()
    await table.on_rebalance({changelog}, set(), {changelog})
    assert within == [False]
    assert await completed(table)


async def test_a_rebalance_meanwhile_opens_nothing(table, log):
    restore(table, log, 4)

    def rebalance():
        table._era += 1

    table.app.consumer.asked = rebalance
    assert not await completed(table)


async def test_one_that_is_another_workers_since_does_not_open_when_an_earlier_recovery_ends(table, log):
    restore(table, log, 4)
    table.actives = frozenset({PARTITION + 1})
    assert not await completed(table)
    assert PARTITION not in table._writers


def test_what_a_copy_that_stands_by_has_read_does_not_wait_for_more(table):
    """Faust applies so many messages at once, and a bundle is one: what waits there is not in the copy."""
    assert table.standby_buffer_size == 1
    assert table.recovery_buffer_size > 1, "of one Faust makes something else"
