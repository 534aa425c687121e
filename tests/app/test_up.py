"""`boomerang up`: starts all, keeps all running, and leaves nothing behind, with real servers and stub children."""

import asyncio
import os
import signal
import socket
import sys
import time
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from app.children import (
    CHAT_GATEWAY,
    QUICK_CRASH_SECONDS,
    QUICK_CRASHES,
    WRONG_USE,
    Child,
    Crashes,
    answers,
    verify_ports,
)
from app.embedded.process import Process, command_line
from app.embedded.state import State
from app.errors import CommandError
from app.settings import load
from app.supervisor import running_system

STUB = str(Path(__file__).parents[1] / "stub_child.py")
SERVERS_ONLY = ("--no-collector", "--no-worker", "--no-delivery", "--no-console")


def stub(name, mode="", **keywords):
    variable = {"collector": "BOOMERANG_COLLECTOR_PORT"}.get(name, "BOOMERANG_WORKER_PORT")
    arguments = (STUB, name, variable, *([mode] if mode else []))
    return Child(name, arguments, lambda s: s.collector_port if name == "collector" else s.worker_port, **keywords)


@pytest.fixture
def external(make_settings):
    """Settings that name the run's servers: nothing embedded is started."""
    return make_settings()


@asynccontextmanager
async def watched(settings, **keywords):
    """A running system that is watched, as `up` does."""
    async with running_system(settings, **keywords) as system:
        watch = asyncio.create_task(system.watch())
        try:
            yield system, watch
        finally:
            watch.cancel()
            with suppress(asyncio.CancelledError, CommandError):
                await watch


async def ready(up, eventually):
    """Wait until `boomerang up` says that it is ready."""
    await eventually(lambda: up.status() is not None or any("ready in" in line for line in up.log.tail(40)), 90)
    assert up.status() is None, up.log.tail(10)


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.broker
async def test_children_get_the_addresses_and_end_before_the_servers_collector_first(external):
    said = []
    children = (stub("worker"), stub("collector", stop_rank=0))
    async with running_system(external, children=children, report=said.append) as system:
        assert set(system.pids) == {"worker", "collector"}
        assert all(answers("127.0.0.1", port, "/readyz") for port in (external.collector_port, external.worker_port))
        pids = list(system.pids.values())
    assert sorted(lines(external.data / "started")) == [f"collector {external.kafka}", f"worker {external.kafka}"]
    assert lines(external.data / "ended") == ["collector", "worker"]
    assert [command_line(pid) for pid in pids] == ["", ""]
    assert any(text.startswith("collector  ready") for text in said)


@pytest.mark.broker
async def test_a_killed_child_is_started_again_and_its_output_is_echoed_with_its_name(external, eventually):
    echoed = []
    async with watched(external, children=(stub("worker"),), echo=lambda *line: echoed.append(line)) as (system, _):
        first = system.pids["worker"]
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: system.pids.get("worker", first) != first, 10)
        await eventually(lambda: system.children[0].ready, 10)
    assert echoed == [("worker", "worker says hello")] * 2


@pytest.mark.broker
async def test_a_child_that_never_starts_is_told_with_the_end_of_its_log(external):
    with pytest.raises(CommandError, match="worker ended with status 1: .*no luck today"):
        async with running_system(external, children=(stub("worker", "crash"),)):
            pytest.fail("it cannot be ready")


@pytest.mark.broker
async def test_a_child_that_crashes_again_and_again_ends_the_system(external, monkeypatch):
    monkeypatch.setattr("app.children.LONGEST_PAUSE", 0.01)
    said = []
    async with watched(external, children=(stub("worker"),), report=said.append) as (system, watch):
        unit = system.children[0]
        log = unit.process.log

        def start_badly():
            return Process("worker", [sys.executable, "-c", "print('no luck today'); raise SystemExit(1)"], log)

        unit.start_process = start_badly
        unit.process.signal(signal.SIGKILL)
        with pytest.raises(CommandError, match="worker does not stay up"):
            await asyncio.wait_for(watch, 20)
    assert sum("starting it again" in text for text in said) == QUICK_CRASHES - 1
    assert said[-1].endswith("no luck today"), "its last words are waited for"


@pytest.mark.broker
async def test_a_deaf_child_is_killed_in_time(external):
    begun = time.monotonic()
    async with running_system(external, children=(stub("collector", "deaf", stop_rank=0),)) as system:
        pid = system.pids["collector"]
    assert command_line(pid) == ""
    assert time.monotonic() - begun < 10


def test_a_crash_after_a_long_life_counts_as_the_first():
    crashes = Crashes()
    assert crashes.note(1, 0.1) == 0.0
    assert crashes.note(1, 0.1) == 0.5
    assert crashes.note(1, QUICK_CRASH_SECONDS) == 0.0
    assert crashes.note(WRONG_USE, 0.1) is None


def test_a_port_in_use_is_told_in_one_line_with_the_setting_to_change():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CommandError) as caught:
            verify_ports(load({}, collector_port=port), (stub("collector"),))
    assert str(caught.value) == (
        f"port {port} (collector) is in use by another program; stop that one, or set BOOMERANG_COLLECTOR_PORT "
        "to a free port"
    )


def test_the_chat_gateway_runs_only_where_there_is_one_to_read(tmp_path):
    from app.commands.up import _children

    chats = tmp_path / "chats.yaml"

    def names(text):
        chats.write_text(text)
        return [child.name for child in _children(load({}, chats=str(chats)))]

    usual = ["collector", "worker", "delivery", "console"]
    assert [child.name for child in _children(load({}))] == usual
    assert names("telegram: {shop: {secret: a-good-secret}}") == usual
    assert names("retailcrm: {crm: {url: 'https://mg.example', token: a-good-token}}") == [*usual, "chat-gateway"]
    with pytest.raises(CommandError, match="BOOMERANG_CHATS: .*needs a `secret`"):
        names("chatwoot: {desk: {}}")


def test_the_port_of_the_chat_gateway_is_told_with_its_setting():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = load({}, chat_gateway_port=taken.getsockname()[1])
        with pytest.raises(CommandError, match="set BOOMERANG_CHAT_GATEWAY_PORT to a free port"):
            verify_ports(settings, [CHAT_GATEWAY])


@pytest.mark.broker
async def test_up_says_when_it_is_ready_and_ends_with_all_servers_on_sigterm(make_settings, process, eventually):
    settings = make_settings(kafka="", redis="")
    up = process.boomerang("up", *SERVERS_ONLY, settings=settings)
    await ready(up, eventually)
    state = State(settings.data / "embedded.json")
    pids = [state.number("kafka_pid"), state.number("valkey_pid")]
    assert all(str(settings.data) in command_line(pid) for pid in pids)
    begun = time.monotonic()
    assert up.stop(20) == 0
    assert time.monotonic() - begun < 10
    assert [command_line(pid) for pid in pids] == ["", ""]
    assert "stopped" in up.log.tail(3)


@pytest.mark.broker
async def test_kill_9_of_up_leaves_no_orphan_and_the_next_start_works(make_settings, process, eventually):
    settings = make_settings(kafka="", redis="")
    up = process.boomerang("up", *SERVERS_ONLY, settings=settings)
    await ready(up, eventually)
    state = State(settings.data / "embedded.json")
    pids = [state.number("kafka_pid"), state.number("valkey_pid")]
    port = state.number("kafka_port")
    up.signal(signal.SIGKILL)
    await eventually(lambda: [command_line(pid) for pid in pids] == ["", ""], 10)

    again = process.boomerang("up", *SERVERS_ONLY, settings=settings)
    await ready(again, eventually)
    assert State(settings.data / "embedded.json").number("kafka_port") == port


@pytest.mark.broker
async def test_a_second_up_on_the_same_folder_is_refused_in_one_line(make_settings, process, eventually):
    settings = make_settings(kafka="", redis="")
    first = process.boomerang("up", *SERVERS_ONLY, settings=settings)
    await ready(first, eventually)
    second = process.boomerang("up", *SERVERS_ONLY, settings=settings)
    await eventually(lambda: second.status() is not None, 20)
    second.log.join()
    assert second.status() == 1
    says = f"the data folder {settings.data} is in use by process {first.pid}; stop it, or set BOOMERANG_DATA"
    assert second.log.tail(40) == [f"boomerang up: {says} to another folder"]
    assert first.status() is None


@pytest.mark.broker
async def test_a_signal_during_the_start_ends_what_was_started(make_settings, process, eventually):
    settings = make_settings(kafka="", redis="")
    up = process.boomerang("up", *SERVERS_ONLY, settings=settings)
    path = settings.data / "embedded.json"
    await eventually(lambda: State(path).number("kafka_pid"), 60)
    pid = State(path).number("kafka_pid")
    up.signal(signal.SIGINT)
    await eventually(lambda: up.status() is not None, 15)
    assert command_line(pid) == ""


@pytest.mark.broker
async def test_kill_9_of_the_broker_and_of_valkey_is_mended_with_all_data(make_settings, eventually):
    import redis.asyncio as redis
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

    settings = make_settings(kafka="", redis="", topic_prefix="")
    said = []
    async with watched(settings, children=(), report=said.append) as (system, _):
        bootstrap = system.settings.kafka.removeprefix("kafka://")
        async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
            for number in range(100):
                await producer.send_and_wait("clickstream", b"%d" % number, partition=1)
        async with redis.from_url(system.settings.redis) as client:
            await client.set("kept", "yes")

        before = system.pids
        for pid in before.values():
            os.kill(pid, signal.SIGKILL)
        await eventually(lambda: not set(before.values()) & set(system.pids.values()) and len(system.pids) == 2, 20)
        await eventually(lambda: all(unit.ready for unit in system.servers), 60)

        async with AIOKafkaConsumer(bootstrap_servers=bootstrap) as consumer:
            ends = await consumer.end_offsets([TopicPartition("clickstream", 1)])
        assert list(ends.values()) == [100]
        async with redis.from_url(system.settings.redis) as client:
            assert await client.get("kept") == b"yes"
    assert sum("is back after" in text for text in said) == 2


@pytest.mark.slow
@pytest.mark.broker
async def test_the_whole_system_is_small_and_nothing_of_it_survives_kill_9_of_up(make_settings, process, eventually):
    import psutil

    settings = make_settings(kafka="", redis="", topic_prefix="")
    up = process.boomerang("up", "--quiet", settings=settings)
    await ready(up, eventually)
    family = [psutil.Process(up.pid), *psutil.Process(up.pid).children(recursive=True)]
    assert len(family) == 7
    assert sum(member.memory_info().rss for member in family) <= 480e6
    up.signal(signal.SIGKILL)
    _, alive = await asyncio.to_thread(psutil.wait_procs, family[1:], 10)
    assert alive == []
