"""CPU of the collector per request and per event, against a real Kafka and Valkey. Prints JSON lines.

    python -m bench.collector [--seconds 6] [--connections 48] [--no-redis]

Runs its own broker and Valkey unless BOOMERANG_KAFKA and BOOMERANG_REDIS name others. Every event is a new one and every
answer is checked: what is counted here was acknowledged by Kafka. The load comes from a second process.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import psutil
import uvloop

from app.settings import load
from tests import servers

EVENT = (
    b'{"type":"track","event":"Product Added","messageId":"bench-%s-%08d-3c9b-4a6d","anonymousId":"visitor-%06d",'
    b'"timestamp":"2026-11-22T07:20:08.123Z","sentAt":"2026-11-22T07:20:08.223Z","properties":{"product_id":507,'
    b'"name":"Boot","price":12.5,"quantity":1,"category":"Shoes","currency":"EUR","cart_id":"c1"},"context":{"page":'
    b'{"url":"https://shop.example/p/507","path":"/p/507","title":"Boot"},"locale":"ru-RU","timezone":"Europe/Moscow",'
    b'"library":{"name":"boomerang.js","version":"1"}}}'
)
HEAD = (
    b"POST %s HTTP/1.1\r\nHost: collector\r\nAuthorization: Basic YmVuY2gtc2VydmVyOg==\r\n"
    b"Content-Type: application/json\r\nUser-Agent: bench\r\nAccept: */*\r\nContent-Length: %d\r\n\r\n"
)


RUNS = (
    ("single", 1, 0.0),
    ("20 a request", 20, 0.0),
    ("single, 2,500/s", 1, 2_500.0),
    ("20 a request, 1,500/s", 20, 1_500.0),
)
"""Name, events a request, requests a second (0: as many as are answered). The paced ones are half of what must be reached."""


class Client(asyncio.Protocol):
    """One keep-alive connection that sends its next request when the answer is there."""

    def __init__(self, load):
        self.load = load
        self.sent = 0.0
        self.pending = b""

    def connection_made(self, transport):
        self.transport = transport
        self.next()

    def next(self):
        slot = self.load.slot()
        if slot is None:
            self.send(time.perf_counter())
        else:
            loop = asyncio.get_running_loop()
            loop.call_later(max(0.0, slot - time.perf_counter()), self.send, slot)

    def send(self, due):
        """Send a request that was to be sent at `due`: its wait counts from there, however late this connection is free."""
        if self.load.running:
            self.sent = due
            self.transport.write(self.load.request())
        else:
            self.transport.close()

    def data_received(self, data):
        data = self.pending + data
        head = data.find(b"\r\n\r\n")
        if head < 0 or len(data) < head + 4 + int(data[data.index(b"content-length: ") + 16 : head].split(b"\r", 1)[0]):
            self.pending = data
            return
        self.pending = b""
        if not data.startswith(b"HTTP/1.1 200"):
            self.load.failures += 1
        else:
            self.load.done += 1
            self.load.waits.append(time.perf_counter() - self.sent)
        self.next()


class Load:
    """Makes requests of `batch` events (1: a single one) with ids of its own; `rate` a second, or (0) as many as are answered."""

    def __init__(self, batch, rate=0.0):
        self.rate, self.begin, self.slots = rate, time.perf_counter(), 0
        self.batch, self.count, self.done, self.failures, self.waits, self.running = batch, 0, 0, 0, [], True
        self.run = str(time.time_ns()).encode()

    def slot(self):
        """When the next request is to be sent; None: at once."""
        if not self.rate:
            return None
        self.slots += 1
        return self.begin + self.slots / self.rate

    def request(self):
        events = []
        for _ in range(self.batch):
            self.count += 1
            events.append(EVENT % (self.run, self.count, self.count % 20_000))
        if self.batch == 1:
            return HEAD % (b"/v1/track", len(events[0])) + events[0]
        body = b'{"batch":[' + b",".join(events) + b"]}"
        return HEAD % (b"/v1/batch", len(body)) + body


async def _drive(port, batch, connections, seconds, out, rate):
    load = Load(batch, rate)
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    await asyncio.gather(*(loop.create_connection(lambda: Client(load), "127.0.0.1", port) for _ in range(connections)))
    await asyncio.sleep(seconds)
    load.running = False
    waits = sorted(load.waits)
    out.put(
        (load.done, load.failures, time.perf_counter() - began, waits[len(waits) // 2], waits[len(waits) * 99 // 100])
    )


def _driver(port, batch, connections, seconds, out, rate):
    uvloop.run(_drive(port, batch, connections, seconds, out, rate))


def _measure(child, port, name, batch, connections, seconds, rate=0.0):
    out = multiprocessing.Queue()
    process = psutil.Process(child)
    before = process.cpu_times()
    driver = multiprocessing.Process(target=_driver, args=(port, batch, connections, seconds, out, rate))
    driver.start()
    done, failures, took, median, p99 = out.get()
    driver.join()
    after = process.cpu_times()
    cpu = after.user - before.user + after.system - before.system
    return {
        "what": name,
        "requests": done,
        "failures": failures,
        "requests_per_s": round(done / took),
        "events_per_s": round(done * batch / took),
        "cpu_us_per_request": round(cpu / done * 1e6, 1),
        "cpu_us_per_event": round(cpu / done / batch * 1e6, 2),
        "requests_per_core_s": round(done / cpu),
        "events_per_core_s": round(done * batch / cpu),
        "cores_used": round(cpu / took, 2),
        "ack_ms_median": round(median * 1e3, 1),
        "ack_ms_p99": round(p99 * 1e3, 1),
        "rss_mb": round(process.memory_info().rss / 1e6),
    }


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--connections", type=int, default=48)
    parser.add_argument("--no-redis", action="store_true")
    args = parser.parse_args(argv)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="boomerang-bench-")))
        kafka = os.environ.get("BOOMERANG_KAFKA") or "kafka://" + stack.enter_context(
            servers.running_kafka(folder / "kafka")
        )
        redis = os.environ.get("BOOMERANG_REDIS") or stack.enter_context(servers.running_valkey(folder / "valkey"))
        settings = load(
            {}, kafka=kafka, redis="" if args.no_redis else redis, data=folder, topic_prefix=f"bench-{os.getpid()}-",
            collector_port=servers.free_port(), collector_metrics_port=servers.free_port(),
            write_keys="server:bench-server,browser:bench-browser", rate_per_key=10_000_000,
        )  # fmt: skip
        children = servers.Children(folder / "logs")
        stack.callback(children.close)
        topics = children.boomerang("topics", "--create", settings=settings)
        asyncio.run(servers.eventually(lambda: topics.status() is not None, 30))
        child = children.boomerang("collector", settings=settings)
        asyncio.run(servers.eventually(lambda: _ready(settings.collector_port), 30))
        _measure(child.pid, settings.collector_port, "warm-up", 1, 8, 1.0)
        for name, batch, rate in RUNS:
            run = _measure(child.pid, settings.collector_port, name, batch, args.connections, args.seconds, rate)
            print(json.dumps(run), flush=True)
    return 0


def _ready(port):
    import urllib.request

    with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
        return answer.status == 200


if __name__ == "__main__":
    sys.exit(main())
