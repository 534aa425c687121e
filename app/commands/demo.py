"""`boomerang demo`: everything on this machine, a small shop, and shoppers who leave carts in it."""

import argparse
import asyncio
import contextlib
import shutil
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.demo import stage as stages

HELP = "run everything and a demo shop with simulated shoppers"
SHOPPERS_LIMIT = 5_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options."""
    parser.add_argument("--shoppers", type=int, default=200, metavar="N", help="simulated shoppers (default 200)")
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="what the shoppers do follows from it (default 1)"
    )
    parser.add_argument(
        "--seconds", type=float, metavar="N", help="end after N seconds; status 1 if a promise was broken"
    )


def run(args: argparse.Namespace) -> int:
    """Play until Ctrl-C or for `--seconds`. Status 1 if a buyer got a mail, a mail was wrong, or none came in that time."""
    from app.errors import UsageError

    if not 0 <= args.shoppers <= SHOPPERS_LIMIT:
        raise UsageError(f"--shoppers must be between 0 and {SHOPPERS_LIMIT}")
    if args.seconds is not None and args.seconds <= 0:
        raise UsageError("--seconds must be above 0")
    return asyncio.run(_demo(args))


async def _demo(args: argparse.Namespace) -> int:
    from app.clock import SYSTEM
    from app.demo import stage as stages
    from app.settings import load

    started_at, begun = SYSTEM.now(), SYSTEM.monotonic()
    settings = stages.demo_settings(load())
    screen = Screen()
    signals = Signals()
    task = asyncio.current_task()
    assert task is not None, "a coroutine runs in a task"
    signals.before_the_start = task.cancel
    screen.say(
        f"Boomerang demo: waits are {settings.time_scale:g} times shorter (60 min take {3600 / settings.time_scale:.0f} s)"
    )
    try:
        async with stages.opened(
            settings, SYSTEM, screen.say, count=args.shoppers, seed=args.seed, started_at=started_at
        ) as stage:
            signals.before_the_start = None
            signals.kill = stage.system.kill
            _where(stage, screen)
            await _play(stage, signals, screen, begun, args.seconds)
            screen.say(stages.summary(stage, SYSTEM.monotonic() - begun))
            screen.say("stopping ...")
    except asyncio.CancelledError:
        screen.say("stopped before it had begun")
        return 0
    late = args.seconds is not None and args.shoppers > 0 and stage.watch.first_cart is None
    if late:
        screen.say(f"*** BROKEN PROMISE: no abandoned-cart mail in {args.seconds:g} s ***")
    return 1 if stage.watch.wrong or stage.players.failed or late else 0


def _where(stage: "stages.Stage", screen: "Screen") -> None:
    console = stage.system.urls["console"]
    screen.say(
        f"ready in {stage.system.ready_after:.1f} s\n"
        f"  shop     {stage.shop_url}    put something into the cart, leave your e-mail, wait\n"
        f"  console  {console}    every event, decision and mail, live\n"
        f"  inbox    {console}/inbox    the mails\n"
        f"  worth    {console}/scenarios    what each scenario did, brought and cost\n"
        f"  board    {console}/dialogs    two dialogs: who waits, what is at stake, what became of the alert\n"
        "Ctrl-C ends it."
    )


async def _play(
    stage: "stages.Stage", signals: "Signals", screen: "Screen", begun: float, seconds: float | None
) -> None:
    """Shoppers, inbox and progress, until a signal or the end of the time. Raises CommandError of the system."""
    from app.clock import SYSTEM
    from app.demo import stage as stages

    async def show() -> None:
        while True:
            screen.progress(stages.progress(stage, SYSTEM.monotonic() - begun))
            await asyncio.sleep(1)

    ends = None if seconds is None else max(0.0, begun + seconds - SYSTEM.monotonic())
    stop = asyncio.create_task(signals.stopping.wait())
    players = asyncio.create_task(stage.players.play())
    lasting = [asyncio.create_task(work) for work in (stage.system.watch(), stages.watched(stage, screen.say), show())]
    tasks = [stop, players, *lasting]
    try:
        async with asyncio.timeout(ends):
            await asyncio.wait([stop, *lasting], return_when=asyncio.FIRST_COMPLETED)
    except TimeoutError:
        pass
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result


class Signals:
    """Ctrl-C and its like: the first ends the demo in order, the second at once."""

    def __init__(self) -> None:
        self.stopping = asyncio.Event()
        self.before_the_start: Callable[[], object] | None = None
        self.kill: Callable[[], object] | None = None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self._hear)

    def _hear(self) -> None:
        again = self.stopping.is_set()
        self.stopping.set()
        if self.before_the_start is not None:
            self.before_the_start()
        elif again and self.kill is not None:
            self.kill()


class Screen:
    """The terminal: lines that stay, and one that is written over. Without a terminal, progress comes every 10 seconds."""

    def __init__(self) -> None:
        self._live = sys.stdout.isatty()
        self._shown = 0
        self._ticks = 0

    def say(self, text: str) -> None:
        """A line that stays."""
        self._clear()
        self._write(text + "\n")

    def progress(self, text: str) -> None:
        """A line that the next one replaces."""
        if self._live:
            text = text[: shutil.get_terminal_size().columns - 1]
            self._clear()
            self._shown = len(text)
            self._write(text)
        elif self._ticks % 10 == 0:
            self._write(text + "\n")
        self._ticks += 1

    def _clear(self) -> None:
        if self._shown:
            self._write("\r" + " " * self._shown + "\r")
            self._shown = 0

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):  # the terminal is gone
            sys.stdout.write(text)
            sys.stdout.flush()
