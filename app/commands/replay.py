"""`boomerang replay FILE`: feed recorded events through the collector, or through the core alone (`--core`)."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from agents.decide import Decider
from agents.dialogs.staff import Staff
from agents.policy import PolicyError, load_policy
from agents.scenarios.language import ScenarioError
from agents.scenarios.load import load_folder
from agents.segments.load import needed_segments
from agents.team import TeamError, load_team
from app.clock import SYSTEM
from app.codec import encode_json
from app.errors import CommandError
from app.model.trigger import Trigger
from app.replay.core import FLUSH_SECONDS, CoreReplay, clock_record
from app.replay.http import HttpReplay
from app.replay.sources import Document, read
from app.settings import Settings, load
from app.web.collector.eventtime import lenient
from app.web.collector.normalise import Envelope, normalise
from app.web.collector.refusal import Refused

SHOWN_EVERY = 1_000
"""Events between two movements of the line: each of them costs as much as an event."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "file", type=Path, help="JSON lines (ours or Segment's), a JSON array or REES46's CSV; may be gzipped"
    )
    parser.add_argument("--core", action="store_true", help="run the core alone: no Kafka, no network, stream time")
    parser.add_argument("--url", default="", help="the collector (default: BOOMERANG_PUBLIC_URL or this machine's)")
    parser.add_argument("--key", default="", help="write key (default: the first server key of BOOMERANG_WRITE_KEYS)")
    parser.add_argument(
        "--speed", type=float, default=0.0, help="times faster than recorded (default 0: as fast as it goes)"
    )
    parser.add_argument("--addresses", action="store_true", help="give each visitor a made-up address and consent")
    parser.add_argument(
        "--flush", action="store_true", help="at the end let everything armed come due (stream time only)"
    )
    parser.add_argument(
        "--out", type=Path, help="with --core: write the triggers here as JSON lines (default: standard output)"
    )
    parser.add_argument("--limit", type=int, default=0, help="stop after so many events")


def run(args: argparse.Namespace) -> int:
    """Replay the file."""
    settings = load()
    if args.speed < 0 or args.limit < 0:
        raise CommandError("--speed and --limit cannot be negative")
    with progress(args.file.name) as advance:
        if args.core:
            return _through_core(args, settings, advance)
        return asyncio.run(_through_collector(args, settings, advance))


@contextmanager
def progress(name: str) -> Iterator[Callable[[int], None]]:
    """A line on a terminal that counts what is done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(name, total=None)
        waiting = 0

        def advance(count: int) -> None:
            nonlocal waiting
            waiting += count
            if waiting >= SHOWN_EVERY:
                bar.advance(task, waiting)
                waiting = 0

        yield advance
        bar.advance(task, waiting)


def _events(args: argparse.Namespace, seen: list[float]) -> Iterator[Document]:
    """The file's events up to the limit; `seen[0]` becomes the largest time of all."""
    for number, event in enumerate(read(args.file, addresses=args.addresses)):
        if args.limit and number >= args.limit:
            return
        seen[0] = max(seen[0], lenient(event.get("originalTimestamp") or event.get("timestamp")) or 0.0)
        yield event


# -- the core alone ------------------------------------------------------------------------------------------------


def _through_core(args: argparse.Namespace, settings: Settings, advance: Callable[[int], None]) -> int:
    try:
        scenarios = load_folder(settings.scenarios, time_scale=settings.time_scale)
        segments = needed_segments(scenarios, settings.segments, time_scale=settings.time_scale)
        policy = load_policy(settings.policy, time_scale=settings.time_scale)
        staff = Staff(load_team(settings.team))
    except (ScenarioError, PolicyError, TeamError) as error:
        raise CommandError(str(error)) from None
    out = args.out.open("wb") if args.out else sys.stdout.buffer
    count = [0]

    def on_trigger(trigger: Trigger) -> None:
        count[0] += 1
        out.write(encode_json(trigger) + b"\n")

    decider = Decider(
        scenarios, locale=settings.locale, policy=policy.without_mailboxes, segments=segments, staff=staff
    )
    replay = CoreReplay(decider, settings.partitions, on_trigger)
    total, refused = feed_core(replay, _events(args, [0.0]), advance)
    if args.flush:
        replay.flush()
    out.flush()
    if args.out:
        out.close()
    _summary(replay, total, refused, count[0])
    return 0


def feed_core(replay: CoreReplay, events: Iterable[Document], advance: Callable[[int], None]) -> tuple[int, int]:
    """Normalise events as the collector does and feed them. Returns how many there were and how many were refused."""
    envelope = Envelope(SYSTEM.now(), "server", clamp=False)
    total = refused = 0
    for event in events:
        total += 1
        advance(1)
        try:
            accepted = normalise(event, "", envelope)
        except Refused:
            refused += 1
            continue
        at = lenient(event.get("originalTimestamp") or event.get("timestamp"))
        replay.feed(accepted.customer, accepted.value, envelope.received if at is None else at)
    replay.finish()
    return total, refused


def _summary(replay: CoreReplay, total: int, refused: int, fired: int) -> None:
    print(f"{total} events, {refused} refused, {fired} triggers", file=sys.stderr)
    for letter in replay.dead:
        print(f"  could not be used: {letter.detail}", file=sys.stderr)
    for (scenario, reason), number in sorted(replay.reasons.items()):
        print(f"  {scenario or '-':24} {reason:24} {number}", file=sys.stderr)


# -- through the collector -----------------------------------------------------------------------------------------


async def _through_collector(args: argparse.Namespace, settings: Settings, advance: Callable[[int], None]) -> int:
    key = args.key or next((key for key, kind in settings.write_keys_by_key.items() if kind == "server"), "")
    if not key:
        raise CommandError("no server write key: give one with --key or in BOOMERANG_WRITE_KEYS")
    if args.flush and not settings.kafka:
        raise CommandError("--flush writes to Kafka itself: set BOOMERANG_KAFKA (`boomerang up` prints it)")
    seen = [0.0]
    replay = HttpReplay(args.url or settings.public_base, key, SYSTEM, speed=args.speed)
    sent = await replay.run(_events(args, seen), advance)
    if args.flush:
        await _flush(settings, seen[0] + FLUSH_SECONDS)
    refused = replay.refused.total()
    print(f"{sent - refused} events accepted" + (f", {refused} refused:" if refused else ""), file=sys.stderr)
    for reason, number in sorted(replay.refused.items()):
        print(f"  {reason:24} {number}   (`boomerang dead-letters list` shows them)", file=sys.stderr)
    return 0


async def _flush(settings: Settings, at: float) -> None:
    from aiokafka import AIOKafkaProducer

    from app.engine.kafka_client import client_options
    from app.topics import CLICKSTREAM

    client = AIOKafkaProducer(**client_options(settings), enable_idempotence=True)
    await client.start()
    try:
        for number in range(settings.partitions):
            topic = settings.topic_prefix + CLICKSTREAM.name
            await client.send_and_wait(topic, clock_record(at), partition=number)
    finally:
        await client.stop()
