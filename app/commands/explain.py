"""`boomerang explain CUSTOMER`: what was decided about a customer, and why, from the journal's database."""

import argparse
import asyncio
import json
import math
from datetime import UTC, datetime
from pathlib import Path

from app.errors import CommandError, UsageError

MAX_LINES = 2_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options."""
    parser.add_argument("customer", help="user id, anonymous id, or a key such as anon:...")
    parser.add_argument("--scenario", default="", help="only this scenario")
    parser.add_argument(
        "--at", metavar="TIME", default="", help="as it stood then: 2026-11-22T12:00[:00][+03:00], UTC without zone"
    )
    parser.add_argument(
        "--why-not",
        action="store_true",
        help="tell of each scenario why it is not armed, from the customer's state in Kafka",
    )
    parser.add_argument("--limit", type=int, default=MAX_LINES, help=f"newest lines to tell (default {MAX_LINES})")
    parser.add_argument("--json", action="store_true", help="lines as JSON, one a line")


def run(args: argparse.Namespace) -> int:
    """Print the story. Raises CommandError when there is none, UsageError for a time that cannot be read."""
    from app.explain import full_time, standing, story, told
    from app.journal_store import JournalStore
    from app.masking import mask
    from app.settings import load

    until = moment_of(args.at) if args.at else None
    if args.limit < 1:
        raise UsageError("--limit must be at least 1")
    if args.why_not:
        if until is not None:
            raise UsageError("--why-not tells how it stands now: leave --at out")
        return _why_not(args.customer, args.scenario)
    settings = load()
    if not settings.sql and not Path(settings.data / "journal.sqlite").exists():
        raise CommandError(
            f"there is no journal in {settings.data}: nothing was decided there yet, or it lies elsewhere "
            "(BOOMERANG_DATA, BOOMERANG_SQL)"
        )
    store = JournalStore(settings.sql_url)
    try:
        found = store.for_customer(args.customer, args.scenario or None, until, args.limit)
        keys = list(dict.fromkeys(item.line.customer for item in found))
    finally:
        store.close()
    if not found:
        about = f" about {args.scenario}" if args.scenario else ""
        before = f" until {full_time(until)} UTC" if until is not None else ""
        raise CommandError(f"nothing was decided{about} for {args.customer}{before}; ids are case-sensitive")
    lines = [item.line for item in found]
    if args.json:
        for line in lines:
            fields = {name: getattr(line, name) for name in line.__struct_fields__}
            print(json.dumps({**fields, "sentence": told(line).text}, ensure_ascii=False))
        return 0
    print(f"{', '.join(mask(key) for key in keys)} (times in UTC)")
    for sentence in story(lines):
        print(sentence)
    for sentence in standing(lines):
        print(sentence)
    return 0


def _why_not(name: str, only: str) -> int:
    """Tell how each scenario stands. Raises CommandError where nothing is known of the customer or the scenario."""
    from agents.scenarios.language import ScenarioError
    from agents.scenarios.load import load_folder
    from agents.scenarios.unarmed import standings
    from app.commands.broker import with_broker
    from app.explain import full_time
    from app.known import known_of
    from app.masking import mask
    from app.settings import load
    from tables.customer import Customer

    settings = load()
    try:
        scenarios = [
            item for item in load_folder(settings.scenarios, time_scale=settings.time_scale) if only in ("", item.id)
        ]
    except ScenarioError as error:
        raise CommandError(str(error)) from None
    if not scenarios:
        raise CommandError(f"there is no scenario {only!r} in {settings.scenarios}")
    known = asyncio.run(known_of(with_broker(settings), name, events=False))
    rows = {key: row for key, row in known.state.items() if isinstance(row, Customer)}
    if not rows:
        raise CommandError(
            f"no state is kept of {name}: no event of this customer was ever applied; ids are case-sensitive"
        )
    for key, row in rows.items():
        print(f"{mask(key)} (times in UTC), from the state as it is in Kafka and the scenario files of this machine")
        engagement = row.engagement
        for segment, since in sorted(((engagement.segments if engagement is not None else None) or {}).items()):
            print(f"  in segment {segment} since {full_time(since)}")
        for item in standings(key, row, scenarios):
            print(f"  {item.scenario} {item.text}" + (f" {full_time(item.at)}" if item.at else ""))
    return 0


def moment_of(text: str, option: str = "--at") -> float:
    """An ISO time, or seconds since the epoch, as epoch seconds. Raises UsageError."""
    try:
        seconds = float(text)
    except ValueError:
        pass
    else:
        if not math.isfinite(seconds):
            raise UsageError(f"{option} {text!r} is not a time; write it like 2026-11-22T12:00:00")
        return seconds
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} {text!r} is not a time; write it like 2026-11-22T12:00:00") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
