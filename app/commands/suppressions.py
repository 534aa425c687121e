"""`boomerang suppressions import`, `export`, `add` and `remove`: the addresses at which nothing may be said."""

import argparse
import asyncio
import itertools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from app.errors import CommandError, UsageError
from app.settings import Settings

if TYPE_CHECKING:
    from app.suppressions import Entry

MOST_LINES = 1_000_000
"""Lines of one file."""
BATCH = 500
"""Addresses in one record."""
SHOWN = 20
"""Bad lines that are shown."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The four actions and their options."""
    from app.suppressions import CHANNELS, FORMATS, WORDS

    actions = parser.add_subparsers(
        dest="action", metavar="ACTION", required=True, help="import, export, add or remove"
    )
    taking = actions.add_parser("import", help="take the addresses (or digests) of a file into the list")
    taking.add_argument("file", type=Path, help="CSV with a head, or JSON, one object a line; - is the standard input")
    taking.add_argument("--channel", default="", choices=CHANNELS, help="the channel of lines that name none")
    taking.add_argument("--skip-bad", action="store_true", help="take the good lines although there are bad ones")
    taking.add_argument("--dry-run", action="store_true", help="only look at the file")
    giving = actions.add_parser("export", help="write the list, as digests")
    giving.add_argument("file", type=Path, nargs="?", default=Path("-"), help="where to (default: the standard output)")
    giving.add_argument("--channel", default="", choices=CHANNELS, help="only this channel")
    for action in (taking, giving):
        action.add_argument("--format", default="", choices=FORMATS, help="default: by the file's name, else csv")
    adding = actions.add_parser("add", help="take one address into the list")
    adding.add_argument("--reason", default="suppressed", choices=sorted(WORDS), help="default: suppressed")
    adding.add_argument("--everything", action="store_true", help="hold transactional messages back too")
    removing = actions.add_parser("remove", help="take one address off the list; a consent that was withdrawn stays so")
    for action in (adding, removing):
        action.add_argument("channel", choices=CHANNELS, metavar="CHANNEL", help=", ".join(CHANNELS))
        action.add_argument("address", help="the address")


def run(args: argparse.Namespace) -> int:
    """Do it. Raises CommandError, UsageError."""
    from app.commands.broker import with_broker
    from app.settings import load

    settings = load()
    if args.action == "import" and args.dry_run:
        _check(settings, args)
        return 0
    action = {"import": _import, "export": _export, "add": _add, "remove": _remove}[args.action]
    return asyncio.run(action(with_broker(settings), args))


# -- import


async def _import(settings: Settings, args: argparse.Namespace) -> int:
    from app.suppression_list import ListWriter
    from app.suppressions import Entry

    good, done = _check(settings, args), 0
    async with ListWriter(settings) as writer:
        entries = (item for item in _read(settings, args) if isinstance(item, Entry))
        while batch := list(itertools.islice(entries, BATCH)):
            await writer.hold(batch)
            done += len(batch)
            _progress("importing", done, good)
    _end_progress()
    print(f"{done} addresses given to the sender in all partitions; it holds them back as soon as it has read them")
    return 0


def _check(settings: Settings, args: argparse.Namespace) -> int:
    """Look at the whole file before anything is written: how many good lines it has. Raises CommandError when some are bad."""
    from app.suppressions import BadLine

    if str(args.file) == "-" and not args.dry_run:
        if not args.skip_bad:
            raise UsageError("the standard input cannot be looked at first; give a file, or say --skip-bad")
        return 0
    good, bad, many = 0, list[BadLine](), 0
    for item in _read(settings, args):
        if isinstance(item, BadLine):
            many += 1
            bad += [item] if many <= SHOWN else []
        else:
            good += 1
        _progress("reading", good + many, 0)
    _end_progress()
    for line in bad:
        print(f"line {line.number}: {line.why}", file=sys.stderr)
    if many > SHOWN:
        print(f"... and {many - SHOWN} more", file=sys.stderr)
    if many and not args.skip_bad:
        raise CommandError(
            f"{many} of {good + many} lines cannot be used, and nothing was taken; mend them, or say --skip-bad"
        )
    if not good:
        raise CommandError(f"{args.file} has no address")
    if args.dry_run:
        print(f"{good} addresses would be taken" + (f", {many} lines passed over" if many else ""))
    return good


def _read(settings: Settings, args: argparse.Namespace) -> Iterator[Any]:
    """Entries and bad lines of the file. Raises CommandError."""
    from app.clock import SYSTEM
    from app.suppressions import read

    form = args.format or _format(args.file)
    try:
        with _opened(args.file) as file:
            yield from read(_lines(file), form, args.channel, SYSTEM.now(), settings.phone_country)
    except OSError as error:
        raise CommandError(f"{args.file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CommandError(f"{args.file} is not UTF-8") from None


def _opened(file: Path) -> IO[str]:
    if str(file) == "-":
        return open(sys.stdin.fileno(), encoding="utf-8", closefd=False)
    return file.open(encoding="utf-8")


def _lines(file: IO[str]) -> Iterator[str]:
    """Lines, of which one that is too long is not read into memory as a whole. Raises CommandError when there are too many."""
    from app.suppressions import LONGEST_LINE

    for number in itertools.count():
        line = rest = file.readline(LONGEST_LINE + 2)
        if not line:
            return
        if number >= MOST_LINES:
            raise CommandError(f"{MOST_LINES} lines are the most of one file; cut it into several")
        while rest and not rest.endswith("\n"):
            rest = file.readline(LONGEST_LINE)
        yield line.rstrip("\r\n")


def _format(file: Path) -> str:
    return "jsonl" if file.suffix.lower() in (".jsonl", ".ndjson", ".json") else "csv"


# -- export


async def _export(settings: Settings, args: argparse.Namespace) -> int:
    from app.suppression_list import listed
    from app.suppressions import HEAD, written

    form, count = args.format or _format(args.file), 0
    try:
        with _target(args.file) as file:
            if form == "csv":
                print(HEAD, file=file)
            async for key, standing in listed(settings, lambda done, total: _progress("reading", done, total)):
                if not args.channel or key.split(":", 2)[1] == args.channel:
                    print(written(key, standing, form), file=file)
                    count += 1
    except OSError as error:
        raise CommandError(f"{args.file} cannot be written: {error.strerror}") from None
    _end_progress()
    print(f"{count} addresses, as digests; treat them as personal data", file=sys.stderr)
    return 0


@contextmanager
def _target(file: Path) -> Iterator[IO[str]]:
    if str(file) == "-":
        yield sys.stdout
        return
    with file.open("w", encoding="utf-8") as target:
        yield target


# -- one address


async def _add(settings: Settings, args: argparse.Namespace) -> int:
    from app.suppression_list import ListWriter

    entry = _one(settings, args, args.reason, "everything" if args.everything else "")
    async with ListWriter(settings) as writer:
        await writer.hold([entry])
    what = "nothing" if entry.everything else "no marketing"
    print(f"given to the sender: {what} goes to this address over {args.channel} as soon as it has read this")
    return 0


async def _remove(settings: Settings, args: argparse.Namespace) -> int:
    from app.suppression_list import ListWriter
    from app.suppressions import PHONES, spelled

    entry = _one(settings, args, "suppressed", "")
    async with ListWriter(settings) as writer:
        await writer.lift([entry])
        if args.channel in ("email", *PHONES):
            for address in dict.fromkeys(spelled(args.channel, args.address, settings.phone_country)):
                await writer.reinstate(args.channel, address, entry.at)
    print(
        f"given to the sender: this address may be used over {args.channel} again. A consent that was withdrawn stays "
        "withdrawn until a server gives a new one that names its source"
    )
    return 0


def _one(settings: Settings, args: argparse.Namespace, reason: str, scope: str) -> "Entry":
    from app.clock import SYSTEM
    from app.suppressions import entry

    row = {"channel": args.channel, "address": args.address, "reason": reason, "scope": scope}
    try:
        return entry(row, "", SYSTEM.now(), settings.phone_country)
    except ValueError as error:
        raise UsageError(str(error)) from None


# -- progress


def _progress(what: str, done: int, total: int) -> None:
    """A line on a terminal's stderr, rewritten; nothing where stderr is a file."""
    if sys.stderr.isatty() and (not done % BATCH or done == total):
        share = f" of {total:,} ({100 * done // total} %)" if total else ""
        print(f"\r{what}: {done:,}{share}", end="", file=sys.stderr, flush=True)


def _end_progress() -> None:
    if sys.stderr.isatty():
        print(file=sys.stderr)
