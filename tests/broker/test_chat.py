"""Chat in on a real Kafka and a real Valkey: what was answered with 200 is there, a repetition is known to every process."""

import os
import signal
import urllib.request

import httpx
import pytest

from app.clock import SYSTEM, moment
from app.codec import decode_chat, decode_dead_letter
from app.engine.provision import provision
from app.web.chat.positions import RedisPositions
from tests.app.web.chat.frames import EXAMPLES, SOURCES, rc, rc_message
from tests.app.web.chat.gateway_server import gateway_server
from tests.broker.conftest import Broker

pytestmark = pytest.mark.broker


def broker_of(settings):
    return Broker(settings.kafka.removeprefix("kafka://"), settings.topic_prefix, settings.partitions)


def answers(port, path="/readyz"):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
        return answer.status == 200


@pytest.fixture
def chat_file(tmp_path):
    file = tmp_path / "chats.yaml"
    file.write_text(SOURCES)
    return file


@pytest.fixture
def start(process, eventually):
    """`await start(settings, command, port)`: topics made, the process started and connected."""

    async def run(settings, command, port):
        await provision(settings)
        child = process.boomerang(command, settings=settings)
        await eventually(lambda: answers(port), 40, f"{command} is ready")
        return child

    return run


async def tell(settings, provider, frame):
    body, headers = EXAMPLES[provider].call(frame, at=SYSTEM.now())
    url = f"http://127.0.0.1:{settings.collector_port}{EXAMPLES[provider].path}"
    async with httpx.AsyncClient(timeout=30) as client:
        return await client.post(url, content=body, headers=headers)


async def test_each_providers_client_reaches_kafka_and_a_repetition_is_known_to_the_next_process(
    make_settings, chat_file, start
):
    settings = make_settings(chats=str(chat_file))
    first = await start(settings, "collector", settings.collector_port)
    for provider, example in EXAMPLES.items():
        answer = await tell(settings, provider, example.frames["client"])
        assert (answer.status_code, answer.text) == (200, example.ok)
        assert (await tell(settings, provider, example.frames["client"])).status_code == 200
    assert first.stop(15) in (0, -signal.SIGTERM)
    await start(settings, "collector", settings.collector_port)
    for provider, example in EXAMPLES.items():
        answer = await tell(settings, provider, example.frames["client"])
        assert (answer.status_code, answer.text) == (200, example.ok)
        assert (await tell(settings, provider, example.without_time(example.frames["client"]))).status_code == 200
    records = await broker_of(settings).read("chat")
    events = [decode_chat(record.value) for record in records]
    assert sorted(event.provider for event in events) == sorted(EXAMPLES)
    assert all(record.key.decode() == event.client for record, event in zip(records, events, strict=True))
    letters = [decode_dead_letter(record.value) for record in await broker_of(settings).read("dead-letters")]
    assert {letter.reason for letter in letters} == {"missing_time"}
    assert len(letters) == len(EXAMPLES)


async def test_a_killed_gateway_reader_loses_nothing(make_settings, tmp_path, start, eventually):
    async with gateway_server() as server:
        file = tmp_path / "chats.yaml"
        file.write_text(f"retailcrm: {{crm: {{url: '{server.url}', token: retailcrm-bot-token}}}}")
        settings = make_settings(chats=str(file))
        child = await start(settings, "chat-gateway", settings.chat_gateway_port)
        assert answers(settings.chat_gateway_port, "/healthz")
        broker = broker_of(settings)

        async def say(numbers, *, aloud=True):
            for number in numbers:
                await server.say(rc("message_new", message=rc_message(id=number, time=_ago(600 - number))), aloud=aloud)

        async def there(number):
            return len({decode_chat(record.value).event_id for record in await broker.read("chat")}) == number

        await eventually(lambda: server.listened_to, 20)
        await say(range(20))
        await eventually(lambda: there(20), 30)
        await say(range(20, 40))
        os.kill(child.pid, signal.SIGKILL)
        await eventually(lambda: child.status() is not None, 10)
        server.sockets.clear()
        await say(range(40, 60), aloud=False)
        again = await start(settings, "chat-gateway", settings.chat_gateway_port)
        await eventually(lambda: server.listened_to, 20)
        await say(range(60, 70))
        await eventually(lambda: there(70), 30)
        assert again.stop(15) in (0, -signal.SIGTERM)


def _ago(seconds):
    return moment(SYSTEM.now() - seconds).isoformat()


async def test_the_reader_without_a_gateway_says_what_to_do(make_settings, process, eventually):
    settings = make_settings(kafka="kafka://127.0.0.1:1", redis="")
    child = process.boomerang("chat-gateway", settings=settings)
    await eventually(lambda: child.status() == 1, 30)
    assert "BOOMERANG_CHATS names no gateway" in child.log.tail(3)[-1]


async def test_a_position_is_kept_in_redis_and_without_it_in_memory(valkey_url):
    positions = RedisPositions(valkey_url, prefix="a-")
    assert await positions.read("crm") is None
    await positions.keep("crm", 1_795_332_000.125)
    await positions.close()
    again, other = RedisPositions(valkey_url, prefix="a-"), RedisPositions(valkey_url, prefix="b-")
    assert (await again.read("crm"), await other.read("crm")) == (1_795_332_000.125, None)
    await again.close()
    await other.close()
    away = RedisPositions("redis://127.0.0.1:1/0")
    assert await away.read("crm") is None
    await away.keep("crm", 5.0)
    assert await away.read("crm") == 5.0
    await away.close()
