"""Dead letters over real Kafka: listed, replayed to where they came from, and not twice."""

import asyncio
import contextlib
import io
import json
from contextlib import asynccontextmanager

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from app import cli
from app.codec import encode_json
from app.dead_letters import VALUE_LIMIT, Hopeless, Produce, Submit, plan
from app.engine.kafka_client import client_options
from app.engine.provision import provision
from app.model.journal import DeadLetter
from app.settings import environment

NOW = 1_795_000_000.0


def refused(value=b'{"type":"track"}', reason="negative_price", source="collector:browser"):
    return DeadLetter(reason, NOW, key=b"collector", value=value, source=source, detail="price of -1")


def stuck(topic="clickstream", value=b"{}", reason="bad_record", partition=1, key=b"anna"):
    return DeadLetter(reason, NOW, topic, partition, 7, key, value, "no type", "engine")


@pytest.mark.parametrize(
    ("letter", "planned"),
    [
        (stuck(), Produce("clickstream", None)),
        (stuck("p-receipts"), Produce("receipts", None)),
        (stuck("p-chat"), Produce("chat", None)),
        (stuck(key=b""), Produce("clickstream", 1)),
        (stuck(key=b"", partition=9), Produce("clickstream", None)),
        (stuck(key=b"", partition=-1), Produce("clickstream", None)),
        (stuck("customers-changelog"), Hopeless("nothing may be written to customers-changelog")),
        (stuck("dead-letters"), Hopeless("nothing may be written to dead-letters")),
        (stuck(value=b""), Hopeless("its content was not kept")),
        (stuck(value=b"x" * VALUE_LIMIT), Hopeless("it was cut off at 64 KiB")),
        (refused(), Submit("browser")),
        (refused(source="collector:server"), Submit("server")),
        (refused(source=""), Submit("browser")),
        (
            refused(source="chat:vk:club"),
            Hopeless("it is a messenger's, and only the messenger can send it again"),
        ),
        (refused(b"{"), Hopeless("it is not JSON")),
        (refused(b"[" * 60_000), Hopeless("it is not JSON")),
        (refused(b"[1]"), Hopeless("it is not an event")),
    ],
)
def test_what_replaying_a_letter_means(letter, planned):
    assert plan(letter, 2, "p-") == planned


@pytest.fixture
async def settings(make_settings):
    settings = make_settings(redis="", partitions=2)
    await provision(settings, create=True)
    return settings


@asynccontextmanager
async def _producing(settings):
    producer = AIOKafkaProducer(**client_options(settings))
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def bury(settings, *letters, partition=0):
    async with _producing(settings) as producer:
        for letter in letters:
            value = letter if isinstance(letter, bytes) else encode_json(letter)
            await producer.send_and_wait(settings.topic_prefix + "dead-letters", value, key=b"k", partition=partition)


async def records(settings, topic):
    consumer = AIOKafkaConsumer(
        settings.topic_prefix + topic,
        **client_options(settings),
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    await consumer.start()
    try:
        found = []
        while batches := await consumer.getmany(timeout_ms=700):
            found += [record for batch in batches.values() for record in batch]
        return found
    finally:
        await consumer.stop()


@pytest.fixture
def command(settings, monkeypatch):
    """Runs `boomerang dead-letters ...`: exit status, lines of stdout, stderr."""

    async def run(*words):
        for name, value in environment(settings).items():
            monkeypatch.setenv(name, value)
        out, err = io.StringIO(), io.StringIO()

        def call():
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                return cli.main(["dead-letters", *words])

        status = await asyncio.to_thread(call)
        return status, out.getvalue().splitlines(), err.getvalue()

    return run


@pytest.mark.broker
async def test_letters_are_listed_with_reason_origin_and_content(settings, command):
    await bury(settings, stuck(value='{"email":"anna@shop.example","n":"имя"}'.encode()), b"not a letter", refused())
    status, lines, err = await command("list")
    assert status == 0
    assert "bad_record  clickstream 1:7  no type" in lines[0]
    assert "anna@shop.example" not in lines[0]
    assert "negative_price  collector:browser  price of -1" in lines[1]
    assert "2 dead letters" in err


@pytest.mark.broker
async def test_the_list_as_json_has_everything(settings, command):
    await bury(settings, stuck(value=b'{"a":1}\xff'), partition=1)
    _, lines, _ = await command("list", "--json")
    assert json.loads(lines[0]) == {
        "place": "1:0", "at": NOW, "reason": "bad_record", "source": "engine", "topic": "clickstream", "partition": 1, "offset": 7,
        "key": "anna", "value": '{"a":1}\ufffd', "detail": "no type", "replayed": False,
    }  # fmt: skip


@pytest.mark.broker
async def test_the_list_is_bounded_and_can_be_narrowed(settings, command):
    await bury(settings, *(stuck(value=b"%d" % at) for at in range(5)), refused())
    _, lines, err = await command("list", "--reason", "bad_record", "--limit", "2")
    assert [line[-1] for line in lines] == ["3", "4"]
    assert "5 dead letters, the newest 2 shown" in err


@pytest.mark.broker
async def test_a_record_goes_back_to_its_partition_with_its_key_and_only_once(settings, command):
    await bury(settings, stuck(value=b"one"), stuck(value=b"two", partition=0, key=b"boris"))
    status, lines, _ = await command("replay")
    assert (status, lines) == (0, ["bad_record: 2 sent again"])
    found = await records(settings, "clickstream")
    assert sorted((record.partition, record.key, record.value) for record in found) == [
        (0, b"boris", b"two"),
        (1, b"anna", b"one"),
    ]
    status, lines, _ = await command("replay")
    assert (status, lines) == (0, ["2 had been sent again before"])
    assert len(await records(settings, "clickstream")) == 2
    _, lines, _ = await command("list")
    assert len(lines) == 2
    assert all(line.endswith("(replayed)") for line in lines)


@pytest.mark.broker
async def test_what_arrives_after_a_replay_is_replayed_next_time(settings, command):
    await bury(settings, stuck(value=b"one"))
    await command("replay")
    await bury(settings, stuck(value=b"two"))
    _, lines, _ = await command("replay")
    assert lines == ["bad_record: 1 sent again", "1 had been sent again before"]
    assert [record.value for record in await records(settings, "clickstream")] == [b"one", b"two"]


@pytest.mark.broker
async def test_replaying_one_reason_leaves_the_others_for_later(settings, command):
    await bury(settings, stuck(value=b"one"), stuck(value=b"two", reason="handler_failed"), stuck(value=b"three"))
    _, lines, _ = await command("replay", "--reason", "handler_failed")
    assert lines == ["handler_failed: 1 sent again"]
    _, lines, _ = await command("replay")
    assert lines == ["bad_record: 2 sent again", "1 had been sent again before"]
    assert sorted(record.value for record in await records(settings, "clickstream")) == [b"one", b"three", b"two"]


@pytest.mark.broker
async def test_a_dry_run_changes_nothing(settings, command):
    await bury(settings, stuck(value=b"one"), stuck("ledger-changelog"))
    status, lines, _ = await command("replay", "--dry-run")
    assert status == 0
    assert lines == [
        "bad_record: 1 would be sent again",
        "1 cannot be sent again: nothing may be written to ledger-changelog",
    ]
    assert await records(settings, "clickstream") == []
    _, lines, _ = await command("replay")
    assert lines[0] == "bad_record: 1 sent again"


@pytest.mark.broker
async def test_many_letters_go_in_batches(settings, command):
    await bury(settings, *(stuck(value=b"%d" % at) for at in range(450)))
    _, lines, _ = await command("replay")
    assert lines == ["bad_record: 450 sent again"]
    assert [int(record.value) for record in await records(settings, "clickstream")] == list(range(450))


@pytest.mark.broker
async def test_a_refused_event_goes_back_through_the_collector(settings, command, process, eventually):
    """As after a fix: the event that was refused is fine now, and the real collector takes it."""
    event = {
        "type": "track",
        "event": "Product Added",
        "userId": "anna",
        "messageId": "m-1",
        "properties": {"product_id": "p1", "price": 3},
    }
    await bury(
        settings,
        refused(json.dumps(event).encode()),
        refused(json.dumps({**event, "messageId": "m-2"}).encode(), source="collector:server"),
    )
    child = process.boomerang("collector", settings=settings)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{settings.collector_port}") as client:

        async def ready():
            assert child.status() is None, child.log.tail()
            return (await client.get("/readyz")).status_code == 200

        await eventually(ready, 30)
    status, lines, err = await command("replay")
    assert (status, lines) == (0, ["negative_price: 2 sent again"]), err
    stored = {
        json.loads(record.value)["messageId"]: json.loads(record.value).get("source", "browser")
        for record in await records(settings, "clickstream")
    }
    assert stored == {"m-1": "browser", "m-2": "server"}
    _, lines, _ = await command("replay")
    assert lines == ["2 had been sent again before"]


@pytest.mark.broker
async def test_a_collector_that_is_away_is_said_in_one_line_and_nothing_counts_as_replayed(settings, command):
    await bury(settings, refused())
    status, _, err = await command("replay")
    assert status == 1
    assert "--collector" in err
    assert err.count("\n") == 1
    _, lines, _ = await command("replay", "--dry-run")
    assert lines == ["negative_price: 1 would be sent again"]


@pytest.mark.broker
async def test_a_collector_that_refuses_stops_the_replay(settings, command):
    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    await bury(settings, refused())
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        status, _, err = await command("replay", "--collector", f"http://127.0.0.1:{port}")
    assert status == 1
    assert "answered 503" in err


@pytest.mark.broker
async def test_an_empty_topic_is_no_failure(command):
    assert (await command("replay"))[:2] == (0, ["there are no dead letters"])
    assert (await command("list"))[:2] == (0, [])


async def test_wrong_use_is_said_in_one_line(monkeypatch, capsys):
    monkeypatch.setenv("BOOMERANG_KAFKA", "kafka://127.0.0.1:1")
    for words in (
        ["list", "--reason", "nope"],
        ["list", "--limit", "0"],
        ["replay", "--collector", "file:///etc/passwd"],
    ):
        status = await asyncio.to_thread(cli.main, ["dead-letters", *words])
        assert status == 2, words
        assert capsys.readouterr().err.count("\n") == 1


async def test_a_broker_that_is_away_is_said_in_one_line(monkeypatch, capsys):
    monkeypatch.setenv("BOOMERANG_KAFKA", "kafka://127.0.0.1:1")
    for words in (["list"], ["replay"]):
        assert await asyncio.to_thread(cli.main, ["dead-letters", *words]) == 1
        assert "Kafka" in capsys.readouterr().err
