"""More partitions for a system with state: nothing is lost, nothing is told twice, a killed move is run again."""

import json
import os
import signal
from collections import Counter
from dataclasses import replace
from itertools import count

import pytest

from agents.behaviour import ROW_TYPE
from app.codec import encode_json
from app.engine.provision import provision
from app.errors import CommandError, UsageError
from app.model.alert import DialogView
from app.repartition.broker import connected
from app.repartition.move import Repartition
from app.topics import CUSTOMERS_CHANGELOG, DIALOGS, LEDGER_CHANGELOG, RECEIPTS, partition_of
from channels import ledger
from channels.ledger import Cancelled, Message, Standing, State
from tables.changelog import FENCE_KEY, Codec
from tables.customer import Customer
from tables.writer import PartitionWriter
from tests.broker.conftest import Broker
from tests.running import product

pytestmark = pytest.mark.broker

OLD, NEW = 4, 8
SCALE = 200.0
"""60 minutes are 18 s: nothing comes due before the move."""


@pytest.fixture
def settings(make_settings):
    return make_settings(time_scale=SCALE, grace=0.2)


def move(settings, new=NEW, **options):
    return Repartition(settings, new, lambda _text: None, notice=0.0, **options)


def broker_of(settings, partitions):
    return Broker(settings.kafka.removeprefix("kafka://"), settings.topic_prefix, partitions)


async def rows_of(settings, topic, partitions=NEW):
    """Partition -> key -> value of a changelog, as compaction would leave it; fences apart."""
    rows, fences = {number: {} for number in range(partitions)}, {}
    for record in await broker_of(settings, partitions).read(topic):
        if record.key == FENCE_KEY:
            fences[record.partition] = Codec(ROW_TYPE).read_fence(record.value)
        elif record.value is None:
            rows[record.partition].pop(record.key, None)
        else:
            rows[record.partition][record.key] = record.value
    return rows, fences


def event(user, name, number, at, /, **properties):
    value = {"type": "track", "event": name, "userId": user, "messageId": f"m{number}-{user}", "timestamp": at}
    return partition_of(user, OLD), user.encode(), json.dumps({**value, "properties": properties}).encode()


def known(user, at):
    traits = {"email": f"{user}@shop.example", "consent": {"email": {"granted": True}}}
    value = {"type": "identify", "userId": user, "messageId": f"i-{user}", "timestamp": at, "traits": traits}
    return partition_of(user, OLD), user.encode(), json.dumps({**value, "source": "server"}).encode()


def now():
    from app.clock import SYSTEM, moment

    return moment(SYSTEM.now()).isoformat()


async def stopped(shop, *names):
    for name in names:
        assert shop.processes.pop(name).stop() == 0


async def write_ledger(settings, number, rows):
    """Rows into one partition of the ledger, as its owner would write them."""
    codec = Codec(ledger.Row)
    owner = PartitionWriter(
        {"bootstrap_servers": settings.kafka.removeprefix("kafka://")},
        f"{settings.topic_prefix}test-{number}",
        None,
        print,
    )
    await owner.start()
    topic = settings.topic_prefix + LEDGER_CHANGELOG.name
    await owner.write([(topic, number, [(key.encode(), codec.encode_row(row)) for key, row in rows.items()])])
    await owner.stop()


@pytest.mark.slow
async def test_carts_timers_unread_purchases_and_mails_survive_a_move_that_was_killed(settings, process, eventually):
    users = [f"u{number}" for number in range(48)]
    buyers, newcomers = users[:16], [f"late{number}" for number in range(8)]
    async with product(settings, process) as shop:
        broker = broker_of(settings, OLD)
        await shop.start("worker")
        at = now()
        events = [known(user, at) for user in users]
        events += [event(user, "Product Viewed", 1, at, product_id="p1", category="Lamps", price=20) for user in users]
        events += [event(user, "Product Added", 2, at, product_id="p1", name="Lamp", price=20) for user in users]
        await broker.write("clickstream", events)
        await eventually(lambda: _applied(shop, len(events)), 20, "all is applied")
        await stopped(shop, "worker")

        # what nobody has read, by the old number: purchases, and customers of whom nothing is known yet
        at = now()
        unread = [event(user, "Order Completed", 3, at, order_id=f"o-{user}", total=20) for user in buyers]
        unread += [known(user, at) for user in newcomers]
        unread += [event(user, "Product Added", 4, at, product_id="p2", name="Sofa", price=90) for user in newcomers]
        await broker.write("clickstream", unread)

        command = ["repartition", "--partitions", str(NEW)]
        killed = process.boomerang(*command, settings=settings)
        await eventually(lambda: any("partition 2 of" in line for line in killed.log.tail()), 40, "it is in the middle")
        os.kill(killed.pid, signal.SIGKILL)
        await eventually(lambda: killed.status() is not None)
        for partitions in (OLD, NEW):  # nobody starts on half a state
            with pytest.raises(CommandError, match="run `boomerang repartition` again"):
                await provision(replace(settings, partitions=partitions))
        again = process.boomerang(*command, settings=settings)
        await eventually(lambda: _ended(again), 90)
        again.log.join()
        assert again.status() == 0, again.log.tail(20)
        assert f"BOOMERANG_PARTITIONS={NEW}" in again.log.tail(1)[0]

        shop.settings = replace(settings, partitions=NEW)
        await shop.start("console", "worker", "delivery")
        leavers = {f"{user}@shop.example" for user in {*users, *newcomers} - {*buyers}}
        await eventually(lambda: _mailed(shop, leavers), 60, "everybody who left a cart has a mail")
        await eventually(lambda: _settled(shop), 20, "all is read")
        await stopped(shop, "worker")
        told = Counter(mail["to"] for mail in await shop.mails())
        assert told == dict.fromkeys(leavers, 1)
        assert Counter(item.customer for item in await shop.triggers()) == dict.fromkeys(
            {*users, *newcomers} - {*buyers}, 1
        )

        rows, _ = await rows_of(settings, CUSTOMERS_CHANGELOG.name)
        places = {key: number for number, some in rows.items() for key in some if not key.startswith(b"\0")}
        assert sum(len(some) for some in rows.values()) == len(places) + sum(
            key.startswith(b"\0") for some in rows.values() for key in some
        ), "no customer lies in two places"
        assert {user.encode() for user in (*users, *newcomers)} <= set(places)
        assert all(number == partition_of(key.decode(), NEW) for key, number in places.items())
        bought = Codec(ROW_TYPE).decode_row(rows[partition_of("u0", NEW)][b"u0"])
        assert isinstance(bought, Customer)
        assert bought.orders is not None
        assert bought.orders.count == 1


def _ended(child):
    assert child.status() is not None, child.log.tail(20)
    return True


async def _applied(shop, count):
    return await shop.metric("worker", 'boomerang_engine_events_applied_total{topic="clickstream"}') >= count


async def _mailed(shop, wanted):
    return wanted <= {mail["to"] for mail in await shop.mails()}


async def _settled(shop):
    return await shop.metric("worker", "boomerang_engine_lag_records") == 0


async def test_the_ledger_goes_after_its_customers_and_what_belongs_to_nobody_goes_everywhere(settings):
    await provision(settings)
    customer = next(
        name for name in map(str, range(99)) if partition_of(name, OLD) == 1 and partition_of(name, NEW) == 5
    )
    stayer = next(name for name in map(str, range(99)) if partition_of(name, NEW) == 1)
    message = Message(State.SENT, "email", 0, customer, "abandoned_cart", b"", 9e9, 1.0)
    rows = {
        "m:moves.0": message,
        "m:stays.0": Message(State.SENT, "email", 0, stayer, "abandoned_cart", b"", 9e9, 1.0),
        "c:trigger": Cancelled("goal_reached", 1.0, 9e9),
        "a:email:x": Standing(suppressed="unsubscribed", suppressed_at=1.0),
    }
    await write_ledger(settings, 1, rows)
    assert (await move(settings).run(dry=True))[1][1] == (3, 1, 0)
    async with connected(settings) as broker:
        assert set((await broker.counts()).values()) == {OLD}, "a dry run changes nothing"
    await move(settings).run(dry=False)
    found, _ = await rows_of(settings, LEDGER_CHANGELOG.name)
    assert set(found[1]) == {b"m:stays.0", b"c:trigger", b"a:email:x"}
    assert set(found[5]) == {b"m:moves.0", b"c:trigger", b"a:email:x"}
    assert Codec(ledger.Row).decode_row(found[5][b"m:moves.0"]) == message
    assert not any(found[number] for number in (0, 2, 3, 4, 6, 7))


@pytest.mark.parametrize("point", ["decided", "produced", "committed"])
async def test_a_move_that_dies_in_the_protocol_has_happened_or_not_and_unread_records_keep_their_order(
    settings, point
):
    await provision(settings)
    users = [f"u{number}" for number in range(24)]
    unread = [event(user, "Page", number, now(), n=number) for number in range(5) for user in users]
    await broker_of(settings, OLD).write("clickstream", unread)
    left = iter([None, None])

    def die(name):
        if name == point and next(left, point) is not None:
            raise Died

    with pytest.raises(Died):
        await move(settings, fault=die).run(dry=False)
    await move(settings).run(dry=False)

    _, fences = await rows_of(settings, CUSTOMERS_CHANGELOG.name)
    told = {user: [] for user in users}
    for record in await broker_of(settings, NEW).read("clickstream"):
        fence = fences.get(record.partition) if record.partition < OLD else None
        if fence is None or record.offset > fence.applied["clickstream"]:
            user = record.key.decode()
            assert record.partition == partition_of(user, NEW)
            told[user].append(json.loads(record.value)["properties"]["n"])
    assert told == {user: [0, 1, 2, 3, 4] for user in users}
    assert (await move(settings).run(dry=False)) == (NEW, []), "the next run finds nothing to do"


class Died(BaseException):
    """Takes the place of kill -9: nothing that catches errors catches it."""


async def test_a_running_worker_is_named_and_nothing_is_touched(settings, process):
    async with product(settings, process) as shop:
        await shop.start("worker")
        work = move(settings)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("app.repartition.move.GROUP_S", 0.6)
            with pytest.raises(CommandError, match="1 members of boomerang-engine still run .*stop all workers"):
                await work.run(dry=False)
        async with connected(settings) as broker:
            assert set((await broker.counts()).values()) == {OLD}
        assert shop.processes["worker"].status() is None


async def test_the_rows_of_the_board_go_where_the_worker_looks_for_them_whoever_their_client_is(settings):
    await provision(settings)
    vk = [f"vk:{number}" for number in range(999) if partition_of(f"vk:{number}", OLD) == 2]
    stays = next(name for name in vk if partition_of(name, NEW) == 2)
    leaves = next(name for name in vk if partition_of(name, NEW) == 6)
    clients = [next(name for name in map(str, range(99)) if partition_of(name, NEW) == home) for home in (6, 1)]
    rows = {
        name.encode(): encode_json(DialogView(name, user, 1.0))
        for name, user in zip((stays, leaves), clients, strict=True)
    }
    await broker_of(settings, OLD).write(DIALOGS.name, [(2, key, row) for key, row in rows.items()])
    await move(settings).run(dry=False)
    found, _ = await rows_of(settings, DIALOGS.name)
    assert found == {
        **dict.fromkeys(range(NEW), {}),
        2: {stays.encode(): rows[stays.encode()]},
        6: {leaves.encode(): rows[leaves.encode()]},
    }


async def test_numbers_that_cannot_be_reached_are_refused_with_those_that_can(settings):
    await provision(settings)
    with pytest.raises(UsageError, match="6 is not a multiple of 4 .*choose 8, 12, 16"):
        await move(settings, 6).run(dry=False)
    with pytest.raises(UsageError, match="there are 4 partitions, and Kafka cannot take any away"):
        await move(settings, 2).run(dry=False)
    async with connected(settings) as broker:
        await broker.grow([RECEIPTS.name], NEW)
    with pytest.raises(CommandError, match="a repartition to 8 was begun .*--partitions 8"):
        await move(settings, 12).run(dry=False)


async def test_a_collector_refuses_events_once_the_topics_have_outgrown_it(settings, process, eventually):
    async with product(settings, process) as shop:
        await shop.start("collector")
        numbers = count()  # an event that was taken once is known, and answered with 200 without Kafka

        async def answer():
            body = {"userId": "u", "event": "Page", "messageId": f"m{next(numbers)}"}
            return (await shop.post("/v1/track", body))[0]

        assert await answer() == 200
        await move(settings).run(dry=False)

        async def refused():
            return await answer() == 503

        await eventually(refused, 30, "the collector has noticed")
        assert any(f"set BOOMERANG_PARTITIONS={NEW}" in line for line in shop.processes["collector"].log.tail(20))
        shop.processes.pop("collector").stop()
        shop.settings = replace(settings, partitions=NEW)
        await shop.start("collector")
        assert await answer() == 200
