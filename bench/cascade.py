"""What a pending stage of a cascade costs in memory, and what the gates and the template of one message cost in CPU. Prints JSON lines.

python -m bench.cascade [--customers 20000] [--rows 1000000] [--messages 2000]

Memory is measured twice: by the sizes of objects, over customers whose carts came due and were handed over, with a cascade of two
stages and with one of one (whose trigger is over then); and by what the process grows by for so many rows of the same kind.
"""

import argparse
import asyncio
import gc
import json
import multiprocessing
import time

import msgspec
import psutil

from agents.delivery.rules import Rules
from agents.delivery.settle import facts, grant
from agents.delivery.spending import may_spend
from agents.scenarios.load import parse
from app.clock import SYSTEM
from app.model.policy import Policy, Quiet
from bench.email import granted, trigger
from bench.footprint import object_bytes
from channels import pipeline
from channels.ledger import Message, Standing, State, address_key
from channels.pipeline import Job
from channels.render import Templates
from tables.customer import Row
from tables.packed import PackedRows
from tables.step import Partition, Step
from tests.driver import HOUR, Engine

ONE = """\
id: abandoned_cart
version: 1
title: The cart was left
family: abandonment
priority: 40
absence:
  of: [cart_changed]
  for: 60m
show:
  items: cart
cascade:
  - channel: email
    template: abandoned_cart
"""
TWO = ONE + "    wait: 4h\n    reaction: clicked\n  - channel: sms\n    template: abandoned_cart\n"


def waiting(text, customers):
    """A shop in which so many customers have got the first message, and its packed partition."""
    shop = Engine([parse(text)], partitions=1, delivers=True, policy=Policy(quiet=None))
    for number in range(customers):
        user = f"customer-{number:07d}"
        shop.identify(user, email=f"{user}@shop.example", phone="+79160000001", consent={"email": True, "sms": True})
        shop.add("p1", user, name="Lamp", price=20.0)
        if number % 1000 == 999:
            shop.journal.clear()
    shop.wait(HOUR + 1)
    assert len(shop.triggers) == customers
    (part,) = shop.table.parts.values()
    part.packed.close()
    part.rebuild_timers(shop.behaviour.wake_of)  # into slots, where deadlines lie that are some time away
    return part


def grown(packed, wake, rows):
    """Bytes that the process grows by for each of so many rows with these bytes, and a timer where there is one."""
    process = psutil.Process()
    gc.collect()
    before = process.memory_info().rss
    part = Partition(0, PackedRows(msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(Row).decode))
    for number in range(rows):
        key = f"customer-{number:07d}"
        part.packed.put_packed(key, bytes(bytearray(packed)))
        if wake:
            part.timers.wake(key, wake + number % 14_400)
    gc.collect()
    return (process.memory_info().rss - before) / rows


def alone(*arguments):
    """The same in a process of its own: what is free in this one would be used again."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(grown, arguments)


def memory(customers, rows):
    one, two = waiting(ONE, customers), waiting(TWO, customers)
    (_, without, _), (_, pending, _) = object_bytes([one]), object_bytes([two])
    cells = [
        next(cell for key, cell in part.packed.cells.items() if "customer" in key and "@" not in key)
        for part in (one, two)
    ]
    plain, stage = (alone(cell.packed, cell.wake, rows) for cell in cells)
    return {
        "bench": "cascade",
        "what": "pending stages",
        "customers": customers,
        "rows": rows,
        "bytes_a_customer": without,
        "bytes_a_pending_stage": pending - without,
        "packed_bytes": len(cells[1].packed) - len(cells[0].packed),
        "rss_a_customer": round(plain),
        "rss_a_pending_stage": round(stage - plain),
    }


class Mouth:
    """A channel that is never asked."""

    name = "email"

    def usable(self, _address):
        return ""


def message(messages):
    """CPU of the gates (twice, as a message meets them), the budget (twice as well), the ledger's grant, and the template."""
    policy = Policy(quiet=Quiet(1, 2), prices={"email": 0.01}, budgets={"*": 1e9})
    rules = Rules(True, frozenset({"email"}), policy=policy)
    part, now = Partition(0), SYSTEM.now()
    templates = Templates(shop_url="https://shop.example")
    walk = (
        pipeline.Gates(policy),
        pipeline.address,
        pipeline.Render(templates, pipeline.Urls(lambda one, *_: f"https://c.example/u/{one}" + "x" * 120), SYSTEM.now),
        pipeline.affordable,
    )
    items = [
        msgspec.structs.replace(
            trigger(number),
            caps={"email": 16 * HOUR},
            quiet="hold",
            timezone="Europe/Moscow",
            consent_at={"email": now - 9},
        )
        for number in range(messages)
    ]
    for item in items:
        row = Message(State.CLAIMED, "email", 0, item.customer, item.scenario, b"", item.expires_at, now)
        part.rows[f"m:{item.trigger_id}.0"] = row
        part.rows[address_key("email", item.addresses["email"])] = Standing(last_marketing=now - 90 * HOUR)

    async def walked():
        for item in items:
            key = f"m:{item.trigger_id}.0"
            job = Job(
                key[2:], item, "abandoned_cart", Mouth(), item.addresses["email"], 0, granted,
                lambda job, key=key: facts(part.rows, key, job.trigger, "email", now),
                affords=lambda job: may_spend(part.rows, job.trigger, 0.01, now, rules),
            )  # fmt: skip
            for stage in walk:
                assert await stage(job) is None
            assert job.rendered is not None
            assert grant(Step(part), key, item, 0, now, rules, 0.01) is True

    began = time.process_time()
    asyncio.run(walked())
    whole = (time.process_time() - began) / messages * 1e6
    began = time.process_time()
    for item in items:
        templates.render("abandoned_cart", item, "https://c.example/u/x")
    rendered = (time.process_time() - began) / messages * 1e6
    return {
        "bench": "cascade",
        "what": "gates and render",
        "messages": messages,
        "cpu_us_per_message": round(whole, 1),
        "of_it_template_us": round(rendered, 1),
    }


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=5_000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--messages", type=int, default=2_000)
    args = parser.parse_args(argv)
    print(json.dumps(message(args.messages)), flush=True)
    print(json.dumps(memory(args.customers, args.rows)), flush=True)


if __name__ == "__main__":
    main()
