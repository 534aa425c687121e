"""The broker is restarted, in order and by kill -9; Valkey is wiped. Nothing is lost, nothing is said twice."""

import asyncio
import random
import shutil
import signal
from collections import Counter
from contextlib import contextmanager

import redis

from app.embedded.servers import kafka_server, valkey_server
from app.embedded.state import State
from app.settings import load
from tests.chaos.kills import MOVE
from tests.chaos.shop import customers
from tests.chaos.verdict import check
from tests.servers import eventually


class Servers:
    """A broker and a Valkey of our own that may be ended and started again where they were."""

    def __init__(self, folder):
        state = State(folder / "embedded.json")
        self._folder = folder
        self._kafka, self.kafka = kafka_server(folder, load().cache, state)
        self._valkey, self.redis = valkey_server(folder, state)
        for server in (self._kafka, self._valkey):
            server.start()
            server.wait_ready()

    def close(self):
        self._kafka.stop()
        self._valkey.stop()

    async def restart_kafka(self, number, away):
        """End the broker by a signal; start it again after `away` seconds."""
        self._kafka.process.signal(number)
        await eventually(lambda: self._kafka.process.status() is not None, 60, "the broker ends")
        await asyncio.sleep(away)
        self._kafka.start()
        await asyncio.to_thread(self._kafka.wait_ready)

    async def wipe_valkey(self, *, hard):
        """Forget everything: by a command, or by kill -9 and the loss of its files."""
        if not hard:
            with redis.Redis.from_url(self.redis) as client:
                client.flushall()
            return
        self._valkey.process.signal(signal.SIGKILL)
        await eventually(lambda: self._valkey.process.status() is not None, 20, "Valkey ends")
        shutil.rmtree(self._folder / "valkey")
        self._valkey.start()
        await asyncio.to_thread(self._valkey.wait_ready)


@contextmanager
def servers(folder):
    """Started; ended afterwards."""
    running = Servers(folder)
    try:
        yield running
    finally:
        running.close()


async def outages(ground, running, *, restarts, wipes, wave, seed):
    """`restarts` of the broker, every second one by kill -9, and `wipes` of Valkey, each with a kill of the sender after it."""
    dice, people, done = random.Random(seed), [], Counter()
    worker, sender = ground.keep("worker"), ground.keep("delivery")
    await asyncio.gather(worker.ready(), sender.ready())
    plan = ["restart"] * restarts + ["wipe"] * wipes
    dice.shuffle(plan)
    for number, what in enumerate(plan):
        crowd = customers("o", range(number * wave, (number + 1) * wave))
        people += crowd
        await ground.shop.visit(crowd)
        ground.clock.advance(MOVE)
        begun = ground.sink.total
        await eventually(lambda: ground.sink.total > begun, 120, "the wave is being spoken")  # noqa: B023
        done[what] += 1
        if what == "restart":
            kind = signal.SIGKILL if done[what] % 2 else signal.SIGTERM
            await running.restart_kafka(kind, dice.uniform(0.0, 2.0))
        else:
            await running.wipe_valkey(hard=done[what] % 2 == 0)
            await sender.kill()
        await ground.settled(sum(bool(one.fate) for one in people), 180)
        ground.say(f"{number + 1} of {len(plan)}: {what}, {ground.sink.total} mails")
    kills = done["wipe"] + sum(status != -signal.SIGKILL for status in sender.ends)
    counted = await check(ground, people, kills_of_sender=kills, until=ground.clock.now())
    started_anew = len(worker.unasked) + len(sender.unasked)
    return {"seed": seed, "restarts": restarts, "wipes": wipes, "ended_by_themselves": started_anew, **counted}
