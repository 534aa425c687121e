"""The real recording through the collector and the real worker, which is killed five times on the way."""

import pytest

from app.codec import encode_json
from app.model.trigger import Cancel
from tests.running import product
from tests.servers import eventually
from tests.simulation.rees46 import RECORDING, expected

pytestmark = [pytest.mark.broker, pytest.mark.slow, pytest.mark.usefixtures("recording")]

EVENTS = 17_434 + 4_504 + 4
KILLS = 5
SPEED = "300"


def shown(trigger):
    return trigger.anchor, trigger.due, tuple(line.product_id for line in trigger.content.items)


async def test_five_kills_change_neither_triggers_nor_mails(make_settings, process, tmp_path):
    settings = make_settings(time="stream", instance="recording", rate_per_key=100_000)
    async with product(settings, process) as shop:
        await shop.start("collector", "worker", "delivery", "console")
        replay = process.boomerang(
            "replay", str(RECORDING), "--addresses", "--flush", "--speed", SPEED, settings=settings
        )
        for number in range(KILLS):
            await eventually(lambda least=1_000 + 400 * number: _applied(shop, least), 60, "the worker applies events")
            await shop.kill("worker")
            await shop.start("worker")
        await eventually(lambda: replay.status() is not None, 120, "the replay ends")
        assert replay.status() == 0, replay.log.tail(20)

        wanted = expected()
        triggers = await eventually(lambda: _triggers(shop, len(wanted)), 60, "all triggers are out")
        assert len(triggers) == len({trigger.trigger_id for trigger in triggers}) == len(wanted)
        found = {(trigger.customer, trigger.scenario): shown(trigger) for trigger in triggers}
        assert {key: (found.get(key), wanted[key]) for key in wanted if found.get(key) != wanted[key]} == {}
        assert await _through_core(process, settings, tmp_path) == sorted(encode_json(item) for item in triggers)

        ids = {trigger.trigger_id for trigger in triggers}
        mails = await eventually(lambda: _settled(shop, len(ids)), 120, "every message is sent or called back")
        told = [mail["trigger_id"] for mail in mails]
        assert len(told) == len(set(told))
        assert set(told) <= ids
        called_back = {item.trigger_id for item in await shop.outbox() if isinstance(item, Cancel)}
        assert ids - set(told) <= called_back


async def _applied(shop, count):
    return await shop.metric("worker", 'boomerang_engine_events_applied_total{topic="clickstream"}') >= count


async def _triggers(shop, count):
    found = await shop.triggers()
    return found if len(found) >= count else None


async def _settled(shop, count):
    """All mails, once each trigger is sent or was called back."""
    sent = await shop.metric("delivery", 'boomerang_sends_total{channel="email",outcome="sent"}')
    held = await shop.metric("delivery", "boomerang_refusals_total")
    mails = await shop.mails()
    return mails if sent + held >= count and len(mails) == sent else None


async def _through_core(process, settings, folder):
    """The triggers of the core alone, as sorted JSON lines."""
    out = folder / "core.jsonl"
    arguments = ("replay", str(RECORDING), "--core", "--addresses", "--flush", "--out", str(out))
    core = process.boomerang(*arguments, settings=settings)
    await eventually(lambda: core.status() is not None, 60, "the core has gone through the recording")
    assert core.status() == 0, core.log.tail(20)
    return sorted(out.read_bytes().splitlines())
