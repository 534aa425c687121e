"""`boomerang up`: everything on this machine, until Ctrl-C."""

import argparse
import asyncio
import contextlib
import signal
import sys
from typing import Any

from app.children import CHAT_GATEWAY, CHILDREN, Child
from app.errors import UsageError
from app.settings import Settings, load
from app.supervisor import System, running_system


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options."""
    parser.add_argument("--time-scale", type=float, metavar="X", help="divide scenario waits by X (demos and tests)")
    parser.add_argument("--quiet", action="store_true", help="keep the processes' logs in files only")
    for child in (*CHILDREN, CHAT_GATEWAY):
        parser.add_argument(f"--no-{child.name}", action="store_true", help=f"do not start the {child.name}")


def run(args: argparse.Namespace) -> int:
    """Start everything, print where it is, wait for a signal, end everything. Raises CommandError."""
    if args.time_scale is not None and not 0 < args.time_scale <= 1_000_000:
        raise UsageError("--time-scale must be above 0 and at most 1000000")
    overrides: dict[str, Any] = {} if args.time_scale is None else {"time_scale": args.time_scale}
    names = [
        child.name for child in (*CHILDREN, CHAT_GATEWAY) if not getattr(args, f"no_{child.name.replace('-', '_')}")
    ]
    return asyncio.run(up(load(**overrides), names, quiet=args.quiet))


async def up(settings: Settings, names: list[str], *, quiet: bool = False) -> int:
    """Run the system until SIGINT, SIGTERM or SIGHUP. A second signal ends it at once. Raises CommandError."""
    loop = asyncio.get_running_loop()
    running: list[System] = []
    work = asyncio.ensure_future(_run(settings, names, running, quiet=quiet))
    signals = 0

    def end() -> None:
        nonlocal signals
        signals += 1
        if signals == 1:
            say("\nstopping ...")
            work.cancel()
        elif running:
            running[0].kill()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, end)
    try:
        await work
    except asyncio.CancelledError:
        say("stopped")
    return 0


async def _run(settings: Settings, names: list[str], running: list[System], *, quiet: bool) -> None:
    children = tuple(child for child in _children(settings) if child.name in names)
    async with running_system(settings, children=children, report=say, echo=None if quiet else echo) as system:
        running.append(system)
        width = max(map(len, system.urls), default=0)
        for name, url in system.urls.items():
            say(f"{name:<{width}}  {url}")
        for name in ("kafka", "redis"):
            if not getattr(settings, name):
                say(
                    f"{name:<{width}}  {getattr(system.settings, name)}    (embedded, BOOMERANG_{name.upper()} for others)"
                )
        say(f"ready in {system.ready_after:.1f} s; Ctrl-C ends it; logs are in {settings.data / 'log'}")
        await system.watch()


def _children(settings: Settings) -> tuple[Child, ...]:
    """The processes that there is work for. Raises CommandError."""
    if not settings.chats:
        return CHILDREN
    from app.web.chat import retailcrm
    from app.web.chat.sources import load_sources

    return (*CHILDREN, CHAT_GATEWAY) if load_sources(settings.chats).get(retailcrm.NAME) else CHILDREN


def say(text: str) -> None:
    """A line for the person at the terminal, if that is still open."""
    with contextlib.suppress(OSError):
        print(text, flush=True)


def echo(name: str, text: str) -> None:
    """A line of a child's log, with its name before it; one write, so that lines do not mix."""
    sys.stderr.write(f"{name:<9} | {text}\n")
    sys.stderr.flush()
