"""`boomerang erase CUSTOMER`: forget everything about a customer, and prove it by looking again."""

import argparse
import asyncio
from typing import Any

from app.errors import CommandError, UsageError
from app.settings import Settings

ROUND_S = 1.0
"""Seconds between two looks."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options."""
    parser.add_argument("customer", help="user id, anonymous id, or a key such as email:ann@shop.example")
    parser.add_argument("--yes", action="store_true", help="really do it; without it only what would be erased is told")
    parser.add_argument("--wait", type=float, default=60.0, metavar="S", help="seconds to wait for it (default 60)")


def run(args: argparse.Namespace) -> int:
    """Tell or erase. Raises CommandError when it cannot be done, or is not seen to be done in time."""
    from app.commands.broker import with_broker
    from app.settings import load

    if not 1.0 <= args.wait <= 3600.0:
        raise UsageError("--wait must be between 1 and 3600 seconds")
    return asyncio.run(_erase(with_broker(load()), args.customer, yes=args.yes, wait=args.wait))


async def _erase(settings: Settings, customer: str, *, yes: bool, wait: float) -> int:
    from app.clock import SYSTEM
    from app.known import known_of

    before = await known_of(settings, customer, events=False)
    if before.nothing_kept:
        raise CommandError(f"nothing is stored about {customer}; ids are case-sensitive")
    print(_summary(before))
    if not yes:
        print("nothing was erased; say --yes to do it")
        return 0
    await _ask(settings, before.keys, SYSTEM.now())
    deadline = SYSTEM.monotonic() + wait
    while True:
        after = await known_of(settings, before.keys[0], also=before.keys, events=False)
        if after.nothing_kept:
            break
        if SYSTEM.monotonic() > deadline:
            raise CommandError(
                f"after {wait:.0f} s there is still {_summary(after)}; are worker and delivery running, and does the "
                "customer come back meanwhile? The request is kept and will be carried out; run this again to see"
            )
        await asyncio.sleep(ROUND_S)
    print(
        f"erased: state, timers, messages and journal hold nothing about {len(before.keys)} keys; looked again just now"
    )
    print(
        "Topics keep what was written until their retention is over (events, triggers and journal 7 days, dead letters 30 days, which "
        "are neither shown nor sent again; changelogs until they are compacted). A suppressed address stays suppressed, as a digest."
    )
    return 0


def _summary(known: Any) -> str:
    return f"{len(known.state)} rows of state, {len(known.messages)} messages, {len(known.journal)} journal lines"


async def _ask(settings: Settings, keys: list[str], now: float) -> None:
    """Give the request to the single writer, one record a key, and note it where dead letters are read."""
    from aiokafka import AIOKafkaProducer
    from aiokafka.errors import KafkaError

    from app.codec import encode_json
    from app.engine.kafka_client import client_options
    from app.forgotten_letters import note
    from app.model.link import Erase
    from app.topics import DEAD_LETTERS, LINKS, partition_of

    producer = AIOKafkaProducer(**client_options(settings), acks="all", enable_idempotence=True)
    try:
        await producer.start()
        for key in keys:
            await producer.send_and_wait(
                settings.topic_prefix + LINKS.name,
                encode_json(Erase(key, now)),
                key=key.encode(),
                partition=partition_of(key, settings.partitions),
            )
        await producer.send_and_wait(
            settings.topic_prefix + DEAD_LETTERS.name, encode_json(note(keys, now)), key=b"erase"
        )
    except KafkaError as error:
        raise CommandError(f"Kafka did not take the request: {error}; run it again") from None
    finally:
        await producer.stop()
