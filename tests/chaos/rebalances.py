"""Workers and senders join, leave, and sleep through the loss of their partitions to wake up as zombies."""

import asyncio
import random
import signal
from collections import Counter

from tests.chaos.kills import MOVE
from tests.chaos.shop import customers
from tests.chaos.verdict import check
from tests.servers import eventually

SESSION = {"CHAOS_SESSION": "6"}
"""The least that a broker allows: the time that a zombie must sleep."""


JOINING = ("assigned", "opened")
"""Where one who joins dies: before it has fenced the former owners, and when a partition has just become its own."""


class Pair:
    """Two processes of one role, the second of which comes and goes."""

    def __init__(self, ground, role):
        self._ground, self.role = ground, role
        self.stays = ground.keep(role, **SESSION)
        self.guest = None
        self.joined = 0

    async def joins(self):
        """It is killed while the group shares out its partitions anew, and joins once more: nobody knows yet that it is gone."""
        once = {"CHAOS_DIE": JOINING[self.joined % len(JOINING)]}
        self.joined += 1
        if self.guest is None:
            self.guest = self._ground.keep(self.role, instance="", once=once, **SESSION)
        else:
            self.guest.start(**once)
        assert await self.guest.until_ended(60), f"not killed at {once}: {self.guest.process.log.tail(10)}"
        await self.guest.ready()

    async def leaves(self):
        assert await self.guest.stop(signal.SIGTERM) == 0, self.guest.process.log.tail(10)

    async def sleeps(self):
        """The one that stays sleeps until the other has its partitions."""
        before = await self.guest.metric("boomerang_engine_rebalances_total")
        self.stays.send(signal.SIGSTOP)

        async def heir():
            return await self.guest.metric("boomerang_engine_rebalances_total") > before

        await eventually(heir, 60, "the other one has noticed")
        await self.guest.ready()

    async def wakes(self):
        """It finds out that it is somebody else's now: it rejoins, or the broker has fenced it and it starts anew."""
        self.stays.send(signal.SIGCONT)
        await self.stays.ready()


FENCED = ("Fenced", "Epoch", "IllegalGeneration", "UnknownMember", "while not in transaction")
"""What a zombie says last. The last one: the broker's answer came between two records of a step that was broken off."""
STEPS = ("joins", "sleeps", "wakes", "leaves")


async def rebalances(ground, *, steps, wave, seed):
    """`steps` rebalances, one after the other, the roles in turn; during each a wave of customers comes due."""
    dice, people, done = random.Random(seed), [], Counter()
    pairs = [Pair(ground, "worker"), Pair(ground, "delivery")]
    await asyncio.gather(*(pair.stays.ready() for pair in pairs))
    for number in range(steps):
        pair, step = pairs[number // len(STEPS) % 2], STEPS[number % len(STEPS)]
        crowd = customers("r", range(number * wave, (number + 1) * wave))
        people += crowd
        await asyncio.gather(_visits(ground, crowd, dice.uniform(0.0, 1.0)), getattr(pair, step)())
        await ground.settled(sum(bool(one.fate) for one in people), 120)
        done[pair.role, step] += 1
        ground.say(f"{number + 1} of {steps}: {pair.role} {step}, {ground.sink.total} mails")
    for kept in ground.kept:
        for lines in kept.unasked:  # nobody ends by himself but a zombie that the broker has fenced
            assert any(word in "\n".join(lines) for word in FENCED), lines
    broken_off = done["delivery", "sleeps"] + done["delivery", "joins"]
    counted = await check(ground, people, kills_of_sender=broken_off, until=ground.clock.now())
    fenced = sum(len(kept.unasked) for kept in ground.kept)
    killed = sum(pair.joined for pair in pairs)
    return {"seed": seed, "rebalances": done.total(), "killed_joining": killed, "fenced": fenced, **counted}


async def _visits(ground, crowd, pause):
    await ground.shop.visit(crowd)
    await asyncio.sleep(pause)
    ground.clock.advance(MOVE)
