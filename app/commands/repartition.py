"""`boomerang repartition`: more partitions for a system that has state."""

import argparse
import asyncio
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from app.errors import UsageError
from app.settings import Settings, load


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options."""
    parser.add_argument("--partitions", type=int, required=True, help="the new number: a multiple of the present one")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be moved")


def run(args: argparse.Namespace) -> int:
    """Move everything. Raises CommandError; run again, it goes on where it was."""
    from app.repartition.move import Repartition

    if args.partitions < 1:
        raise UsageError("--partitions must be at least 1")
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())  # its errors come to us; one line is enough
    with _broker(load()) as settings:
        work = Repartition(settings, args.partitions, lambda text: print(text, file=sys.stderr, flush=True))
        old, done = asyncio.run(work.run(dry=args.dry_run))
    if old == args.partitions:
        print(f"all topics have {old} partitions already; there is nothing to do")
        return 0
    rows, unread = sum(one.moved for one in done), sum(one.unread for one in done)
    if args.dry_run:
        print(
            f"from {old} to {args.partitions} partitions: {rows:,} of {rows + sum(one.kept for one in done):,} rows would move, "
            f"{unread:,} unread records would be put where they belong"
        )
        return 0
    print(
        f"from {old} to {args.partitions} partitions: {rows:,} rows moved, {unread:,} unread records put where they belong. "
        f"Now set BOOMERANG_PARTITIONS={args.partitions} for every process and start them"
    )
    return 0


@contextmanager
def _broker(settings: Settings) -> Iterator[Settings]:
    """The settings with a broker that runs: where none is named, the embedded one of the data folder, started if need be."""
    from app.embedded.kafka import is_ready
    from app.embedded.servers import kafka_server
    from app.embedded.state import State

    if settings.kafka:
        yield settings
        return
    state = State(settings.data / "embedded.json")
    port = state.number("kafka_port")
    if not port:
        raise UsageError(f"no Kafka has run in {settings.data}; set BOOMERANG_DATA or BOOMERANG_KAFKA")
    if is_ready(port):
        yield replace(settings, kafka=f"kafka://127.0.0.1:{port}")
        return
    server, address = kafka_server(settings.data, settings.cache, state)
    server.start()
    try:
        server.wait_ready()
        yield replace(settings, kafka=address)
    finally:
        server.stop()
