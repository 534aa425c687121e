"""The real recording through the core alone, against the independent batch script."""

import pytest

from agents.decide import Decider
from agents.scenarios.load import load_folder
from app.commands.replay import feed_core
from app.replay.core import CoreReplay
from app.replay.sources import read
from tests.driver import BUILT_IN
from tests.simulation.rees46 import RECORDING, expected

pytestmark = pytest.mark.usefixtures("recording")


def through_core(partitions):
    found = {}

    def on_trigger(trigger):
        items = tuple(line.product_id for line in trigger.content.items)
        assert (trigger.customer, trigger.scenario) not in found
        found[trigger.customer, trigger.scenario] = (trigger.anchor, trigger.due, items)

    replay = CoreReplay(Decider(load_folder(BUILT_IN)), partitions, on_trigger)
    assert feed_core(replay, read(RECORDING, addresses=True), lambda _: None) == (17_434 + 4_504, 0)
    replay.flush()
    assert replay.dead == []
    return found


@pytest.mark.parametrize("partitions", [1, 4, 8])
def test_the_core_gives_the_triggers_of_the_batch_script(partitions):
    found, wanted = through_core(partitions), expected()
    assert len(wanted) > 4_000
    assert found.keys() ^ wanted.keys() == set()
    assert {key: (found[key], wanted[key]) for key in wanted if found[key] != wanted[key]} == {}
