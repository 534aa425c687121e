"""Alerts while 100,000 dialogs are open and the site goes on: from due + grace to the mailbox of a sales person. And what a dialog costs.

    python -m bench.dialogs [--open 100000] [--alerts 600] [--rate 2000]

Nearly all dialogs wait for hours; those that come due are told apart by a tag. Lateness is counted from `due + grace` to the moment in which
the dev inbox has the alert.
"""

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path

import msgspec
from aiokafka import AIOKafkaProducer

from agents.dialogs.decide import Dialogs
from agents.dialogs.staff import Staff
from agents.scenarios.load import load_dialogs
from app.codec import encode_json
from app.engine.kafka_client import client_options
from app.model.chat import ChatEvent, ChatKind, Speaker, client_key
from app.model.team import Team
from app.settings import load
from app.topics import CHAT, partition_of
from bench.lateness import PORTS, arm, background, stages_of
from tables.customer import Customer
from tests.running import product
from tests.servers import Children, eventually, free_port, running_kafka, running_valkey

MANAGERS = 200
LEAD_S = 40.0
"""Seconds from a manager's word to the first deadline: time enough for all records to be read."""
SPREAD_S = 20.0
CART = """\
id: abandoned_cart
version: 1
title: The cart was left
family: abandonment
priority: 40
absence: {{of: [cart_changed], without: [ordered, cart_emptied], for: {lead}s}}
show: {{items: cart}}
cascade:
  - {{channel: email, template: abandoned_cart}}
"""
"""The baseline in the same run: mails of left carts, whose lateness `bench.lateness` measures alone."""
SCENARIO = """\
id: abandoned_dialog
version: 1
title: The client went silent
dialog:
  watch: silent_client
  for: 9h
  cases:
    - {{when: {{tag: soon}}, for: {lead}s}}
cascade:
  - {{channel: email, template: alert}}
"""
TEXTS = (
    "Здравствуйте! Есть ли зелёный диван в наличии, и когда привезёте?",
    "Yes, it is in stock; we can bring it on Friday.",
)


def talk(number, at, tags):
    """A question and its answer, as records of the topic."""
    key = client_key("telegram", "shop", f"{100_000_000 + number}")
    common = {"url": f"https://chat.shop.example/app/accounts/1/conversations/{number}", "tags": tags}
    for speaker, when, text in ((Speaker.CLIENT, at - 60, TEXTS[0]), (Speaker.MANAGER, at, TEXTS[1])):
        name = f"{number}:{speaker}"
        yield (
            key,
            ChatEvent(
                "telegram",
                "shop",
                f"{number}",
                key,
                ChatKind.MESSAGE,
                when,
                name,
                when,
                speaker,
                name,
                text,
                manager=f"m{number % MANAGERS}",
                manager_name="Anna Petrova",
                name="Ольга Иванова",
                **common,
            ),
        )


async def publish(settings, records):
    producer = AIOKafkaProducer(**client_options(settings), acks=1, linger_ms=20, max_batch_size=1 << 18)
    await producer.start()
    try:
        for key, event in records:
            number = partition_of(key, settings.partitions)
            await producer.send(settings.topic_prefix + CHAT.name, encode_json(event), key.encode(), partition=number)
    finally:
        await producer.stop()


def team():
    lines = ["members:"]
    lines += [
        f'  - {{id: m{n}, managers: ["telegram:shop:m{n}"], addresses: {{email: m{n}@shop.example}}}}'
        for n in range(MANAGERS)
    ]
    return "\n".join(lines) + "\n"


async def lateness(folder, kafka, redis, many, alerts, rate):
    scenarios = folder / "scenarios"
    scenarios.mkdir()
    (folder / "data").mkdir()
    (scenarios / "abandoned_dialog.yaml").write_text(SCENARIO.format(lead=int(LEAD_S)))
    (scenarios / "abandoned_cart.yaml").write_text(CART.format(lead=int(LEAD_S)))
    (folder / "team.yaml").write_text(team())
    settings = load(
        {},
        kafka=f"kafka://{kafka}",
        redis=redis,
        data=folder / "data",
        scenarios=scenarios,
        team=folder / "team.yaml",
        instance="bench",
        rate_per_address=100_000,
        **{name: free_port() for name in PORTS},
    )
    children = Children(folder / "logs")
    try:
        async with product(settings, children) as shop:
            await shop.start("collector", "worker", "delivery", "console")
            now = time.time()
            await publish(settings, (item for n in range(many) for item in talk(n, now, ["long"])))

            async def all_read():
                return await shop.metric("worker", "boomerang_engine_state_rows") >= many or None

            await eventually(all_read, 240, "all dialogs are in the state")
            begin = time.time()
            load_task = asyncio.create_task(background(shop, rate, time.monotonic() + LEAD_S + SPREAD_S + 8))
            soon = (item for n in range(alerts) for item in talk(many + n, begin + n * SPREAD_S / alerts, ["soon"]))
            await publish(settings, soon)
            await arm(shop, alerts, SPREAD_S)
            sent = await load_task
            triggers = await shop.triggers()
            stages = await stages_of(shop)
            mails = {mail["trigger_id"]: mail["sent_at"] for mail in await shop.mails()}
    finally:
        children.close()
    found = {
        "alert": {item.trigger_id: item.due for item in triggers if item.alert is not None},
        "cart": {item.trigger_id: item.due for item in triggers if item.alert is None},
    }
    late = {name: lateness_of(due, mails, settings.grace) for name, due in found.items()}
    alert, cart = late["alert"], late["cart"]
    return {
        "bench": "alerts",
        "open": many,
        "alerts": len(found["alert"]),
        "alert_mails": len(alert),
        "cart_mails": len(cart),
        "background_events": sent,
        "p50_ms": at(alert, 0.5),
        "p99_ms": at(alert, 0.99),
        "cart_p50_ms": at(cart, 0.5),
        "cart_p99_ms": at(cart, 0.99),
        "p50_ratio": round(at(alert, 0.5) / max(at(cart, 0.5), 1), 2),
        "p99_ratio": round(at(alert, 0.99) / max(at(cart, 0.99), 1), 2),
        **stages,
    }


def lateness_of(due, mails, grace):
    """Milliseconds from due + grace to the inbox, in order."""
    return sorted((mails[key] - due[key] - grace) * 1000 for key in due.keys() & mails.keys())


def at(late, share):
    """The quantile of some latenesses."""
    return round(late[min(len(late) - 1, int(len(late) * share))])


def costs(count=20_000):
    """Bytes of a client with one dialog, as kept, and CPU of a record and of an alert, in the core alone."""
    dialogs = Dialogs(load_dialogs(load({}).scenarios), Staff(Team(addresses={"email": "sales@shop.example"})))
    customers, began = {}, time.process_time()
    for number in range(count):
        for key, event in talk(number, 1_700_000_000.0, ["vip", "sofas"]):
            dialogs.on_chat(key, customers.setdefault(key, Customer()), event)
    heard = time.process_time() - began
    pack = msgspec.msgpack.Encoder().encode
    waiting = sum(len(pack(customer)) for customer in customers.values()) / count
    began = time.process_time()
    for key, customer in customers.items():
        assert dialogs.on_due(key, customer, 1_700_001_801.0, 1_700_001_801.0).fired
    fired = time.process_time() - began
    alerted = sum(len(pack(customer)) for customer in customers.values()) / count
    return {
        "bench": "state",
        "open": count,
        "bytes_a_dialog": round(waiting),
        "bytes_with_an_alert": round(alerted),
        "us_a_record": round(heard / count / 2 * 1e6, 1),
        "us_an_alert": round(fired / count * 1e6, 1),
    }


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--open", type=int, default=100_000)
    parser.add_argument("--alerts", type=int, default=600)
    parser.add_argument("--rate", type=int, default=2000, help="background events a second")
    args = parser.parse_args(argv)
    print(json.dumps(costs()), flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running_kafka(folder / "kafka") as kafka, running_valkey(folder / "valkey") as redis:
            found = asyncio.run(lateness(folder, kafka, redis, args.open, args.alerts, args.rate))
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
