"""Broken records of more than twenty kinds, under four codecs, among good ones; written straight to the topics.

The first worker is an older version that cannot handle orders. Each becomes a dead letter, and after the mend `boomerang
dead-letters replay` brings them in before the carts come due: those who bought are left alone after all.
"""

import asyncio
import json
import random
from collections import Counter
from typing import NamedTuple

from aiokafka import AIOKafkaProducer

from app.engine.kafka_client import client_options
from app.model.reasons import BadInput
from app.topics import CLICKSTREAM, LINKS, OUTBOX, RECEIPTS, partition_of
from app.web.collector.normalise import Envelope, normalise
from tests.chaos.kills import MOVE
from tests.chaos.shop import customers
from tests.chaos.verdict import check
from tests.servers import eventually

CODECS = ("gzip", "snappy", "lz4", "zstd")
NOT_HANDLED = "Order Completed"
GOOD_TO_BAD = 19
"""Of twenty records one is broken."""
EVENTS_A_CUSTOMER = 2.6


class Broken(NamedTuple):
    kind: str
    topic: str
    key: bytes | None
    value: bytes | None

    @property
    def readers(self):
        """Who finds it: receipts are read by both."""
        return {RECEIPTS.name: ("engine", "delivery"), OUTBOX.name: ("delivery",)}.get(self.topic, ("engine",))


def _event(**fields):
    event = {"type": "track", "timestamp": "2026-01-01T00:00:00Z", "userId": "p", "messageId": "x", **fields}
    return json.dumps(event).encode()


_DEEP = b"[" * 20_000 + b"]" * 20_000
_ADDED = _event(event="Product Added")
_RECEIPT = b'{"outcome": "sent", "customer": "p", "channel": "email", "at": 1}'
KINDS = (
    Broken("not JSON", CLICKSTREAM.name, b"p", b"\x00\x01 hello"),
    Broken("no value", CLICKSTREAM.name, b"p", None),
    Broken("empty", CLICKSTREAM.name, b"p", b""),
    Broken("cut off", CLICKSTREAM.name, b"p", _ADDED[:-7]),
    Broken("not UTF-8", CLICKSTREAM.name, b"p", _event(event="Caf?").replace(b"?", b"\xe9")),
    Broken("a list", CLICKSTREAM.name, b"p", b"[1, 2, 3]"),
    Broken("a number", CLICKSTREAM.name, b"p", b"17"),
    Broken("no type", CLICKSTREAM.name, b"p", b'{"timestamp": "2026-01-01T00:00:00Z"}'),
    Broken("no timestamp", CLICKSTREAM.name, b"p", b'{"type": "track", "userId": "p"}'),
    Broken("a moment that is none", CLICKSTREAM.name, b"p", _event(timestamp="yesterday")),
    Broken("a moment out of range", CLICKSTREAM.name, b"p", _event(timestamp="99999-01-01T00:00:00Z")),
    Broken("a text for a number", CLICKSTREAM.name, b"p", _event(properties={"price": "dear"})),
    Broken("a number past all bounds", CLICKSTREAM.name, b"p", _event(properties={"price": 7}).replace(b"7", b"1e999")),
    Broken("nested without end", CLICKSTREAM.name, b"p", _event(extra=7).replace(b"7", _DEEP)),
    Broken("no key", CLICKSTREAM.name, None, _ADDED),
    Broken("a key that is not UTF-8", CLICKSTREAM.name, b"\xff\xfe", _ADDED),
    Broken("a key of the engine's own", CLICKSTREAM.name, b"\x00shelf:home", _ADDED),
    Broken("a receipt of no known outcome", RECEIPTS.name, b"p", _RECEIPT.replace(b"sent", b"eaten")),
    Broken("a receipt nested without end", RECEIPTS.name, b"p", _RECEIPT[:-1] + b', "extra": ' + _DEEP + b"}"),
    Broken("a link of no known kind", LINKS.name, b"p", b'{"kind": "divorce", "alias": "a", "owner": "b", "at": 1}'),
    Broken("a state that is none", LINKS.name, b"p", b'{"kind": "move", "alias": "a", "owner": "p", "state": "AAAA", "at": 1}'),
    Broken("a trigger with nothing in it", OUTBOX.name, b"p", b'{"kind": "trigger", "trigger_id": "t"}'),
    Broken("an outgoing of no known kind", OUTBOX.name, b"p", b'{"kind": "telegram"}'),
)  # fmt: skip


async def poison(ground, *, times, seed):
    """Every kind `times` times under every codec. Returns what was counted."""
    dice, follower = random.Random(seed), ground.follower
    worker, sender = ground.keep("worker", once={"CHAOS_BUG": NOT_HANDLED}), ground.keep("delivery")
    people, records, wanted = [], 0, Counter()
    for codec in CODECS:
        bad = [broken for broken in KINDS for _ in range(times)]
        crowd = customers(f"{codec}-", range(int(len(bad) * GOOD_TO_BAD / EVENTS_A_CUSTOMER) + 1))
        people += crowd
        records += await _write(ground, codec, crowd, bad, dice)
        wanted.update((*_told(broken), BadInput.BAD_RECORD, reader) for broken in bad for reader in broken.readers)
        ground.say(f"{codec}: {records} records written")
    orders = sum(one.kind == "buyer" for one in people)
    await asyncio.gather(worker.ready(), sender.ready())
    whole = lambda: len(follower.letters) >= wanted.total() + orders  # noqa: E731
    await eventually(whole, 240, f"{wanted.total() + orders} dead letters")
    found = Counter((item.topic, item.key, item.value, item.reason, item.source) for item in follower.letters)
    unhandled = sum(times for letter, times in found.items() if letter[3] == BadInput.HANDLER_FAILED)
    found = +Counter({letter: times for letter, times in found.items() if letter[3] != BadInput.HANDLER_FAILED})
    assert (found - wanted, wanted - found) == (Counter(), Counter())
    assert unhandled == orders
    places = Counter((item.topic, item.partition, item.offset, item.source) for item in follower.letters)
    assert max(places.values()) == 1, "a record is in the dead letters twice"
    await worker.kill()  # and the mended version is started
    ground.say(f"{len(follower.letters)} dead letters; {orders} are sent again")
    await _replay(ground, orders)
    await _taken_over(ground, worker, orders)
    ground.clock.advance(MOVE)
    await ground.settled(sum(bool(one.fate) for one in people), 180)
    assert sum(item.reason != "replayed" for item in follower.letters) == wanted.total() + orders, "buried again"
    counted = await check(ground, people, until=ground.clock.now())
    return {
        "seed": seed, "kinds": len(KINDS), "codecs": len(CODECS), "records": records,
        "broken": wanted.total(), "replayed": orders, **counted,
    }  # fmt: skip


def _told(broken):
    return broken.topic, broken.key or b"", (broken.value or b"")[:65_536]


async def _write(ground, codec, crowd, bad, dice):
    """Good and broken records mixed, in batches of one codec; the good ones keep their order."""
    settings, now = ground.settings, ground.clock.now()
    envelope = Envelope(now, "server")
    good = []
    for one in crowd:
        events = [*one.first(now - 60), *([one.order(now - 30)] if one.kind == "buyer" else [])]
        for accepted in (normalise(event, "", envelope) for event in events):
            number = partition_of(accepted.customer, settings.partitions)
            good.append((CLICKSTREAM.name, number, accepted.customer.encode(), accepted.value))
    mixed = [*good, *((one.topic, dice.randrange(settings.partitions), one.key, one.value) for one in bad)]
    turns = [False] * len(good) + [True] * len(bad)
    dice.shuffle(turns)
    goods, bads, waiting = iter(mixed[: len(good)]), iter(mixed[len(good) :]), []
    options = {"compression_type": codec, "linger_ms": 20, "enable_idempotence": True}
    async with AIOKafkaProducer(**client_options(settings), **options) as producer:
        for is_bad in turns:
            topic, number, key, value = next(bads if is_bad else goods)
            waiting.append(await producer.send(settings.topic_prefix + topic, value, key=key, partition=number))
        await asyncio.gather(*waiting)
    ground.shop.count += len(good)
    return len(waiting)


async def _replay(ground, orders):
    """`boomerang dead-letters replay` of what the older version could not handle."""
    words = ("dead-letters", "replay", "--reason", BadInput.HANDLER_FAILED.value)
    child = ground.children.boomerang(*words, settings=ground.settings)
    await eventually(lambda: child.status() is not None, 60, "the replay ends")
    assert child.status() == 0, child.log.tail(10)
    child.log.join()
    assert f"handler_failed: {orders} sent again" in "\n".join(child.log.tail(10)), child.log.tail(10)


async def _taken_over(ground, worker, orders):
    """Until the mended worker has heard of every order."""
    await worker.ready()

    async def heard():
        return await worker.metric('boomerang_engine_decisions_total{reason="ended_by_order"') == orders

    await eventually(heard, 120, "every order has ended its cart")
