"""The collector's process: wires settings, Kafka, Redis and the ASGI application, and serves it."""

import asyncio
import contextlib
import gc
import logging
import signal
import socket

import uvicorn
import uvloop

from app import metrics
from app.clock import SYSTEM, Clock
from app.engine.kafka_client import client_options
from app.engine.provision import check_partitions
from app.errors import CommandError
from app.settings import Settings
from app.web.collector import server
from app.web.collector.asgi import Collector
from app.web.collector.dedupe import RedisIds
from app.web.collector.intake import Intake
from app.web.collector.taking import ACK_SECONDS, intake_of
from channels.references import References

logger = logging.getLogger(__name__)


class Seldom(logging.Filter):
    """Lets one message of aiokafka's of a kind through every `pause` seconds: it tells ten times a second of a lost broker."""

    def __init__(self, clock: Clock, pause: float = 10.0) -> None:
        super().__init__()
        self._clock = clock
        self._pause = pause
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it has been silent about this for long enough."""
        if not record.name.startswith("aiokafka"):
            return True
        now = self._clock.monotonic()
        kind = str(record.msg)
        if now - self._said.get(kind, float("-inf")) < self._pause:
            return False
        if len(self._said) > 200:
            self._said.clear()
        self._said[kind] = now
        return True


def collector_app(settings: Settings, clock: Clock = SYSTEM, *, ack_timeout: float = ACK_SECONDS) -> Collector:
    """The ASGI application on real Kafka and Redis. To be made inside a running loop. Raises SettingsError."""
    intake = intake_of(settings, clock, ack_timeout=ack_timeout)
    metrics.before_render("collector", lambda: _show(intake))
    references = (
        References(settings.redis, settings.topic_prefix, clock.monotonic, metrics.REFERENCES_UNAVAILABLE.inc)
        if settings.redis
        else None
    )
    return Collector(settings, clock, intake, references)


def _show(intake: Intake) -> None:
    """Bring the gauges up to date."""
    ids = intake.ids
    metrics.READY.set(intake.sink.ready)
    if isinstance(ids, RedisIds):
        metrics.REDIS_UP.labels("dedupe").set(ids.answers)
        for state, count in zip(("busy", "idle"), ids.connections, strict=True):
            metrics.REDIS_CONNECTIONS.labels("dedupe", state).set(count)


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises CommandError when a port is taken, or the topics have another number of partitions."""
    client_options(settings)
    for host, port in (
        (settings.collector_host, settings.collector_port),
        (settings.collector_metrics_host, settings.collector_metrics_port),
    ):
        need_port(host, port)
    _collect_garbage_rarely()
    for handler in logging.getLogger().handlers:
        handler.addFilter(Seldom(SYSTEM))
    uvloop.run(serve(settings))


async def serve(settings: Settings) -> None:
    """Serve the public listener and the metrics until the process is told to end; what was taken is delivered first.

    Raises CommandError when the topics have another number of partitions.
    """
    await check_partitions(settings)
    main = server.QuietServer(
        server.public_config(collector_app(settings), settings.collector_host, settings.collector_port)
    )
    beside = server.QuietServer(server.metrics_config(settings.collector_metrics_host, settings.collector_metrics_port))
    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn would end with the signal, as if nothing had been finished
        asyncio.get_running_loop().add_signal_handler(number, _told_to_end, main)
    aside = [asyncio.ensure_future(beside.serve()), asyncio.ensure_future(server.cut_off_the_slow(main))]
    logger.info("collector on http://%s:%d", settings.collector_host, settings.collector_port)
    try:
        await main.serve()
    finally:
        beside.should_exit = True
        aside[1].cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*aside, return_exceptions=True)


def _told_to_end(main: uvicorn.Server) -> None:
    """The first signal ends the server in order, the second one does not wait for requests."""
    main.force_exit = main.should_exit
    main.should_exit = True


def _collect_garbage_rarely() -> None:
    """Requests leave no cycles behind; at its default pace the collector of garbage takes a fifth of the CPU."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def need_port(host: str, port: int, setting: str = "BOOMERANG_COLLECTOR_PORT") -> None:
    """Raise CommandError when a port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CommandError(f"cannot listen on {host}:{port}: {error.strerror}; set {setting}") from None
