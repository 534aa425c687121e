"""The same events through the core over plain memory: what triggers must have come, and what every customer's row must be.

Taken from outside are only the moments at which the worker decided (an engine that was away decides late) and how each
message ended. Everything else follows from the clickstream.
"""

from collections import Counter, deque

from agents.behaviour import Behaviour
from agents.decide import Decider
from agents.policy import load_policy
from agents.scenarios.load import load_folder
from app.codec import decode_outgoing, encode_json
from app.model.trigger import Trigger
from app.replay.core import MemoryBatch, MemoryRecord, packed_rows
from app.topics import CLICKSTREAM, LINKS, OUTBOX, RECEIPTS, partition_of
from tables.memory import MemoryTable


class Oracle:
    """`triggers` and `rows()` once `run` is through."""

    def __init__(self, settings):
        scenarios = load_folder(settings.scenarios, time_scale=settings.time_scale)
        policy = load_policy(settings.policy, time_scale=settings.time_scale)
        decider = Decider(scenarios, locale=settings.locale, policy=policy)
        self._behaviour = Behaviour(decider, stream_time=False, partitions=settings.partitions)
        self._partitions, self._grace = settings.partitions, settings.grace
        self._table = MemoryTable(self._publish, packed_rows)
        self._queue, self._offsets = deque(), Counter()
        self.triggers = {}
        """Trigger id -> trigger."""

    def run(self, records, triggers, ends, until):
        """`records` of the clickstream; `triggers` and `ends` (receipts) as they were; timers due at or before `until` fire."""
        for record in records:
            self._feed(CLICKSTREAM.name, record.partition, record.key, record.value, record.offset)
        fired = {(item.customer, item.due): item.fired_at for item in triggers}
        for number, part in list(self._table.parts.items()):
            while (soonest := part.timers.next_due()) is not None and soonest <= until:
                self._table.run(number, lambda step, soonest=soonest: self._fire(step, soonest, fired))
        for receipt in ends:
            number = partition_of(receipt.customer, self._partitions)
            self._feed(RECEIPTS.name, number, receipt.customer.encode(), encode_json(receipt), None)

    def rows(self):
        return dict(self._table.rows())

    def _fire(self, step, until, fired):
        for due, key in step.due(until):
            self._behaviour.on_timer(step, due, key, fired.get((key, due), due + self._grace))

    def _feed(self, topic, number, key, value, offset):
        self._queue.append((topic, number, key, value, offset))
        while self._queue:
            topic, number, key, value, offset = self._queue.popleft()
            if offset is None:
                offset = self._offsets[topic, number]
                self._offsets[topic, number] += 1
            batch = MemoryBatch(topic, number, (MemoryRecord(key, value, offset, 0),))
            self._table.run(number, lambda step, batch=batch: self._behaviour.on_bundle(step, batch, 0.0))

    def _publish(self, number, output):
        partition = number if output.partition is None else output.partition
        if output.topic == LINKS.name:
            self._queue.append((LINKS.name, partition, output.key.encode(), output.value, None))
        elif output.topic == OUTBOX.name:
            item = decode_outgoing(output.value)
            if isinstance(item, Trigger):
                self.triggers[item.trigger_id] = item
