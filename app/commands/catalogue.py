"""`boomerang catalogue import`, `watch` and `show`: what the shop sells, from its feed."""

import argparse
import asyncio
import sys
from typing import TYPE_CHECKING

from app.errors import CommandError, UsageError
from app.settings import Settings

if TYPE_CHECKING:
    from app.catalogue.intake import Options, Outcome
    from app.catalogue.refusal import Fault
    from app.model.catalogue import Import, Product

SHORTEST_PAUSE = 60.0
PORT = 6069


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The three actions and their options."""
    from app.catalogue.feed import FORMATS
    from app.catalogue.plausible import Limits

    usual = Limits()
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, help="import, watch or show")
    taking = actions.add_parser("import", help="read a feed, compare it with what is known, publish what changed")
    taking.add_argument("place", metavar="FILE|URL", help="the feed; - is the standard input; may be packed by gzip")
    taking.add_argument("--dry-run", action="store_true", help="only say what would change")
    taking.add_argument("--force", action="store_true", help="take it although it looks implausible")
    watching = actions.add_parser("watch", help="import a feed again and again, until told to end")
    watching.add_argument("place", metavar="URL|FILE", help="the feed")
    watching.add_argument(
        "--every", default="1h", metavar="TIME", help="pause between imports, as 30m or 1h (default 1h)"
    )
    watching.add_argument(
        "--host", default="127.0.0.1", help="address that metrics and health listen on (default 127.0.0.1)"
    )
    watching.add_argument("--port", type=int, default=PORT, help=f"port of metrics and health (default {PORT})")
    for action in (taking, watching):
        action.add_argument("--format", default="", choices=FORMATS, help="default: what the file looks like")
        action.add_argument(
            "--encoding", default="", help="in place of the one that the file declares, as windows-1251"
        )
        action.add_argument(
            "--most-bad", type=float, default=usual.bad, metavar="PERCENT",
            help=f"refuse a feed with more offers that cannot be used (default {usual.bad:g})",
        )  # fmt: skip
        action.add_argument(
            "--most-lost", type=float, default=usual.lost, metavar="PERCENT",
            help=f"refuse it when more products would be gone or out of stock (default {usual.lost:g})",
        )  # fmt: skip
    showing = actions.add_parser("show", help="print what is known of a product, or of the last import")
    showing.add_argument("product", nargs="?", default="", metavar="PRODUCT", help="its id; none: the last import")


def run(args: argparse.Namespace) -> int:
    """Do it. Raises CommandError, UsageError."""
    from app.commands.broker import with_broker
    from app.settings import load

    settings = load()
    if args.action == "watch":
        return _watch(settings, args)
    settings = with_broker(settings)
    if args.action == "show":
        return asyncio.run(_show(settings, args.product))
    return asyncio.run(_import(settings, args))


def _options(args: argparse.Namespace, *, force: bool = False, dry_run: bool = False) -> "Options":
    from app.catalogue.intake import Options
    from app.catalogue.plausible import Limits

    if not all(0 <= percent <= 100 for percent in (args.most_bad, args.most_lost)):
        raise UsageError("a share must be between 0 and 100 percent")
    limits = Limits(bad=args.most_bad, lost=args.most_lost)
    return Options(args.format, args.encoding, limits, force, dry_run)


# -- import


async def _import(settings: Settings, args: argparse.Namespace) -> int:
    from app.catalogue.intake import ImplausibleError, Intake
    from app.catalogue.source import source
    from app.clock import SYSTEM

    line = _Line()
    options = _options(args, force=args.force, dry_run=args.dry_run)
    try:
        outcome = await Intake(settings, SYSTEM, line.show).take(source(settings, args.place), options)
    except ImplausibleError as error:
        line.end()
        _tell(error.faults)
        raise
    except CommandError:
        line.end()
        raise
    line.end()
    _tell(outcome.faults)
    for text in summary(outcome, dry_run=args.dry_run):
        print(text)
    return 1 if args.dry_run and outcome.doubts and not args.force else 0


def _tell(faults: "list[Fault]") -> None:
    for fault in faults:
        print(fault, file=sys.stderr)


def summary(outcome: "Outcome", *, dry_run: bool) -> list[str]:
    """What an import came to, for a person."""
    done = outcome.done
    would = "would be " if dry_run else ""
    read = f"{done.offers:,} offers, {done.available:,} of them available; {done.bad:,} bad ones passed over"
    lines = [f"{read}; {outcome.rows:,} rows {would}written"]
    if done.baseline:
        lines.append(
            f"the first import: there was nothing to compare with, so no change {'would be' if dry_run else 'was'} published"
        )
    else:
        told = ", ".join(f"{kind} {count:,}" for kind, count in sorted(done.changes.items()))
        lines.append(f"changes {would}published: {told or 'none'}")
    doubted = "would be refused" if dry_run else "taken in spite of this"
    return [*lines, *(f"{doubted}: {text}" for text in outcome.doubts.values())]


# -- watch


def _watch(settings: Settings, args: argparse.Namespace) -> int:
    import uvloop

    from agents.conditions.words import ScenarioError, duration
    from app import logs, metrics
    from app.catalogue.process import Watch, serve
    from app.catalogue.source import source
    from app.commands.broker import with_broker
    from app.web.collector.app import need_port

    try:
        every = duration(args.every)
    except ScenarioError as error:
        raise UsageError(f"--every: {error}") from None
    if every < SHORTEST_PAUSE:
        raise UsageError(f"--every must be at least {SHORTEST_PAUSE:g}s")
    if not args.place:
        raise UsageError(
            "no feed is named; where the process is started by the files that come with the product, set FEED to its address"
        )
    if args.place == "-":
        raise UsageError("the standard input can be read once only; name a file or an address")
    settings = with_broker(settings)
    place = source(settings, args.place)
    need_port(args.host, args.port, "--port")
    logs.set_up(settings.log_level, settings.log_format)
    metrics.introduce("catalogue", settings.instance)
    uvloop.run(serve(settings, Watch(place, _options(args), every, args.host, args.port)))
    return 0


# -- show


async def _show(settings: Settings, product_id: str) -> int:
    from app.catalogue.store import last_import, product

    if not product_id:
        last = await last_import(settings)
        if last is None:
            raise CommandError("no feed has been imported yet; `boomerang catalogue import FILE|URL` does")
        lines = _of_import(last)
    else:
        found = await product(settings, product_id)
        if found is None:
            raise CommandError(f"the catalogue has no product {product_id!r}; ids are those of the feed")
        lines = _of_product(found)
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        print(f"{name:<{width}}  {value}")
    return 0


def _when(at: float) -> str:
    from app.clock import moment

    return moment(at).strftime("%Y-%m-%d %H:%M:%S UTC")


def _of_import(last: "Import") -> list[tuple[str, str]]:
    told = ", ".join(f"{kind} {count:,}" for kind, count in sorted(last.changes.items())) or "none"
    return [
        ("last import", f"{last.id}, {_when(last.at)}, from {last.source}"),
        ("offers", f"{last.offers:,}, {last.available:,} of them available; {last.bad:,} bad ones passed over"),
        ("changes", "the first import, none published" if last.baseline else told),
    ]


def _of_product(found: "Product") -> list[tuple[str, str]]:
    offer = found.offer
    price = f"{offer.price:.2f} {offer.currency}".strip()
    was = f" (crossed out: {offer.old_price:.2f})" if offer.old_price else ""
    standing = (
        f"gone from the feed since {_when(found.gone_at)}"
        if found.gone_at
        else ("available" if offer.available else "out of stock")
    )
    lines = [("product", offer.id), ("name", offer.name), ("price", price + was), ("stock", standing)]
    rest = ((name, getattr(offer, name)) for name in ("category", "brand", "group", "url", "picture"))
    return [
        *lines,
        *((name, value) for name, value in rest if value),
        ("changed", f"{_when(found.at)}, revision {found.revision}"),
    ]


# -- progress


class _Line:
    """A line on a terminal's stderr, rewritten at each further percent; nothing where stderr is a file."""

    def __init__(self) -> None:
        self._on = sys.stderr.isatty()
        self._last = ("", -1)

    def show(self, what: str, done: int, total: int) -> None:
        """How far it is."""
        if not self._on:
            return
        step = 100 * done // total if total else done >> 20
        if (what, step) != self._last:
            if what != self._last[0]:
                self.end()
            self._last = (what, step)
            share = f" of {total:,} ({step} %)" if total else ""
            print(f"\r{what}: {done:,}{share}", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leave the line."""
        if self._on and self._last[0]:
            print(file=sys.stderr)
            self._last = ("", -1)
