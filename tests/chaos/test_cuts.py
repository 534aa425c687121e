"""Small cuts of what `make chaos` runs at full size: the same code, fewer kills and customers."""

import pytest

from tests.chaos.backlog import backlog
from tests.chaos.disorder import GRACE, disorder
from tests.chaos.ground import ground
from tests.chaos.hung import hung, scenarios
from tests.chaos.kills import kills
from tests.chaos.outages import outages, servers
from tests.chaos.poison import KINDS, poison
from tests.chaos.rebalances import rebalances
from tests.chaos.watchdog import watchdog
from tests.servers import scratch_folder

OF_WORKER = ("assigned", "opened", "committed", "recovering", "produced", "decided")
OF_SENDER = ("data", "text", "taken", "decided", "produced")

pytestmark = [pytest.mark.broker, pytest.mark.slow]


async def test_kills_of_worker_and_sender_lose_nothing_and_say_nothing_twice(make_settings, process):
    async with ground(make_settings(instance="chaos"), process) as place:
        counted = await kills(place, rounds=1, wave=200, seed=11, points=(OF_WORKER, OF_SENDER))
    at = [*(f"worker {point}" for point in OF_WORKER), *(f"delivery {point}" for point in OF_SENDER)]
    assert counted["at"] == dict.fromkeys([*at, "worker random", "delivery random"], 1)
    assert counted["sent"] + counted["ambiguous"] == counted["triggers"] == 160


async def test_orders_that_wait_in_the_backlog_disarm_their_carts(make_settings, process):
    async with ground(make_settings(instance="chaos"), process) as place:
        counted = await backlog(place, buyers=500, leavers=25)
    assert counted["sent"] == 25


async def test_workers_and_senders_that_come_go_and_wake_as_zombies_lose_and_repeat_nothing(make_settings, process):
    async with ground(make_settings(), process) as place:
        counted = await rebalances(place, steps=4, wave=50, seed=12)
    assert counted["rebalances"] == 4


async def test_a_restarted_broker_and_a_wiped_valkey_lose_and_repeat_nothing(make_settings, process):
    with scratch_folder("outages") as folder, servers(folder) as running:
        settings = make_settings(instance="chaos", kafka=running.kafka, redis=running.redis)
        async with ground(settings, process) as place:
            await outages(place, running, restarts=1, wipes=1, wave=100, seed=13)


async def test_a_worker_that_no_longer_reads_says_so_ends_and_its_successor_goes_on(make_settings, process):
    async with ground(make_settings(instance="chaos"), process) as place:
        await watchdog(place, wave=20, stuck=4)


async def test_broken_records_under_every_codec_are_set_aside_once_and_the_good_ones_go_on(make_settings, process):
    async with ground(make_settings(instance="chaos"), process) as place:
        counted = await poison(place, times=1, seed=14)
    assert counted["kinds"] == len(KINDS) >= 20


async def test_any_order_every_event_twice_and_clocks_half_a_day_off_give_the_same_triggers(make_settings, process):
    async with ground(make_settings(instance="chaos", grace=GRACE), process) as place:
        counted = await disorder(place, count=90, seed=15)
    assert counted["triggers"] == 72
    assert counted["late_orders"] > 0


async def test_a_relay_that_hangs_loses_nothing_and_holds_up_no_other_channel(make_settings, process, tmp_path):
    folder = scenarios(make_settings().scenarios, tmp_path / "scenarios")
    settings = make_settings(instance="chaos", scenarios=folder, smtp_timeout=1.0)
    async with ground(settings, process) as place:
        await hung(place, wave=60, silent=5)
