"""kill -9, at random and at the named points of the protocols, of the worker and of the sender at the same time.

A round: a wave of customers comes into the shop, the clock moves beyond their deadlines, and in the middle of it each process is
killed at a random moment and at a named point. The points go round, so each has its turn.
"""

import asyncio
import random
import signal
from collections import Counter

from tests.chaos.mortal import POINTS
from tests.chaos.shop import LONGEST_WAIT, customers
from tests.chaos.sink import POINTS as TALKING
from tests.chaos.verdict import check

SENDER_POINTS = (*TALKING, *POINTS)
OFTEN = {"decided": 3, "produced": 3, "committed": 3, "data": 40, "text": 40, "taken": 40}
"""Up to so many passings of a point are let go by: for a step in the middle of its work. The others are passed once a start."""
LONGEST_WAY = 40.0
"""Seconds that a process has to come to its point."""
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
    """Kill a process at a random moment and at a named point: in the relay first, elsewhere as soon as it is back."""
    skip = dice.randint(1, OFTEN.get(point, 1))
    pause = dice.uniform(0.0, 1.5)
    if point in TALKING:
        relay.kill_at(point, skip, lambda: kept.send(signal.SIGKILL))
        await _dies(kept, point, done, relay)
        await asyncio.sleep(pause)
        await kept.kill()
    else:
        await asyncio.sleep(pause)
        await kept.kill(CHAOS_DIE=f"{point}:{skip}")
        await _dies(kept, point, done, relay)
    done[kept.role, "random"] += 1


async def _dies(kept, point, done, relay):
    """Wait for the death at a point; whoever does not come there for want of work is killed where he is."""
    if await kept.until_ended(LONGEST_WAY):
        done[kept.role, point] += 1
        return
    if relay is not None:
        relay.spare()
    await kept.kill()
    done[kept.role, "random"] += 1


def _told(done):
    return {f"{role} {point}": times for (role, point), times in sorted(done.items())}
