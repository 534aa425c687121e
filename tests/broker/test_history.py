"""What a topic holds, played again: by a worker in stream time, twice, and by `boomerang backtest --events topic`."""

import asyncio
import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app import cli
from app.codec import decode_journal
from app.engine.provision import provision
from app.model.reasons import Reason
from app.replay.core import clock_record
from app.topics import partition_of
from tests.broker.conftest import Broker

pytestmark = pytest.mark.broker

START = datetime(2026, 1, 5, 10, tzinfo=UTC)
CUSTOMERS = 24
BUYERS = {f"u{n}" for n in range(0, CUSTOMERS, 3)}


def record(minutes, user, type_, **more):
    at = (START + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")
    value = {
        "type": type_,
        "userId": user,
        "messageId": f"{user}-{minutes}-{type_}",
        "timestamp": at,
        "source": "server",
        **more,
    }
    return partition_of(user, 4), user.encode(), json.dumps(value).encode()


def history():
    """Everybody puts something into the cart at 10:0x; every third customer buys at 10:45; then a day goes by."""
    users = [f"u{n}" for n in range(CUSTOMERS)]
    consent = {"email": {"granted": True}}
    for user in users:
        yield record(0, user, "identify", traits={"email": f"{user}@shop.example", "consent": consent})
    for number, user in enumerate(users):
        product = {"product_id": f"p{number}", "price": 10.0, "category": "shoes"}
        yield record(number / 4, user, "track", event="Product Viewed", properties=product)
        yield record(number / 4 + 1, user, "track", event="Product Added", properties=product)
    yield partition_of("u1", 4), b"u1", b'{"type": [[[['
    for user in sorted(BUYERS):
        bought = {"order_id": f"o-{user}", "total": 10.0, "products": []}
        yield record(45, user, "track", event="Order Completed", properties=bought)
    for number in range(4):
        yield number, None, clock_record((START + timedelta(days=1)).timestamp())


@pytest.fixture
def place(make_settings):
    """A system of its own under another prefix, in stream time, whose topics hold the same history."""

    async def make(name):
        settings = make_settings(redis="redis://127.0.0.1:1/0", time="stream")
        settings = replace(settings, topic_prefix=settings.topic_prefix + name, data=settings.data / name)
        settings.data.mkdir()
        await provision(settings)
        broker = Broker(settings.kafka.removeprefix("kafka://"), settings.topic_prefix, 4)
        await broker.write("clickstream", list(history()))
        return settings, broker

    return make


def fired(journal):
    return [item for item in journal if item.scenario == "abandoned_cart" and item.reason == Reason.FIRED]


def lines(records):
    return [decode_journal(item.value) for item in records]


async def journal_of(settings, broker, process, eventually):
    """The journal that a worker writes over the history: (partition, key, value) of each line."""
    worker = process.boomerang("worker", settings=settings)

    async def all_told():
        records = await broker.read("journal")
        return len(fired(lines(records))) == CUSTOMERS - len(BUYERS) and records

    await eventually(all_told, 60, "every cart that was left has fired")
    assert worker.stop() == 0, worker.log.tail()
    return [(item.partition, item.key, item.value) for item in await broker.read("journal")]


async def test_a_worker_that_plays_one_log_again_writes_the_same_journal_byte_for_byte(place, process, eventually):
    one, other = [await journal_of(*await place(name), process, eventually) for name in ("one-", "two-")]
    assert len(one) > 3 * CUSTOMERS
    assert one == other


async def backtest(capsys, monkeypatch, settings, *options):
    for name, value in (
        ("KAFKA", settings.kafka),
        ("TOPIC_PREFIX", settings.topic_prefix),
        ("DATA", str(settings.data)),
        ("POLICY", str(settings.policy)),
    ):
        monkeypatch.setenv(f"BOOMERANG_{name}", value)
    status = await asyncio.to_thread(cli.main, ["backtest", "abandoned_cart", "--events", "topic", "--json", *options])
    out, err = capsys.readouterr()
    assert status == 0, err
    return json.loads(out)[0], err


async def test_a_backtest_over_the_topic_says_what_the_worker_has_done(place, process, eventually, capsys, monkeypatch):
    settings, broker = await place("back-")
    worked = Counter(
        item.reason
        for item in lines_of(await journal_of(settings, broker, process, eventually))
        if item.scenario == "abandoned_cart"
    )
    figures, err = await backtest(capsys, monkeypatch, settings)
    assert f"{CUSTOMERS * 3 + len(BUYERS) + 1} events, 1 refused" in err
    assert (figures["armed"], figures["fired"]) == (worked[Reason.ARMED], worked[Reason.FIRED])
    assert figures["ended"] == {Reason.ENDED_BY_ORDER.value: worked[Reason.ENDED_BY_ORDER]}
    assert figures["fired"] == CUSTOMERS - len(BUYERS)

    early, _ = await backtest(capsys, monkeypatch, settings, "--to", "2026-01-05T10:30:00")
    assert (early["armed"], early["fired"], early["ended"]) == (CUSTOMERS, CUSTOMERS, {})

    late, _ = await backtest(capsys, monkeypatch, settings, "--from", "2026-01-05T10:30:00")
    assert (late["armed"], late["fired"]) == (0, CUSTOMERS - len(BUYERS))
    assert late["journal"] == figures["journal"]


def lines_of(journal):
    return [decode_journal(value) for _, _, value in journal]
