"""A partition that is opened again, as a rebalance does with those that a worker keeps, has its backlog first as well."""

from app.engine.cooling import SETTLE, Cooler
from tests.app.test_cooling import Table, clock, given_back  # noqa: F401 -- fixtures


def test_a_partition_that_is_opened_again_is_left_alone_for_as_long_as_a_new_one(clock, given_back):  # noqa: F811
    table = Table(0)
    part, cooler = table.parts[0], Cooler(table, clock)
    assert not cooler.look(part)
    part.open = False  # a rebalance: closed, and restored from where it stands
    clock.advance(SETTLE + 1)
    assert not cooler.look(part)
    part.open = True
    assert not cooler.look(part), "opened just now, and frozen at once"
