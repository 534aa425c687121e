"""`boomerang worth`: what each scenario did and brought, and whether recipients do more than the control group."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from app.errors import CommandError, UsageError

if TYPE_CHECKING:
    from app.worth import ScenarioWorth

DAY = 86_400.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options."""
    parser.add_argument("scenario", nargs="?", default="", help="only this scenario (default: all)")
    parser.add_argument("--days", type=float, default=30.0, help="so many days up to now (default 30)")
    parser.add_argument("--from", dest="since", metavar="TIME", default="", help="in place of --days: from then on")
    parser.add_argument("--to", dest="until", metavar="TIME", default="", help="up to then (default: now)")
    parser.add_argument("--json", action="store_true", help="everything as JSON")


def run(args: argparse.Namespace) -> int:
    """Print it. Raises CommandError where there is no journal or no such scenario, UsageError for a time that cannot be read."""
    from app.clock import SystemClock
    from app.commands.explain import moment_of
    from app.explain import full_time
    from app.journal_store import JournalStore
    from app.settings import load
    from app.worth import LONGEST, as_data, worth_of

    if not 0 < args.days <= LONGEST:
        raise UsageError(f"--days must be above 0, and {LONGEST} at the most")
    until = moment_of(args.until, "--to") if args.until else SystemClock().now()
    since = moment_of(args.since, "--from") if args.since else until - args.days * DAY
    if since >= until:
        raise UsageError("--from must lie before --to")
    settings = load()
    if not settings.sql and not Path(settings.data / "journal.sqlite").exists():
        raise CommandError(f"there is no journal in {settings.data}; set BOOMERANG_DATA or BOOMERANG_SQL")
    store = JournalStore(settings.sql_url)
    try:
        found = [one for one in worth_of(store.worth(since, until)) if args.scenario in ("", one.scenario)]
    finally:
        store.close()
    if args.json:
        print(json.dumps({"from": since, "to": until, "scenarios": as_data(found)}, ensure_ascii=False))
        return 0
    if not found:
        about = f" {args.scenario}" if args.scenario else ""
        raise CommandError(
            f"nothing of{about or ' any scenario'} happened between {full_time(since)} and {full_time(until)} UTC"
        )
    print(f"{full_time(since)} to {full_time(until)} (UTC)")
    for line in _table(found):
        print(line)
    return 0


def _table(found: "list[ScenarioWorth]") -> list[str]:
    head = ("scenario", "fired", "control", "sent", "opened", "clicked", "orders owed", "goals owed", "revenue", "cost")
    rows = [head, *(_cells(one) for one in found)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(head))]
    out = []
    for number, row in enumerate(rows):
        out.append(
            "  ".join(cell.ljust(widths[at]) if not at else cell.rjust(widths[at]) for at, cell in enumerate(row))
        )
        if number:
            one = found[number - 1]
            out += [f"    {words}" for words in (one.sentence, *(money.sentence for money in one.money))]
    return out


def _cells(one: "ScenarioWorth") -> tuple[str, ...]:
    totals: dict[str, float] = {}
    for owed in one.owed:
        totals[owed.currency] = totals.get(owed.currency, 0.0) + owed.revenue
    revenue = (
        " + ".join(f"{total:,.2f} {currency}".strip() for currency, total in sorted(totals.items()) if total) or "0"
    )
    counts = (
        one.recipients.times,
        one.control.times,
        one.sent,
        sum(channel.opened for channel in one.channels),
        sum(channel.clicked for channel in one.channels),
        sum(owed.orders for owed in one.owed),
        sum(owed.goals for owed in one.owed),
    )
    return (one.scenario, *(f"{count:,}" for count in counts), revenue, f"{one.cost:,.2f}")
