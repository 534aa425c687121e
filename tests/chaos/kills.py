"""kill -9, at random and at the named points of the protocols, of the worker and of the sender at the same time.

A round: a wave of customers comes into the shop, the clock moves beyond their deadlines, and in the middle of it each process is
killed at a random moment and, when it has come back, at a named point. The points go round, so each has its turn.
"""

import asyncio
import random
from collections import Counter

from tests.chaos.mortal import POINTS
from tests.chaos.shop import LONGEST_WAIT, customers
from tests.chaos.sink import POINTS as TALKING
from tests.chaos.verdict import check

SENDER_POINTS = (*TALKING, *POINTS)
OFTEN = {"decided": 4, "produced": 4, "committed": 4, "data": 60, "text": 60, "taken": 60}
"""Up to so many passings of a point are let go by: for a step in the middle of its work. The others are passed once a start."""
PIECES = 20
MOVE = LONGEST_WAIT + 900
"""How far the clock moves in each round: everything that the wave has armed comes due."""


async def kills(ground, *, rounds, wave, seed):
    """`rounds` of four kills each over waves of `wave` customers. Returns what was counted."""
    dice, done, people = random.Random(seed), Counter(), []
    worker, sender = ground.keep("worker"), ground.keep("delivery")
    await asyncio.gather(worker.ready(), sender.ready())
    first = dice.randrange(100)
    for number in range(rounds):
        crowd = customers("c", range(number * wave, (number + 1) * wave))
        people += crowd
        await asyncio.gather(
            _crowd(ground, crowd),
            _twice(worker, POINTS[(first + number) % len(POINTS)], dice, done, None),
            _twice(sender, SENDER_POINTS[(first + number) % len(SENDER_POINTS)], dice, done, ground.sink),
        )
        # nobody may fall behind by more than a round: what a day's delay does is not the question here
        await ground.settled(sum(bool(one.fate) for one in people), 120)
        ground.say(f"round {number + 1} of {rounds}: {ground.sink.total} mails, {done.total()} kills")
    assert not worker.unasked and not sender.unasked, (worker.unasked, sender.unasked)
    of_sender = sum(times for (role, _), times in done.items() if role == "delivery")
    counted = await check(ground, people, kills_of_sender=of_sender, until=ground.clock.now())
    return {"seed": seed, "kills": done.total(), **counted, "at": _told(done)}


async def _crowd(ground, crowd):
    """A wave comes in pieces, its deadlines pass, and another half of it comes while they do."""
    size = -(-len(crowd) // PIECES)
    for at in range(0, len(crowd), size):
        await ground.shop.visit(crowd[at : at + size])
        await asyncio.sleep(0.02)
        if at <= len(crowd) // 2 < at + size:
            ground.clock.advance(MOVE)
    ground.clock.advance(MOVE)


async def _twice(kept, point, dice, done, relay):
    """Kill a process at a random moment, and the next one at a named point."""
    await asyncio.sleep(dice.uniform(0.0, 1.5))
    skip = dice.randint(1, OFTEN.get(point, 1))
    if point in TALKING:
        await kept.kill()
        relay.kill_at(point, skip, lambda: kept.send(9))
    else:
        await kept.kill(CHAOS_DIE=f"{point}:{skip}")
    done[kept.role, "random"] += 1
    if await kept.until_ended(25):
        done[kept.role, point] += 1
    else:  # it had too little to do to come there
        if relay is not None:
            relay.spare()
        await kept.kill()
        done[kept.role, "random"] += 1


def _told(done):
    return {f"{role} {point}": times for (role, point), times in sorted(done.items())}
