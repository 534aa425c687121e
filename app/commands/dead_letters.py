"""`boomerang dead-letters list` and `replay`."""

import argparse
import asyncio
import json
import logging
import sys
from collections import Counter, deque
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

from app.errors import CommandError, UsageError
from app.settings import Settings

MAX_LIMIT = 10_000
EXCERPT = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The two actions and their options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, help="list or replay")
    listing = actions.add_parser("list", help="print the newest dead letters")
    listing.add_argument("--limit", type=int, default=50, help=f"how many (default 50, at most {MAX_LIMIT})")
    listing.add_argument("--json", action="store_true", help="as JSON, one a line, with the whole content")
    again = actions.add_parser("replay", help="send those that were not replayed yet again")
    again.add_argument("--dry-run", action="store_true", help="only say what would be done")
    again.add_argument(
        "--collector", default="", metavar="URL", help="where refused events go (default: the collector's own address)"
    )
    for action in (listing, again):
        action.add_argument("--reason", default="", help="only letters with this reason")


def run(args: argparse.Namespace) -> int:
    """List or replay. Raises CommandError."""
    from app.model.reasons import BadInput
    from app.settings import load

    if args.reason and args.reason not in {*BadInput}:
        raise UsageError(f"there is no reason {args.reason!r}; known: {', '.join(BadInput)}")
    logging.getLogger("aiokafka").addHandler(
        logging.NullHandler()
    )  # its errors come to us; one line on stderr is enough
    settings = _with_broker(load())
    if args.action == "list":
        if not 1 <= args.limit <= MAX_LIMIT:
            raise UsageError(f"--limit must be between 1 and {MAX_LIMIT}")
        return asyncio.run(_list(settings, args.reason, args.limit, as_json=args.json))
    return asyncio.run(_replay(settings, args.reason, args.collector or _collector(settings), dry=args.dry_run))


def _with_broker(settings: Settings) -> Settings:
    """Where no broker is named, the embedded one of the data folder is meant."""
    from app.embedded.state import State

    if settings.kafka:
        return settings
    port = State(settings.data / "embedded.json").number("kafka_port")
    if not port:
        raise CommandError(f"no Kafka has run in {settings.data}; set BOOMERANG_DATA or BOOMERANG_KAFKA")
    return replace(settings, kafka=f"kafka://127.0.0.1:{port}")


def _collector(settings: Settings) -> str:
    host = settings.collector_host if settings.collector_host not in ("0.0.0.0", "::") else "127.0.0.1"  # noqa: S104 - not bound
    return f"http://[{host}]:{settings.collector_port}" if ":" in host else f"http://{host}:{settings.collector_port}"


async def _list(settings: Settings, reason: str, limit: int, *, as_json: bool) -> int:
    from app.dead_letters import Hopeless, Letter, plan, read

    newest: deque[Letter] = deque(maxlen=limit)
    total = erased = 0
    async for item in read(settings, reason, _progress("reading")):
        if item.erased:
            erased += 1
            continue
        hopeless = isinstance(plan(item.letter, settings.partitions, settings.topic_prefix), Hopeless)
        newest.append(item._replace(replayed=item.replayed and not hopeless))
        total += 1
    _end_progress()
    for item in sorted(newest, key=lambda item: (item.letter.at, item.partition, item.offset)):
        print(json.dumps(_as_json(item), ensure_ascii=False) if as_json else _as_text(item))
    if not as_json:
        print(
            f"{total} dead letter{'s' * (total != 1)}"
            + (f", the newest {limit} shown" if total > limit else "")
            + (f"; {erased} of erased customers are not shown" if erased else ""),
            file=sys.stderr,
        )
    return 0


async def _replay(settings: Settings, reason: str, collector: str, *, dry: bool) -> int:
    from app.clock import SYSTEM
    from app.dead_letters import Hopeless, Replay, plan, read

    if not collector.startswith(("http://", "https://")):
        raise UsageError("--collector must be a URL that begins with http:// or https://")
    done, hopeless, before = Counter[str](), Counter[str](), 0
    async with AsyncExitStack() as stack:
        replay = None if dry else await stack.enter_async_context(Replay(settings, SYSTEM.now, collector.rstrip("/")))
        async for item in read(settings, reason, _progress("replaying")):
            how = plan(item.letter, settings.partitions, settings.topic_prefix)
            if item.erased:
                hopeless["its customer was erased"] += 1
            elif isinstance(how, Hopeless):
                hopeless[how.why] += 1
            elif item.replayed:
                before += 1
            else:
                done[item.letter.reason] += 1
                if replay is not None:
                    await replay.add(item, how)
        if replay is not None:
            await replay.flush()
    _end_progress()
    for name, count in sorted(done.items()):
        print(f"{name}: {count} {'would be ' if dry else ''}sent again")
    for why, count in sorted(hopeless.items()):
        print(f"{count} cannot be sent again: {why}")
    if before:
        print(f"{before} had been sent again before")
    if not done and not hopeless and not before:
        print("there are no dead letters")
    return 0


def _as_json(item: Any) -> dict[str, Any]:
    letter = item.letter
    return {
        "place": f"{item.partition}:{item.offset}",
        "at": letter.at,
        "reason": letter.reason,
        "source": letter.source,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "key": letter.key.decode("utf-8", "replace"),
        "value": letter.value.decode("utf-8", "replace"),
        "detail": letter.detail,
        "replayed": item.replayed,
    }


def _as_text(item: Any) -> str:
    from app.explain import full_time
    from app.masking import mask

    letter = item.letter
    origin = f"{letter.topic} {letter.partition}:{letter.offset}" if letter.topic else letter.source or "unknown"
    excerpt = letter.value[: EXCERPT * 4].decode("utf-8", "replace")[:EXCERPT]
    words = [full_time(letter.at), letter.reason, origin, letter.detail, excerpt, "(replayed)" if item.replayed else ""]
    text = mask("  ".join(word for word in words if word))
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _progress(what: str) -> Any:
    """A line on a terminal's stderr, rewritten; nothing where stderr is a file."""
    if not sys.stderr.isatty():
        return lambda _done, _all: None

    def show(done: int, total: int) -> None:
        share = 100 * done // total if total else 100
        print(f"\r{what}: {done:,} of {total:,} records ({share} %)", end="", file=sys.stderr, flush=True)

    return show


def _end_progress() -> None:
    if sys.stderr.isatty():
        print(file=sys.stderr)
