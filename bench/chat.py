"""Webhooks of messengers against the plain collector: same process, same run, an in-memory producer. Prints JSON lines.

    python -m bench.chat [--seconds 5] [--connections 32] [--rate 1500]

The producer acknowledges at once, so this is what authenticity, reading and answering cost; recognition of repeated events is
real (a Valkey of its own). Every request is a new message of the client, signed as its provider does. The load comes from a
second process: first as much as it can, for the CPU of a request, then a steady rate, for the waits.
"""

import argparse
import asyncio
import hashlib
import hmac
import json
import multiprocessing
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import psutil
import uvicorn
import uvloop

from app.clock import SYSTEM
from app.settings import load
from app.web.collector import server
from app.web.collector.asgi import Collector
from app.web.collector.dedupe import RedisIds
from app.web.collector.intake import Intake
from bench.collector import EVENT, Client, _ready
from bench.collector import Load as Steady
from bench.memory import MemorySink
from tests import servers
from tests.app.web.chat.frames import EXAMPLES, SOURCES

HEAD = (
    b"POST %s HTTP/1.1\r\nHost: collector\r\nContent-Type: application/json\r\nUser-Agent: bench\r\nAccept: */*\r\n"
    b"%sContent-Length: %d\r\n\r\n"
)
DRIVER_S = 60.0
"""Seconds beyond its measuring within which the driver starts and ends; one that has died answers nothing."""
KEY = b"Authorization: Basic YmVuY2gtc2VydmVyOg==\r\n"


class Load:
    """Requests of one kind, each with an id of its own, made beforehand as far as it goes: the driver shall not be the limit."""

    def __init__(self, kind, rate=0):
        self.rate, self.begin, self.slots = rate, time.perf_counter(), 0
        self.kind, self.count, self.done, self.failures, self.waits, self.running = kind, 0, 0, 0, [], True
        self.run = "1" + str(time.time_ns())[-9:]  # a number of JSON does not begin with a zero
        if kind != "collector":
            self.path = EXAMPLES[kind].path.encode()
            body, headers = EXAMPLES[kind].call(EXAMPLES[kind].message("Когда привезёте диван?", 0))
            number = {"telegram": b"20000", "whatsapp": b"wamid.n0", "vk": b"e0", "chatwoot": b"20000"}[kind]
            assert body.count(number) >= 1
            self.parts = body.split(number)
            self.headers = headers

    slot = Steady.slot

    def request(self):
        self.count += 1
        if self.kind == "collector":
            body = EVENT % (self.run.encode(), self.count, self.count % 20_000)
            return HEAD % (b"/v1/track", KEY, len(body)) + body
        fresh = f"{self.run}{self.count:06d}"
        body = (fresh if self.kind in ("telegram", "chatwoot") else f"x{fresh}").encode().join(self.parts)
        return HEAD % (self.path, self._signature(body), len(body)) + body

    def _signature(self, body):
        if self.kind == "telegram":
            return b"X-Telegram-Bot-Api-Secret-Token: telegram-secret-1\r\n"
        if self.kind == "whatsapp":
            return b"X-Hub-Signature-256: sha256=%s\r\n" % _hmac(b"whatsapp-app-secret", body)
        if self.kind == "chatwoot":
            at = b"%d" % time.time()
            signature = _hmac(b"chatwoot-secret", at + b"." + body)
            return b"X-Chatwoot-Timestamp: %s\r\nX-Chatwoot-Signature: sha256=%s\r\n" % (at, signature)
        return b""


def _hmac(secret, message):
    return hmac.new(secret, message, hashlib.sha256).hexdigest().encode()


async def _drive(port, kind, connections, seconds, rate, out):
    load_ = Load(kind, rate)
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    await asyncio.gather(
        *(loop.create_connection(lambda: Client(load_), "127.0.0.1", port) for _ in range(connections))
    )
    await asyncio.sleep(seconds)
    load_.running = False
    waits = sorted(load_.waits)
    took = time.perf_counter() - began
    out.put((load_.done, load_.failures, took, waits[len(waits) // 2], waits[len(waits) * 99 // 100]))


def _driver(*arguments):
    uvloop.run(_drive(*arguments))


def _measure(child, port, kind, connections, seconds, rate=0):
    out = multiprocessing.Queue()
    process = psutil.Process(child)
    before = process.cpu_times()
    driver = multiprocessing.Process(target=_driver, args=(port, kind, connections, seconds, rate, out))
    driver.start()
    done, failures, took, median, p99 = out.get(timeout=seconds + DRIVER_S)
    driver.join()
    after = process.cpu_times()
    cpu = after.user - before.user + after.system - before.system
    return {
        "what": f"{kind}, {rate:,}/s" if rate else kind,
        "requests": done,
        "failures": failures,
        "requests_per_s": round(done / took),
        "cpu_us_per_request": round(cpu / done * 1e6, 1),
        "requests_per_core_s": round(done / cpu),
        "ack_ms_median": round(median * 1e3, 1),
        "ack_ms_p99": round(p99 * 1e3, 1),
    }


def serve(settings):
    """The collector of this bench, in a process of its own."""
    from app.web.collector.app import _collect_garbage_rarely

    async def run():
        intake = Intake(MemorySink(), RedisIds(settings.redis, SYSTEM, prefix=settings.topic_prefix))
        config = server.public_config(Collector(settings, SYSTEM, intake), "127.0.0.1", settings.collector_port)
        await uvicorn.Server(config).serve()

    _collect_garbage_rarely()
    uvloop.run(run())


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--rate", type=int, default=1_500, help="requests a second at which the waits are measured")
    args = parser.parse_args(argv)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="boomerang-bench-")))
        (folder / "chats.yaml").write_text(SOURCES)
        settings = load(
            {}, data=folder, chats=str(folder / "chats.yaml"), topic_prefix=f"bench-{os.getpid()}-",
            redis=stack.enter_context(servers.running_valkey(folder / "valkey")), collector_port=servers.free_port(),
            write_keys="server:bench-server,browser:bench-browser", rate_per_key=10_000_000,
        )  # fmt: skip
        child = multiprocessing.get_context("spawn").Process(target=serve, args=(settings,), daemon=True)
        child.start()
        stack.callback(child.join, 10)
        stack.callback(child.terminate)
        asyncio.run(servers.eventually(lambda: _ready(settings.collector_port), 30))
        _measure(child.pid, settings.collector_port, "collector", 8, 1.0)
        for rate in (0, args.rate):
            plain = None
            for kind in ("collector", *EXAMPLES):
                result = _measure(child.pid, settings.collector_port, kind, args.connections, args.seconds, rate)
                plain = plain or result
                result["cpu_to_collector"] = round(result["cpu_us_per_request"] / plain["cpu_us_per_request"], 2)
                print(json.dumps(result), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
