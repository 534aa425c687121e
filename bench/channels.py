"""CPU of one message over HTTP: gates, template, request and answer, against a local provider that takes 50 ms. Prints JSON lines.

python -m bench.channels [--messages 6000] [--channels sms webhook whatsapp telegram vk]
"""

import argparse
import asyncio
import json
import multiprocessing
import time

import uvloop

from app.clock import SYSTEM
from app.model.event import Line
from app.model.policy import Policy
from app.model.trigger import Content, Stage, Trigger
from channels import pipeline
from channels.pipeline import Job
from channels.policy import Facts
from channels.registry import CHANNELS, Options
from channels.render import Templates

LATENCY = 0.05
"""Seconds that the provider takes for an answer."""
MOST_IN_FLIGHT = 200
ANSWERS = {
    "sms": {"id": "1", "cnt": 1},
    "webhook": {},
    "whatsapp": {"messages": [{"id": "wamid.1"}]},
    "telegram": {"ok": True, "result": {"message_id": 1}},
    "vk": {"response": 1},
}
ADDRESSES = {
    "sms": "+7912{:07d}",
    "webhook": "customers:u{}",
    "whatsapp": "+7912{:07d}",
    "telegram": "shop:{}",
    "vk": "club:{}",
}


class Provider(asyncio.Protocol):
    """The least that is an HTTP API: every request is answered with 200 after its latency, in order."""

    def __init__(self, body):
        self.answer = (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )

    def connection_made(self, transport):
        self.transport, self.pending = transport, b""

    def data_received(self, data):
        self.pending += data
        while True:
            head, found, rest = self.pending.partition(b"\r\n\r\n")
            if not found:
                return
            length = int(
                next(line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
            )
            if len(rest) < length:
                return
            self.pending = rest[length:]
            asyncio.get_running_loop().call_later(LATENCY, self.transport.write, self.answer)


def serve(ports):
    async def main():
        loop, found = asyncio.get_running_loop(), {}
        servers = []
        for name, answer in ANSWERS.items():
            body = json.dumps(answer).encode()
            servers.append(await loop.create_server(lambda body=body: Provider(body), "127.0.0.1", 0, backlog=1024))
            found[name] = servers[-1].sockets[0].getsockname()[1]
        servers.append(await loop.create_server(asyncio.Protocol, "127.0.0.1", 0, backlog=1024))
        found["hangs"] = servers[-1].sockets[0].getsockname()[1]
        ports.put(found)
        await asyncio.Event().wait()

    uvloop.run(main())


def options(port):
    url = f"http://127.0.0.1:{port}"
    return Options(
        "smtp+plain://127.0.0.1:25", 1, 10, "Shop <shop@shop.example>", SYSTEM.monotonic, now=SYSTEM.now,
        egress_allow=("127.0.0.1/32",), pace=1e-9,
        sms_provider="smsc", sms_key="key", sms_api=url,
        webhook_hooks=(f"customers={url}/hook",), webhook_secrets=("whsec_" + "QUJD" * 8,),
        whatsapp_token="t" * 40, whatsapp_number="106540352242922", whatsapp_api=f"{url}/v23.0",
        telegram_bots=("shop=12345:secret-secret",), telegram_api=url,
        vk_tokens=("club=" + "k" * 40,), vk_api=url,
    )  # fmt: skip


def trigger(channel, number):
    items = [
        Line(f"{n}", f"Ботинки {n}", 1290.0 + n, 1, "Обувь", "Марка", f"https://shop.example/p/{n}") for n in range(3)
    ]
    now = SYSTEM.now()
    return Trigger(
        f"{number:032x}", "abandoned_cart", 1, f"u{number}", f"e{number}", now - 2, now, now + 3600,
        [Stage(channel, "abandoned_cart")], {channel: ADDRESSES[channel].format(number + 1)},
        Content("Анна", items, value=5160.0, currency="RUB"), locale="ru",
    )  # fmt: skip


async def granted(_job):
    return None


def job(channel, number):
    item = trigger(channel.name, number)
    facts = lambda one: Facts(one.trigger, channel.name, one.trigger.fired_at, None, None)  # noqa: E731
    return Job(f"{item.trigger_id}.0", item, "abandoned_cart", channel, item.addresses[channel.name], 0, granted, facts)


async def latencies(one, first, count, every):
    """Seconds from the outbox to the provider's answer, of messages to the hook, one each `every` seconds."""
    loop, taken, waits = asyncio.get_running_loop(), {}, []

    def look():
        states = one.table.states()
        done = [key for key in taken if states.get(key) == "sent"]
        waits.extend(loop.time() - taken.pop(key) for key in done)

    began = loop.time()
    for number in range(first, first + count):
        taken[f"{number:032x}.0"] = loop.time()
        await one.feed(trigger("webhook", number))
        while loop.time() < began + (number - first + 1) * every:
            await asyncio.sleep(0.002)
            look()
    while taken:
        await asyncio.sleep(0.002)
        look()
    return waits


async def isolation(ports, count):
    """The same messages through the sender alone, and while a provider that hangs has every place of another channel."""
    from tests.agents.speaking import sender

    every = 0.02
    hung = options(ports["hangs"])._replace(http_timeout=600.0)
    sms, hook = CHANNELS["sms"](hung), CHANNELS["webhook"](options(ports["webhook"]))
    async with sender(channels={"sms": sms, "webhook": hook}, clock=SYSTEM) as one:
        await latencies(one, 0, 50, every)
        alone = await latencies(one, 1_000, count, every)
        await one.feed(*(trigger("sms", number) for number in range(100_000, 100_000 + sms.workers * 2)))
        await one.until(lambda: list(one.table.states().values()).count("inflight") == sms.workers, 20)
        beside = await latencies(one, 10_000, count, every)
    p99 = [sorted(waits)[int(len(waits) * 0.99)] * 1e3 for waits in (alone, beside)]
    return {
        "what": "beside one that hangs",
        "p99_ms_alone": round(p99[0], 1),
        "p99_ms": round(p99[1], 1),
        "p99_ratio": round(p99[1] / p99[0], 2),
    }


async def measure(name, port, messages):
    channel = CHANNELS[name](options(port))
    await channel.start()
    templates = Templates(shop_url="https://shop.example")
    walk = (
        pipeline.Gates(Policy()),
        pipeline.address,
        pipeline.Render(
            templates, pipeline.Urls(lambda message, *_: f"https://c.example/u/{message}" + "x" * 120), SYSTEM.now
        ),
        pipeline.Speak(SYSTEM.now, SYSTEM.monotonic, lambda *_: None),
    )
    places = min(channel.workers, MOST_IN_FLIGHT)
    wrong, in_flight, most, walked = [], 0, 0, 0.0

    async def work(numbers):
        nonlocal in_flight, most
        for number in numbers:
            in_flight += 1
            most = max(most, in_flight)
            verdict = await pipeline.run(walk, job(channel, number))
            in_flight -= 1
            if verdict.reason != "sent":
                wrong.append(verdict)

    warm = iter(range(messages, messages + places * 2))
    await asyncio.gather(*(work(warm) for _ in range(places)))
    numbers = iter(range(messages))
    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(work(numbers) for _ in range(places)))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    began = time.process_time()
    for number in range(500):
        for stage in walk[:3]:
            await stage(job(channel, number))
    walked = time.process_time() - began
    await channel.stop()
    return {
        "what": name,
        "wrong": len(wrong),
        "in_flight_most": most,
        "messages_per_second": round(messages / wall),
        "messages_per_cpu_second": round(messages / cpu),
        "cpu_us_per_message": round(cpu / messages * 1e6),
        "gates_and_render_us": round(walked / 500 * 1e6),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--messages", type=int, default=6000)
    parser.add_argument("--channels", nargs="+", choices=ANSWERS, default=list(ANSWERS))
    args = parser.parse_args()
    ports = multiprocessing.get_context("spawn").Queue()
    provider = multiprocessing.get_context("spawn").Process(target=serve, args=(ports,), daemon=True)
    provider.start()
    try:
        found = ports.get(timeout=10)
        for name in args.channels:
            print(
                json.dumps({"bench": "channels", **uvloop.run(measure(name, found[name], args.messages))}), flush=True
            )
        print(json.dumps({"bench": "channels", **uvloop.run(isolation(found, args.messages // 12))}), flush=True)
    finally:
        provider.terminate()
        provider.join()


if __name__ == "__main__":
    main()
