"""`boomerang bounces`: what mails to the bounce address tell, from a pipe, files or a mailbox."""

import argparse
import asyncio
import logging
import sys
from pathlib import Path

from app import logs
from app.bounces.mailbox import Mailbox, mailbox
from app.errors import CommandError, UsageError
from app.settings import Settings, load

SHORTEST_PAUSE = 10
log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options."""
    parser.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="mails, one a file, or folders (a Maildir's new/); -: one on the standard input",
    )
    parser.add_argument(
        "--every", type=int, metavar="SECONDS", help="look into the mailbox again and again, until told to end"
    )


def run(args: argparse.Namespace) -> int:
    """Read them. Raises CommandError, UsageError."""
    settings = load()
    logs.set_up(settings.log_level, settings.log_format)
    if args.files:
        if args.every is not None:
            raise UsageError("--every is for the mailbox of BOOMERANG_BOUNCE_MAILBOX, not for files")
        mails = [raw for name in args.files for raw in _read(name)]
        print(asyncio.run(_take(settings, mails)))
        return 0
    if not settings.bounce_mailbox:
        raise CommandError(
            "name a file, - for the standard input, or set BOOMERANG_BOUNCE_MAILBOX (docs/channels/email.md)"
        )
    if args.every is not None and args.every < SHORTEST_PAUSE:
        raise UsageError(f"--every must be at least {SHORTEST_PAUSE}")
    asyncio.run(_watch(settings, mailbox(settings.bounce_mailbox), args.every))
    return 0


def _read(name: str) -> list[bytes]:
    from app.web.receipts.mailreport import MOST_BYTES

    if name == "-":
        return [sys.stdin.buffer.read(MOST_BYTES)]
    path = Path(name)
    try:
        paths = sorted(item for item in path.iterdir() if item.is_file()) if path.is_dir() else [path]
        found = []
        for item in paths:
            with item.open("rb") as file:
                found.append(file.read(MOST_BYTES))
    except OSError as error:
        raise CommandError(f"cannot read {name}: {error.strerror}") from None
    return found


async def _take(settings: Settings, mails: list[bytes]) -> str:
    from app.bounces.desk import Mail, bounce_desk

    counts = dict.fromkeys(Mail, 0)
    async with bounce_desk(settings) as desk:
        for raw in mails:
            counts[await desk.take(raw)] += 1
    return ", ".join(f"{name} {number}" for name, number in counts.items())


async def _watch(settings: Settings, box: Mailbox, every: int | None) -> None:
    from app.bounces.desk import bounce_desk

    async with bounce_desk(settings) as desk:
        while True:
            try:
                counts = await desk.empty(box)
            except CommandError as error:
                if every is None:
                    raise
                log.warning("%s; trying again in %d s", error, every)
            else:
                if every is None or any(counts.values()):
                    log.info("bounces: %s", ", ".join(f"{name} {number}" for name, number in counts.items()))
            if every is None:
                return
            await asyncio.sleep(every)
