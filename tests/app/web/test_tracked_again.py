"""Receipts that Kafka did not take in time are given to it again while they are still on their way."""

import asyncio

import pytest

from app.clock import ManualClock
from app.settings import load
from app.topics import partition_of
from app.web.collector import sink
from app.web.collector.dedupe import NoIds
from app.web.collector.intake import Intake
from app.web.collector.record import Record
from app.web.collector.sink import KafkaSink
from app.web.tracking.endpoint import TrackedLinks
from tests.app.web.producers import Producer

ACK = 8.0


class Client(Producer):
    """A producer whose acknowledgements wait for the test."""

    def __init__(self, **_options):
        super().__init__()
        self.sent: dict[int, asyncio.Future[None]] = {}

    async def send_batch(self, _batch, _topic, *, partition):
        self.sent[partition] = asyncio.get_running_loop().create_future()
        return self.sent[partition]


@pytest.fixture
async def broker(monkeypatch, eventually):
    clients: list[Client] = []
    monkeypatch.setattr(sink, "AIOKafkaProducer", lambda **options: clients.append(Client(**options)) or clients[-1])
    clock = ManualClock()
    kafka = KafkaSink({}, clock, ack_timeout=ACK)
    intake = Intake(kafka, NoIds())
    await intake.start()
    await eventually(lambda: kafka.ready)
    yield clients[0], clock, intake
    await intake.close(0.01)


def receipt(customer: str, number: int) -> Record:
    key = customer.encode()
    return Record("receipts", partition_of(customer, 8), key, b"{}", bytes([number]) * 16)


async def test_a_receipt_given_again_while_it_is_on_its_way_is_waited_for_once(
    broker, eventually, tmp_path, monkeypatch
):
    client, clock, intake = broker
    monkeypatch.setattr(sink, "SWEEP_SECONDS", 60.0)  # after the look that is under way
    tracked = TrackedLinks(load({}, data=tmp_path), clock, intake, None)
    slow, quick = "a", next(name for name in "bcdefgh" if partition_of(name, 8) != partition_of("a", 8))

    tracked._waiting = [receipt(slow, 1)]
    first = asyncio.ensure_future(tracked._write())
    await eventually(lambda: len(client.sent) == 1)
    clock.advance(ACK + 1)
    await first  # nobody has acknowledged it in time: it waits on, and is still on its way
    assert len(tracked._waiting) == 1

    # the sink looks again a while later; the broker is back before
    tracked._waiting += [receipt(quick, 2), receipt(quick, 3)]
    again = asyncio.ensure_future(tracked._write())
    await eventually(lambda: len(client.sent) == 2)
    for sent in client.sent.values():
        sent.set_result(None)
    done, _ = await asyncio.wait([again], timeout=5)
    again.cancel()
    assert done, "the receipts are acknowledged, and whoever waits for them waits for ever"
