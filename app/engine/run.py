"""Runs a worker in this process until a signal or a failure ends it."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import threading
from collections.abc import Callable
from typing import NoReturn

import uvloop

from app import logs
from app.clock import SYSTEM, Clock
from app.engine.base import EngineApp
from app.engine.provision import provision
from app.engine.site import Site
from app.engine.watch import watch
from app.errors import CommandError
from app.settings import Settings
from app.topics import ALL, Topic

GC_THRESHOLDS = (50_000, 20, 20)
"""Bundles make and drop thousands of objects at a time, hardly any of them in cycles."""
STOP_S = 8.0
"""A graceful stop may take so long; then the process just ends, which the fence makes harmless."""
log = logging.getLogger(__name__)


def run(
    settings: Settings,
    port: int,
    make: Callable[[], EngineApp],
    clock: Clock = SYSTEM,
    *,
    topics: tuple[Topic, ...] = ALL,
) -> int:
    """Run the app that `make` makes, with its web on `port`. Returns 0 after a signal; after a failure the process ends with 1.

    Raises CommandError when the port cannot be used, Kafka does not answer, or one of `topics` is missing.
    """
    logs.set_up(settings.log_level, settings.log_format)
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())  # the consumer's thread makes its loop by it too
    return asyncio.run(_serve(settings, port, make, clock, topics))


async def _serve(
    settings: Settings, port: int, make: Callable[[], EngineApp], clock: Clock, topics: tuple[Topic, ...]
) -> int:
    missing = (await provision(settings, topics, create=False)).missing
    if missing:
        raise CommandError(f"{len(missing)} topics are missing, {missing[0]} first; run `boomerang topics --create`")
    app = make()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    site = Site(settings.worker_host, port, app.not_ready)
    variable = "BOOMERANG_WORKER_PORT" if port == settings.worker_port else "BOOMERANG_DELIVERY_PORT"
    try:
        await site.start()
    except OSError as error:
        raise CommandError(f"port {port} cannot be used ({error.strerror}); set {variable} to a free one") from None
    failure = await _until_over(app, clock)
    if failure:
        abandon(failure)
    end_anyway()
    with contextlib.suppress(Exception):
        await app.stop()
    await site.stop()
    if app.crash_reason:
        abandon(app.crash_reason)
    return 0


async def _until_over(app: EngineApp, clock: Clock) -> BaseException | None:
    """Start the app and wait for a signal (None) or its failure."""
    signalled = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, signalled.set)
    starting, watching = asyncio.create_task(app.start()), asyncio.create_task(watch(app, clock))
    waits = [asyncio.create_task(signalled.wait()), asyncio.create_task(app.wait_until_stopped()), watching]
    await asyncio.wait([*waits, starting], return_when=asyncio.FIRST_COMPLETED)
    if starting.done() and starting.exception() is None:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    failure = _failure(app, starting, watching)
    for task in (starting, *waits):
        task.cancel()
    return failure


def _failure(app: EngineApp, *tasks: asyncio.Task[None]) -> BaseException | None:
    for task in tasks:
        if task.done() and not task.cancelled() and task.exception():
            return task.exception()
    reason: BaseException | None = app.crash_reason
    return reason


def abandon(failure: BaseException) -> NoReturn:
    """End at once with status 1, saying why in one line.

    A crashed Faust app has crashed its threads too, and stopping it in order waits for them. Nothing is lost: a process may be
    killed at any moment.
    """
    log.critical("stopped: %s: %s", type(failure).__name__, failure)
    logging.shutdown()
    os._exit(1)


def end_anyway() -> None:
    """Have the process end within `STOP_S` seconds, whatever hangs."""
    timer = threading.Timer(STOP_S, os._exit, (0,))
    timer.daemon = True
    timer.start()
