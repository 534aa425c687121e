"""A sender with a scripted channel over a ledger in memory."""

import asyncio
from contextlib import asynccontextmanager

from agents.delivery.service import Delivery
from app.clock import ManualClock
from channels.channel import Sent
from channels.pipeline import Urls
from channels.render import Templates
from tests.agents.ledger_table import LedgerTable

TEMPLATES = Templates(shop_url="https://shop.example")


class Mouth:
    """A channel that answers what it is told to: an answer, a list of answers, or a function of the message."""

    name = "email"
    shows = frozenset()

    def __init__(self, answer=None, workers=4):
        self.answer = answer or Sent("ok")
        self.workers = workers
        self.spoken = []
        self.asked = 0
        self.now_speaking = 0
        self.most_speaking = 0

    async def start(self):
        pass

    async def stop(self):
        pass

    def units(self, message):
        return 1

    def usable(self, address):
        return "" if "@" in address else "not exactly one @"

    async def send(self, message, irreversible):
        self.asked += 1
        answer = self.answer
        if isinstance(answer, list):
            answer = answer.pop(0) if answer else Sent("ok")
        early = not isinstance(answer, tuple) or type(answer).__name__ in ("Sent", "Ambiguous")
        if callable(answer):
            return await answer(message, irreversible)
        if early:
            await irreversible()
            self.now_speaking += 1
            self.most_speaking = max(self.most_speaking, self.now_speaking)
            await asyncio.sleep(0)
            self.now_speaking -= 1
            self.spoken.append(message)
        return answer


class Sender:
    def __init__(self, channel=None, table=None, clock=None, **options):
        self.clock = clock or ManualClock()
        self.channel = channel or Mouth()
        self.table = table or LedgerTable()
        self.delivery = Delivery(
            channels={"email": self.channel, **options.pop("channels", {})},
            templates=options.pop("templates", TEMPLATES),
            clock=self.clock,
            urls=Urls(lambda message, *_: f"https://c.example/u/{message}", **options.pop("urls", {})),
            **options,
        )

    async def open(self):
        await self.delivery.start(self.table)
        for number in self.table.parts:
            self.delivery.on_opened(number)
        await self.until(lambda: all(desk.ready for desk in self.delivery._desks.values()))

    async def feed(self, *items, topic="outbox", **kwargs):
        await self.table.feed(self.delivery, topic, items, self.clock.now(), **kwargs)

    async def advance(self, seconds):
        self.clock.advance(seconds)
        self.delivery.look()
        await asyncio.sleep(0)

    async def until(self, condition, timeout=30.0):
        async with asyncio.timeout(timeout):
            while not condition():
                await asyncio.sleep(0.001)

    async def settled(self, timeout=30.0):
        await self.until(lambda: self.delivery.pending == 0, timeout)

    async def crash(self):
        """As kill -9: tasks end anywhere, nothing is written any more."""
        self.table.ours = False
        tasks = [*self.delivery._workers, *self.delivery._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.delivery._workers.clear()


@asynccontextmanager
async def sender(*args, **kwargs):
    one = Sender(*args, **kwargs)
    await one.open()
    try:
        yield one
    finally:
        await one.delivery.stop()
