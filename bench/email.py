"""CPU of one e-mail: template, MIME, SMTP over the pool to a local sink in another process. Prints JSON lines.

python -m bench.email [--mails 4000] [--connections 4]
"""

import argparse
import asyncio
import json
import multiprocessing
import tempfile
import time
from pathlib import Path

import uvloop

from app.clock import SYSTEM
from app.model.event import Line
from app.model.policy import Policy
from app.model.trigger import Content, Stage, Trigger
from channels import dkim, pipeline
from channels.channel import Rendered
from channels.email import Email
from channels.pipeline import Job, Verdict
from channels.policy import Facts
from channels.render import Templates

TARGET = 700
"""Mails per CPU-second of the sender's process."""


class Sink(asyncio.Protocol):
    """The least that is an SMTP server: takes everything, keeps nothing."""

    def connection_made(self, transport):
        self.transport, self.pending, self.in_text = transport, b"", False
        transport.write(b"220 sink\r\n")

    def data_received(self, data):
        self.pending += data
        while True:
            if self.in_text:
                end = self.pending.find(b"\r\n.\r\n")
                if end < 0:
                    return
                self.pending, self.in_text = self.pending[end + 5 :], False
                self.transport.write(b"250 2.0.0 taken\r\n")
            line, found, rest = self.pending.partition(b"\r\n")
            if not found:
                return
            self.pending = rest
            self.in_text = line.upper() == b"DATA"
            self.transport.write(b"354 go on\r\n" if self.in_text else b"250 OK\r\n")


def serve(ports):
    async def main():
        server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0)
        ports.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(main())


def trigger(number):
    items = [
        Line(
            f"{n}",
            f"Ботинки {n}",
            1290.0 + n,
            1,
            "Обувь",
            "Марка",
            f"https://shop.example/p/{n}",
            f"https://i.example/{n}.jpg",
        )
        for n in range(4)
    ]
    now = SYSTEM.now()
    return Trigger(
        f"{number:032x}",
        "abandoned_cart",
        1,
        f"u{number}",
        f"e{number}",
        now - 2,
        now,
        now + 3600,
        [Stage("email", "abandoned_cart")],
        {"email": f"u{number}@shop.example"},
        Content("Анна", items[:3], items[3:], value=5160.0, currency="RUB"),
        locale="ru",
    )


async def granted(_job):
    return None


def job(number, channel):
    item = trigger(number)
    return Job(
        f"{item.trigger_id}.0",
        item,
        "abandoned_cart",
        channel,
        item.addresses["email"],
        0,
        granted,
        lambda job: Facts(job.trigger, "email", job.trigger.fired_at, None, None),
    )


def stages():
    templates = Templates(shop_url="https://shop.example")
    return (
        pipeline.Gates(Policy()),
        pipeline.address,
        pipeline.Render(
            templates, pipeline.Urls(lambda message, *_: f"https://c.example/u/{message}" + "x" * 120), SYSTEM.now
        ),
        pipeline.Speak(SYSTEM.now, SYSTEM.monotonic, lambda *_: None),
    )


def keys(folder):
    """A key of RSA with 2,048 bits, as BOOMERANG_DKIM_KEYS names it."""
    path = Path(folder) / "dkim.pem"
    path.write_bytes(dkim.make("rsa"))
    return (f"bench={path}",)


async def whole(port, mails, connections, dkim_keys=()):
    channel = Email(
        smtp=f"smtp+plain://127.0.0.1:{port}",
        connections=connections,
        timeout=10,
        sender="Магазин <shop@shop.example>",
        monotonic=SYSTEM.monotonic,
        dkim_keys=dkim_keys,
    )
    walk, numbers, wrong = stages(), iter(range(mails)), []

    async def work():
        for number in numbers:
            verdict: Verdict = await pipeline.run(walk, job(number, channel))
            if verdict.provider_id != "2.0.0 taken":
                wrong.append(verdict)

    await pipeline.run(walk, job(mails, channel))
    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(work() for _ in range(connections)))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    await channel.stop()
    return {
        "wrong": len(wrong),
        "cpu_us_per_mail": round(cpu / mails * 1e6),
        "mails_per_second": round(mails / wall),
        "mails_per_cpu_second": round(mails / cpu),
        "target": TARGET,
        "ok": not wrong and mails / cpu >= TARGET,
    }


def parts(times):
    """CPU of rendering and of assembling alone, microseconds."""
    templates, item = Templates(shop_url="https://shop.example"), trigger(1)
    channel = Email(
        smtp="smtp+plain://127.0.0.1:25",
        connections=1,
        timeout=1,
        sender="Магазин <shop@shop.example>",
        monotonic=SYSTEM.monotonic,
    )
    texts = templates.render("abandoned_cart", item, "https://c.example/u/x")
    message = Rendered(
        "1.0", "1", "abandoned_cart", "u@shop.example", "Анна", *texts[:3], "https://c.example/u/x", SYSTEM.now()
    )
    began = time.process_time()
    for _ in range(times):
        templates.render("abandoned_cart", item, "https://c.example/u/x")
    rendered = time.process_time()
    for _ in range(times):
        size = len(channel.prepare(message))
    return {
        "render_us": round((rendered - began) / times * 1e6),
        "mime_us": round((time.process_time() - rendered) / times * 1e6),
        "bytes": size,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--mails", type=int, default=4000)
    parser.add_argument("--connections", type=int, default=4)
    args = parser.parse_args()
    ports = multiprocessing.get_context("spawn").Queue()
    sink = multiprocessing.get_context("spawn").Process(target=serve, args=(ports,), daemon=True)
    sink.start()
    try:
        port = ports.get(timeout=10)
        plain = uvloop.run(whole(port, args.mails, args.connections))
        with tempfile.TemporaryDirectory() as folder:
            signed = uvloop.run(whole(port, args.mails, args.connections, keys(folder)))
        figures = {f"dkim_{name}": signed[name] for name in ("wrong", "cpu_us_per_mail", "mails_per_cpu_second")}
        print(json.dumps({"bench": "email", **plain, **figures, **parts(500)}))
    finally:
        sink.terminate()
        sink.join()


if __name__ == "__main__":
    main()
