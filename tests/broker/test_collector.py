"""The collector as a process, on a real Kafka and a real Valkey: what was answered with 200 is there, whatever dies."""

import asyncio
import contextlib
import http.client
import json
import os
import signal
import socket
import time
import urllib.request
from typing import Any

import httpx
import pytest
from segment.analytics.client import Client

from app.codec import decode_dead_letter, decode_event, decode_receipt
from app.embedded.servers import EmbeddedServer, kafka_server, valkey_server
from app.embedded.state import State
from app.engine.provision import provision
from app.settings import Settings, load
from app.tokens import Unsubscribe, load_secret, unsubscribe_token
from tests import servers
from tests.broker.conftest import Broker

pytestmark = pytest.mark.broker

KEYS = "browser:browser-key,server:server-key"


def base(settings: Settings) -> str:
    return f"http://127.0.0.1:{settings.collector_port}"


def is_ready(settings: Settings) -> bool:
    with urllib.request.urlopen(base(settings) + "/readyz", timeout=2) as answer:
        return answer.status == 200


def metric(settings: Settings, name: str) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{settings.collector_metrics_port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"boomerang_{name}"))


def broker_of(settings: Settings) -> Broker:
    return Broker(settings.kafka.removeprefix("kafka://"), settings.topic_prefix, settings.partitions)


@pytest.fixture
def collector(process: servers.Children, eventually: Any) -> Any:
    """`await collector(settings)`: topics made, the process started and connected."""

    async def start(settings: Settings) -> Any:
        await provision(settings)
        child = process.boomerang("collector", settings=settings)
        await eventually(lambda: is_ready(settings), 30)
        return child

    return start


def event(number: int, **more: Any) -> dict[str, Any]:
    return {
        "type": "track",
        "event": "Product Added",
        "userId": f"u{number % 50}",
        "messageId": f"m{number}",
        "properties": {"product_id": number, "price": 1},
        **more,
    }


async def test_the_real_segment_client_reaches_kafka(collector: Any, make_settings: Any) -> None:
    settings = make_settings(write_keys=KEYS)
    await collector(settings)
    errors: list[Any] = []
    for packed in (False, True):
        client = Client("server-key", host=base(settings), gzip=packed, on_error=lambda *told: errors.append(told))
        client.identify(f"ann-{packed}", {"email": "Ann@Shop.Example", "consent": {"email": True}})
        client.track(f"ann-{packed}", "Product Added", {"product_id": 507, "price": "12.50"})
        client.page(f"ann-{packed}", "Docs", "Home", {"path": "/"})
        client.alias("visitor", f"ann-{packed}")
        await asyncio.to_thread(client.shutdown)
    assert errors == []
    records = await broker_of(settings).read("clickstream")
    events = [decode_event(record.value) for record in records]
    assert sorted(e.type for e in events) == [
        "alias",
        "alias",
        "identify",
        "identify",
        "page",
        "page",
        "track",
        "track",
    ]
    (identify, _) = (e for e in events if e.type == "identify")
    assert (identify.traits.email, identify.traits.consent["email"].granted) == ("Ann@shop.example", True)
    (track, _) = (e for e in events if e.type == "track")
    assert (track.properties.product_id, track.properties.price, track.source) == ("507", 12.5, "server")
    assert all(len({r.partition for r in records if r.key == key}) == 1 for key in {r.key for r in records})


async def test_bad_events_are_dead_letters_and_a_click_is_a_receipt(collector: Any, make_settings: Any) -> None:
    settings = make_settings(write_keys=KEYS)
    await collector(settings)
    async with httpx.AsyncClient(base_url=base(settings), auth=("server-key", "")) as client:
        answer = await client.post("/v1/batch", json={"batch": [event(1), {"type": "track"}, event(2)]})
        assert (answer.json()["accepted"], answer.json()["rejected"]) == (2, 1)
        token = unsubscribe_token(load_secret(settings), Unsubscribe("u1", "email", "a@b.c", "m"), time.time())
        assert (await client.get(f"/u/{token}")).status_code == 200
        assert await broker_of(settings).count("receipts") == 0
        assert (await client.post(f"/u/{token}", content=b"List-Unsubscribe=One-Click")).status_code == 200
    (letter,) = await broker_of(settings).read("dead-letters")
    assert decode_dead_letter(letter.value).reason == "missing_id"
    (receipt,) = await broker_of(settings).read("receipts")
    assert (decode_receipt(receipt.value).outcome, receipt.key) == ("unsubscribed", b"u1")


async def test_a_repeated_message_is_known_to_the_next_process_too(
    collector: Any, make_settings: Any, process: Any
) -> None:
    settings = make_settings(write_keys=KEYS)
    first = await collector(settings)
    async with httpx.AsyncClient(base_url=base(settings), auth=("server-key", "")) as client:
        assert (await client.post("/v1/track", json=event(1))).status_code == 200
    assert first.stop(15) in (0, -signal.SIGTERM)
    await collector(settings)
    async with httpx.AsyncClient(base_url=base(settings), auth=("server-key", "")) as client:
        assert (await client.post("/v1/track", json=event(1))).status_code == 200
        answer = await client.post("/v1/batch", json={"batch": [event(1), event(2)]})
    assert answer.json()["duplicates"] == 1
    assert await broker_of(settings).count("clickstream") == 2


async def _send_until(settings: Settings, stop: asyncio.Event, accepted: set[str], start: int) -> None:
    """One client that keeps sending new events; what was answered with 200 is noted."""
    number = start
    async with httpx.AsyncClient(base_url=base(settings), auth=("server-key", ""), timeout=30) as client:
        while not stop.is_set():
            number += 1
            try:
                answer = await client.post("/v1/track", json=event(number))
            except httpx.TransportError:
                await asyncio.sleep(0.01)
                continue
            if answer.status_code == 200:
                accepted.add(f"m{number}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_no_accepted_event_is_lost_when_the_collector_ends(
    collector: Any, make_settings: Any, eventually: Any, number: int
) -> None:
    settings = make_settings(write_keys=KEYS)
    child = await collector(settings)
    stop, accepted = asyncio.Event(), set[str]()
    clients = [asyncio.ensure_future(_send_until(settings, stop, accepted, i * 100_000)) for i in range(8)]
    await eventually(lambda: len(accepted) > 300)
    os.kill(child.pid, number)
    await eventually(lambda: child.status() is not None)
    stop.set()
    await asyncio.gather(*clients)
    arrived = [decode_event(record.value).messageId for record in await broker_of(settings).read("clickstream")]
    assert accepted <= set(arrived)
    assert len(arrived) == len(set(arrived))


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_a_dead_kafka_means_503_and_nothing_is_lost_when_it_returns(
    collector: Any, make_settings: Any, eventually: Any, how: str
) -> None:
    with servers.scratch_folder("kafka-to-kill") as folder:
        server, address = kafka_server(folder, load().cache, State(folder / "embedded.json"))
        try:
            server.start()
            await asyncio.to_thread(server.wait_ready)
            settings = make_settings(kafka=address, write_keys=KEYS)
            await collector(settings)
            async with httpx.AsyncClient(base_url=base(settings), auth=("server-key", ""), timeout=30) as client:
                assert (await client.post("/v1/track", json=event(1))).status_code == 200
                await _take_away(server, how, eventually)
                await _expect_refusals(settings, client)
                await _bring_back(server, how)
                await eventually(lambda: is_ready(settings), 40)
                retried = [await client.post("/v1/track", json=event(i)) for i in range(1, 23)]
                assert {answer.status_code for answer in retried} == {200}
            arrived = [decode_event(r.value).messageId for r in await broker_of(settings).read("clickstream")]
            assert set(arrived) == {f"m{i}" for i in range(1, 23)}
            assert len(arrived) == 22, "a retry of what had arrived after all is recognised"
        finally:
            server.stop()


async def _take_away(server: EmbeddedServer, how: str, eventually: Any) -> None:
    if how == "frozen":
        server.process.signal(signal.SIGSTOP)
        return
    server.process.signal(signal.SIGKILL)
    await eventually(lambda: server.process.status() is not None)


async def _bring_back(server: EmbeddedServer, how: str) -> None:
    if how == "frozen":
        server.process.signal(signal.SIGCONT)
        return
    server.start()
    await asyncio.to_thread(server.wait_ready)


async def _expect_refusals(settings: Settings, client: httpx.AsyncClient) -> None:
    began = time.monotonic()
    answers = await asyncio.gather(*(client.post("/v1/track", json=event(i)) for i in range(2, 22)))
    assert {answer.status_code for answer in answers} == {503}
    assert all(int(answer.headers["retry-after"]) > 0 for answer in answers)
    assert time.monotonic() - began < 15
    began = time.monotonic()
    assert (await client.post("/v1/track", json=event(22, userId="u2"))).status_code == 503
    assert time.monotonic() - began < 2, "once it is known, nobody waits for it"
    assert (await client.get("/readyz")).status_code == 503


async def test_the_collector_ends_in_time_without_its_kafka(
    collector: Any, make_settings: Any, eventually: Any
) -> None:
    with servers.scratch_folder("kafka-to-kill") as folder:
        server, address = kafka_server(folder, load().cache, State(folder / "embedded.json"))
        try:
            server.start()
            await asyncio.to_thread(server.wait_ready)
            settings = make_settings(kafka=address, write_keys=KEYS)
            child = await collector(settings)
            await _take_away(server, "killed", eventually)
            async with httpx.AsyncClient(base_url=base(settings), auth=("server-key", ""), timeout=30) as client:
                assert (await client.post("/v1/track", json=event(1))).status_code == 503
            child.signal(signal.SIGTERM)
            await eventually(lambda: child.status() is not None, 15)
            said = "\n".join(child.log.tail(200))
            assert "Traceback" not in said, said
        finally:
            server.stop()


async def test_without_redis_the_collector_goes_on_and_counts_it(
    collector: Any, make_settings: Any, eventually: Any
) -> None:
    with servers.scratch_folder("valkey-to-kill") as folder:
        server, url = valkey_server(folder, State(folder / "embedded.json"))
        server.start()
        server.wait_ready()
        try:
            settings = make_settings(redis=url, write_keys=KEYS)
            await collector(settings)
            async with httpx.AsyncClient(base_url=base(settings), auth=("server-key", "")) as client:
                assert (await client.post("/v1/track", json=event(1))).status_code == 200
                server.process.signal(signal.SIGKILL)
                await eventually(lambda: server.process.status() is not None)
                for number in range(2, 6):
                    assert (await client.post("/v1/track", json=event(number))).status_code == 200
                assert metric(settings, "collector_dedupe_unavailable_total") >= 1
                server.start()
                server.wait_ready()

                async def recognised() -> bool:
                    number = time.monotonic_ns()
                    await client.post("/v1/track", json=event(number))
                    return (
                        b'"duplicates":1' in (await client.post("/v1/batch", json={"batch": [event(number)]})).content
                    )

                await eventually(recognised, 15)
        finally:
            server.stop()


async def test_metrics_are_on_loopback_only_and_not_on_the_public_port(collector: Any, make_settings: Any) -> None:
    settings = make_settings(write_keys=KEYS, collector_host="0.0.0.0")
    await collector(settings)
    async with httpx.AsyncClient() as client:
        assert (await client.get(base(settings) + "/metrics")).status_code == 404
    assert metric(settings, "build_info") == 1
    for line in _listening(settings.collector_metrics_port):
        assert line == "0100007F"


def _listening(port: int) -> list[str]:
    """Local addresses (hexadecimal) that listen on a port."""
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    found = [row[1].split(":")[0] for row in rows if row[3] == "0A" and int(row[1].split(":")[1], 16) == port]
    assert found
    return found


async def test_a_client_that_never_finishes_is_cut_off(
    make_settings: Any, monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    import uvicorn

    from app.web.collector import server

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    port = servers.free_port()
    main = uvicorn.Server(server.public_config(app, "127.0.0.1", port))
    main.install_signal_handlers = lambda: None
    tasks = [asyncio.ensure_future(main._serve()), asyncio.ensure_future(server.cut_off_the_slow(main, 0.4))]
    try:
        await eventually(lambda: main.started)
        for opening in (b"", b"POST /v1/track HTT", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(opening)
            with contextlib.suppress(ConnectionResetError):
                assert await asyncio.wait_for(reader.read(), 5) == b""
            writer.close()
        polite = http.client.HTTPConnection("127.0.0.1", port)

        def ask() -> int:
            polite.request("POST", "/", b"x")
            answer = polite.getresponse()
            answer.read()
            return answer.status

        assert await asyncio.to_thread(ask) == 204
        await asyncio.sleep(0.9)
        assert await asyncio.to_thread(ask) == 204, "a quiet connection between two requests is not slow"
        polite.close()
    finally:
        main.should_exit = True
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_large_body_that_trickles_in_is_taken(collector: Any, make_settings: Any) -> None:
    settings = make_settings(write_keys=KEYS)
    await collector(settings)
    body = json.dumps(
        {"batch": [event(i, context={"pad": "p" * 900}) for i in range(400)], "writeKey": "server-key"}
    ).encode()

    def send() -> bytes:
        with socket.create_connection(("127.0.0.1", settings.collector_port), 10) as connection:
            head = f"POST /v1/batch HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode())
            for start in range(0, len(body), 7_000):
                connection.sendall(body[start : start + 7_000])
            return b"".join(iter(lambda: connection.recv(65_536), b""))

    assert b'"accepted":400' in await asyncio.to_thread(send)


async def test_a_body_over_the_limit_gets_to_see_its_413(collector: Any, make_settings: Any) -> None:
    settings = make_settings(write_keys=KEYS)
    await collector(settings)
    async with httpx.AsyncClient(base_url=base(settings), auth=("server-key", ""), timeout=20) as client:
        for size in (600_000, 3_000_000):
            assert (await client.post("/v1/batch", content=b" " * size)).status_code == 413
        assert (await client.post("/v1/track", json=event(1))).status_code == 200
