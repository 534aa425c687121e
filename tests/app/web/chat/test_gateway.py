"""The reader of RetailCRM's gateway against a server that drops it, refuses it, and knows more than it said aloud."""

import asyncio
import contextlib
import logging

import pytest

from app.metrics import CHAT_GATEWAY_CONNECTED, CHAT_GATEWAY_RECONNECTS
from app.model.chat import ChatKind
from app.web.chat import gateway, retailcrm
from app.web.chat.bot_api import PAGE
from app.web.chat.courier import Courier
from app.web.chat.gateway import FIRST_LOOK_SECONDS, LONGEST_LOOK_SECONDS, OVERLAP_SECONDS, Gateway
from app.web.chat.positions import RedisPositions
from tests.app.web.chat.frames import AT, RETAILCRM, rc, rc_dialog, rc_message
from tests.app.web.chat.gateway_server import TOKEN, gateway_server
from tests.app.web.conftest import NOW


class Reader:
    """A reader on a server, with the collector's sink behind it."""

    def __init__(self, desk, server, positions=None, token=TOKEN, heartbeat=20.0):
        self.desk, self.server = desk, server
        self.positions = positions or RedisPositions("")
        config = retailcrm.Config(server.url, token)
        courier = Courier(desk.settings, desk.intake)
        self.gateway = Gateway("crm", config, courier, self.positions, desk.clock, pause=0.02, heartbeat=heartbeat)
        self.task = None

    def start(self):
        self.task = asyncio.ensure_future(self.gateway.run())

    async def stop(self):
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task

    def ids(self):
        return [event.event_id for event in self.desk.said]


@pytest.fixture
async def server():
    async with gateway_server() as running:
        yield running


@pytest.fixture
async def reader(desk, server):
    reader = Reader(desk, server)
    reader.start()
    yield reader
    await reader.stop()


def message(number, **more):
    return rc("message_new", message=rc_message(id=number, **more))


def at(second):
    return f"2026-11-22T07:19:{second:02d}.000Z"


def reconnects(reason):
    return CHAT_GATEWAY_RECONNECTS.labels("crm", reason)._value.get()


async def test_frames_are_read_in_their_order_with_the_token_in_the_header(desk, server, reader, eventually):
    await eventually(lambda: server.listened_to)
    for frame in RETAILCRM.values():
        await server.say(frame)
    await eventually(lambda: len(desk.said) == len(RETAILCRM))
    assert [event.kind for event in desk.said] == [ChatKind.MESSAGE] * 3 + [
        ChatKind.OPENED,
        ChatKind.ASSIGNED,
        ChatKind.CLOSED,
    ]
    assert server.wrong_tokens == 0
    assert CHAT_GATEWAY_CONNECTED.labels("crm")._value.get() == 1


async def test_nothing_is_lost_or_doubled_over_a_dropped_connection(desk, server, reader, eventually):
    await eventually(lambda: server.listened_to)
    await server.say(message(1))
    await eventually(lambda: reader.ids() == ["message:1"])
    await server.say(message(2), aloud=False)
    await server.say(rc("dialog_closed", dialog=rc_dialog(closed_at=at(55))), aloud=False)
    await server.drop()
    await eventually(lambda: server.opened == 2)
    await eventually(lambda: server.listened_to)
    await server.say(message(3))
    await eventually(lambda: len(reader.ids()) >= 6)
    await server.say(message(4))
    await eventually(lambda: "message:4" in reader.ids())
    assert sorted(reader.ids()) == [
        "assigned:15:8:1795331970.0", "closed:15", "message:1", "message:2", "message:3", "message:4", "opened:15",
    ]  # fmt: skip


async def test_what_is_said_while_the_lists_are_read_is_not_lost(desk, server, eventually):
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def hold():
        asked.set()
        await go_on.wait()

    server.before_list = hold
    reader = Reader(desk, server)
    reader.start()
    await asyncio.wait_for(asked.wait(), 10)
    for number in range(1, 6):
        await server.say(message(number))
    assert desk.said == []
    go_on.set()
    await eventually(lambda: len(desk.said) == 5)
    await server.say(message(6))
    await eventually(lambda: "message:6" in reader.ids())
    assert sorted(reader.ids()) == [f"message:{number}" for number in range(1, 7)]
    await reader.stop()


async def test_the_lists_are_asked_from_a_little_before_the_kept_moment_on(desk, server, eventually):
    positions = RedisPositions("")
    await positions.keep("crm", NOW - 500)
    reader = Reader(desk, server, positions)
    reader.start()
    await eventually(lambda: len(server.asked) == 2)
    assert server.asked == [("messages", NOW - 500 - OVERLAP_SECONDS), ("dialogs", NOW - 500 - OVERLAP_SECONDS)]
    await server.say(message(1))
    await eventually(lambda: desk.said)

    async def moved():
        return await positions.read("crm") == AT + 0.125

    await eventually(moved)
    await reader.stop()


@pytest.mark.parametrize(
    ("kept", "from_"), [(None, FIRST_LOOK_SECONDS), (NOW - 9e6, LONGEST_LOOK_SECONDS), (NOW + 9e6, 0)]
)
async def test_a_look_back_is_bounded(desk, server, eventually, kept, from_):
    positions = RedisPositions("")
    if kept is not None:
        await positions.keep("crm", kept)
    reader = Reader(desk, server, positions)
    reader.start()
    await eventually(lambda: server.asked)
    assert server.asked[0] == ("messages", NOW - from_ - OVERLAP_SECONDS)
    await reader.stop()


async def test_pages_are_read_to_their_end(desk, server, eventually):
    for number in range(2 * PAGE + 30):
        second = f"2026-11-22T07:{10 + number // 60:02d}:{number % 60:02d}.000Z"
        await server.say(message(number, time=second), aloud=False)
    reader = Reader(desk, server)
    reader.start()
    await eventually(lambda: len(desk.said) == 2 * PAGE + 30)
    assert len(set(reader.ids())) == 2 * PAGE + 30
    await reader.stop()


async def test_a_page_of_one_moment_does_not_go_round_in_circles(desk, server, eventually):
    for number in range(PAGE + 20):
        await server.say(message(number), aloud=False)
    reader = Reader(desk, server)
    reader.start()
    await eventually(lambda: ("dialogs", NOW - FIRST_LOOK_SECONDS - OVERLAP_SECONDS) in server.asked)
    assert len([what for what, _ in server.asked if what == "messages"]) == 2
    assert len(desk.said) == PAGE
    await reader.stop()


async def test_the_position_moves_only_when_both_lists_have_been_read(desk, server, eventually):
    positions = RedisPositions("")
    await positions.keep("crm", NOW - 500)
    await server.say(message(1), aloud=False)
    server.refuse["dialogs"] = (500, {})
    before = reconnects("refused")
    reader = Reader(desk, server, positions)
    reader.start()
    await eventually(lambda: reconnects("refused") >= before + 2)
    assert await positions.read("crm") == NOW - 500
    server.refuse.clear()

    async def moved():
        return await positions.read("crm") == AT + 0.125

    await eventually(moved)
    assert reader.ids() == ["message:1"]
    await reader.stop()


async def test_without_kafka_nothing_moves_on_and_everything_comes_when_it_is_back(desk, server, reader, eventually):
    await eventually(lambda: server.listened_to)
    desk.sink.up = False
    before = reconnects("not_stored")
    await server.say(message(1))
    await eventually(lambda: reconnects("not_stored") > before)
    assert (desk.said, await reader.positions.read("crm")) == ([], None)
    desk.sink.up = True
    await eventually(lambda: reader.ids() == ["message:1"])


async def test_a_refused_token_is_told_once_without_the_token(desk, server, eventually, caplog):
    caplog.set_level(logging.WARNING)
    before = reconnects("token_refused")
    reader = Reader(desk, server, token="another-bot-token")
    reader.start()
    await eventually(lambda: reconnects("token_refused") >= before + 3)
    await reader.stop()
    told = [record.getMessage() for record in caplog.records if record.name == gateway.__name__]
    assert told == ["retailcrm crm: refuses the token with 401; look at `token` in BOOMERANG_CHATS; connecting again"]
    assert desk.said == []


async def test_a_gateway_that_is_away_is_tried_again_until_it_is_there(desk, eventually):
    async with gateway_server() as gone:
        pass
    before = reconnects("unreachable")
    reader = Reader(desk, gone)
    reader.start()
    await eventually(lambda: reconnects("unreachable") >= before + 3)
    await reader.stop()


async def test_a_gateway_that_does_not_answer_a_ping_is_left(desk, server, eventually):
    server.deaf = True
    before = reconnects("closed")
    reader = Reader(desk, server, heartbeat=0.2)
    reader.start()
    await eventually(lambda: reconnects("closed") > before)
    await eventually(lambda: server.opened >= 2)
    await reader.stop()


async def test_the_token_does_not_follow_a_redirect(desk, server, eventually):
    server.refuse["ws"] = (302, {"Location": server.url + "/api/bot/v1/messages?since=2026-11-22T07:19:00Z&limit=1"})
    before = reconnects("unreachable")
    reader = Reader(desk, server)
    reader.start()
    await eventually(lambda: reconnects("unreachable") > before)
    assert server.asked == []
    await reader.stop()


async def test_a_strange_frame_is_a_dead_letter_and_the_next_one_counts(desk, server, reader, eventually):
    await eventually(lambda: server.listened_to)
    for frame in ("{", "[]", '{"type":"message_new","data":{"message":null}}', '{"type":"settings_updated"}'):
        await server.send(frame)
    await server.say(message(1))
    await server.say(message(2, chat_id=None, chat=None))
    await server.say(message(3, time=None))
    await eventually(lambda: len(desk.dead) == 4)
    assert reader.ids() == ["message:1"]
    assert [letter.reason for letter in desk.dead] == ["not_json", "wrong_type", "missing_dialog", "missing_time"]
    assert {letter.source for letter in desk.dead} == {"chat:retailcrm:crm"}


async def test_a_frame_of_over_1_mb_ends_the_connection_and_the_lists_tell_it(desk, server, reader, eventually):
    await eventually(lambda: server.listened_to)
    await server.say(message(1, content="я" * 600_000))
    await eventually(lambda: server.opened == 2)
    await eventually(lambda: reader.ids() == ["message:1"])


async def test_a_flood_that_cannot_be_stored_is_given_up_and_read_again(desk, server, eventually, monkeypatch):
    monkeypatch.setattr(gateway, "WAITING_LIMIT", 5)
    held, go_on = asyncio.Event(), asyncio.Event()

    async def hold():
        held.set()
        await go_on.wait()

    server.before_list = hold
    reader = Reader(desk, server)
    reader.start()
    await asyncio.wait_for(held.wait(), 10)
    for number in range(20):
        await server.say(message(number))
    before = reconnects("overflow")
    go_on.set()
    await eventually(lambda: reconnects("overflow") > before)
    await eventually(lambda: len(desk.said) == 20)
    assert len(set(reader.ids())) == 20
    await reader.stop()
