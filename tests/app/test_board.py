"""The board: which rows there are, in which order, and that a page is told each change once."""

import json
import re
from dataclasses import replace
from itertools import count

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from app.clock import SYSTEM
from app.codec import decode_chat, encode_json
from app.engine.kafka_client import client_options
from app.engine.provision import provision
from app.model.alert import AlertState, Deadline, DialogView, Watch, Word
from app.model.chat import CommandKind, Speaker
from app.repartition.broker import connected
from app.topics import CHAT, DIALOGS, partition_of
from app.web.console.app import create
from app.web.console.board import MOST_SHOWN, NOBODY, Board, Page, row
from app.web.console.state import Console

NOW = 1_700_000_000.0


def view(dialog="telegram:shop:1", **changes):
    values = {
        "customer": "anna",
        "at": NOW,
        "provider": "telegram",
        "who": "Anna",
        "waiting": Speaker.MANAGER,
        "since": NOW - 60,
        **changes,
    }
    return DialogView(dialog, **values)


def alerted(dialog, state=AlertState.OPEN, **changes):
    return view(
        dialog, waiting=Speaker.CLIENT, alert_id="a" * 32, alert_watch=Watch.SILENT_CLIENT, alert_state=state, **changes
    )


def board(*views):
    made = Board()
    for one in views:
        made.put(one.dialog, encode_json(one))
    return made


def dialogs(made, member=""):
    return [one.dialog for one in made.shown(member)]


def test_only_dialogs_that_concern_somebody_are_on_the_board():
    made = board(
        view("waits"),
        view("quiet", waiting=None),
        view("manager spoke", waiting=Speaker.CLIENT),
        alerted("silent"),
        alerted("solved", AlertState.RESOLVED),
        alerted("dismissed", AlertState.DISMISSED),
    )
    assert set(dialogs(made)) == {"waits", "silent"}


def test_the_most_at_stake_comes_first_and_what_somebody_has_comes_last():
    made = board(
        alerted("taken", AlertState.TAKEN, priority=3, value=9e9),
        view("poor and long", since=NOW - 900),
        view("poor", since=NOW - 60),
        view("rich", value=500.0),
        view("she is looking", priority=2),
    )
    assert dialogs(made) == ["she is looking", "rich", "poor and long", "poor", "taken"]


def test_a_row_is_replaced_and_leaves_when_its_dialog_is_over():
    made = board(view("a", who="Anna"), view("b"), view("a", who="Maria"))
    assert [one.who for one in made.shown("") if one.dialog == "a"] == ["Maria"]
    made.put("a", None)
    made.put("b", encode_json(view("b", waiting=None)))
    made.put("never there", None)
    assert dialogs(made) == [] and len(made) == 0


def test_a_record_that_cannot_be_read_removes_the_row_and_stops_nothing():
    made = board(view("a"), view("b"))
    made.put("a", b"{not json")
    made.put("c", b"\xff\xfe")
    assert dialogs(made) == ["b"]


def test_a_manager_sees_his_own_dialogs_and_what_is_nobodys_can_be_asked_for():
    made = board(
        view("mine", member="maria", manager="777", manager_name="Maria"),
        view(
            "taken by me",
            member="ivan",
            taken_by="maria",
            taken_by_name="Maria",
            alert_id="x",
            alert_state=AlertState.TAKEN,
        ),
        view("his", member="ivan", manager_name="Ivan"),
        view("nobody's"),
    )
    assert set(dialogs(made, "maria")) == {"mine", "taken by me"}
    assert dialogs(made, NOBODY) == ["nobody's"] and dialogs(made, "stranger") == []
    assert made.members() == [("ivan", "Ivan", 1), ("maria", "Maria", 2), (NOBODY, "", 1)]


def test_a_page_shows_a_bounded_number_of_rows_and_says_how_many_there_are():
    made = board(*(view(f"d{n:05}", value=float(n)) for n in range(MOST_SHOWN + 50)))
    told = Page("").changes(made)
    assert len(told["rows"]) == len(told["order"]) == MOST_SHOWN and told["total"] == MOST_SHOWN + 50


def test_a_row_holds_values_and_no_markup_and_only_usable_links():
    evil = "<script>alert(1)</script>"
    made = row(
        alerted(
            "d",
            who=evil,
            url="javascript:alert(1)",
            words=[Word(Speaker.CLIENT, NOW, evil * 100)],
            value=1e4,
            currency="RUB",
        )
    )
    assert (
        made["who"] == evil
        and made["url"] == ""
        and len(made["words"][0]["text"]) == 300
        and made["value"] == "₽10,000"
    )
    due = row(
        view(deadlines=[Deadline(Watch.NEXT_RESPONSE, "s", NOW + 9), Deadline(Watch.FIRST_RESPONSE, "s", NOW + 5)])
    )
    assert (due["due"], due["watch"]) == (NOW + 5, "first_response")


class Screen:
    """What the page's script does with what it is told."""

    def __init__(self):
        self.rows, self.order = {}, []

    def change(self, told):
        if told is None:
            return
        if told.get("fresh"):
            self.rows = {}
        self.rows |= {line["dialog"]: line for line in told.get("rows", [])}
        self.order = told.get("order", self.order)
        self.rows = {dialog: self.rows[dialog] for dialog in self.order}


changes = st.lists(
    st.tuples(
        st.sampled_from("abcde"),
        st.one_of(st.none(), st.builds(lambda value, waits, state: (value, waits, state), st.integers(0, 3), st.booleans(), st.sampled_from([None, *AlertState]))),
        st.booleans(),
        st.booleans(),
    ),
    max_size=30,
)  # fmt: skip


@given(changes)
def test_a_page_that_is_told_changes_and_comes_back_at_any_time_shows_what_is_on_the_board(history):
    made, page, screen = Board(), Page(""), Screen()
    for dialog, what, look, comes_back in history:
        if what is None:
            made.put(dialog, None)
        else:
            value, waits, state = what
            waiting = Speaker.MANAGER if waits else Speaker.CLIENT
            made.put(
                dialog, encode_json(view(dialog, value=float(value), waiting=waiting, alert_id="x", alert_state=state))
            )
        if comes_back:
            page = Page("")
        if look or comes_back:
            screen.change(page.changes(made))
            assert page.changes(made) is None, "nothing is told twice"
            assert screen.order == dialogs(made) and list(screen.rows.values()) == [row(one) for one in made.shown("")]


# -- over real Kafka


@pytest.fixture
async def settings(make_settings):
    settings = make_settings(redis="", partitions=2)
    await provision(settings, create=True)
    return settings


@pytest.fixture
async def console(settings):
    console = Console(settings, SYSTEM)
    yield console
    await console.close()


@pytest.fixture
async def client(console):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create(console)), base_url="http://127.0.0.1") as client:
        yield client


async def publish(settings, *records):
    producer = AIOKafkaProducer(**client_options(settings))
    await producer.start()
    for key, value in records:
        await producer.send_and_wait(
            settings.topic_prefix + DIALOGS.name,
            encode_json(value) if value is not None else None,
            key=key.encode(),
            partition=partition_of(key, settings.partitions),
        )
    await producer.stop()


async def commands(settings):
    topic = settings.topic_prefix + CHAT.name
    consumer = AIOKafkaConsumer(**client_options(settings))
    await consumer.start()
    partitions = [TopicPartition(topic, number) for number in range(settings.partitions)]
    consumer.assign(partitions)
    await consumer.seek_to_beginning(*partitions)
    ends, found = await consumer.end_offsets(partitions), []
    while any([await consumer.position(tp) < end for tp, end in ends.items()]):
        for records in (await consumer.getmany(timeout_ms=200)).values():
            found += [(record.key.decode(), record.partition, decode_chat(record.value)) for record in records]
    await consumer.stop()
    return found


async def rows(client):
    answer = (await client.get("/api/board")).json()
    return sorted(line["dialog"] for line in answer["rows"]) if answer["ready"] else None


async def press(client, **body):
    token = re.search('data-csrf="([^"]+)"', (await client.get("/dialogs")).text)[1]
    asked = {"kind": "take", "dialog": "a", "request": "12345678", **body}
    return await client.post("/api/board/commands", json=asked, headers={"X-CSRF-Token": token})


@pytest.mark.broker
@pytest.mark.parametrize("grown", [CHAT.name, DIALOGS.name])
async def test_a_repartition_beneath_a_running_board_is_noticed_before_a_command_goes_astray(
    settings, console, client, eventually, monkeypatch, grown
):
    monkeypatch.setattr("app.web.console.boardroom.METADATA_MS", 200)
    await publish(settings, ("a", view("a")))
    await eventually(lambda: rows(client))
    assert (await press(client)).status_code == 202
    async with connected(settings) as broker:
        await broker.grow([grown], 4)

    async def noticed():
        if grown == DIALOGS.name:
            return not console.boardroom.connected
        return (await press(client, request=f"request-{next(numbers)}")).status_code == 503

    numbers = count()
    await eventually(noticed, 30, "the console has noticed")
    if grown == CHAT.name:
        told = "set BOOMERANG_PARTITIONS=4 and start this process again"
        assert told in (await press(client, request="once-more")).json()["error"]
        stored = len(await commands(replace(settings, partitions=4)))
        await press(client, request="and-again")
        assert len(await commands(replace(settings, partitions=4))) == stored


@pytest.mark.broker
async def test_a_restarted_console_has_the_same_board_and_follows_it(settings, eventually):
    await publish(
        settings, ("a", view("a")), ("b", view("b")), ("c", view("c")), ("c", None), ("a", view("a", who="Maria"))
    )
    for turn in range(2):
        console = Console(settings, SYSTEM)
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(create(console)), base_url="http://127.0.0.1"
        ) as client:
            expected = [["a", "b"], ["b", "d0"]][turn]

            async def shown(expected=expected, client=client):
                return await rows(client) == expected

            await eventually(shown)
            await publish(settings, ("a", None), (f"d{turn}", view(f"d{turn}")))
        await console.close()


@pytest.mark.broker
async def test_a_press_becomes_a_command_under_the_customers_key(settings, client, console, eventually):
    await publish(
        settings, ("a", view("a", customer="dialog:telegram:shop:5", alert_id="f" * 32, alert_state=AlertState.OPEN))
    )

    async def there():
        return await rows(client) == ["a"]

    await eventually(there)
    assert (await press(client)).status_code == 202
    assert (await press(client, kind="snooze", seconds=600, request="abcdefgh")).status_code == 202
    (key, partition, first), (_, _, second) = await commands(settings)
    assert key == "dialog:telegram:shop:5" and partition == partition_of(key, settings.partitions)
    assert (first.kind, first.dialog, first.customer, first.alert) == (CommandKind.TAKE, "a", key, "f" * 32)
    assert (second.kind, second.seconds) == (CommandKind.SNOOZE, 600.0) and first.event_id != second.event_id
    assert (await press(client)).status_code == 202
    assert (await commands(settings))[-1][2].event_id == first.event_id, "a repetition is known by its id"


@pytest.mark.broker
@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"dialog": "unknown"}, 404),
        ({"kind": "explode"}, 400),
        ({"request": "short"}, 400),
        ({"seconds": 1e9}, 400),
        ({"seconds": "x"}, 400),
        ({"customer": "somebody else"}, 400),
    ],
)
async def test_a_command_that_makes_no_sense_is_refused_and_nothing_is_written(
    settings, client, eventually, body, status
):
    await publish(settings, ("a", view("a")))

    async def there():
        return await rows(client) == ["a"]

    await eventually(there)
    answer = await press(client, **body)
    assert answer.status_code == status and answer.json()["error"]
    assert await commands(settings) == []


async def test_without_kafka_the_board_says_so_and_a_page_is_not_left_waiting(make_settings):
    console = Console(make_settings(kafka="kafka://127.0.0.1:1", redis=""), SYSTEM)
    stream = console.boardroom.stream("")
    blocks = [await anext(stream) for _ in range(2)]
    assert b"event: hello" in blocks[0] and json.loads(blocks[1].split(b"data: ")[1]) == {
        "connected": False,
        "ready": False,
    }
    console.boardroom.close()
    assert all(b"event: board" not in block for block in [block async for block in stream]), "and it ends"
    await console.close()
