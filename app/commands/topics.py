"""`boomerang topics`: list the topics, or create the missing ones."""

import argparse
import asyncio

from app.settings import Settings, load
from app.topics import ALL, DAY_MS, Topic


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options."""
    parser.add_argument("--create", action="store_true", help="create the missing ones (needs BOOMERANG_KAFKA)")


def run(args: argparse.Namespace) -> int:
    """Print the table; with a broker named, say which topics it has."""
    from app.engine.provision import provision

    settings = load()
    present: tuple[str, ...] | None = None
    if settings.kafka or args.create:
        done = asyncio.run(provision(settings, create=args.create))
        present = done.present + (done.missing if args.create else ())
    for line in table(settings, present):
        print(line)
    return 0


def table(settings: Settings, present: tuple[str, ...] | None) -> list[str]:
    """One line a topic; `present` names those that the broker has, None: not asked."""
    rows = [("topic", "key", "kept", "carries")]
    for topic in ALL:
        name = settings.topic_prefix + topic.name
        missing = " (missing)" if present is not None and name not in present else ""
        rows.append((name + missing, topic.key, kept(topic), topic.carries))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return ["  ".join([*(row[column].ljust(widths[column]) for column in range(3)), row[3]]) for row in rows]


def kept(topic: Topic) -> str:
    """How long records are kept, in words."""
    return "last of each key" if topic.compact else f"{topic.retention_ms // DAY_MS} days"
