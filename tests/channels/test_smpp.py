"""SMS over SMPP 3.4, against an SMSC that reads every PDU for itself."""

import asyncio
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.model.receipt import Outcome
from channels.channel import Ambiguous, Down, Misconfigured, Rejected, Retry, Sent
from channels.registry import CHANNELS
from channels.sms import pdu, session, smpp
from channels.sms.carrier import Said, ShortMessage
from channels.sms.smpp import meaning, pieces, said_of, source_of
from tests.channels.smsc import OK, THROTTLED, smsc
from tests.contracts.providers import MESSAGE, OPTIONS
from tests.servers import eventually

SHORT = MESSAGE._replace(address="+79123456789", text="Your cart [waits] for 5 €")


async def granted():
    pass


async def sent_over(channel):
    return isinstance(await channel.send(SHORT, granted), Sent)


class Ears:
    def __init__(self, safe=True):
        self.said, self.safe = asyncio.Queue(), safe

    async def __call__(self, said):
        self.said.put_nowait(said)
        return self.safe


def sms(server, query="", **more):
    url = f"smpp://shop:{more.pop('password', 'secret')}@127.0.0.1:{getattr(server, 'port', server)}?system_type=SALES{query}"
    told = {"sms_provider": "smpp", "smpp": url, "sms_from": "SHOP", "http_timeout": 3.0}
    return CHANNELS["sms"](OPTIONS._replace(**{**told, **more}))


@pytest.fixture
async def bound():
    """(SMSC, channel, ears), bound."""
    ears = Ears()
    async with smsc() as server:
        channel = sms(server, heard=ears)
        await channel.start()
        await asyncio.wait_for(server.bound.wait(), 5)
        yield server, channel, ears
        await channel.stop()


async def test_leave_is_taken(bound):
    server, channel, _ = bound
    await channel.send(SHORT, granted)
    await channel.stop()
    assert server.unbinds == 1


async def test_a_short_text_is_one_piece_and_has_the_smscs_id(bound):
    server, channel, _ = bound
    assert await channel.send(SHORT, granted) == Sent("00000001")
    assert server.messages == [((5, 0, "SHOP"), "79123456789", "Your cart [waits] for 5 €")]
    assert (channel.name, channel.provider) == ("sms", "smpp")


@pytest.mark.parametrize("query", ["", "&long=sar"])
@pytest.mark.parametrize("text", ["Your cart waits. " * 20, "Ваша корзина ждёт 🙂 " * 10, "€" * 100])
async def test_a_long_text_arrives_whole(text, query):
    async with smsc() as server:
        channel = sms(server, query)
        await channel.start()
        message = SHORT._replace(text=text)
        assert isinstance(await channel.send(message, granted), Sent)
        await channel.stop()
    assert [whole for *_, whole in server.messages] == [text.strip()]
    assert len(server.submits) == channel.units(message) > 1


async def test_a_piece_in_the_middle_that_is_throttled_comes_again(monkeypatch):
    monkeypatch.setattr(smpp, "THROTTLED", 0.0)
    async with smsc(lambda submits: THROTTLED if len(submits) == 2 else OK) as server:
        channel = sms(server)
        await channel.start()
        assert isinstance(await channel.send(SHORT._replace(text="x" * 300), granted), Sent)
        await channel.stop()
    assert [number for _, number, _ in server.submits] == [1, 2, 2] and server.messages[0][2] == "x" * 300


async def test_a_text_of_which_only_a_part_was_taken_is_not_repeated():
    async with smsc(lambda submits: 0x45 if len(submits) == 2 else OK) as server:
        channel = sms(server)
        await channel.start()
        answer = await channel.send(SHORT._replace(text="x" * 300), granted)
        await channel.stop()
    assert isinstance(answer, Ambiguous) and "1 of 2 pieces" in answer.reason


async def test_an_smsc_that_is_overrun_is_left_alone():
    async with smsc(lambda submits: THROTTLED) as server:
        channel = sms(server)
        await channel.start()
        answers = [await channel.send(SHORT, granted) for _ in range(3)]
        await channel.stop()
    assert isinstance(answers[0], Retry) and answers[0].after == smpp.THROTTLED
    assert len(server.submits) == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (0x14, Retry),
        (0x58, Retry),
        (0x08, Retry),
        (0x64, Retry),
        (0x0A, Misconfigured),
        (0x0B, Rejected),
        (0x45, Rejected),
        (0x01, Rejected),
        (0x500, Rejected),
    ],
)
def test_every_status_has_its_meaning(status, kind):
    answer = meaning(status)
    assert isinstance(answer, kind) and f"0x{status:08X}" in answer.reason
    if kind is Rejected:
        assert answer.suppress == (status == 0x0B)


async def test_a_wrong_password_is_told_without_it():
    async with smsc() as server:
        channel = sms(server, password="wrong")
        await channel.start()
        answer = await channel.send(SHORT, granted)
        await channel.stop()
    assert isinstance(answer, Misconfigured) and "BOOMERANG_SMPP" in answer.reason and "wrong" not in answer.reason


async def test_a_lost_connection_comes_back_by_itself(bound, monkeypatch):
    server, channel, _ = bound
    monkeypatch.setattr(smpp.retry, "wait", lambda *args, **kwargs: 0.0)
    server.bound.clear()
    for writer in list(server.writers):
        writer.close()
    await asyncio.wait_for(server.bound.wait(), 5)

    await eventually(lambda: sent_over(channel))
    assert server.binds == 2


async def test_a_connection_that_ends_after_the_grant_and_before_a_word_costs_nothing(bound):
    server, channel, _ = bound

    async def lost():
        channel._carrier._session.end()

    answer = await channel.send(SHORT, lost)
    assert isinstance(answer, Retry) and server.submits == []


RECEIPT = b"id:00000001 sub:001 dlvrd:001 submit date:2511252200 done date:2511252201 stat:%s err:%s text:Your cart"


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        (b"DELIVRD", Outcome.DELIVERED),
        (b"UNDELIV", Outcome.FAILED),
        (b"EXPIRED", Outcome.FAILED),
        (b"REJECTD", Outcome.FAILED),
    ],
)
async def test_a_receipt_is_heard_and_acknowledged(bound, state, outcome):
    server, _, ears = bound
    server.deliver(RECEIPT % (state, b"042"), sequence=4711)
    said = await asyncio.wait_for(ears.said.get(), 5)
    assert said == Said("smpp", outcome, "00000001", detail=f"{state.decode()} 042")
    assert await asyncio.wait_for(server.delivered.get(), 5) == (5, OK, 4711)


async def test_tagged_values_of_a_receipt_count_more_than_its_text(bound):
    server, _, ears = bound
    server.deliver(b"whatever", values=((0x001E, b"ABC\0"), (0x0427, b"\x02")))
    assert await asyncio.wait_for(ears.said.get(), 5) == Said("smpp", Outcome.DELIVERED, "ABC", detail="DELIVRD")


async def test_a_receipt_that_is_not_safe_yet_is_left_with_the_smsc(bound):
    server, _, ears = bound
    ears.safe = False
    server.deliver(RECEIPT % (b"DELIVRD", b"000"))
    command, status, _ = await asyncio.wait_for(server.delivered.get(), 5)
    assert (command, status) == (5, 0x64)


async def test_more_receipts_than_are_worked_on_come_again_and_nobody_waits_for_them():
    held = asyncio.Event()

    async def ears(_said):
        await held.wait()
        return True

    async with smsc() as server:
        channel = sms(server, heard=ears)
        await channel.start()
        await asyncio.wait_for(server.bound.wait(), 5)
        for sequence in range(1, session.MOST_HEARD + 3):
            server.deliver(RECEIPT % (b"DELIVRD", b"000"), sequence=sequence)
        refused = [await asyncio.wait_for(server.delivered.get(), 5) for _ in range(2)]
        assert refused == [(5, 0x64, session.MOST_HEARD + 1), (5, 0x64, session.MOST_HEARD + 2)]
        assert isinstance(await channel.send(SHORT, granted), Sent)  # its answer is read all the same
        held.set()
        heard = [await asyncio.wait_for(server.delivered.get(), 5) for _ in range(session.MOST_HEARD)]
        assert {status for _, status, _ in heard} == {OK}
        await channel.stop()


async def test_what_a_customer_writes_back_is_an_answer_or_a_farewell(bound):
    server, _, ears = bound
    server.deliver(b"thanks", receipt=False)
    assert await asyncio.wait_for(ears.said.get(), 5) == Said("smpp", Outcome.REPLIED, phone="+79123456789")
    server.deliver("СТОП".encode("utf-16-be"), receipt=False, coding=8)
    assert await asyncio.wait_for(ears.said.get(), 5) == Said("smpp", Outcome.UNSUBSCRIBED, phone="+79123456789")


@pytest.mark.parametrize(
    "raw", [b"", b"\0", b"\0\x01\x01" + b"7" * 60, b"\0\x01\x017\0\x01\x01S\0\x04\0\0\0\0\0\0\0\0\xff" + b"x"]
)
async def test_what_cannot_be_read_is_done_with_and_harms_nothing(bound, raw):
    server, channel, ears = bound
    server.deliver(raw=raw)
    assert (await asyncio.wait_for(server.delivered.get(), 5))[1] == OK
    assert ears.said.empty() and isinstance(await channel.send(SHORT, granted), Sent)


async def test_what_is_no_smpp_ends_the_connection_alone(bound, monkeypatch):
    server, channel, _ = bound
    monkeypatch.setattr(smpp.retry, "wait", lambda *args, **kwargs: 0.0)
    server.bound.clear()
    for writer in list(server.writers):
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await asyncio.wait_for(server.bound.wait(), 5)
    await eventually(lambda: sent_over(channel))


async def test_signs_of_life_go_both_ways(monkeypatch):
    monkeypatch.setattr(session, "ALIVE", 0.01)
    async with smsc() as server:
        channel = sms(server)
        await channel.start()
        await asyncio.wait_for(server.bound.wait(), 5)
        await eventually(lambda: server.enquiries >= 2)
        for writer in server.writers:
            server.say(writer, 0x15, OK, 9)
        assert (await asyncio.wait_for(server.delivered.get(), 5))[0] == 0x15
        await channel.stop()


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(raw):
    try:
        told = pdu.delivered(pdu.Pdu(5, 0, 1, raw))
    except pdu.Garbled:
        return
    said = said_of(told)
    assert said is None or len(said.provider_id) <= 64


@pytest.mark.parametrize("length", [0, 15, 65_537, 0xFFFFFFFF])
def test_a_length_that_cannot_be_one_is_refused(length):
    with pytest.raises(pdu.Garbled):
        pdu.length_of(struct.pack(">IIII", length, 4, 0, 1))


def test_a_repetition_has_the_same_reference():
    message = ShortMessage("ab12.0", "+79123456789", "x" * 300)
    assert pieces(message, sar=False) == pieces(message, sar=False)
    assert {piece.reference for piece in pieces(message, sar=False)} != {
        piece.reference for piece in pieces(message._replace(key="cd.0"), sar=False)
    }


@pytest.mark.parametrize(
    ("sender", "expected"),
    [("SHOP", (5, 0, "SHOP")), ("+79990000000", (1, 1, "79990000000")), ("1234", (3, 0, "1234"))],
)
def test_a_sender_is_told_by_its_type(sender, expected):
    assert source_of(sender) == expected


@pytest.mark.parametrize(
    "url",
    ["", "http://shop:secret@a.example", "smpp://a.example", "smpp://shop:secret@a.example:x", "smpp://shop:secret-too-long@a.example",
     "smpp://shop:secret@a.example?long=short", "smpp://shop:secret@a.example?evil=1", "smpp://%D1%8F:secret@a.example"],
)  # fmt: skip
def test_an_address_of_an_smsc_that_cannot_be_used_is_told_without_the_password(url):
    with pytest.raises(ValueError, match="BOOMERANG_SMPP") as caught:
        CHANNELS["sms"](OPTIONS._replace(sms_provider="smpp", smpp=url, sms_from="SHOP"))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("sender", ["", "A name that is long", "Магазин", "A\r\nB"])
def test_a_sender_that_cannot_be_one_is_told(sender):
    with pytest.raises(ValueError, match="BOOMERANG_SMS_FROM"):
        source_of(sender)


async def test_an_smsc_that_is_away_is_down():
    channel = sms(1)
    await channel.start()
    answer = await channel.send(SHORT, granted)
    await channel.stop()
    assert isinstance(answer, Down) and "secret" not in answer.reason
