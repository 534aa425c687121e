"""The suppression list on real Kafka: imported, it holds messages back in every partition; exported, it can be imported elsewhere."""

import asyncio
import csv
import io

import pytest

from app.topics import partition_of
from channels.address import digest
from tests.broker.test_erase import said
from tests.running import product
from tests.servers import eventually

pytestmark = [pytest.mark.broker, pytest.mark.slow]


async def exported(process, settings, *words):
    status, text = await said(process, settings, "suppressions", "export", *words)
    assert status == 0, text
    return [row for row in csv.DictReader(io.StringIO(text)) if row["since"]]


async def test_what_is_on_the_list_is_not_written_to_and_what_leaves_it_is(make_settings, process, tmp_path):
    settings = make_settings(time_scale=1800.0, grace=0.3, partitions=2)
    users = ["ann", "bob", "cid", "dan", "eve", "fay"]
    assert {partition_of(user, 2) for user in users} == {0, 1}
    async with product(settings, process) as shop:
        await shop.start("collector", "worker", "delivery", "console")
        file = tmp_path / "list.csv"
        file.write_text("address,reason\n" + "".join(f"{user}@shop.example,bounced\n" for user in users[:5]))
        status, text = await said(process, settings, "suppressions", "import", str(file), "--channel", "email")
        assert (status, "5 addresses given to the sender in all partitions" in text) == (0, True), text
        status, text = await said(
            process, settings, "suppressions", "add", "email", "fay@shop.example", "--reason", "complained"
        )
        assert status == 0, text
        rows = await eventually(lambda: _at_least(process, settings, 6), 60, "the ledger has the list")
        assert {row["digest"] for row in rows} == {digest(f"{user}@shop.example") for user in users}
        assert sorted(row["reason"] for row in rows) == ["bounced"] * 5 + ["suppressed"]
        assert "@" not in str(rows)

        status, text = await said(process, settings, "suppressions", "remove", "email", "cid@shop.example")
        assert status == 0, text
        await eventually(lambda: _exactly(process, settings, 5), 60, "one has left the list")
        for user in users:
            await shop.subscribe(user)
            await shop.track(user, "Product Added", product_id="p1", name="Lamp", price=20)
        (mail,) = await eventually(shop.mails, 60, "the one that left it is written to")
        assert mail["to"] == "cid@shop.example"
        await eventually(lambda: _settled(shop, 5), 60, "the others are held back")
        assert len(await asyncio.wait_for(shop.mails(), 20)) == 1

        await shop.kill("delivery")  # the list is in the ledger
        await shop.start("delivery")
        again = tmp_path / "again.jsonl"
        status, text = await said(process, settings, "suppressions", "export", str(again))
        assert (status, "5 addresses, as digests" in text) == (0, True), text
        status, text = await said(process, settings, "suppressions", "import", str(again), "--dry-run")
        assert (status, "5 addresses would be taken" in text) == (0, True), text


async def _at_least(process, settings, count):
    rows = await exported(process, settings)
    return rows if len(rows) >= count else None


async def _exactly(process, settings, count):
    return len(await exported(process, settings)) == count


async def _settled(shop, count):
    return await shop.metric("delivery", 'boomerang_sends_total{channel="email",outcome="skipped"}') >= count
