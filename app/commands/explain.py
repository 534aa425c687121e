"""`boomerang explain CUSTOMER`: what was decided about a customer, and why, from the journal's database."""

import argparse
import json
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
    parser.add_argument("--limit", type=int, default=MAX_LINES, help=f"newest lines to tell (default {MAX_LINES})")
    parser.add_argument("--json", action="store_true", help="lines as JSON, one a line")


def run(args: argparse.Namespace) -> int:
    """Print the story. Raises CommandError when there is none, UsageError for a time that cannot be read."""
    from app.explain import full_time, mask, standing, story, told
    from app.journal_store import JournalStore
    from app.settings import load

    until = moment_of(args.at) if args.at else None
    settings = load()
    if not settings.sql and not Path(settings.data / "journal.sqlite").exists():
        raise CommandError(f"there is no journal in {settings.data}; set BOOMERANG_DATA or BOOMERANG_SQL")
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


def moment_of(text: str, option: str = "--at") -> float:
    """An ISO time, or seconds since the epoch, as epoch seconds. Raises UsageError."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} {text!r} is not a time; write it like 2026-11-22T12:00:00") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
