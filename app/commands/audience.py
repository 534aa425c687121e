"""`boomerang audience SEGMENT --format FORMAT`: a segment as a file for an advertising network, hashed, of those who have agreed."""

import argparse
import asyncio
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from app.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options."""
    from agents.audiences import DESTINATIONS, WHOS

    parser.add_argument("segment", help="id of the segment")
    parser.add_argument("--format", required=True, choices=sorted(DESTINATIONS), help="what the network takes")
    parser.add_argument(
        "--who",
        default="all",
        choices=WHOS,
        help="only whom no message reaches, or who has unsubscribed (default: all)",
    )
    parser.add_argument("--to", type=Path, default=Path("-"), metavar="FILE", help="default: the standard output")


def run(args: argparse.Namespace) -> int:
    """Write it. Raises CommandError where there is no such segment, or nobody to tell."""
    from agents.conditions.words import ScenarioError
    from agents.scenarios.shape import nearest
    from agents.segments.load import load_segments
    from app.bounds import BUILT_IN_SEGMENTS
    from app.commands.broker import with_broker
    from app.settings import load

    settings = load()
    try:
        found = load_segments(settings.segments, time_scale=settings.time_scale)
    except ScenarioError as error:
        raise CommandError(str(error)) from None
    segment = next((one for one in found.segments if one.id == args.segment), None)
    if segment is None:
        hint = nearest(args.segment, found.names) or f"; there are: {', '.join(sorted(found.names)) or 'none'}"
        raise CommandError(f"there is no segment {args.segment!r} in {settings.segments}{hint}")
    if settings.segments == BUILT_IN_SEGMENTS and not _is_worked_out(settings):
        raise CommandError(
            f"segments are not worked out, since no scenario asks for one: copy {settings.segments} to a folder of your own, "
            "name it in BOOMERANG_SEGMENTS and start the worker again"
        )
    return asyncio.run(_write(with_broker(settings), segment.topic, args))


def _is_worked_out(settings: "Settings") -> bool:
    from agents.scenarios.load import load_folder
    from agents.segments.load import asked_for

    return any(map(asked_for, load_folder(settings.scenarios, time_scale=settings.time_scale)))


async def _write(settings: "Settings", topic: str, args: argparse.Namespace) -> int:
    from agents.audiences import ADS, DESTINATIONS
    from app.audience import lines_of

    destination, count = DESTINATIONS[args.format], 0
    with _file(args.to) as out:
        if destination.head:
            out.write(destination.head + "\n")
        async for line in lines_of(settings, args.segment, topic, args.who, destination, _progress):
            if count == destination.most:
                raise CommandError(
                    f"more than {destination.most:,} lines, which {args.format} does not take; split the segment"
                )
            out.write(line + "\n")
            count += 1
        if not count:
            consent = f"{ADS}:{topic}" if topic else ADS
            raise CommandError(
                f"nobody to tell: of segment {args.segment} nobody who is asked for has an address and has agreed to {consent!r}"
            )
    if sys.stderr.isatty():
        print(file=sys.stderr)
    print(f"{count:,} lines for {args.format}", file=sys.stderr)
    if count < destination.least:
        print(f"but {args.format} takes a file of {destination.least:,} lines at the least", file=sys.stderr)
    return 0


@contextmanager
def _file(path: Path) -> "Iterator[TextIO]":
    """The output. A file is its owner's alone, and appears when it is whole."""
    if str(path) == "-":
        yield sys.stdout
        return
    part = path.with_name(path.name + ".part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
            yield out
        part.replace(path)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)


def _progress(partition: int, done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\rpartition {partition}: {done:,} of {total:,} records", end="", file=sys.stderr, flush=True)
