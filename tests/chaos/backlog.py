"""The worker is down while orders arrive for carts that are armed: after its return nobody who has bought is written to."""

from tests.chaos.kills import MOVE
from tests.chaos.shop import Customer
from tests.chaos.verdict import check
from tests.servers import eventually

ARMED = 'boomerang_engine_decisions_total{reason="armed",scenario="abandoned_cart"}'


async def backlog(ground, *, buyers, leavers):
    """`buyers` whose orders wait in the backlog, among `leavers` who never order. Returns what was counted."""
    people = [Customer(f"buyer{number}", "buyer") for number in range(buyers)]
    people += [Customer(f"leaver{number}", "leaver") for number in range(leavers)]
    worker, sender = ground.keep("worker"), ground.keep("delivery")
    await worker.ready()
    at = ground.clock.now() - 60
    await ground.shop.send([event for one in people for event in one.first(at)])

    async def armed():
        return await worker.metric(ARMED) == len(people)

    await eventually(armed, 120, "all carts are armed")
    ground.say(f"{len(people)} carts are armed, the worker goes")
    await worker.stop(9)
    await ground.shop.send([one.order(at + 30) for one in people if one.kind == "buyer"])
    ground.clock.advance(MOVE)
    worker.start()
    await sender.ready()
    await ground.settled(leavers, 120)
    return await check(ground, people, until=ground.clock.now())
