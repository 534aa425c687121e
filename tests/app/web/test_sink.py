"""The way into Kafka when the client, not the broker, is what does not answer."""

import asyncio

import pytest

from app.clock import ManualClock
from app.web.collector import sink
from app.web.collector.record import Record, Ticket
from app.web.collector.sink import SILENT_SECONDS, KafkaSink
from tests.app.web.producers import Producer

ACK = 8.0


class Client(Producer):
    """A producer that connects. `where`: at which point it falls silent for ever, if it does."""

    made: list = []

    def __init__(self, where, **_options):
        super().__init__()
        self.where = where
        self.made.append(self)
        self.sending = asyncio.Event()

    async def send_batch(self, *_batch, **_place):
        self.sending.set()
        never = asyncio.get_running_loop().create_future()
        if self.where == "before it is sent":
            await never
        if self.where == "before it is acknowledged":
            return never
        never.set_result(None)
        return never


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(sink, "SWEEP_SECONDS", 0.001)
    monkeypatch.setattr(Client, "made", [])


def put(into):
    ticket = Ticket(1, asyncio.get_running_loop())
    record = Record("clickstream", 0, b"k", b"v")
    record.tickets.append(ticket)
    into.put([record])
    return ticket


@pytest.mark.parametrize("where", ["before it is sent", "before it is acknowledged"])
@pytest.mark.parametrize("there", [True, False])
async def test_a_client_that_is_silent_although_the_broker_is_there_is_replaced(
    monkeypatch, quick, eventually, where, there
):
    clock, asked = ManualClock(), []
    wheres = iter([where, None])
    monkeypatch.setattr(sink, "AIOKafkaProducer", lambda **options: Client(next(wheres), **options))

    async def reachable():
        asked.append(clock.now())
        return there

    kafka = KafkaSink({}, clock, ack_timeout=ACK, reachable=reachable)
    await kafka.start()
    await eventually(lambda: kafka.ready)
    ticket = put(kafka)
    await Client.made[0].sending.wait()
    clock.advance(ACK + 1)
    assert await ticket.done is False
    assert not kafka.ready
    assert asked == []  # it may be slow

    clock.advance(SILENT_SECONDS)
    await eventually(lambda: asked)
    if there:
        await eventually(lambda: kafka.ready and len(Client.made) == 2)
        assert await put(kafka).done is True
        await eventually(lambda: Client.made[0].closed)
    else:
        await eventually(lambda: len(asked) > 3)
        assert len(Client.made) == 1
    await kafka.close(0.1)
