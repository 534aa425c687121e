"""The process that imports a feed again and again, with a port for metrics and health."""

import asyncio
import logging
from typing import NamedTuple

import uvicorn

from app import metrics
from app.catalogue.intake import ImplausibleError, Intake, Options
from app.catalogue.refusal import FeedRefusedError
from app.catalogue.source import Source
from app.catalogue.store import last_import
from app.clock import SYSTEM
from app.ending import end
from app.engine.provision import PartitionsError
from app.errors import CommandError
from app.model.catalogue import ChangeKind
from app.settings import Settings
from app.web.collector import server
from app.web.collector.http import TEXT, Message, Receive, Response, Send, answer

log = logging.getLogger(__name__)


class Watch(NamedTuple):
    """What is imported, how, and every how many seconds; where metrics and health are listened for."""

    source: Source
    options: Options
    every: float
    host: str
    port: int


async def serve(settings: Settings, watch: Watch) -> None:
    """Import until the process is told to end. A failed import is told and tried again; what was known before stays.

    Raises PartitionsError when the topics have another number of partitions.
    """
    for kind in ChangeKind:
        metrics.CATALOGUE_CHANGES.labels(kind.value)  # shown from the start: a rate that is not there cannot be zero
    health = Health()
    web = uvicorn.Server(server.metrics_config(watch.host, watch.port, health))
    importing = asyncio.ensure_future(_again_and_again(settings, watch, health))
    listening = asyncio.ensure_future(web.serve())
    log.info(
        "catalogue of %s, every %g s, health on http://%s:%d", watch.source.name, watch.every, watch.host, watch.port
    )
    try:
        done, _ = await asyncio.wait([listening, importing], return_when=asyncio.FIRST_COMPLETED)
    finally:
        web.should_exit = True
        await end(importing)
        await asyncio.gather(listening, return_exceptions=True)
    for task in done:
        task.result()


async def _again_and_again(settings: Settings, watch: Watch, health: "Health") -> None:
    intake = Intake(settings, SYSTEM)
    metrics.CATALOGUE_LAST_SUCCESS.labels(watch.source.name).set(await _before(settings))
    while True:
        word = await once(intake, watch)
        metrics.CATALOGUE_IMPORTS.labels(word).inc()
        health.well = word != "failed"
        await asyncio.sleep(watch.every)


async def _before(settings: Settings) -> float:
    """When the last import was, epoch seconds: a process that is started again and again must not look fresh. 0: never, or not known yet."""
    try:
        before = await last_import(settings)
    except PartitionsError:
        raise
    except CommandError as error:
        log.warning("%s", error)
        before = None
    return before.at if before else 0.0


async def once(intake: Intake, watch: Watch) -> str:
    """One import: `applied`, `refused` (the feed), `failed` (the way to it, or Kafka). Raises PartitionsError."""
    try:
        outcome = await intake.take(watch.source, watch.options)
    except PartitionsError:
        raise
    except ImplausibleError as error:
        log.warning("feed of %s refused: %s", watch.source.name, error)
        for fault in error.faults:
            log.warning("feed of %s: %s", watch.source.name, fault)
        return "refused"
    except FeedRefusedError as error:
        log.warning("feed of %s refused, nothing was applied: %s", watch.source.name, error)
        return "refused"
    except CommandError as error:
        log.warning("%s; trying again in %g s", error, watch.every)
        return "failed"
    done = outcome.done
    told = ", ".join(f"{kind} {count}" for kind, count in sorted(done.changes.items())) or "nothing changed"
    log.info("feed of %s: %d offers, %d bad; %s", done.source, done.offers, done.bad, told)
    return "applied"


class Health:
    """`/healthz`, `/readyz` and `/metrics` of this process. It is ready unless the last import failed for want of the feed or of Kafka."""

    def __init__(self) -> None:
        self.well = True
        metrics.before_render("catalogue", lambda: metrics.READY.set(self.well))

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["path"] == "/readyz":
            body = b"ready\n" if self.well else b"the last import failed\n"
            await answer(send, Response(200 if self.well else 503, body, TEXT), [])
        elif scope["path"] == "/healthz":
            await answer(send, Response(200, b"ok\n", TEXT), [])
        else:
            await server.metrics_app(scope, receive, send)
