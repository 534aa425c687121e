"""The catalogue on the real broker: imported, compared, never half applied; a feed of 100,000 offers in bounded memory."""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from app import metrics
from app.catalogue import process as watching
from app.catalogue.intake import Intake, Options
from app.catalogue.process import Watch, once
from app.catalogue.refusal import FeedRefusedError
from app.catalogue.source import source
from app.catalogue.store import CatalogueWriter, known, last_import, product
from app.clock import ManualClock
from app.codec import decode_changes, decode_link, decode_product
from app.engine.kafka_client import client_options
from app.engine.provision import provision
from app.engine.reading import reader, records
from app.errors import CommandError
from app.model.catalogue import IMPORT_KEY, Import
from app.model.link import Offered
from app.settings import child_environment
from app.topics import CATALOGUE, CATALOGUE_CHANGES, LINKS
from tests.app.catalogue.samples import NOW, YML, offers, yml
from tests.broker.test_erase import said
from tests.channels.hooks import hook
from tests.driver import BUILT_IN
from tests.servers import eventually

pytestmark = pytest.mark.broker

MEMORY_MB = 150
PACK = Path(__file__).parents[2] / "app" / "pack"
SHOP = [(f"p{number}", 100 + number, True) for number in range(40)]


async def ended(settings, topic):
    """Wait until the broker tells readers of the end of transactions, a moment after it has told the writer; what is left open stays so."""
    name = settings.topic_prefix + topic.name
    tps = [TopicPartition(name, number) for number in range(settings.partitions)]
    everything = AIOKafkaConsumer(**client_options(settings), isolation_level="read_uncommitted")
    await everything.start()
    try:
        async with reader(settings) as committed:

            async def are_one():
                return await committed.end_offsets(tps) == await everything.end_offsets(tps)

            with contextlib.suppress(AssertionError):
                await eventually(are_one, 3)
    finally:
        await everything.stop()


async def rows(settings):
    """What a reader of committed records finds: the rows by product, without the import's own."""
    await ended(settings, CATALOGUE)
    found = {}
    async for key, value in known(settings):
        found[key] = value
    found.pop(IMPORT_KEY, None)
    return {key: decode_product(value) for key, value in found.items() if value is not None}


async def sets(settings):
    await ended(settings, CATALOGUE_CHANGES)
    async with reader(settings) as consumer:
        topic = settings.topic_prefix + CATALOGUE_CHANGES.name
        return [decode_changes(r.value) async for r in records(consumer, topic, range(settings.partitions))]


async def changes(settings):
    return [change for some in await sets(settings) for change in some.changes]


@pytest.fixture
def feed(tmp_path):
    """Writes a feed; gives its path."""

    def write(rows, name="feed.xml"):
        (tmp_path / name).write_text(yml(rows) if isinstance(rows, list) else rows)
        return str(tmp_path / name)

    return write


def intake(settings, fault=lambda _: None, at=NOW):
    return Intake(settings, ManualClock(at), fault=fault)


async def test_the_command_takes_a_feed_compares_the_next_and_shows_what_is_known(make_settings, process, feed):
    settings = make_settings(redis="", partitions=2)
    status, text = await said(process, settings, "catalogue", "import", feed(YML))
    assert (status, "3 offers, 1 of them available; 4 bad ones passed over; 3 rows written" in text) == (0, True), text
    assert "the first import: there was nothing to compare with" in text
    assert "offer 6, id '9016': its price 'дорого' is not one" in text
    cheaper = YML.replace("1 299,50", "999").replace('available="false"', 'available="true"')
    status, text = await said(process, settings, "catalogue", "import", feed(cheaper), "--dry-run")
    assert (status, "changes would be published: back_in_stock 1, price_drop 1" in text) == (0, True), text
    assert await changes(settings) == []
    status, text = await said(process, settings, "catalogue", "import", feed(cheaper), "--format", "yml")
    assert (status, "2 rows written" in text) == (0, True), text
    found = sorted((c.kind, c.product_id, c.old_price, c.price) for c in await changes(settings))
    assert found == [("back_in_stock", "9013", 990.0, 990.0), ("price_drop", "9012", 1299.5, 999.0)]
    status, text = await said(process, settings, "catalogue", "show", "9012")
    assert (status, "999.00 RUB (crossed out: 1590.00)" in text, "Свет > Лампы & люстры" in text) == (0, True, True), (
        text
    )
    status, text = await said(process, settings, "catalogue", "show")
    assert (status, "from feed.xml" in text, "back_in_stock 1" in text) == (0, True, True), text
    status, text = await said(process, settings, "catalogue", "show", "nothing")
    assert (status, "the catalogue has no product 'nothing'" in text) == (1, True), text


async def test_a_feed_that_is_refused_changes_nothing(make_settings, process, feed):
    settings = make_settings(redis="", partitions=2)
    assert (await said(process, settings, "catalogue", "show"))[0] == 1  # there is no topic yet
    await intake(settings).take(source(settings, feed(SHOP)), Options())
    before = await rows(settings)
    assert len(before) == len(SHOP)
    whole = yml(SHOP)
    bomb = whole.replace("?>", '?><!DOCTYPE y [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>', 1)
    few = [(id_, price, number < 20) for number, (id_, price, _) in enumerate(SHOP)]
    for bad, told in (
        (whole[: len(whole) // 2], "it is cut off"),
        (bomb, "declares a DTD of its own"),
        (yml(SHOP[:20]), "20 of 40 products that were sold before would be gone or out of stock"),
        (yml(few), "20 of 40 products that were sold before"),
        (yml([(id_, 100 * price, True) for id_, price, _ in SHOP]), "40 of 40 prices would be 5 times higher or lower"),
        (yml([(id_, 0 if price > 120 else price, True) for id_, price, _ in SHOP]), "19 of 40 offers cannot be used"),
    ):
        with pytest.raises(FeedRefusedError, match=told):
            await intake(settings).take(source(settings, feed(bad)), Options())
        assert await rows(settings) == before
    assert await changes(settings) == []
    status, text = await said(process, settings, "catalogue", "import", feed(SHOP[:20]))
    assert (status, "mend the feed, or say --force" in text) == (1, True), text
    status, text = await said(process, settings, "catalogue", "import", feed(SHOP[:20]), "--force")
    assert (status, "taken in spite of this: 20 of 40 products" in text) == (0, True), text
    assert {change.kind for change in await changes(settings)} == {"gone"}


class DiedError(Exception):
    pass


def dying_at(point):
    def die(reached):
        if reached == point:
            raise DiedError

    return die


@pytest.mark.parametrize("point", ["decided", "produced", "committed"])
async def test_an_import_that_dies_is_repaired_by_running_it_again(make_settings, feed, point):
    settings = make_settings(redis="", partitions=2)
    await intake(settings).take(source(settings, feed(SHOP)), Options())
    later = feed([(id_, price - 50, True) for id_, price, _ in SHOP])

    def die(reached):
        if reached == point:
            raise DiedError

    with pytest.raises(DiedError):
        await intake(settings, die, NOW + 1).take(source(settings, later), Options())
    await intake(settings, at=NOW + 2).take(source(settings, later), Options())
    found = await changes(settings)
    assert sorted(change.product_id for change in found) == sorted(id_ for id_, _, _ in SHOP)
    now = await rows(settings)
    assert {row.offer.price for row in now.values()} == {float(price - 50) for _, price, _ in SHOP}
    assert {row.revision for row in now.values()} == {2}


async def test_the_later_of_two_imports_at_a_time_wins_and_the_other_applies_nothing(make_settings, feed):
    settings = make_settings(redis="", partitions=2)
    async with CatalogueWriter(settings) as first:
        await intake(settings).take(source(settings, feed(SHOP)), Options())
        with pytest.raises(CommandError, match="another import has begun meanwhile; this one applied nothing"):
            await first.write(Import("x", NOW, "x", 0, 0), [])
    assert (await last_import(settings)).source == "feed.xml"


async def test_many_changes_are_published_in_sets_that_fit_a_record(make_settings, feed):
    settings = make_settings(redis="", partitions=2)
    many = [(f"p{number}", 100, True) for number in range(1_201)]
    await intake(settings).take(source(settings, feed(many)), Options())
    await intake(settings, at=NOW + 1).take(source(settings, feed([(id_, 90, True) for id_, _, _ in many])), Options())
    found = sorted(await sets(settings), key=lambda some: some.id)
    assert [len(some.changes) for some in found] == [500, 500, 201]
    assert len({some.id.partition("-")[0] for some in found}) == 1
    assert len({change.id for some in found for change in some.changes}) == len(many)
    assert (await product(settings, "p7")).offer.price == 90.0


async def broadcasts(settings):
    """What went to each partition of the engine."""
    await ended(settings, LINKS)
    async with reader(settings) as consumer:
        topic = settings.topic_prefix + LINKS.name
        found = {number: [] for number in range(settings.partitions)}
        for number in found:
            found[number] = [decode_link(r.value) async for r in records(consumer, topic, [number])]
        return found


async def test_changes_that_a_scenario_begins_on_go_to_every_partition_of_the_engine(make_settings, feed, tmp_path):
    folder = tmp_path / "scenarios"
    folder.mkdir()
    settings = make_settings(redis="", partitions=3, scenarios=folder)
    (folder / "price_drop.yaml").write_text((PACK / "price_drop.yaml").read_text())
    await intake(settings).take(source(settings, feed(SHOP)), Options())
    assert await broadcasts(settings) == {0: [], 1: [], 2: []}
    later = [("p1", 80, True), ("p2", 101, True), ("p3", 50, False), *SHOP[4:], ("p0", 110, True)]
    with pytest.raises(DiedError):
        await intake(settings, dying_at("produced"), NOW + 1).take(source(settings, feed(later)), Options())
    await intake(settings, at=NOW + 2).take(source(settings, feed(later)), Options())
    found = await broadcasts(settings)
    assert [len(links) for links in found.values()] == [1, 1, 1]
    assert len({links[0].id for links in found.values()}) == 1
    (change,) = found[2][0].changes  # one fell too little, one cannot be had, one rose
    assert (change.product_id, change.old_price, change.price) == ("p1", 101.0, 80.0)


async def test_where_no_scenario_begins_on_changes_none_go_to_the_engine(make_settings, feed, tmp_path):
    settings = make_settings(redis="", partitions=2, scenarios=tmp_path / "scenarios")
    settings.scenarios.mkdir()
    shutil.copy(BUILT_IN / "abandoned_cart.yaml", settings.scenarios)
    await intake(settings).take(source(settings, feed(SHOP)), Options())
    cheap = feed([(id_, price / 2, True) for id_, price, _ in SHOP])
    await intake(settings, at=NOW + 1).take(source(settings, cheap), Options(force=True))
    assert len(await changes(settings)) == len(SHOP)
    assert await broadcasts(settings) == {0: [], 1: []}


async def test_what_cannot_be_had_goes_to_every_partition_where_a_message_shows_similar_products(
    make_settings, feed, tmp_path
):
    settings = make_settings(redis="", partitions=2, scenarios=tmp_path / "scenarios")
    settings.scenarios.mkdir()
    shutil.copy(BUILT_IN / "abandoned_cart.yaml", settings.scenarios)
    some = [("a", 10, True), ("b", 10, False), ("c", 10, True)]
    await intake(settings).take(source(settings, feed(some)), Options())
    shutil.copy(BUILT_IN / "abandoned_product.yaml", settings.scenarios)  # now it is asked for: all is told
    await intake(settings, at=NOW + 1).take(source(settings, feed(some)), Options())
    await intake(settings, at=NOW + 2).take(source(settings, feed(some)), Options())  # and then what is new
    later = feed([("a", 10, False), ("b", 10, True), ("c", 8, True)])
    await intake(settings, at=NOW + 3).take(source(settings, later), Options())
    told = [
        Offered(NOW + 1, [("b", 0.0, 0.0)], anew=True),
        Offered(NOW + 3, [("a", 0.0, 0.0), ("b", 10.0, 0.0), ("c", 8.0, 10.0)]),
    ]
    assert await broadcasts(settings) == {0: told, 1: told}


async def test_a_feed_over_http_is_watched_and_what_fails_is_told(make_settings, caplog):
    settings = make_settings(redis="", partitions=2, egress_allow="127.0.0.1/32")
    body, status = yml(SHOP), 200

    def answer(_request):
        return status, {}, body.encode()

    def count(word):
        return metrics.CATALOGUE_IMPORTS.labels(word)._value.get()

    async with hook(answer) as shop:
        watch = Watch(source(settings, f"{shop.url}/feed.xml?token=secret"), Options(), 3600.0, "127.0.0.1", 0)
        assert await once(intake(settings), watch) == "applied"
        assert metrics.CATALOGUE_LAST_SUCCESS.labels("127.0.0.1")._value.get() == NOW
        assert metrics.CATALOGUE_OFFERS.labels("127.0.0.1", "available")._value.get() == len(SHOP)
        body = yml(SHOP)[:-100]
        assert await once(intake(settings), watch) == "refused"
        body = yml(SHOP[:5])
        assert await once(intake(settings), watch) == "refused"
        status = 302
        assert await once(intake(settings), watch) == "failed"
    async with hook(answer, fault="close_after") as shop:
        watch = watch._replace(source=source(settings, f"{shop.url}/feed.xml?token=secret"))
        assert await once(intake(settings), watch) == "refused"
    assert await once(intake(settings), watch) == "failed"
    closed = watch._replace(source=source(replace(settings, egress_allow=""), "https://127.0.0.1:1/feed.xml"))
    assert await once(intake(settings), closed) == "failed"
    assert len(await rows(settings)) == len(SHOP)
    assert "the feed has moved; name its new address" in caplog.text
    assert "see BOOMERANG_EGRESS_ALLOW" in caplog.text
    assert "secret" not in caplog.text


async def test_the_process_imports_at_once_answers_for_its_health_and_ends_when_told(
    make_settings, process, feed, free_port, eventually
):
    settings, port = make_settings(redis="", partitions=2), free_port()
    child = process.boomerang("catalogue", "watch", feed(SHOP), "--every", "1h", "--port", str(port), settings=settings)

    async def told():
        status, text = await get(f"http://127.0.0.1:{port}/metrics")
        return text if status == 200 and 'boomerang_catalogue_imports_total{outcome="applied"} 1.0' in text else None

    text = await eventually(told, 90, "the feed is imported")
    assert 'boomerang_catalogue_offers{feed="feed.xml",state="available"} 40.0' in text
    assert (await get(f"http://127.0.0.1:{port}/readyz"))[0] == 200
    os.kill(child.pid, signal.SIGTERM)
    await eventually(lambda: child.status() is not None, 30)
    child.log.join()
    assert child.status() in (0, -signal.SIGTERM)  # the server passes the signal on when it has ended
    assert "Traceback" not in child.log.path.read_text()


async def test_a_process_that_is_started_again_knows_when_the_last_import_was(make_settings, feed):
    settings = make_settings(redis="", partitions=2)
    assert await watching._before(settings) == 0.0
    await intake(settings).take(source(settings, feed(SHOP)), Options())
    assert await watching._before(settings) == NOW


@pytest.mark.slow
async def test_a_hundred_thousand_offers_are_taken_in_bounded_memory(make_settings, tmp_path):
    settings = make_settings(redis="", partitions=4)
    await provision(settings)
    with (tmp_path / "feed.xml").open("w", encoding="windows-1251") as file:
        many = ((f"p{number:06}", 100 + number % 900, True) for number in range(100_000))
        file.writelines(offers(many, "windows-1251", params=1))
    status, megabytes, text = await asyncio.to_thread(measured, settings, str(tmp_path / "feed.xml"))
    assert (status, "100,000 offers" in text, "100,000 rows written" in text) == (0, True, True), text
    assert megabytes < MEMORY_MB


async def get(url):
    def ask():
        try:
            with urlopen(url, timeout=10) as reply:
                return reply.status, reply.read().decode()
        except OSError as error:
            return 0, str(error)

    return await asyncio.to_thread(ask)


TELLS_ITS_PEAK = """
import sys
from app.cli import main
status = main(sys.argv[1:])
print([line.replace("VmHWM:", "VmHWM=").replace(" ", "").replace("\\t", "") for line in open("/proc/self/status") if line.startswith("VmHWM")][0])
sys.exit(status)
"""
"""Asked of the process itself: what the system tells of a child may be what its parent had when it was made."""


def measured(settings, *words):
    """Status, peak of resident memory in MB, and what it said."""
    command = [sys.executable, "-c", TELLS_ITS_PEAK, "catalogue", "import", *words]
    child = subprocess.Popen(
        command, env=child_environment(settings), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    text = child.stdout.read()
    child.stdout.close()
    return child.wait(), int(re.search(r"VmHWM=(\d+)", text)[1]) / 1024, text
