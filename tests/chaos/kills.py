"""kill -9, at random and at the named points of the protocols, of the worker and of the sender at the same time.

A round: a wave of customers comes into the shop, the clock moves beyond their deadlines, and in the middle of it each process is
killed at a random moment and at a named point. The points go round, so each has its turn. A cut takes all of them in one round: then the
second half of the wave comes piece by piece, one with each death, so that there is something to do at every point.
"""

import asyncio
import random
import signal
from collections import Counter

from tests.chaos.mortal import POINTS
from tests.chaos.shop import LONGEST_WAIT, customers
from tests.chaos.sink import POINTS as TALKING
from tests.chaos.verdict import check
from tests.servers import eventually

SENDER_POINTS = (*TALKING, *POINTS)
OFTEN = {"decided": 3, "produced": 3, "committed": 3, "data": 40, "text": 40, "taken": 40}
"""Up to so many passings of a point are let go by: for a step in the middle of its work. The others are passed once a start."""
LONGEST_WAY, ALL_THE_WAY = 40.0, 240.0
"""Seconds that a process has to come to its point: where others follow, and where each is to be reached."""
PIECES = 20
MOVE = LONGEST_WAIT + 900
"""How far the clock moves in each round: everything that the wave has armed comes due."""


async def kills(ground, *, rounds, wave, seed, points=None):
    """`rounds` over waves of `wave` customers; in each both processes die at random and at a named point. Returns what was counted.

    `points` of the worker and of the sender, where both die at several in each round, in this order.
    """
    dice, done, people = random.Random(seed), Counter(), []
    worker, sender = ground.keep("worker"), ground.keep("delivery")
    await asyncio.gather(worker.ready(), sender.ready())
    first, patience = dice.randrange(100), ALL_THE_WAY if points else LONGEST_WAY
    for number in range(rounds):
        crowd = customers("c", range(number * wave, (number + 1) * wave))
        people += crowd
        coming, turn = Coming(ground, crowd), first + number
        of_worker, of_sender = points or ((POINTS[turn % len(POINTS)],), (SENDER_POINTS[turn % len(SENDER_POINTS)],))
        async with asyncio.TaskGroup() as side_by_side:
            arriving = side_by_side.create_task(coming.half() if points else coming.all())
            side_by_side.create_task(_again(sender, of_sender, dice, done, coming, patience, ground.sink))
            if points:  # the sender shall have work before the worker has died at all of its points
                await arriving
                await eventually(lambda: ground.follower.triggers, patience, "the first triggers")
            side_by_side.create_task(_again(worker, of_worker, dice, done, coming, patience))
        await coming.all()
        ground.clock.advance(MOVE)
        # nobody may fall behind by more than a round: what a day's delay does is not the question here
        await ground.settled(sum(bool(one.fate) for one in people), 120)
        ground.say(f"round {number + 1} of {rounds}: {ground.sink.total} mails, {done.total()} kills")
    assert not worker.unasked and not sender.unasked, (worker.unasked, sender.unasked)
    broken_off = sum(times for (role, _), times in done.items() if role == "delivery")
    counted = await check(ground, people, kills_of_sender=broken_off, until=ground.clock.now())
    return {"seed": seed, "kills": done.total(), **counted, "at": _told(done)}


class Coming:
    """A wave that comes in pieces. The deadlines of its first half pass while the other comes."""

    def __init__(self, ground, crowd):
        size = -(-len(crowd) // PIECES)
        self._ground = ground
        self._left = [crowd[at : at + size] for at in range(0, len(crowd), size)]
        self._half = len(self._left) // 2

    async def piece(self):
        """The next one: something to do for who dies in the middle of work."""
        if not self._left:
            return
        crowd = self._left.pop(0)
        last_of_half = len(self._left) == self._half
        await self._ground.shop.visit(crowd)
        await asyncio.sleep(0.02)
        if last_of_half:
            self._ground.clock.advance(MOVE)

    async def half(self):
        """The first half, and its deadlines."""
        while len(self._left) > self._half:
            await self.piece()

    async def all(self):
        """All that have not come yet."""
        while self._left:
            await self.piece()


async def _again(kept, points, dice, done, coming, patience, relay=None):
    """Kill a process at a random moment and at named points: in the relay first, elsewhere as soon as it is back."""
    ways = [(point, dice.randint(1, OFTEN.get(point, 1) if len(points) == 1 else 1)) for point in points]
    pause = dice.uniform(0.0, 1.5)
    if points[0] not in TALKING:
        await asyncio.sleep(pause)
        await kept.kill(**_doom(*ways[0]))
    for number, (point, skip) in enumerate(ways):
        kept.follow(**(_doom(*ways[number + 1]) if number + 1 < len(ways) else {}))
        if point in TALKING:
            relay.kill_at(point, skip, lambda: kept.send(signal.SIGKILL))
        await asyncio.gather(coming.piece(), _dies(kept, point, done, patience, relay))
    if points[0] in TALKING:
        await asyncio.sleep(pause)
        await kept.kill()
    done[kept.role, "random"] += 1


def _doom(point, skip):
    """What has a process die at a point; in the relay it is killed from outside."""
    return {} if point in TALKING else {"CHAOS_DIE": f"{point}:{skip}"}


async def _dies(kept, point, done, patience, relay):
    """Wait for the death at a point; whoever does not come there for want of work is killed where he is."""
    if await kept.until_ended(patience):
        done[kept.role, point] += 1
        return
    if relay is not None:
        relay.spare()
    await kept.kill()
    done[kept.role, "random"] += 1


def _told(done):
    return {f"{role} {point}": times for (role, point), times in sorted(done.items())}
