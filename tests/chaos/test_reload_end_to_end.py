"""A scenario's file is changed while the worker works: the next mail goes by the new one, and nothing is restarted."""

from dataclasses import replace

import pytest

from tests.agents.test_versions import text
from tests.running import product
from tests.servers import eventually

REFUSED = 'boomerang_reload_refused{folder="scenarios"}'
pytestmark = [pytest.mark.broker, pytest.mark.slow]


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "scenarios"
    path.mkdir()
    (path / "left.yaml").write_text(text(1).replace("for: 60m", "for: 90d"))
    return path


async def test_whoever_waits_for_months_hears_at_once_when_the_wait_becomes_short(make_settings, folder, process):
    settings = replace(
        make_settings(time_scale=3600.0, instance="reload", grace=0.3), scenarios=folder, reload_seconds=0.2
    )
    async with product(settings, process) as shop:
        await shop.start("collector", "worker", "delivery", "console")
        await shop.subscribe("ann")
        await shop.track("ann", "Product Added", product_id="p1", name="Lamp", price=20)
        await eventually(lambda: _is_armed(shop), 60, "the cart is armed")

        (folder / "left.yaml").write_text(text(2).replace("cascade:", "cascode:"))
        await eventually(lambda: _is(shop, REFUSED, 1), 30, "a fault is told")
        assert shop.processes["worker"].status() is None

        (folder / "left.yaml").write_text(text(2))
        (mail,) = await eventually(shop.mails, 60, "the mail has come")
        assert (mail["to"], mail["scenario"]) == ("ann@shop.example", "left")
        assert [trigger.version for trigger in await shop.triggers()] == [2]
        assert await shop.metric("worker", REFUSED) == 0
        assert await shop.metric("worker", 'boomerang_reloads_total{folder="scenarios",outcome="taken"}') == 1


async def _is_armed(shop):
    lines = await shop.json("console", "/api/journal?customer=ann&limit=50")
    return any(line["reason"] == "armed" for line in lines)


async def _is(shop, metric, value):
    return await shop.metric("worker", metric) == value
