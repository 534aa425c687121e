"""What customers do in the shop of these tests, and what must come of it; written to Kafka through the collector's normaliser."""

import asyncio
from typing import NamedTuple

from aiokafka import AIOKafkaProducer

from app.clock import moment
from app.engine.kafka_client import client_options
from app.topics import CLICKSTREAM, partition_of
from app.web.collector.normalise import Envelope, normalise

HOUR = 3600.0
LONGEST_WAIT = 3 * HOUR
"""Of the built-in scenarios."""


class Fate(NamedTuple):
    """The one trigger of a customer: what fires, the event it hangs on, the products shown."""

    scenario: str
    anchor: str
    items: tuple[str, ...]


class Customer:
    """One customer with an address and a consent, whose number decides what he does."""

    def __init__(self, name, kind):
        self.name, self.kind = name, kind

    def event(self, number, kind, at, **fields):
        return {
            "type": kind,
            "userId": self.name,
            "messageId": f"{self.name}-{number}",
            "timestamp": moment(at).isoformat(),
            **fields,
        }

    def tracked(self, number, name, at, /, **properties):
        return self.event(number, "track", at, event=name, properties=properties)

    def traits(self):
        return {"email": f"{self.name}@shop.example", "consent": {"email": True}}

    def first(self, at, apart=1.0):
        """What happens until the deadlines begin to run, in order, from `at` on (epoch seconds), `apart` seconds one after the other."""
        lamp, sofa = product("lamp", 20), product("sofa", 900)
        events = [self.event(0, "identify", at, traits=self.traits())]
        if self.kind in ("viewer", "both"):
            events += [
                self.tracked(1, "Product Viewed", at + apart, **sofa),
                self.tracked(2, "Product Viewed", at + 2 * apart, **lamp),
            ]
        if self.kind != "viewer":
            events.append(self.tracked(3, "Product Added", at + 3 * apart, **lamp))
        if self.kind == "emptier":
            events.append(self.tracked(4, "Product Removed", at + 4 * apart, **lamp))
        return events

    def order(self, at):
        """The purchase, for one who buys."""
        return self.tracked(5, "Order Completed", at, order_id=f"{self.name}-order", total=20)

    @property
    def fate(self):
        """The trigger that must come of it, or None. Written down by hand: it knows nothing of the engine."""
        if self.kind in ("leaver", "both"):
            return Fate("abandoned_cart", f"{self.name}-3", ("lamp",))
        if self.kind == "viewer":
            return Fate("abandoned_product", f"{self.name}-2", ("lamp", "sofa"))
        return None


def product(name, price):
    return {"product_id": name, "name": name.title(), "price": price, "category": "home"}


KINDS = ("leaver", "leaver", "leaver", "buyer", "leaver", "viewer", "leaver", "emptier", "leaver", "both")
FIRING = sum(kind not in ("buyer", "emptier") for kind in KINDS) / len(KINDS)


def customers(name, numbers):
    """Customers of all kinds."""
    return [Customer(f"{name}{number}", KINDS[number % len(KINDS)]) for number in numbers]


class Shop:
    """Writes events to the clickstream. `sent`: the records' values by customer, for who wants to run them again."""

    def __init__(self, settings, clock):
        self._settings, self._clock = settings, clock
        self._topic = settings.topic_prefix + CLICKSTREAM.name
        self._producer = AIOKafkaProducer(**client_options(settings), enable_idempotence=True, linger_ms=5)
        self.count = 0

    async def __aenter__(self):
        await self._producer.start()
        return self

    async def __aexit__(self, *_error):
        await self._producer.stop()

    async def send(self, events):
        """Write events in their order; returns when the broker has them all."""
        envelope = Envelope(self._clock.now(), "server")
        waiting = []
        for event in events:
            accepted = normalise(event, "", envelope)
            number = partition_of(accepted.customer, self._settings.partitions)
            key = accepted.customer.encode()
            waiting.append(await self._producer.send(self._topic, accepted.value, key=key, partition=number))
        await asyncio.gather(*waiting)
        self.count += len(waiting)

    async def visit(self, people):
        """All that these customers do, orders included: customer by customer, with a minute's room to the next deadline."""
        at = self._clock.now() - 60
        events = []
        for customer in people:
            events += customer.first(at)
            if customer.kind == "buyer":
                events.append(customer.order(at + 30))
        await self.send(events)
