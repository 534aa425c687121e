"""A scenario with steps on the real worker: a mail, a wait that a kill interrupts, and the mail after it; an order ends another customer's."""

from dataclasses import replace

import pytest

from tests.running import product
from tests.servers import eventually

pytestmark = [pytest.mark.broker, pytest.mark.slow]
SERIES = """\
id: series
version: 1
title: Two mails
family: greeting
priority: 60
cap: 0s
reentry: once
entry: {event: Subscribed}
goal: {event: Order Completed}
steps:
  - message: {channel: email, template: welcome}
  - wait: {for: {event: Product Viewed, then: [{exit: looked around}]}, most: 3h}
  - message: {channel: email, template: welcome_again}
"""


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "scenarios"
    path.mkdir()
    (path / "series.yaml").write_text(SERIES)
    return path


async def test_a_journey_goes_on_after_its_worker_was_killed_and_a_goal_ends_it(make_settings, folder, process):
    settings = replace(make_settings(time_scale=3600.0, instance="journeys", grace=0.3), scenarios=folder)
    async with product(settings, process) as shop:
        await shop.start("collector", "worker", "delivery", "console")
        for name in ("ann", "ben"):
            await shop.subscribe(name)
            await shop.track(name, "Subscribed")
        await eventually(lambda: _waits(shop, "ann", "ben"), 60, "both have a mail and wait")
        await shop.kill("worker")
        await shop.track("ben", "Order Completed", order_id="o1", total=20)
        await shop.start("worker")
        await eventually(lambda: _ended(shop, "ann", "ben"), 90, "both are over")
        steps = {
            name: [trigger.step for trigger in await shop.triggers() if trigger.customer == name]
            for name in ("ann", "ben")
        }
        assert steps == {"ann": [1, 6], "ben": [1]}
        assert await _reasons(shop, "ben") == ["journey_begun", "fired", "journey_waits", "goal_reached"]
        mails = await eventually(lambda: _mails(shop, 3), 60, "three mails have come")
        assert sorted(mail["to"] for mail in mails) == ["ann@shop.example", "ann@shop.example", "ben@shop.example"]


async def _reasons(shop, name):
    lines = await shop.json("console", f"/api/journal?customer={name}&limit=100")
    told = ("journey_begun", "fired", "journey_waits", "waited_in_vain", "journey_ended", "goal_reached")
    mine = [line for line in lines if line["scenario"] == "series" and line["reason"] in told]
    return [line["reason"] for line in sorted(mine, key=lambda line: line["id"])]


async def _waits(shop, *names):
    return all(["journey_waits" in await _reasons(shop, name) for name in names])  # noqa: C419 - it awaits


async def _ended(shop, *names):
    found = [await _reasons(shop, name) for name in names]
    return all(reasons and reasons[-1] in ("journey_ended", "goal_reached") for reasons in found)


async def _mails(shop, number):
    mails = await shop.mails()
    return mails if len(mails) >= number else None
