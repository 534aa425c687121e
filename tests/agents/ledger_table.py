"""A ledger in memory that behaves like the fenced table: one step at a time, written some time later, lost with the partition."""

import asyncio
from typing import NamedTuple

from app.codec import decode_journal, decode_receipt, encode_json
from app.model.event import Line
from app.model.trigger import Content, Stage, Trigger
from channels import ledger
from tables.step import Partition, Step


class Record(NamedTuple):
    key: bytes
    value: bytes
    offset: int
    timestamp: int


class Bundle(NamedTuple):
    topic: str
    partition: int
    records: list


class LedgerTable:
    """`delay`: seconds that a commit takes. `outputs`: what was committed, as (topic, key, value)."""

    def __init__(self, delay=0.0, partitions=1):
        self.parts = {number: Partition(number) for number in range(partitions)}
        self.lock = asyncio.Lock()
        self.delay = delay
        self.outputs = []
        self.commits = 0
        self.ours = True
        self.log = {"outbox": [], "receipts": []}

    async def run(self, number, work):
        async with self.lock:
            if not self.ours or number not in self.parts:
                return False
            step = Step(self.parts[number])
            work(step)
            await asyncio.sleep(self.delay)
            self._written(step)
            return True

    def _written(self, step):
        if step:
            self.commits += 1
            self.outputs += [(output.topic, output.key, output.value) for output in step.outputs]

    async def ends(self, number):
        return {topic: len(records) for topic, records in self.log.items()}

    async def feed(self, delivery, topic, items, now, number=0, timestamp=None):
        """Deliver items of a topic to the agent, as one bundle."""
        log = self.log[topic]
        at = int((now if timestamp is None else timestamp) * 1000)
        records = []
        for item in items:
            value = item if isinstance(item, bytes) else encode_json(item)
            records.append(Record(b"c", value, len(log), at))
            log.append(value)
        async with self.lock:
            part = self.parts[number]
            step = Step(part)
            delivery.on_bundle(step, Bundle(topic, number, records), now)
            part.applied[topic] = len(log) - 1
            self._written(step)

    def receipts(self):
        return [decode_receipt(value) for topic, _, value in self.outputs if topic == "receipts"]

    def journal(self):
        return [decode_journal(value) for topic, _, value in self.outputs if topic == "journal"]

    def reasons(self):
        return [line.reason for line in self.journal()]

    def states(self):
        return {
            key[2:]: row.state.value
            for part in self.parts.values()
            for key, row in part.rows.items()
            if isinstance(row, ledger.Message)
        }


def trigger(number=1, *, now=1_700_000_000.0, email="anna@shop.example", cascade=None, **changes):
    values = {
        "trigger_id": f"{number:032x}",
        "scenario": "abandoned_cart",
        "version": 1,
        "customer": f"u{number}",
        "anchor": f"e{number}",
        "due": now - 2,
        "fired_at": now,
        "expires_at": now + 6 * 3600,
        "cascade": cascade or [Stage("email", "abandoned_cart")],
        "addresses": {"email": email} if email else {},
        "content": Content(name="Anna", items=[Line("1", "Shoes", 10.0)], value=10.0, currency="EUR"),
        "locale": "en",
        "marketing": True,
        "cap": 16 * 3600.0,
    }
    return Trigger(**{**values, **changes})
