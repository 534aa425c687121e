"""Erasure on request: nothing under any key of the person stays in state, ledger and journal, and nobody else is touched."""

import pytest

from agents.delivery import steps
from agents.journal import JournalSink
from app.clock import ManualClock
from app.codec import encode_json
from app.journal_store import JournalStore
from app.model.event import ANONYMOUS, EMAIL
from app.model.journal import JournalLine
from app.model.link import Erase
from app.model.reasons import Reason
from app.model.trigger import Erasure
from app.topics import LINKS
from channels.channel import Retry, Sent
from channels.ledger import Message, Standing, address_key
from tables.customer import ALIASES, SHELF_PREFIX
from tables.step import Partition, Step
from tests.agents.ledger_table import trigger
from tests.agents.speaking import Mouth, sender
from tests.driver import DAY, HOUR, Engine

NOW = 1_700_000_000.0


@pytest.fixture(params=[1, 4, 7])
def shop(request):
    return Engine(partitions=request.param)


def erase(shop, key):
    shop.record(LINKS.name, key, encode_json(Erase(key, shop.clock.now())))


def rows_about(shop, *names):
    return [
        key
        for part in shop.table.parts.values()
        for key, row in part.packed.unpacked()
        if any(name in f"{key} {row}" for name in names)
    ]


def test_every_key_of_a_customer_goes_and_no_timer_fires(shop):
    shop.add("p1", None, anonymous="visitor-1")
    shop.subscriber("ann", anonymous="visitor-1")
    shop.add("p2", "ann")
    shop.add("p1", "bob")
    assert set(rows_about(shop, "ann", "visitor-1")) >= {"ann", ANONYMOUS + "visitor-1", EMAIL + "ann@shop.example"}
    erase(shop, "ann")
    assert rows_about(shop, "ann", "visitor-1") == []
    shop.wait(2 * DAY)
    assert shop.fired == []
    assert shop.customer("bob") is not None


@pytest.mark.parametrize("asked", [ANONYMOUS + "visitor-1", EMAIL + "ann@shop.example"])
def test_asking_by_another_key_of_the_same_person_is_enough(shop, asked):
    shop.subscriber("ann", anonymous="visitor-1")
    erase(shop, asked)
    assert rows_about(shop, "ann", "visitor-1") == []


def test_sender_and_journal_are_asked_for_each_key(shop):
    shop.subscriber("ann", anonymous="visitor-1")
    keys = {"ann", ANONYMOUS + "visitor-1", EMAIL + "ann@shop.example"}
    erase(shop, "ann")
    asked = shop.erasures
    assert {item.customer for item in asked} == keys
    assert address_key("email", "ann@shop.example") in [key for item in asked for key in item.addresses]
    assert {line.customer for line in shop.journal if line.reason == Reason.ERASED} == keys


def test_every_device_that_could_be_pushed_to_is_forgotten_by_the_sender_too(shop):
    shop.subscriber("ann")
    addresses = [f"https://push.example/{number} P S" for number in (1, 2)]
    for address in addresses:
        shop.event("Push Subscribed", "ann", source="server", push=f"webpush:{address}")
    assert len(shop.customer("ann").profile.devices) == 2
    erase(shop, "ann")
    keys = {key for item in shop.erasures for key in item.addresses}
    assert {address_key("webpush", address) for address in addresses} <= keys


def test_who_looked_at_a_product_is_forgotten_and_the_product_stays_on_offer(shop):
    shop.view("p1", "ann", category="lamps")
    assert [key for key in rows_about(shop, "ann") if key.startswith(SHELF_PREFIX)]
    erase(shop, "ann")
    assert rows_about(shop, "ann") == []
    assert rows_about(shop, "p1") == [SHELF_PREFIX + "lamps"]


def test_pointers_older_than_the_customer_remembers_go_too(shop):
    for number in range(ALIASES + 5):
        shop.view("p1", None, anonymous=f"visitor-{number:02}")
        shop.identify("ann", anonymous=f"visitor-{number:02}")
    shop.identify("bob", anonymous="other")
    assert len(rows_about(shop, "'ann'")) > ALIASES
    erase(shop, "ann")
    assert rows_about(shop, "'ann'") == []
    assert rows_about(shop, "'bob'") == [ANONYMOUS + "other"]


@pytest.mark.parametrize("asked", ["ann", "dialog:telegram:shop:c1", "phone:+15550001"])
def test_dialogs_leave_the_board_and_no_key_of_a_messenger_stays(shop, asked):
    shop.subscriber("ann", phone="+15550001")
    shop.asks("Is it in stock?", phone="+15550001", email="ann@shop.example")
    shop.answers("Yes.")
    assert shop.board
    erase(shop, asked)
    assert shop.board == {}
    assert rows_about(shop, "ann", "c1", "+15550001") == []


def test_a_client_whom_only_a_messenger_knows_is_erased(shop):
    shop.asks("Is it in stock?")
    erase(shop, "dialog:telegram:shop:c1")
    assert (shop.board, rows_about(shop, "c1")) == ({}, [])


def test_erasing_twice_and_erasing_nobody_change_nothing(shop):
    shop.subscriber("bob")
    before = len(rows_about(shop, "bob"))
    erase(shop, "nobody")
    erase(shop, "nobody")
    assert len(rows_about(shop, "bob")) == before
    assert shop.dead == []


async def test_a_waiting_message_is_forgotten_and_never_said():
    mouth = Mouth(Retry(60.0, "later"))
    async with sender(mouth) as one:
        await one.feed(trigger(1), trigger(2))
        await one.until(lambda: mouth.asked >= 2)
        mouth.answer = Sent("ok")
        await one.feed(Erasure("u1", NOW))
        assert {row.customer for row in one.table.parts[0].rows.values() if isinstance(row, Message)} == {"u2"}
        assert one.delivery.pending == 1
        await one.advance(HOUR)
        await one.until(lambda: mouth.spoken)
        await one.settled()
    assert [message.message_id for message in mouth.spoken] == [f"{2:032x}.0"]


def test_a_suppressed_address_stays_suppressed_and_another_is_forgotten():
    part = Partition(0)
    step = Step(part)
    step.put("a:email:1", Standing(last_marketing=NOW))
    step.put("a:email:2", Standing(suppressed=Reason.UNSUBSCRIBED))
    steps._erase(step, Erasure("u1", NOW, ["a:email:1", "a:email:2", "a:email:3"]))
    assert list(part.rows) == ["a:email:2"]


class Record:
    def __init__(self, line, offset):
        self.value, self.offset = encode_json(line), offset


async def test_lines_before_the_request_go_and_those_of_others_stay(tmp_path):
    store = JournalStore(f"sqlite:///{tmp_path}/journal.sqlite")
    sink = JournalSink(store, ManualClock(), days=90)
    lines = [
        JournalLine(NOW, "ann", Reason.ARMED, "abandoned_cart"),
        JournalLine(NOW, "bob", Reason.ARMED, "abandoned_cart"),
        JournalLine(NOW, "ann", Reason.LINKED, detail={"alias": "anon:1", "owner": "ann"}),
        JournalLine(NOW, "bob", Reason.LINK_REFUSED, detail={"alias": "anon:1", "owner": "ann"}),
        JournalLine(NOW, "bob", Reason.LINK_REFUSED, detail={"alias": "anon:1", "owner": "ann_"}),
        JournalLine(NOW, "ann", Reason.ERASED),
        JournalLine(NOW, "ann", Reason.ARMED, "abandoned_cart"),
    ]
    await sink.on_bundle([Record(line, offset) for offset, line in enumerate(lines)], 0)
    left = [(item.line.customer, item.line.reason, item.line.detail.get("owner")) for item in store.recent(100)]
    assert left == [("bob", "armed", None), ("bob", "link_refused_two_users", "ann_"), ("ann", "armed", None)]
    assert store.keys_of("ann") == ["ann"]
    store.close()
