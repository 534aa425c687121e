"""Our SMPP against a server that others have written (smpp34): what it reads of us, and what it tells us, is what we mean."""

import asyncio
from contextlib import asynccontextmanager

import pytest
import smpp34

from app.model.receipt import Outcome
from channels.channel import Rejected, Retry, Sent
from channels.sms.carrier import Said
from tests.channels.test_smpp import SHORT, Ears, granted, sms
from tests.servers import free_port

PATIENCE = 30.0


class Theirs:
    """Their server: `answer(event)` accepts or rejects each message; `sessions` are the bound ones."""

    def __init__(self, port, answer):
        self.port, self.answer = port, answer
        self.server = smpp34.Server(host="127.0.0.1", port=port, system_id="THEIRS")
        self.submits, self.bound = [], asyncio.Queue()

    async def listen(self):
        while True:
            event = await self.server.next()
            if isinstance(event, smpp34.Esme):
                self.bound.put_nowait(event)
            elif isinstance(event, smpp34.SubmitSmEvent):
                self.submits.append(event)
                self.answer(event)


@asynccontextmanager
async def theirs(answer):
    """(Their server, our channel, what we hear, their handle of our session)."""
    ears, smsc = Ears(), Theirs(free_port(), answer)
    await smsc.server.start()
    listening = asyncio.create_task(smsc.listen())
    channel = sms(smsc, heard=ears)
    try:
        await channel.start()
        yield smsc, channel, ears, await asyncio.wait_for(smsc.bound.get(), PATIENCE)
    finally:
        await channel.stop()
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await smsc.server.stop()


def takes(event):
    event.accept(message_id="abc-1")


async def test_a_message_is_read_as_it_was_meant_and_has_their_id():
    async with theirs(takes) as (smsc, channel, _, _):
        assert await channel.send(SHORT, granted) == Sent("abc-1")
    (event,) = smsc.submits
    assert (event.source_addr_ton, event.source_addr_npi, event.source_addr) == (5, 0, "SHOP")
    assert (event.dest_addr_ton, event.dest_addr_npi, event.destination_addr) == (1, 1, "79123456789")
    assert (event.data_coding, event.registered_delivery & 1) == (0, 1)
    assert event.short_message == b"Your cart \x1b<waits\x1b> for 5 \x1be"  # GSM 03.38


async def test_a_long_text_in_cyrillic_is_pieces_with_a_header_each():
    text = "Ваша корзина ждёт. " * 10
    async with theirs(takes) as (smsc, channel, _, _):
        assert isinstance(await channel.send(SHORT._replace(text=text), granted), Sent)
    assert len(smsc.submits) == channel.units(SHORT._replace(text=text)) > 1
    whole, total = b"", len(smsc.submits)
    for number, event in enumerate(smsc.submits, 1):
        header, body = event.short_message[:6], event.short_message[6:]
        assert (event.esm_class & 0x40, event.data_coding) == (0x40, 8)
        assert (header[:3], header[4], header[5]) == (b"\x05\x00\x03", total, number)
        whole += body
    assert whole.decode("utf-16-be") == text.strip()


@pytest.mark.parametrize(
    ("status", "answer", "suppress"),
    [(smpp34.ESME_RTHROTTLED, Retry, None), (smpp34.ESME_RINVDSTADR, Rejected, True)],
)
async def test_their_refusals_have_their_meaning(status, answer, suppress):
    async with theirs(lambda event: event.reject(status)) as (_, channel, _, _):
        told = await channel.send(SHORT, granted)
    assert isinstance(told, answer)
    assert getattr(told, "suppress", None) is suppress


@pytest.mark.parametrize(
    ("state", "outcome"), [("DELIVRD", Outcome.DELIVERED), ("UNDELIV", Outcome.FAILED), ("EXPIRED", Outcome.FAILED)]
)
async def test_their_receipts_are_heard_and_acknowledged(state, outcome):
    async with theirs(takes) as (_, _, ears, session):
        text = f"id:abc-1 sub:001 dlvrd:001 submit date:2611252200 done date:2611252201 stat:{state} err:000 text:x"
        answer = await session.deliver_sm(
            source_addr="79123456789", destination_addr="SHOP", esm_class=0x04, short_message=text.encode()
        )
        said = await asyncio.wait_for(ears.said.get(), PATIENCE)
    assert answer.is_success
    assert (said.provider, said.outcome, said.provider_id) == ("smpp", outcome, "abc-1")


async def test_what_cannot_be_written_yet_stays_with_them():
    async with theirs(takes) as (_, _, ears, session):
        ears.safe = False
        answer = await session.deliver_sm(
            source_addr="79123456789",
            destination_addr="SHOP",
            esm_class=0x04,
            short_message=b"id:1 stat:DELIVRD err:000",
        )
    assert (answer.is_success, answer.command_status) == (False, 0x64)


async def test_what_a_customer_writes_back_is_heard():
    async with theirs(takes) as (_, _, ears, session):
        await session.deliver_sm(source_addr="79123456789", destination_addr="SHOP", short_message=b"STOP")
        said = await asyncio.wait_for(ears.said.get(), PATIENCE)
    assert said == Said("smpp", Outcome.UNSUBSCRIBED, phone="+79123456789")
