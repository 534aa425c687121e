"""The worker is down while orders arrive: after its return nobody who has bought is written to."""

import pytest

from tests.running import product
from tests.servers import eventually

pytestmark = [pytest.mark.broker, pytest.mark.slow]

BUYERS = [f"buyer{number}" for number in range(60)]
LEAVERS = [f"leaver{number}" for number in range(15)]


async def test_orders_that_wait_in_the_backlog_disarm_their_carts(make_settings, process):
    # 60 minutes are 6 s: long enough to arm everybody, short enough to be overdue when the worker returns
    settings = make_settings(time_scale=600.0, instance="backlog", grace=0.5)
    async with product(settings, process) as shop:
        await shop.start("collector", "worker", "delivery", "console")
        for user in (*BUYERS, *LEAVERS):
            await shop.subscribe(user)
            await shop.track(user, "Product Added", product_id="p1", name="Lamp", price=20)
        await eventually(lambda: _armed(shop), 20, "all carts are armed")
        await shop.kill("worker")
        for user in BUYERS:
            await shop.track(user, "Order Completed", order_id=user, total=20)
        due = _due_is_over(settings)
        await eventually(due, 30, "the deadlines have passed")
        await shop.start("worker")
        mails = await eventually(lambda: _mails(shop, len(LEAVERS)), 40, "those who left get their mail")
        assert sorted(mail["to"] for mail in mails) == sorted(f"{user}@shop.example" for user in LEAVERS)
        assert {trigger.customer for trigger in await shop.triggers()} == set(LEAVERS)


async def _armed(shop):
    lines = 0
    for user in (*BUYERS, *LEAVERS):
        journal = await shop.json("console", f"/api/journal?customer={user}")
        lines += any(line["reason"] == "armed" for line in journal)
    return lines == len(BUYERS) + len(LEAVERS)


def _due_is_over(settings):
    from app.clock import SYSTEM

    end = SYSTEM.now() + 3600 / settings.time_scale + settings.grace
    return lambda: SYSTEM.now() > end


async def _mails(shop, count):
    mails = await shop.mails()
    return mails if len(mails) >= count else None
