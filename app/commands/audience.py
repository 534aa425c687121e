"""`boomerang audience NAME --format FORMAT`: a segment or an audience as a file for an advertising network, hashed, of those who have agreed."""

import argparse
import asyncio
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from app.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from agents.audiences import Group
    from agents.scenarios.language import Scenario
    from app.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options."""
    from agents.audiences import DESTINATIONS, KINDS, WHOS

    parser.add_argument("name", help="id of the segment, or name of the audience that a step adds to")
    parser.add_argument(
        "--kind", default="", choices=KINDS, help="which is meant where a segment and an audience have one name"
    )
    parser.add_argument("--format", required=True, choices=sorted(DESTINATIONS), help="what the network takes")
    parser.add_argument(
        "--who",
        default="all",
        choices=WHOS,
        help="only whom no message reaches, or who has unsubscribed (default: all)",
    )
    parser.add_argument("--to", type=Path, default=Path("-"), metavar="FILE", help="default: the standard output")


def run(args: argparse.Namespace) -> int:
    """Write it. Raises CommandError where there is no such segment or audience, or nobody to tell."""
    from agents.conditions.words import ScenarioError
    from app.commands.broker import with_broker
    from app.settings import load

    settings = load()
    try:
        group = _group(settings, args.name, args.kind)
    except ScenarioError as error:
        raise CommandError(str(error)) from None
    return asyncio.run(_write(with_broker(settings), group, args))


def _group(settings: "Settings", name: str, kind: str) -> "Group":
    """The segment or the audience of that name. Raises CommandError, ScenarioError."""
    from agents.audiences import Group
    from agents.scenarios.needs import audiences_of
    from agents.segments.load import load_segments
    from app.bounds import BUILT_IN_SEGMENTS
    from app.engine.rules import needs_segments

    known = load_segments(settings.segments, time_scale=settings.time_scale)
    topics = {one.id: one.topic for one in known.segments} if kind != "audience" else {}
    built_in = settings.segments == BUILT_IN_SEGMENTS
    scenarios = _scenarios(settings) if kind != "segment" or built_in else []
    audiences = frozenset[str]().union(*map(audiences_of, scenarios)) if kind != "segment" else frozenset()
    if name in topics and name in audiences:
        raise CommandError(f"{name!r} is a segment and an audience; say `--kind segment` or `--kind audience`")
    if name in audiences:
        return Group("audience", name)
    if name not in topics:
        raise CommandError(_unknown(settings, name, kind, topics, audiences))
    if not needs_segments(settings, scenarios):
        raise CommandError(
            f"segments are not worked out, since no scenario asks for one: copy {settings.segments} to a folder of your own, "
            "name it in BOOMERANG_SEGMENTS and start the worker again"
        )
    return Group("segment", name, topics[name])


def _scenarios(settings: "Settings") -> "list[Scenario]":
    """Those of the site, and earlier versions by which journeys still go. Raises ScenarioError."""
    from agents.scenarios.load import load_all

    loaded = load_all(settings.scenarios, time_scale=settings.time_scale)
    return [*loaded.site, *loaded.former]


def _unknown(
    settings: "Settings", name: str, kind: str, segments: "Collection[str]", audiences: "Collection[str]"
) -> str:
    """That there is no such name, and which is near."""
    from agents.scenarios.shape import nearest

    places = []
    if kind != "audience":
        places.append(f"no segment {name!r} in {settings.segments}")
    if kind != "segment":
        places.append(f"no step in {settings.scenarios} that adds to an audience {name!r}")
    names = sorted({*segments, *audiences})
    hint = nearest(name, names) or f"; there are: {', '.join(names) or 'none'}"
    return f"there is {' and '.join(places)}{hint}"


async def _write(settings: "Settings", group: "Group", args: argparse.Namespace) -> int:
    from agents.audiences import DESTINATIONS
    from app.audience import lines_of

    destination, count = DESTINATIONS[args.format], 0
    with _file(args.to) as out:
        if destination.head:
            out.write(destination.head + "\n")
        async for line in lines_of(settings, group, args.who, destination, _progress):
            if count == destination.most:
                raise CommandError(
                    f"more than {destination.most:,} lines, which {args.format} does not take; split the {group.kind}"
                )
            out.write(line + "\n")
            count += 1
        if not count:
            raise CommandError(
                f"nobody to tell: of {group.kind} {group.name} nobody who is asked for has an address and has agreed to {group.consent!r}"
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
