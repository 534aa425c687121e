"""CPU of the collector's own code, from a body to Kafka's batch and the answer, without sockets. Prints JSON lines.

    python -m bench.intake [--rounds 5] [--against CHECKOUT] [--profile FILE --case NAME]

The ASGI application and the sink are the real ones; the producer builds its batches and acknowledges them at once, and there is no
Redis. Rounds of this checkout and of another one take turns, each in a process of its own and over the same requests; of each slice of
requests the quickest round counts, which a busy machine disturbs least.
"""

import argparse
import asyncio
import base64
import cProfile
import gc
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
SLICES, AT_ONCE = 60, 24
"""Slices of a round, and requests that are on their way together in one of them."""
CASES = {
    "single": (1, 10, None, "bench-server"),
    "20 a request": (20, 1, None, "bench-server"),
    "20 a request, with spaces": (20, 1, (", ", ": "), "bench-server"),
    "20 a request, browser's key": (20, 1, None, "bench-browser"),
}
"""Events a request, times that a slice is repeated, separators of the JSON (None: as sent), write key."""


class Producer:
    """Stands for aiokafka's: a batch is built as for Kafka, and acknowledged at once."""

    def __init__(self, **_options):
        pass

    async def start(self):
        pass

    def create_batch(self):
        from aiokafka.producer.message_accumulator import BatchBuilder

        return BatchBuilder(512 * 1024, 0)

    async def send_batch(self, batch, topic, *, partition):
        del topic, partition
        batch._build()  # noqa: SLF001 - as aiokafka's sender does
        sent = asyncio.get_running_loop().create_future()
        sent.set_result(None)
        return sent

    async def stop(self):
        pass


async def _application():
    from app.clock import SYSTEM
    from app.settings import load
    from app.web.collector import sink
    from app.web.collector.asgi import Collector
    from app.web.collector.dedupe import NoIds
    from app.web.collector.intake import Intake

    settings = load(
        {}, write_keys="server:bench-server,browser:bench-browser", rate_per_key=10_000_000,
        rate_per_address=10_000_000, shop_url="https://shop.example",
    )  # fmt: skip
    sink.AIOKafkaProducer = Producer
    taking = sink.KafkaSink({}, SYSTEM)
    intake = Intake(taking, NoIds())
    app = Collector(settings, SYSTEM, intake)
    await intake.start()
    while not taking.ready:
        await asyncio.sleep(0.01)
    return app, intake


def _requests(case):
    """The bodies of a round, in slices."""
    from bench.collector import EVENT

    size, times, separators, _ = CASES[case]
    count = 0
    for _ in range(SLICES):
        bodies = []
        for _ in range(AT_ONCE * times):
            events = [EVENT % (b"run", count + i, (count + i) * 7 % 5_000) for i in range(size)]
            count += size
            body = events[0] if size == 1 else b'{"batch":[' + b",".join(events) + b"]}"
            bodies.append(body if separators is None else json.dumps(json.loads(body), separators=separators).encode())
        yield bodies


def _headers(key):
    return [
        (b"host", b"collector"), (b"authorization", b"Basic " + base64.b64encode(f"{key}:".encode())),
        (b"content-type", b"application/json"), (b"user-agent", b"bench"), (b"accept", b"*/*"),
    ]  # fmt: skip


async def _ask(app, body, path, headers):
    scope = {
        "type": "http", "method": "POST", "path": path, "query_string": b"", "client": ("127.0.0.1", 1),
        "headers": [*headers, (b"content-length", b"%d" % len(body))],
    }  # fmt: skip

    async def receive():
        return {"type": "http.request", "body": body}

    async def send(message):
        assert message.get("status", 200) == 200, message

    await app(scope, receive, send)


async def _round(case, profiler=None):
    app, intake = await _application()
    size, times, _, key = CASES[case]
    path, headers = "/v1/track" if size == 1 else "/v1/batch", _headers(key)
    slices = list(_requests(case))
    for body in slices[0]:
        await _ask(app, body.replace(b"bench-run", b"bench-warm"), path, headers)
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    found = []
    if profiler is not None:
        profiler.enable()
    for bodies in slices:
        began = time.process_time()
        for start in range(0, AT_ONCE * times, AT_ONCE):
            await asyncio.gather(*(_ask(app, body, path, headers) for body in bodies[start : start + AT_ONCE]))
        found.append((time.process_time() - began) / (AT_ONCE * times) * 1e6)
    if profiler is not None:
        profiler.disable()
    await intake.close(0)
    return found


def _round_of(checkout, case):
    """One round in a process of its own, with the code of `checkout`; microseconds a request in each slice."""
    command = [sys.executable, "-P", __file__, "--case", case, "--once"]
    environ = {**os.environ, "PYTHONPATH": f"{checkout}"}
    return json.loads(subprocess.run(command, env=environ, stdout=subprocess.PIPE, text=True, check=True).stdout)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--against", default="", metavar="CHECKOUT", help="another checkout to compare with")
    parser.add_argument("--case", default="", choices=["", *CASES], help="one of the cases alone")
    parser.add_argument("--profile", default="", metavar="FILE", help="one round of a case under cProfile")
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.once or args.profile:
        import uvloop

        profiler = cProfile.Profile(time.process_time) if args.profile else None
        print(json.dumps(uvloop.run(_round(args.case or "20 a request", profiler))), flush=True)
        if profiler is not None:
            profiler.dump_stats(args.profile)
        return
    from bench.yardstick import measure

    checkouts = {"": HERE} | ({", other checkout": Path(args.against).resolve()} if args.against else {})
    for case in [args.case] if args.case else CASES:
        rounds, sticks = defaultdict(list), []
        for _ in range(args.rounds):
            sticks.append(measure())
            for name, checkout in checkouts.items():
                rounds[name].append(_round_of(checkout, case))
        for name, lines in rounds.items():
            least = [min(each) for each in zip(*lines, strict=True)]
            request = sum(least) / len(least)
            size = CASES[case][0]
            print(json.dumps({
                "what": case + name, "us_per_request": round(request, 1), "us_per_event": round(request / size, 2),
                "events_per_core_s": round(size / request * 1e6), "least_us_per_event": round(min(least) / size, 2),
                "yardstick_us": round(min(sticks), 2), "rounds": len(lines),
            }), flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
