"""From due to handed over, on the whole path: a cart comes due, the mail reaches the SMTP server. Background load meanwhile.

    python -m bench.lateness [--carts 600] [--rate 2000]

Lateness is counted from `due + grace` to the moment in which the dev inbox has the message.
"""

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path

from app.settings import load
from tests.running import product
from tests.servers import Children, free_port, running_kafka, running_valkey

PORTS = (
    "collector_port",
    "collector_metrics_port",
    "console_port",
    "shop_port",
    "worker_port",
    "delivery_port",
    "inbox_port",
)
BATCH = 50
LEAD_S = 20.0
"""Seconds from a cart's change to its deadline: time enough to arm them all."""
SPREAD_S = 10.0
"""The deadlines are spread over so many seconds."""


async def background(shop, rate, end):
    """`rate` events a second in batches through the collector, until `end` (monotonic seconds). Returns how many."""
    sent, begin = 0, time.monotonic()
    while time.monotonic() < end:
        users = [f"passer{(sent + n) % 5000}" for n in range(BATCH)]
        events = [{"type": "page", "userId": user, "properties": {"url": "https://shop.example/"}} for user in users]
        status, text = await shop.post("/v1/batch", {"batch": events})
        assert status == 200, text
        sent += BATCH
        await asyncio.sleep(max(0.0, begin + sent / rate - time.monotonic()))
    return sent


async def arm(shop, carts, spread=SPREAD_S):
    """Carts whose deadlines are spread evenly; each customer may be written to."""
    begin = time.monotonic()
    for number in range(carts):
        user = f"leaver{number}"
        traits = {"email": f"{user}@shop.example", "consent": {"email": True}}
        cart = {"product_id": "p1", "name": "Lamp", "price": 20}
        events = [
            {"type": "identify", "userId": user, "traits": traits},
            {"type": "track", "event": "Product Added", "userId": user, "properties": cart},
        ]
        await shop.post("/v1/batch", {"batch": events})
        await asyncio.sleep(max(0.0, begin + number * spread / carts - time.monotonic()))


async def stages_of(shop):
    """Upper bounds of the buckets in which the worker's and the sender's own measures of lateness lie."""
    return {
        "decided_p50_le_ms": await quantile(shop, "worker", "boomerang_trigger_lateness_seconds", 0.5),
        "decided_p99_le_ms": await quantile(shop, "worker", "boomerang_trigger_lateness_seconds", 0.99),
        "handed_p50_le_ms": await quantile(shop, "delivery", "boomerang_handover_lateness_seconds", 0.5),
        "handed_p99_le_ms": await quantile(shop, "delivery", "boomerang_handover_lateness_seconds", 0.99),
    }


async def quantile(shop, name, metric, share):
    """Upper bound in milliseconds of the histogram's bucket that holds the quantile."""
    async with shop.http.get(shop.url(name, "/metrics")) as response:
        lines = [line for line in (await response.text()).splitlines() if line.startswith(f"{metric}_bucket")]
    buckets = sorted((float(line.split('le="')[1].split('"')[0]), float(line.rsplit(" ", 1)[1])) for line in lines)
    total = buckets[-1][1]
    return next(round(bound * 1000) for bound, count in buckets if count >= share * total)


async def measure(folder, kafka, redis, carts, rate):
    settings = load(
        {},
        kafka=f"kafka://{kafka}",
        redis=redis,
        data=folder / "data",
        time_scale=3600.0 / LEAD_S,
        instance="bench",
        rate_per_address=100_000,
        **{name: free_port() for name in PORTS},
    )
    (folder / "data").mkdir()
    children = Children(folder / "logs")
    try:
        async with product(settings, children) as shop:
            await shop.start("collector", "worker", "delivery", "console")
            load_task = asyncio.create_task(background(shop, rate, time.monotonic() + LEAD_S + SPREAD_S + 6))
            await arm(shop, carts)
            sent = await load_task
            due = {trigger.trigger_id: trigger.due for trigger in await shop.triggers()}
            stages = await stages_of(shop)
            mails = {mail["trigger_id"]: mail["sent_at"] for mail in await shop.mails()}
    finally:
        children.close()
    late = sorted((mails[key] - due[key] - settings.grace) * 1000 for key in due.keys() & mails.keys())
    return {
        "bench": "lateness",
        "carts": carts,
        "mails": len(mails),
        "triggers": len(due),
        "background_events": sent,
        "p50_ms": round(late[len(late) // 2]),
        "p99_ms": round(late[len(late) * 99 // 100]),
        "max_ms": round(late[-1]),
        **stages,
    }


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--carts", type=int, default=600)
    parser.add_argument("--rate", type=int, default=2000, help="background events a second")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running_kafka(folder / "kafka") as kafka, running_valkey(folder / "valkey") as redis:
            print(json.dumps(asyncio.run(measure(folder, kafka, redis, args.carts, args.rate))), flush=True)


if __name__ == "__main__":
    main()
