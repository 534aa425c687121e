"""Through the real collector: events in any order, each twice, by devices whose clocks are half a day off.

The triggers must be those of a reference run of the core over the same events in order, once, by right clocks.
"""

import asyncio
import base64
import random

from app.clock import SYSTEM, moment
from app.topics import partition_of
from app.web.collector.eventtime import epoch
from app.web.collector.normalise import Envelope, normalise
from tests.chaos.kills import MOVE
from tests.chaos.oracle import Oracle
from tests.chaos.shop import HOUR, customers
from tests.chaos.verdict import check
from tests.servers import eventually

CLOCKS = (-12 * HOUR, 0.0, 12 * HOUR)
"""Seconds by which a device's clock is off."""
APART = 60.0
"""Seconds between two events of a customer: more than a request may take."""
POSTS = 6
GRACE = 60.0
"""Seconds: long enough for orders that come after the deadline, on a machine that is busy."""


class Record:
    """A record of the clickstream that never was in Kafka."""

    def __init__(self, number, key, value, offset):
        self.partition, self.key, self.value, self.offset = number, key, value, offset


async def disorder(ground, *, count, seed):
    """`count` customers; the grace of the settings must be `GRACE`. Returns what was counted."""
    assert ground.settings.grace == GRACE
    dice, people = random.Random(seed), customers("d", range(count))
    collector = ground.children.boomerang("collector", settings=ground.settings)
    url = f"http://127.0.0.1:{ground.settings.collector_port}"
    worker, sender = ground.keep("worker"), ground.keep("delivery")
    await asyncio.gather(worker.ready(), sender.ready(), eventually(lambda: _answers(ground, url), 90, "the collector"))
    at = ground.clock.now() - 10 * APART
    late = [one for one in people if one.kind == "buyer" and dice.random() < 0.5]
    events = {one.name: one.first(at, APART) for one in people}
    orders = {one.name: one.order(at + 6 * APART) for one in people if one.kind == "buyer"}
    early = {name: [*some, *([orders[name]] if name in orders else [])] for name, some in events.items()}
    for one in late:
        early[one.name] = events[one.name]
    await _send(ground, url, early, dice)
    # half of the orders come after the deadline, within the grace
    due = at + 3 * APART + HOUR
    ground.clock.advance(due + 1 - ground.clock.now())
    await _send(ground, url, {one.name: [orders[one.name]] for one in late}, dice)
    assert ground.clock.now() < due + GRACE, "this machine is too slow for the grace: the late orders came too late"
    ground.say(f"{ground.shop.count} events sent twice, {len(late)} orders among them after the deadline")
    ground.clock.advance(MOVE)
    await ground.settled(sum(bool(one.fate) for one in people), 120)
    wanted = _reference(ground, events, orders, at, ground.clock.now())
    found = {_shown(item) for item in ground.follower.triggers}
    assert (found - wanted, wanted - found) == (set(), set())
    counted = await check(ground, people, until=ground.clock.now())
    assert collector.status() is None
    return {"seed": seed, "late_orders": len(late), **counted}


def _shown(trigger):
    items = tuple(line.product_id for line in trigger.content.items)
    return trigger.customer, trigger.scenario, trigger.anchor, trigger.trigger_id, items


def _reference(ground, events, orders, at, until):
    """Triggers of the core when everything comes in order, once, at its time."""
    envelope, records = Envelope(at + HOUR, "server"), []
    every = sorted(
        (event for some in (*events.values(), [*orders.values()]) for event in some),
        key=lambda event: event["timestamp"],
    )
    for offset, event in enumerate(every):
        one = normalise(event, "", envelope)
        number = partition_of(one.customer, ground.settings.partitions)
        records.append(Record(number, one.customer.encode(), one.value, offset))
    oracle = Oracle(ground.settings)
    oracle.run(records, (), (), until)
    return {_shown(item) for item in oracle.triggers.values()}


async def _send(ground, url, events, dice):
    """Post every event twice, in any order, each customer by the clock of his device."""
    for shift in CLOCKS:
        some = [event for name, own in events.items() if _clock_of(name) == shift for event in own]
        both = [*some, *some]
        dice.shuffle(both)
        size = -(-len(both) // POSTS) or 1
        for start in range(0, len(both), min(size, 300)):
            await _post(ground, url, both[start : start + min(size, 300)], shift)
        ground.shop.count += len(some)


def _clock_of(name):
    return CLOCKS[int(name[1:]) % len(CLOCKS)]


async def _post(ground, url, events, shift):
    told = [{**event, "timestamp": moment(epoch(event["timestamp"]) + shift).isoformat()} for event in events]
    body = {"batch": told, "sentAt": moment(SYSTEM.now() + shift).isoformat()}
    token = base64.b64encode(b"demo-server:").decode()
    async with ground.http.post(f"{url}/v1/batch", json=body, headers={"Authorization": f"Basic {token}"}) as response:
        assert response.status == 200, await response.text()


async def _answers(ground, url):
    async with ground.http.get(f"{url}/readyz") as response:
        return response.status == 200
