"""The live feed's hub and its lines, without Kafka."""

import asyncio
import json

import msgspec
import pytest

from app.codec import encode_json
from app.explain import Tone
from app.model.journal import JournalLine
from app.model.reasons import Reason
from app.model.trigger import Cancel, Content, Stage, Trigger
from app.web.console import feed as console_feed
from app.web.console.feed import PLAIN_QUEUE, RING, WEIGHTY_QUEUE, Feed
from app.web.console.lines import FeedLine, line_of, tally

NOW = 1_795_348_990.0


def line(text="x", kind="event", tone=Tone.INFO):
    return FeedLine(kind, tone, NOW, "anna", "anna", "Product Added", text)


def events_of(block):
    """(event, data, id) of each message of a block of the stream."""
    out = []
    for part in block.decode().split("\n\n"):
        fields = dict(item.split(": ", 1) for item in part.split("\n") if ": " in item and not item.startswith(":"))
        if "event" in fields:
            out.append((fields["event"], json.loads(fields["data"]), fields.get("id", "")))
    return out


def texts(block):
    return [data["text"] for event, data, _ in events_of(block) if event == "line"]


@pytest.fixture
def feed():
    return Feed("boot1")


async def test_every_page_gets_every_line_in_order(feed):
    first, second = feed.join(), feed.join()
    for at in range(5):
        feed.publish(line(str(at)))
    assert texts(first.take()) == texts(second.take()) == ["0", "1", "2", "3", "4"]
    assert first.take() == b""


async def test_a_slow_page_loses_its_oldest_lines_and_is_told(feed):
    client = feed.join()
    for at in range(PLAIN_QUEUE + 7):
        feed.publish(line(str(at)))
    block = client.take()
    assert events_of(block)[0][:2] == ("lost", {"lines": 7})
    assert texts(block) == [str(at) for at in range(7, PLAIN_QUEUE + 7)]
    feed.publish(line("after"))
    assert [event for event, _, _ in events_of(client.take())] == ["line"]


async def test_events_give_way_before_sends(feed):
    client = feed.join()
    feed.publish(line("the send", "send", Tone.SENT))
    for at in range(PLAIN_QUEUE * 3):
        feed.publish(line(str(at)))
    assert texts(client.take())[0] == "the send"


async def test_a_flood_of_sends_is_bounded_too(feed):
    client = feed.join()
    for at in range(WEIGHTY_QUEUE * 3):
        feed.publish(line(str(at), "send", Tone.SENT))
    assert len(texts(client.take())) == WEIGHTY_QUEUE


async def test_a_page_that_comes_back_gets_what_it_missed_and_nothing_twice(feed):
    client = feed.join()
    for at in range(4):
        feed.publish(line(str(at)))
    last_id = events_of(client.take())[-1][2]
    feed.leave(client)
    feed.publish(line("missed"))
    again = feed.join(last_id)
    feed.publish(line("new"))
    assert texts(again.take()) == ["missed", "new"]


async def test_a_page_that_comes_back_too_late_is_told_how_much_it_missed(feed):
    for at in range(RING + 30):
        feed.publish(line(str(at), "send", Tone.SENT))
    assert events_of(feed.join("boot1-10").take())[0][:2] == ("lost", {"lines": 20 + RING - WEIGHTY_QUEUE})


@pytest.mark.parametrize(
    "last_id", ["", "x", "boot1-", "boot1-x", "boot1-²", "boot0-3", "boot1-" + "9" * 400, "-", "boot1--1"]
)
async def test_an_id_of_another_run_counts_as_none(feed, last_id):
    for at in range(5):
        feed.publish(line(str(at)))
    assert texts(feed.join(last_id).take()) == ["0", "1", "2", "3", "4"]


async def test_figures_are_sent_once_and_only_the_newest(feed):
    client = feed.join()
    for at in (1, 2, 2, 3):
        feed.note("counts", {"n": at})
    assert events_of(client.take()) == [("counts", {"n": 3}, "")]
    feed.note("counts", {"n": 3})
    assert client.take() == b""
    assert events_of(feed.join().take()) == [("counts", {"n": 3}, "")]


async def test_the_stream_greets_sends_and_beats(feed, monkeypatch):
    monkeypatch.setattr(console_feed, "HEARTBEAT_SECONDS", 0.01)
    monkeypatch.setattr(console_feed, "FLUSH_SECONDS", 0)
    client = feed.join()
    stream = feed.stream(client)
    assert events_of(await anext(stream))[0][:2] == ("hello", {"boot": "boot1"})
    while (block := await anext(stream)) != b": here\n\n":
        assert block == b""
    feed.publish(line("now"))
    while not (block := await anext(stream)).startswith(b"id: boot1-1\n"):
        assert block == b": here\n\n"
    assert texts(block) == ["now"]
    await stream.aclose()
    assert feed.clients == 0


async def test_closing_the_feed_ends_every_stream(feed):
    streams = [feed.stream(feed.join()) for _ in range(3)]
    for stream in streams:
        await anext(stream)

    async def drain(stream):
        return [block async for block in stream]

    ends = [asyncio.create_task(drain(stream)) for stream in streams]
    await asyncio.sleep(0)
    feed.close()
    await asyncio.wait_for(asyncio.gather(*ends), 5)
    assert feed.clients == 0


def test_a_line_cannot_break_out_of_its_message():
    block = console_feed.message("line", line("a\n\nevent: line\ndata: {}\r\n\u2028"), "b-1")
    assert block.count(b"\n") == 4
    assert b"\r" not in block
    assert len(events_of(block)) == 1


EVENT = {
    "type": "track",
    "timestamp": "2026-11-22T12:03:10Z",
    "event": "Product Added",
    "userId": "anna",
    "properties": {"product_id": "p1", "name": "Teapot <b>", "price": 12.5, "currency": "EUR", "category": "tea"},
}


def test_an_event_is_told_with_its_product_and_price():
    found = line_of("clickstream", json.dumps(EVENT).encode())
    assert (found.kind, found.customer, found.label, found.at) == ("event", "anna", "Product Added", NOW)
    assert found.text == "Teapot <b> · in tea · 12.50 EUR"


def test_an_order_is_told_with_its_first_products():
    products = [{"product_id": f"p{at}", "name": f"n{at}"} for at in range(5)]
    found = line_of(
        "clickstream", json.dumps({**EVENT, "properties": {"products": products, "total": 1234.5}}).encode()
    )
    assert found.text == "n0, n1, n2 and 2 more · 1,234.50"


def test_a_key_that_is_an_address_is_masked_and_not_linked():
    found = line_of("clickstream", json.dumps({**EVENT, "userId": "anna@shop.example"}).encode())
    assert (found.customer, found.key) == ("a***@shop.example", "")
    assert b"anna@" not in msgspec.json.encode(found)


def test_addresses_in_whatever_place_are_masked():
    event = {**EVENT, "event": "Mail to anna@shop.example", "properties": {"query": "anna@shop.example"}}
    assert b"anna@" not in msgspec.json.encode(line_of("clickstream", json.dumps(event).encode()))


def test_long_texts_are_cut():
    event = {**EVENT, "event": "e" * 10_000, "properties": {"query": "q" * 30_000}}
    assert len(msgspec.json.encode(line_of("clickstream", json.dumps(event).encode()))) < 1_000


def outgoing(**fields):
    values = {
        "trigger_id": "t1", "scenario": "abandoned_cart", "version": 1, "customer": "anna", "anchor": "m", "due": NOW - 2, "fired_at": NOW,
        "expires_at": NOW + 60, "cascade": [Stage("email", "cart")], "addresses": {"email": "anna@shop.example"}, "content": Content(value=39.9, currency="EUR"),
    }  # fmt: skip
    return Trigger(**{**values, **fields})


def test_a_trigger_is_told_without_its_address():
    found = line_of("outbox", encode_json(outgoing()))
    assert (found.kind, found.tone, found.label, found.text) == (
        "trigger",
        Tone.FIRED,
        "abandoned_cart",
        "39.90 EUR · by email",
    )
    assert b"shop.example" not in msgspec.json.encode(found)


def test_a_cancellation_says_why():
    found = line_of("outbox", encode_json(Cancel("t1", "anna", Reason.GOAL_REACHED, NOW)))
    assert found.text == "called back before sending: goal reached"


def test_the_journal_adds_decisions_and_sends_but_not_the_trigger_again():
    sent = line_of(
        "journal", encode_json(JournalLine(NOW, "anna", Reason.SENT, "abandoned_cart", "t1", channel="email"))
    )
    armed = line_of("journal", encode_json(JournalLine(NOW, "anna", Reason.ARMED, "abandoned_cart")))
    assert (sent.kind, sent.tone, armed.kind) == ("send", Tone.SENT, "decision")
    assert line_of("journal", encode_json(JournalLine(NOW, "anna", Reason.FIRED, "abandoned_cart"))) is None


@pytest.mark.parametrize("topic", ["clickstream", "outbox", "journal", "links"])
@pytest.mark.parametrize("value", [b"", b"{", b"[]", b"\xff", b'{"type":1}', b'{"x":' + b"[" * 20_000])
def test_what_cannot_be_read_is_passed_over(topic, value):
    assert line_of(topic, value) is None


def test_the_clock_is_not_an_event_of_a_customer():
    assert line_of("clickstream", b'{"type":"clock","timestamp":"2026-11-22T12:03:10Z"}') is None


def test_lines_are_counted_once_each():
    kinds = [line(), line(kind="trigger", tone=Tone.FIRED), line(kind="trigger", tone=Tone.HELD), line(kind="send", tone=Tone.SENT),
             line(kind="send", tone=Tone.FAILED), line(kind="decision", tone=Tone.HELD), line(kind="decision", tone=Tone.WAIT)]  # fmt: skip
    assert [tally(item) for item in kinds] == ["events", "triggers", "", "sent", "held", "held", ""]
